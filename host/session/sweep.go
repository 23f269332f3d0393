package session

import (
	"math"
	"slices"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// Keys are looked at for what can be let go not when it could be but in turn:
// event time is cut into slots, and when the limit (watermark minus lateness)
// comes to another slot, the slot's shard of the table is swept, of several
// slots the shards of all. So which keys are held hangs on the limit's course
// along the log alone.
const sweepSlot = 1000 // ms

func slotOf(limit int64) int64 {
	slot := limit / sweepSlot
	if limit%sweepSlot < 0 {
		slot--
	}
	return slot
}

// sweepTo sweeps what is due at a limit.
func (p *Partition) sweepTo(limit int64) {
	if limit == math.MinInt64 {
		return
	}
	slot := slotOf(limit)
	if !p.begun {
		p.begun, p.swept = true, slot
	}
	if slot <= p.swept {
		return
	}
	for next := max(p.swept, slot-sweepShards) + 1; next <= slot; next++ {
		p.sweepShard(int(uint64(next)%sweepShards), limit)
	}
	p.swept = slot
	p.dropViews(limit)
}

// sweepAll sweeps all shards, whatever is due.
func (p *Partition) sweepAll(limit int64) {
	for shard := range sweepShards {
		p.sweepShard(shard, limit)
	}
}

// sweepShard lets go of the keys whose session's last beacon lies more than the
// gap before limit, but where closeDue does so, and of other keys' beacons that lie before it: no beacon
// that is not late can touch them any more.
func (p *Partition) sweepShard(shard int, limit int64) {
	p.closeSome(func(k *key) bool { return k.shard == shard })
	p.table.Sweep(shard, func(at, record []byte) (next []byte, change bool) {
		u := unpacker{text: record}
		m := u.summary()
		t := p.tenantOf(at)
		if m.last+p.gap < limit && m.flags&packedExpected == 0 {
			t.held--
			p.held--
			return nil, true
		}
		if m.tail == 0 || m.first >= limit {
			return nil, false
		}
		k := &p.blank
		k.clear()
		k.tenant, k.name = t, nameIn(at)
		p.unpack(k, record, limit)
		k.holdViews(limit)
		p.record = k.pack(p.record[:0], k.last)
		return p.record, true
	})
}

// holdViews keeps the views that a key refers to, of whose tail beacons before limit
// are left: with what is known of those they cannot be folded yet (see settled). They
// may wait for one that came under another view, long after all of their own.
func (k *key) holdViews(limit int64) {
	if len(k.tail) == 0 || k.tail[0].time >= limit {
		return
	}
	hold := func(w *view) { w.latest = max(w.latest, limit) }
	if k.closer != nil {
		hold(k.closer)
	}
	for i := range k.tail {
		e := &k.tail[i]
		hold(e.view)
		if e.closing != nil {
			hold(e.closing.view)
		}
	}
}

// dropViews lets go of older generations that no tail has beacons of any more:
// all shards have been swept since the limit came to lie behind the last one, and
// no key held it.
func (p *Partition) dropViews(limit int64) {
	for _, t := range p.tenants {
		for generation, w := range t.views {
			switch {
			case w == t.view || w.needed(p.gap) >= limit:
				w.until = 0
			case w.until == 0:
				w.until = p.swept + sweepShards + 1
			case p.swept >= w.until:
				delete(t.views, generation)
			}
		}
	}
}

// needed is up to what limit something can refer to the view: a beacon in a tail,
// or a session that is still to be closed.
func (w *view) needed(gap int64) int64 {
	if !w.closes || w.latest == math.MinInt64 {
		return w.latest
	}
	return w.latest + gap + minuteMs
}

const minuteMs = 60_000

// combos says when combinations of dimensions that no session has any more are
// let go, with the series booked under them.
type combos struct {
	number uint64
	next   int // number of combinations from which it is time
}

// combosFrom is the number of combinations below which it is not worth it.
const combosFrom = 1024

// letGo lets go of unused combinations once there are twice as many as were in
// use the last time, and of all combinations of a tenant without sessions.
// Nothing may be booked and not flushed, and no key open.
func (p *Partition) letGo() {
	n := 0
	for _, t := range p.tenants {
		if t.held == 0 && len(t.dimsets)+len(t.tuples)+len(t.shapes.of) > 0 {
			t.dimsets, t.tupleOf, t.tuples = map[string]*dimset{}, map[string]int32{}, nil
			t.dimsetOf, t.unused, t.shapes = nil, nil, shared[*shape]{}
		}
		n += len(t.dimsets)
	}
	if n < max(p.combos.next, combosFrom) {
		return
	}
	p.combos.number++
	for shard := range sweepShards {
		p.table.Sweep(shard, func(at, record []byte) ([]byte, bool) {
			if d := p.tenantOf(at).recordDims(record); d != nil {
				d.swept = p.combos.number
			}
			return nil, false
		})
	}
	n = 0
	for _, t := range p.tenants {
		for name, d := range t.dimsets {
			if d.swept != p.combos.number {
				delete(t.dimsets, name)
				t.dimsetOf[d.number] = nil
				t.unused = append(t.unused, d.number)
			}
		}
		slices.Sort(t.unused) // as the log alone would have it
		n += len(t.dimsets)
	}
	p.combos.next = 2 * n
}

// tenantOf is the tenant of a table's key.
func (p *Partition) tenantOf(at []byte) *tenant {
	u := unpacker{text: at}
	return p.tenants[u.below(len(p.tenants))]
}

// recordDims is the combination that a record refers to; nil: none.
func (t *tenant) recordDims(record []byte) *dimset {
	u := unpacker{text: record}
	m := u.summary()
	if m.flags&packedOpen == 0 {
		return nil
	}
	u.uvarint() // see packState
	return t.dimsetOf[u.below(len(t.dimsetOf))]
}

// block finds or makes the cells of a trial's variant.
func (d *dimset) block(t *tenant, trial, variant int32) *block {
	if int(trial) >= len(d.blocks) { // a later generation may have more
		d.blocks = append(d.blocks, make([][]*block, len(t.variants)-len(d.blocks))...)
	}
	of := d.blocks[trial]
	if of == nil {
		of = make([]*block, len(t.variants[trial]))
		d.blocks[trial] = of
	}
	if of[variant] == nil {
		of[variant] = &block{series: metric.Series{Tenant: t.name, Experiment: t.trials.names[trial], Variant: t.variants[trial][variant], Dims: d.labels}}
	}
	return of[variant]
}
