package session

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"runtime"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/host/session/table"
)

// Partition holds the sessions of one partition of a route. What it books is a
// pure function of its log. It is not for concurrent use.
type Partition struct {
	cfg           *Config
	route         string
	partition     int32
	gap, lateness int64 // ms

	history   int64 // see metadata
	ledger    ledger
	watermark *watermark
	topics    numbering // of sources
	ranks     []int32   // their order, by number
	tenants   []*tenant // of all generations so far
	byName    map[string]*tenant

	table    *table.Table // the keys that are not open, packed
	open     openKeys
	held     int   // keys, of all tenants
	absorbed bool  // an image was
	swept    int64 // the slot of event time whose shard was swept last; see sweepTo
	begun    bool  // there was a limit
	combos   combos
	record   []byte // memory of packing
	blank    key    // likewise of sweeping

	before, after state   // memory of catchUp
	looks         *looker // see looker
	due           dueKeys
	plugins       shared[string]
	again         bool // what is done was done before on this host; see beacon.Batch.SetAgain
	refused       bool // a value set has refused a value, or a session a beacon, being full
}

// tenant is what a partition holds of a tenant. What it refers to by number is
// the same under every generation.
type tenant struct {
	name   string
	number int              // of the partition's tenants
	order  int              // among the generation's tenants
	view   *view            // of the generation in force; nil: it does not have the tenant
	views  map[uint64]*view // by generation, as far as there are beacons in tails
	held   int              // keys

	keeps      bool        // it has had an extractor that keeps something with sessions, or closes them
	cells      numbering   // by name and type
	points     numbering   // without attributes; visit and crossover first
	trials     numbering   // by id; all_traffic first
	variants   [][]string  // by trial
	dimensions numbering   // by name
	admitted   []*valueSet // by dimension
	dimsets    map[string]*dimset
	dimsetOf   []*dimset // by number; nil: unused
	unused     []int32   // numbers
	attributes map[attributeKey]*valueSet
	tuples     []tuple // by ^number
	tupleOf    map[string]int32
	shapes     shared[*shape] // of the generation in force
	slots      uint64         // of schedules, made so far
	refused    *bool          // the partition's

	counts  [metric.OtherDimension + 1]int64 // not flushed yet
	counted bool                             // any of counts may be set

	resolved []byte // memory of labels.go
	labels   []metric.Label
}

// Record is one record of a route partition's log: a beacon with its header, a
// mark or an end.
type Record struct {
	Offset int64 // in the route's topic
	Header beacon.Header
	Mark   *beacon.Mark // nil of others
	End    *beacon.End  // likewise
	Value  []byte       // the beacon; kept by the dead letters of an Output
	Again  bool         // this host has processed it before, and lost what came of it
}

// Output is what came of some records.
type Output struct {
	Deltas      []metric.Delta // none zero, each series and minute once; the series never change any more
	Counts      []metric.Count
	DeadLetters []kafka.DeadLetter
}

// Reset empties o for the next call, reusing memory.
func (o *Output) Reset() {
	clear(o.Deltas)
	clear(o.Counts)
	clear(o.DeadLetters)
	o.Deltas, o.Counts, o.DeadLetters = o.Deltas[:0], o.Counts[:0], o.DeadLetters[:0]
}

// NewPartition starts a partition at the beginning of its log. The config must
// be prepared.
func NewPartition(cfg *Config, route string, partition int32) *Partition {
	p := newPartition(cfg, route, partition)
	p.use(cfg)
	return p
}

// newPartition is NewPartition, but no generation is in force.
func newPartition(cfg *Config, route string, partition int32) *Partition {
	if cfg.prepared == nil {
		panic("session: Config.Prepare was not called")
	}
	p := &Partition{
		cfg: cfg, route: route, partition: partition, gap: cfg.prepared.gap, lateness: cfg.prepared.lateness,
		watermark: newWatermark(), byName: map[string]*tenant{},
		table: table.New(sweepShards), open: openKeys{seed: maphash.MakeSeed()}, due: newDueKeys(),
	}
	runtime.AddCleanup(p, func(t *table.Table) { _ = t.Close() }, p.table)
	return p
}

// Close gives the partition's memory back. It is of no more use, and what is
// frozen of it cannot be written any more.
func (p *Partition) Close() error {
	p.open = openKeys{}
	if err := p.table.Close(); err != nil {
		return fmt.Errorf("session: route %s partition %d: %w", p.route, p.partition, err)
	}
	return nil
}

// Watermark is the partition's watermark after all that was processed, epoch
// ms; metric.NoWatermark while there is none.
func (p *Partition) Watermark() int64 { return p.watermark.value }

// Sessions is the number of keys held.
func (p *Partition) Sessions() int { return p.held }

