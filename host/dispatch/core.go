package dispatch

import (
	"context"
	"fmt"
	"slices"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// Core dispatches batches of raw records, without Kafka. What it says of a beacon
// depends on the config, the beacon, its source partition's watermark and the
// moment given, on nothing else. It is not for concurrent use.
type Core struct {
	cfg         Config
	projections map[string]*beacon.Projection // by source topic
	batch       *beacon.Batch
	tenants     map[string]*tenant
	routes      []route
	fallback    int // index of the default route

	rows     []row
	sel      []int // rows that are still in
	selected []int // of one tenant
	counts   metric.Counts

	drop  func(int, beacon.Drop)
	route func(int, string)
}

// tenant is a tenant of the config and how many of its beacons came in this batch.
type tenant struct {
	name    string
	filters []Filter
	in      int64
}

type route struct {
	name       string
	partitions int32
}

// row is what is known of one row of the batch.
type row struct {
	tenant *tenant // nil: none known
	cause  beacon.Cause
	drop   *beacon.Drop
	route  int
}

// NewCore compiles a config.
func NewCore(cfg Config) (*Core, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	fields := beacon.NewFields(cfg.Fields...)
	c := &Core{cfg: cfg, batch: beacon.NewBatch(fields), projections: map[string]*beacon.Projection{}, tenants: map[string]*tenant{}}
	for _, s := range cfg.Sources {
		if c.projections[s.Topic] != nil {
			return nil, fmt.Errorf("dispatch: two sources have the topic %q", s.Topic)
		}
		p, err := beacon.NewProjection(s, fields)
		if err != nil {
			return nil, fmt.Errorf("dispatch: %w", err)
		}
		c.projections[s.Topic] = p
	}
	for name, t := range cfg.Tenants {
		c.tenants[name] = &tenant{name: name, filters: t.Filters}
	}
	for name, r := range cfg.Routes {
		c.routes = append(c.routes, route{name, r.Partitions})
	}
	c.fallback = c.routeOf(cfg.Default)
	c.drop = func(i int, d beacon.Drop) { c.rows[i].drop = &d }
	c.route = func(i int, name string) {
		if to := c.routeOf(name); to >= 0 {
			c.rows[i].route = to
		}
	}
	return c, nil
}

func (c *Core) routeOf(name string) int {
	return slices.IndexFunc(c.routes, func(r route) bool { return r.name == name })
}

// Process dispatches the next records of a source partition, in order, and moves
// its watermark. now, epoch ms, is the moment against which the future is judged.
// After an error nothing of the batch holds, though out may have got some of it.
func (c *Core) Process(ctx context.Context, p *Partition, records []Raw, now int64, out Output) error {
	defer c.reset()
	projection := c.projections[p.Topic]
	if projection == nil {
		return fmt.Errorf("dispatch: no source has the topic %q", p.Topic)
	}
	for i := range records {
		c.decode(projection, records[i].Value, now)
	}
	if err := c.filter(ctx); err != nil {
		return err
	}
	if c.cfg.Splitter != nil && len(c.sel) > 0 {
		if err := c.cfg.Splitter.Split(ctx, c.batch, c.sel, c.route, c.drop); err != nil {
			return err
		}
	}
	for i := range records {
		c.hand(p, i, &records[i], out)
	}
	for _, t := range c.tenants {
		if t.in > 0 {
			c.counts.Add(metric.Count{Tenant: t.name, Outcome: metric.In, N: t.in})
		}
	}
	for _, n := range c.counts.All() {
		out.Count(n)
	}
	return nil
}

// reset lets go of the batch.
func (c *Core) reset() {
	c.batch.Reset()
	clear(c.rows)
	c.rows, c.sel, c.selected = c.rows[:0], c.sel[:0], c.selected[:0]
	c.counts = metric.Counts{}
	for _, t := range c.tenants {
		t.in = 0
	}
}

// decode makes the checks up to the filters.
func (c *Core) decode(p *beacon.Projection, raw []byte, now int64) {
	i, cause := c.batch.Add(p, raw)
	b := c.batch.Row(i)
	r := row{tenant: c.tenants[string(b.Tenant)], cause: cause, route: c.fallback}
	if r.tenant != nil {
		r.tenant.in++
	}
	switch {
	case cause != "":
	case len(b.Tenant) == 0:
		r.cause = beacon.NoTenant
	case r.tenant == nil:
		r.cause = beacon.UnknownTenant
	case !b.HasTime:
		r.cause = beacon.NoTime
	case len(b.Session) == 0:
		r.cause = beacon.NoSession
	case b.Time > now+c.cfg.Ahead.Milliseconds():
		r.cause = beacon.Future
	default:
		c.sel = append(c.sel, i)
	}
	c.rows = append(c.rows, r)
}

// filter runs the filters, each on what those before it have left.
func (c *Core) filter(ctx context.Context) error {
	for _, f := range c.cfg.Filters {
		if len(c.sel) == 0 {
			return nil
		}
		if err := f.Filter(ctx, c.batch, c.sel, c.drop); err != nil {
			return err
		}
		c.sel = c.left(c.sel)
	}
	for _, t := range c.tenants {
		if t.in == 0 || len(t.filters) == 0 {
			continue
		}
		c.selected = c.selected[:0]
		for _, i := range c.sel {
			if c.rows[i].tenant == t {
				c.selected = append(c.selected, i)
			}
		}
		for _, f := range t.filters {
			if len(c.selected) == 0 {
				break
			}
			if err := f.Filter(ctx, c.batch, c.selected, c.drop); err != nil {
				return err
			}
			c.selected = c.left(c.selected)
		}
	}
	c.sel = c.left(c.sel)
	return nil
}

// left keeps the rows that are not dropped.
func (c *Core) left(sel []int) []int {
	return slices.DeleteFunc(sel, func(i int) bool { return c.rows[i].drop != nil })
}

// hand hands a row on: to its route, to the dead letters, or to the counts only.
func (c *Core) hand(p *Partition, i int, raw *Raw, out Output) {
	r, b := &c.rows[i], c.batch.Row(i)
	switch {
	case r.cause != "" && r.tenant == nil:
		c.counts.Add(metric.Count{Outcome: metric.Undecodable, Reason: string(r.cause), N: 1})
		out.DeadLetter(letter(p, b, raw, beacon.Drop{Cause: r.cause}))
	case r.cause != "":
		c.dead(p, i, raw, beacon.Drop{Cause: r.cause}, out)
	case r.drop != nil && r.drop.Cause != "":
		c.dead(p, i, raw, *r.drop, out)
	case r.drop != nil:
		c.counts.Add(metric.Count{Tenant: r.tenant.name, Outcome: metric.Filtered, Reason: r.drop.Reason, N: 1})
	default:
		to := c.routes[r.route]
		h := beacon.Header{Topic: p.Topic, Partition: p.Partition, Offset: raw.Offset, Generation: c.cfg.Generation, Watermark: p.Watermark}
		out.Route(to.name, kafka.PartitionOf(b.Session, to.partitions), h, b.Session, raw.Value)
		p.Watermark = max(p.Watermark, b.Time)
	}
}

func (c *Core) dead(p *Partition, i int, raw *Raw, d beacon.Drop, out Output) {
	c.counts.Add(metric.Count{Tenant: c.rows[i].tenant.name, Outcome: metric.DeadLettered, Reason: string(d.Cause), N: 1})
	out.DeadLetter(letter(p, c.batch.Row(i), raw, d))
}

func letter(p *Partition, b *beacon.Row, raw *Raw, d beacon.Drop) kafka.DeadLetter {
	return kafka.DeadLetter{
		Cause: string(d.Cause), Detail: d.Detail, Plugin: d.Plugin, Version: d.Version, Tenant: string(b.Tenant),
		Topic: p.Topic, Partition: p.Partition, Offset: raw.Offset, Value: raw.Value,
	}
}
