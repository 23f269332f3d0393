// Package dispatch is the first stage: it decides of each raw beacon whether it
// goes on and on which route, and says to all routes how far its sources are.
package dispatch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// Filter drops beacons. drop is called for each row of sel that it drops.
type Filter interface {
	Filter(ctx context.Context, b *beacon.Batch, sel []int, drop func(row int, d beacon.Drop)) error
}

// Splitter sends beacons to routes. route is called for each row of sel that
// it has an opinion on.
type Splitter interface {
	Split(ctx context.Context, b *beacon.Batch, sel []int, route func(row int, name string), drop func(row int, d beacon.Drop)) error
}

// Tenant is one tenant's part in dispatch.
type Tenant struct {
	Filters []Filter // after all others; see this tenant's rows only
}

// Route is where beacons go.
type Route struct {
	Name       string
	Topic      string
	Partitions int32
	// Replaces is the topic that the route had before: nil where it has had no
	// other, or nobody reads that one any more.
	Replaces *Replaced
}

// Replaced is a topic that another one of its route took the place of.
type Replaced struct {
	Topic      string
	Partitions int32
	Generation uint64 // the first that does not write to it any more
}

// Config is dispatch's part of a generation.
type Config struct {
	Generation uint64
	Sources    []*beacon.Source // of different topics
	Fields     *beacon.Fields   // all that filters and splitter ask for
	Tenants    map[string]Tenant
	Filters    []Filter // in their order: the first drop wins
	Splitter   Splitter // nil: everything goes to Default
	Routes     []Route
	Default    string        // a route's name
	Ahead      time.Duration // how far a beacon's time may lie ahead of its dispatch
}

// Source is how far a source partition is: state that goes with the partition,
// not with a Core.
type Source struct {
	Topic     string
	Partition int32
	Watermark int64 // the highest event time routed, epoch ms; metric.NoWatermark before
}

// Raw is a raw record.
type Raw struct {
	Offset int64
	Value  []byte
	Again  bool // it was decided of before, and that does not hold
}

// Output takes what Process decides. Values are those of the raw records; key
// and header are valid during the call only.
type Output interface {
	Route(route string, partition int32, key, header, value []byte)
	DeadLetter(d kafka.DeadLetter)
	Count(c metric.Count)
}

// chunk is how many beacons go through the plugins at a time.
const chunk = 1024

// detailBytes bounds what a dead letter says of a beacon's own text.
const detailBytes = 256

// Core makes the decisions of one generation. It is not for concurrent use.
type Core struct {
	cfg         Config
	projections map[string]*beacon.Projection // by topic
	tenants     map[string]*tenant
	routes      map[string]int
	byDefault   int
	batch       *beacon.Batch
	drop        func(int, beacon.Drop) // the callbacks, made once
	route       func(int, string)

	// Of the chunk in hand.
	src     *Source
	records []Raw
	out     Output
	rows    []row
	sel     []int
	own     []int // rows of one tenant
	header  []byte
	failed  error

	// Of the call of Process in hand.
	active      []*tenant
	undecodable map[beacon.Cause]int64
}

// row is what is decided of a row so far.
type row struct {
	tenant  *tenant
	route   int
	dropped bool
}

// tenant is a tenant's filters and counts.
type tenant struct {
	Tenant
	name     string
	in       int64 // these: of the call of Process in hand
	filtered map[string]int64
	letters  map[beacon.Cause]int64
}