// Ended tells whether every source partition has said that nothing more comes of
// it on this partition's topic.
func (p *Partition) Ended() bool { return p.watermark.ended() }

// Process takes the next records of the log and appends to out what is booked,
// and what it takes back. The records' values must not change while out is
// used. After an error (a cancelled context, a broken host, a log that this
// config cannot read) the partition is of no more use.
func (p *Partition) Process(ctx context.Context, records []Record, out *Output) error {
	err := p.take(ctx, records, out)
	p.flush(out)
	return err
}

// take is Process without flush: figures and counts stay in the ledger.
func (p *Partition) take(ctx context.Context, records []Record, out *Output) error {
	s := p.cfg.prepared.scratch.Get().(*scratch)
	defer p.cfg.prepared.scratch.Put(s)
	defer s.reset()
	for len(records) > 0 {
		n, err := s.read(ctx, p, records)
		if err != nil {
			return err
		}
		for i := range records[:n] {
			if err := p.step(ctx, s, i, &records[i], out); err != nil {
				return err
			}
		}
		s.reset()
		if records = records[n:]; p.open.large() {
			p.closeAll()
		}
	}
	return p.closeNow(ctx)
}

// flush moves what is booked to out.
func (p *Partition) flush(out *Output) {
	p.ledger.flush(out)
	p.letGo()
}

// replays tells whether a record was processed before, on this host or another.
func (p *Partition) replays(r *Record) bool { return r.Again || p.ledger.mute }

// limit is the event time before which a beacon is late at a watermark.
func (p *Partition) limit(watermark int64) int64 {
	if watermark < math.MinInt64+p.lateness {
		return math.MinInt64
	}
	return watermark - p.lateness
}

// step takes one record that has been read. The error is of a cancelled context
// or a broken host.
func (p *Partition) step(ctx context.Context, s *scratch, i int, r *Record, out *Output) error {
	v := &s.verdicts[i]
	limit := p.limit(v.watermark)
	p.again = p.replays(r)
	if err := p.closeDue(ctx, limit); err != nil {
		return err
	}
	p.sweepTo(limit)
	if r.Mark != nil || r.End != nil {
		return nil
	}
	row := s.batch.Row(v.row)
	t := v.tenant
	if v.cause != "" {
		p.refuse(row, r, v.cause, out)
		return nil
	}
	if row.Time < limit {
		p.ledger.count(t, metric.LateBeacon, 1)
		out.DeadLetters = append(out.DeadLetters, letter(row, r, beacon.Late))
		return nil
	}
	p.makeRoom()
	k := p.find(t, nameOf(row.Session), limit)
	switch {
	case k == nil && p.held >= p.cfg.MaxSessions,
		k != nil && len(k.tail) >= p.cfg.MaxBeacons && k.within(limit) >= p.cfg.MaxBeacons:
		p.refused = true // which were refused hangs on what was held
		p.refuse(row, r, beacon.SessionOverflow, out)
		return nil
	case k == nil:
		k = p.create(t)
	}
	b := s.entry(p, k, v, row, r)
	t.view.latest = max(t.view.latest, b.time)
	before, _ := k.end()
	e, err := p.add(ctx, k, &b, limit)
	if err != nil {
		return err
	}
	if t.keeps {
		p.expect(k, before)
	}
	if trap := e.trap(); e.counted && trap != nil && trap.Cause != "" {
		d := letter(row, r, trap.Cause)
		d.Plugin, d.Version, d.Digest, d.Detail = trap.Plugin, trap.Version, trap.Digest, trap.Detail
		out.DeadLetters = append(out.DeadLetters, d)
	}
	return nil
}

// refuse makes a beacon a dead letter instead of counting it.
func (p *Partition) refuse(row *beacon.Row, r *Record, cause beacon.Cause, out *Output) {
	outcome := metric.DeadLettered
	if len(row.Tenant) == 0 {
		outcome = metric.Undecodable
	}
	p.ledger.countFor(string(row.Tenant), outcome, string(cause))
	out.DeadLetters = append(out.DeadLetters, letter(row, r, cause))
}

func letter(row *beacon.Row, r *Record, cause beacon.Cause) kafka.DeadLetter {
	return kafka.DeadLetter{
		Cause: string(cause), Tenant: string(row.Tenant),
		Topic: r.Header.Topic, Partition: r.Header.Partition, Offset: r.Header.Offset, Value: r.Value,
	}
}

// unknownSource says that the log holds a beacon of a source that the config
// does not have.
func (p *Partition) unknownSource(r *Record) error {
	return fmt.Errorf("%w: route %s partition %d offset %d: the beacon is of topic %q, which no source of the config has: put the source back until the route's log has no beacon of it",
		errLog, p.route, p.partition, r.Offset, r.Header.Topic)
}

// errLog is a log that the config cannot read.
var errLog = errors.New("session: the config does not fit the log")
