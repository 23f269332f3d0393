package session

import "github.com/seed-6a2d649b/pharos/host/metric"

// sweeps says when combinations of dimensions that no session has any more are
// let go, with the series booked under them.
type sweeps struct {
	number uint64
	next   int // number of combinations from which it is time
}

// sweepFrom is the number of combinations below which it is not worth it.
const sweepFrom = 1024

// sweep lets go of unused combinations once there are twice as many as were in
// use the last time, and of all combinations of a tenant without sessions.
// Nothing may be booked and not flushed.
func (p *Partition) sweep() {
	n := 0
	for _, t := range p.tenants {
		if len(t.keys) == 0 && len(t.dimsets)+len(t.tuples) > 0 {
			t.dimsets, t.tupleOf, t.tuples = map[string]*dimset{}, map[string]int32{}, nil
		}
		n += len(t.dimsets)
	}
	if n < max(p.sweeps.next, sweepFrom) {
		return
	}
	p.sweeps.number++
	for _, t := range p.tenants {
		for _, k := range t.keys {
			if k.head.open {
				k.head.dims.swept = p.sweeps.number
			}
			if k.prefix != nil && k.prefix.open {
				k.prefix.dims.swept = p.sweeps.number
			}
		}
	}
	n = 0
	for _, t := range p.tenants {
		for name, d := range t.dimsets {
			if d.swept != p.sweeps.number {
				delete(t.dimsets, name)
			}
		}
		n += len(t.dimsets)
	}
	p.sweeps.next = 2 * n
}

// block finds or makes the cells of a trial's variant.
func (d *dimset) block(t *tenant, trial, variant int32) *block {
	at := blockKey{trial, variant}
	b := d.blocks[at]
	if b == nil {
		b = &block{
			series: metric.Series{Tenant: t.name, Experiment: t.trials.names[trial], Variant: t.variants[trial][variant], Dims: d.labels},
			plain:  make([]*cell, 2*len(t.points.names)),
		}
		d.blocks[at] = b
	}
	return b
}