// NewCore compiles a generation's dispatch.
func NewCore(cfg Config) (*Core, error) {
	c := &Core{
		cfg: cfg, projections: map[string]*beacon.Projection{}, tenants: map[string]*tenant{}, routes: map[string]int{},
		undecodable: map[beacon.Cause]int64{},
	}
	if c.cfg.Fields == nil {
		c.cfg.Fields = beacon.NewFields()
	}
	for _, s := range cfg.Sources {
		p, err := beacon.NewProjection(needed(s), c.cfg.Fields)
		if err != nil {
			return nil, fmt.Errorf("dispatch: source %s: %w", s.Name, err)
		}
		if c.projections[s.Topic] != nil {
			return nil, fmt.Errorf("dispatch: source %s: another source has the topic %s: a topic is one source", s.Name, s.Topic)
		}
		c.projections[s.Topic] = p
	}
	for name, t := range cfg.Tenants {
		c.tenants[name] = &tenant{Tenant: t, name: name, filtered: map[string]int64{}, letters: map[beacon.Cause]int64{}}
	}
	for i, r := range cfg.Routes {
		if r.Partitions < 1 {
			return nil, fmt.Errorf("dispatch: route %s: %d partitions", r.Name, r.Partitions)
		}
		if old := r.Replaces; old != nil && (old.Topic == r.Topic || old.Partitions < 1 || old.Generation < 1 || old.Generation > cfg.Generation) {
			return nil, fmt.Errorf("dispatch: route %s: its topic %s can not replace %s of %d partitions from generation %d on in generation %d",
				r.Name, r.Topic, old.Topic, old.Partitions, old.Generation, cfg.Generation)
		}
		c.routes[r.Name] = i
	}
	var ok bool
	if c.byDefault, ok = c.routes[cfg.Default]; !ok {
		return nil, fmt.Errorf("dispatch: the default route %q is none of the routes", cfg.Default)
	}
	c.batch = beacon.NewBatch(c.cfg.Fields)
	c.drop, c.route = c.dropRow, c.routeRow
	return c, nil
}

// needed is a source without what only sessions look at: who reads an array of
// assignments pays for it.
func needed(s *beacon.Source) *beacon.Source {
	n := *s
	n.ID = beacon.Locator{}
	if len(s.Assignments.Paths) == 1 {
		n.Assignments = beacon.Locator{}
	}
	return &n
}

// Generation is the number of the generation whose decisions the core makes.
func (c *Core) Generation() uint64 { return c.cfg.Generation }

// Routes are the routes of the generation.
func (c *Core) Routes() []Route { return c.cfg.Routes }

// Process decides of records, which lie next to each other in src's partition,
// as of now (epoch ms), and moves src's watermark. After an error src and what
// out was given are void.
func (c *Core) Process(ctx context.Context, src *Source, records []Raw, now int64, out Output) error {
	p := c.projections[src.Topic]
	if p == nil {
		return fmt.Errorf("dispatch: topic %s is no source of generation %d: add it to sources in the config: %w", src.Topic, c.cfg.Generation, kafka.ErrStop)
	}
	c.src, c.out, c.failed = src, out, nil
	var err error
	for len(records) > 0 && err == nil {
		c.records = records[:min(chunk, len(records))]
		records = records[len(c.records):]
		err = c.chunk(ctx, p, now)
	}
	c.batch.Reset()
	c.count(err == nil)
	c.src, c.out, c.records = nil, nil, nil
	return err
}

// chunk decides of c.records.
func (c *Core) chunk(ctx context.Context, p *beacon.Projection, now int64) error {
	c.batch.Reset()
	c.rows, c.sel = c.rows[:0], c.sel[:0]
	latest := now + c.cfg.Ahead.Milliseconds()
	own := false
	for i := range c.records {
		row := row{route: c.byDefault}
		_, cause := c.batch.Add(p, c.records[i].Value)
		if c.records[i].Again {
			c.batch.SetAgain(i)
		}
		row.tenant, row.dropped = c.check(i, cause, latest)
		c.rows = append(c.rows, row)
		if !row.dropped {
			c.sel = append(c.sel, i)
			own = own || len(row.tenant.Filters) > 0
		}
	}
	for _, f := range c.cfg.Filters {
		if len(c.sel) == 0 {
			return nil
		}
		if err := f.Filter(ctx, c.batch, c.sel, c.drop); err != nil {
			return err
		}
		c.sel = c.left(c.sel)
	}
	if own {
		if err := c.ownFilters(ctx); err != nil {
			return err
		}
	}
	if c.cfg.Splitter != nil && len(c.sel) > 0 {
		if err := c.cfg.Splitter.Split(ctx, c.batch, c.sel, c.route, c.drop); err != nil {
			return err
		}
		c.sel = c.left(c.sel)
	}
	if c.failed != nil {
		return c.failed
	}
	c.emit()
	return nil
}

