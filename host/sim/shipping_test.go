package sim

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/host/ship"
)

// store is a time-series store: it keeps the first value of a sample, and
// notices another.
type store struct {
	sim     *simulation
	samples map[spot]metric.Sample
	writes  int
}

// spot is where a sample stands: the series as text, and the minute.
type spot struct {
	series string
	minute int64
}

var errStore = errors.New("the store is down")

func (s *store) write(samples []metric.Sample) error {
	for _, sample := range samples {
		if s.sim.risk(200) {
			return errStore
		}
		at := spot{seriesText(sample.Series), sample.Minute}
		old, ok := s.samples[at]
		sample.Series = nil
		if ok && old != sample {
			s.sim.fault("final minute written twice: %s minute %d: %v, then %v", at.series, at.minute, old, sample)
		}
		s.samples[at] = sample
		s.writes++
	}
	return nil
}

// shipping runs ship's core as its session does: a member of the store's group
// that reads the metrics topic. Its offsets are committed without transactions,
// at any time.
type shipping struct {
	sim        *simulation
	name       string
	group      *group
	store      *store
	member     *member
	parts      map[int32]*shipped
	late       map[kafka.TopicPartition]kafka.Committed // commits under way
	wakes      time.Time
	generation uint64 // the newest known
}

type shipped struct {
	*ship.Shipper
	next      int64
	committed metric.SafePoint
}

func (s *simulation) newShipping(name string, to *store, generation uint64) *shipping {
	w := &shipping{sim: s, name: name, store: to, generation: generation, group: s.cluster.group("ship")}
	w.client()
	return w
}

// use makes a generation known.
func (w *shipping) use(g *generation) {
	w.generation = g.number
	for _, p := range w.parts {
		p.Use(g.number, g.routeNames())
	}
}

func (w *shipping) client() {
	w.parts, w.late = map[int32]*shipped{}, map[kafka.TopicPartition]kafka.Committed{}
	w.member = w.group.join([]string{metricsTopic})
	w.rebalance()
}

func (w *shipping) rebalance() {
	w.group.rebalance(func() bool { return w.sim.chance(2) }, w.sim.IntN)
}

func (w *shipping) step() {
	switch {
	case time.Now().Before(w.wakes):
	case w.member.gone:
		w.client()
	case w.sim.chance(4):
		w.sync()
	case w.sim.chance(3):
		w.ship()
	case w.sim.chance(4):
		w.commit()
	case w.sim.risk(200):
		w.client() // the old member lingers
	default:
		w.poll()
	}
}

func (w *shipping) sync() {
	for _, tp := range w.sim.cluster.partitions(metricsTopic) {
		target, p := w.group.targets[tp], w.parts[tp.Partition]
		switch {
		case target != w.member && p != nil:
			delete(w.parts, tp.Partition)
			delete(w.group.owners, tp)
		case target == w.member && p == nil && (w.group.owners[tp] == nil || w.group.owners[tp] == w.member):
			w.group.owners[tp] = w.member
			w.begin(tp)
		}
	}
}

func (w *shipping) begin(tp kafka.TopicPartition) {
	c, ok := w.group.offsets[tp]
	if !ok {
		c.Offset = -1
	}
	at, err := metric.ParseSafePoint(c.Offset, c.Metadata)
	if err != nil {
		w.sim.fault("%s: %v", w.name, err)
		return
	}
	w.parts[tp.Partition] = &shipped{
		Shipper: ship.NewShipper(at, w.sim.horizon(w.generation)), next: at.Offset, committed: at,
	}
}

func (w *shipping) poll() {
	for _, p := range slices.Sorted(maps.Keys(w.parts)) {
		part, l := w.parts[p], w.sim.cluster.log(kafka.TopicPartition{Topic: metricsTopic, Partition: p})
		if w.sim.chance(3) {
			continue
		}
		if part.next < l.start { // somebody else has it by now, and has shipped that
			w.client()
			return
		}
		records, next := l.read(part.next, 1+w.sim.IntN(20))
		for _, r := range records {
			f, err := metric.ParseFrame(r.Value)
			if err != nil {
				w.sim.fault("metrics/%d@%d: %v", p, r.Offset, err)
				return
			}
			if n := part.Observe(r.Offset, f); n > 0 {
				w.sim.fault("metrics/%d@%d: %d deltas of minutes that were final", p, r.Offset, n)
			}
		}
		if next > part.next {
			part.Passed(next - 1)
		}
		part.next = next
	}
}

func (w *shipping) ship() {
	for _, p := range slices.Sorted(maps.Keys(w.parts)) {
		part := w.parts[p]
		if err := part.Due(1+w.sim.IntN(50), w.store.write); err != nil {
			w.sim.said("%s: %v", w.name, err)
			return // it tries again, or crashes before that
		}
		part.Wrote()
	}
}

// commit commits safe points, now or when much else has happened.
func (w *shipping) commit() {
	for _, p := range slices.Sorted(maps.Keys(w.parts)) {
		part := w.parts[p]
		safe := part.Safe()
		if safe == part.committed {
			continue
		}
		part.committed = safe
		if w.sim.plants("safe offset without horizon") {
			safe.Horizon = metric.NoMinute
		}
		if w.sim.plants("safe offset at the end") {
			safe.Offset = part.next
		}
		c := kafka.Committed{Offset: safe.Offset, Metadata: safe.Metadata()}
		tp := kafka.TopicPartition{Topic: metricsTopic, Partition: p}
		if w.sim.chance(4) {
			w.late[tp] = c
			continue
		}
		w.group.commit(tp, c)
	}
	for _, tp := range sortedParts(maps.Keys(w.late)) {
		if w.sim.chance(3) {
			w.group.commit(tp, w.late[tp])
			delete(w.late, tp)
		}
	}
}

// seriesText is a series as text.
func seriesText(s *metric.Series) string {
	text := fmt.Sprintf("%s %s %s %s %s", s.Tenant, s.Experiment, s.Variant, s.Status, s.Point)
	for _, l := range s.Attributes {
		text += fmt.Sprintf(" [%s=%s]", l.Name, l.Value)
	}
	for _, l := range s.Dims {
		text += fmt.Sprintf(" {%s=%s}", l.Name, l.Value)
	}
	return text
}

func (w *shipping) beat(now time.Time) {
	if !now.Before(w.wakes) {
		w.member.seen = now
	}
}

func (w *shipping) sleep(until time.Time) { w.wakes = until }
