package session

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
)

// Switch makes cfg, which is prepared and of a later generation, that in force
// from the next record on. What is held stays as it is: beacons that have come
// already keep the generation in force at their offset, sessions go on. A
// tenant that cfg does not have keeps its sessions, and goes on where a later
// generation has it again.
//
// Gap and lateness must be the same, an experiment's variants those that its id
// had whenever this partition has seen it; after an error nothing has changed.
func (p *Partition) Switch(cfg *Config) error {
	if cfg.prepared == nil {
		panic("session: Config.Prepare was not called")
	}
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("session: generation %d: "+format, append([]any{cfg.Generation}, args...)...))
	}
	if cfg.Generation <= p.cfg.Generation {
		fault("generation %d is in force: only a later one can follow", p.cfg.Generation)
	}
	if cfg.Gap != p.cfg.Gap || cfg.Lateness != p.cfg.Lateness || cfg.OneSource != p.cfg.OneSource {
		fault("session.gap is %v and was %v, session.lateness %v and %v: they cannot change while there are sessions",
			cfg.Gap, p.cfg.Gap, cfg.Lateness, p.cfg.Lateness)
	}
	for _, plan := range cfg.prepared.tenants {
		if t := p.byName[plan.name]; t != nil {
			faults = append(faults, t.fits(plan))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	p.use(cfg)
	return nil
}

// Generation is the number of the generation in force.
func (p *Partition) Generation() uint64 { return p.cfg.Generation }

// use puts a config in force.
func (p *Partition) use(cfg *Config) {
	p.cfg = cfg
	for _, t := range p.tenants {
		if t.view != nil && t.view.latest == math.MinInt64 { // no beacon came under it
			maps.DeleteFunc(t.views, func(_ uint64, w *view) bool { return w == t.view })
		}
		t.view, t.shapes = nil, shared[*shape]{}
	}
	for order, plan := range cfg.prepared.tenants {
		t := p.byName[plan.name]
		if t == nil {
			t = p.addTenant(plan.name)
		}
		t.order = order
		if t.view = t.views[cfg.Generation]; t.view == nil {
			t.view = t.see(plan)
			t.views[cfg.Generation] = t.view
		}
	}
	p.watermark.follow(cfg.prepared, cfg.OneSource, p.topics.number)
	p.rank()
}

// rank orders source topics by name, as beacons of equal time and id go. In a
// replay all are one source.
func (p *Partition) rank() {
	p.ranks = make([]int32, len(p.topics.names))
	if p.cfg.OneSource {
		return
	}
	sorted := slices.Clone(p.topics.names)
	slices.Sort(sorted)
	for i, topic := range p.topics.names {
		p.ranks[i] = int32(slices.Index(sorted, topic))
	}
}