// check makes the checks before the filters, in their order; a beacon that
// fails one is booked.
func (c *Core) check(i int, cause beacon.Cause, latest int64) (t *tenant, dropped bool) {
	r := c.batch.Row(i)
	if len(r.Tenant) > 0 {
		t = c.tenants[string(r.Tenant)]
	}
	if t == nil {
		detail := ""
		switch {
		case cause != "":
		case len(r.Tenant) == 0:
			cause = beacon.NoTenant
		default:
			cause = beacon.UnknownTenant
			detail = string(r.Tenant[:min(len(r.Tenant), detailBytes)])
		}
		c.undecodable[cause]++
		c.letter(i, beacon.Drop{Cause: cause, Detail: detail}, "")
		return nil, true
	}
	if t.in == 0 {
		c.active = append(c.active, t)
	}
	t.in++
	switch {
	case cause != "":
	case !r.HasTime:
		cause = beacon.NoTime
	case len(r.Session) == 0:
		cause = beacon.NoSession
	case r.Time > latest:
		cause = beacon.Future
	default:
		return t, false
	}
	t.letters[cause]++
	c.letter(i, beacon.Drop{Cause: cause}, t.name)
	return t, true
}

// ownFilters runs the filters of tenants that have some, each on its rows.
func (c *Core) ownFilters(ctx context.Context) error {
	for _, t := range c.active {
		if len(t.Filters) == 0 {
			continue
		}
		c.own = c.own[:0]
		for _, i := range c.sel {
			if c.rows[i].tenant == t {
				c.own = append(c.own, i)
			}
		}
		for _, f := range t.Filters {
			if len(c.own) == 0 {
				break
			}
			if err := f.Filter(ctx, c.batch, c.own, c.drop); err != nil {
				return err
			}
			c.own = c.left(c.own)
		}
	}
	c.sel = c.left(c.sel)
	return nil
}

// left keeps the rows of sel that are not dropped.
func (c *Core) left(sel []int) []int {
	kept := sel[:0]
	for _, i := range sel {
		if !c.rows[i].dropped {
			kept = append(kept, i)
		}
	}
	return kept
}

// dropRow books a plugin's drop. A row is dropped once.
func (c *Core) dropRow(i int, d beacon.Drop) {
	row := &c.rows[i]
	if row.dropped {
		return
	}
	row.dropped = true
	if d.Cause == "" {
		row.tenant.filtered[d.Reason]++
		return
	}
	row.tenant.letters[d.Cause]++
	c.letter(i, d, row.tenant.name)
}

// routeRow takes a splitter's opinion.
func (c *Core) routeRow(i int, name string) {
	r, ok := c.routes[name]
	if !ok {
		c.failed = errors.Join(c.failed, fmt.Errorf("dispatch: the splitter names the route %q, which generation %d does not have", name, c.cfg.Generation))
		return
	}
	c.rows[i].route = r
}

// letter writes a dead letter.
func (c *Core) letter(i int, d beacon.Drop, tenant string) {
	c.out.DeadLetter(kafka.DeadLetter{
		Cause: string(d.Cause), Detail: d.Detail, Plugin: d.Plugin, Version: d.Version, Digest: d.Digest, Tenant: tenant,
		Topic: c.src.Topic, Partition: c.src.Partition, Offset: c.records[i].Offset, Value: c.records[i].Value,
	})
}

// emit routes the rows that are left. Each one's header has the watermark
// before it.
func (c *Core) emit() {
	h := beacon.Header{Topic: c.src.Topic, Partition: c.src.Partition, Generation: c.cfg.Generation}
	for _, i := range c.sel {
		r := c.batch.Row(i)
		route := &c.cfg.Routes[c.rows[i].route]
		h.Offset, h.Watermark = c.records[i].Offset, c.src.Watermark
		c.header = h.Append(c.header[:0])
		c.out.Route(route.Name, kafka.PartitionOf(r.Session, route.Partitions), r.Session, c.header, c.records[i].Value)
		c.src.Watermark = max(c.src.Watermark, r.Time)
	}
}

// count gives out what the call has counted, or forgets it.
func (c *Core) count(give bool) {
	for _, t := range c.active {
		if give {
			c.out.Count(metric.Count{Tenant: t.name, Outcome: metric.In, N: t.in})
			for reason, n := range t.filtered {
				c.out.Count(metric.Count{Tenant: t.name, Outcome: metric.Filtered, Reason: reason, N: n})
			}
			for cause, n := range t.letters {
				c.out.Count(metric.Count{Tenant: t.name, Outcome: metric.DeadLettered, Reason: string(cause), N: n})
			}
		}
		t.in = 0
		clear(t.filtered)
		clear(t.letters)
	}
	c.active = c.active[:0]
	for cause, n := range c.undecodable {
		if give {
			c.out.Count(metric.Count{Outcome: metric.Undecodable, Reason: string(cause), N: n})
		}
	}
	clear(c.undecodable)
}
