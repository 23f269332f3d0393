package session

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/experiment"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// numbering numbers names from 0 on, in the order in which they are asked for.
// It only grows: a number that a session's state holds is good for ever, and
// under every generation.
type numbering struct {
	names []string
	of    map[string]int32
}

func (n *numbering) number(name string) int32 {
	if i, ok := n.of[name]; ok {
		return i
	}
	if n.of == nil {
		n.of = map[string]int32{}
	}
	i := int32(len(n.names))
	n.names = append(n.names, name)
	n.of[name] = i
	return i
}

// Points that every tenant has, by number.
const (
	visitPoint     int32 = 0
	crossoverPoint int32 = 1
)

// allTrial is the number of all_traffic among a tenant's trials.
const allTrial int32 = 0

// pairSign stands between the points of a pair, and in no other point.
const pairSign = "*"

// view is a plan in the numbers of a tenant of one partition.
type view struct {
	*plan
	points  []int32     // by the extractor's index
	pairsOf [][]pairOf  // by number of a point
	cellOf  []int32     // by the extractor's index
	dims    []int32     // of plan.dimensions: their numbers
	values  []*valueSet // of plan.dimensions

	trials  []*trial          // by number; nil: the plan has it not
	carried map[string]*trial // by id
	drawn   schedule          // hashed by the session id
	byUnit  []unitSchedule    // hashed by a field

	again *beacon.Batch // memory of looking at beacons again

	latest int64 // time of the latest beacon that came under it, or that it is held for; see holdViews
	until  int64 // no tail has any from this slot on; 0: not known yet; see dropViews
}

// unitSchedule is that of the experiments of one unit.
type unitSchedule struct {
	schedule
	unit int // where it stands in a row's values
}

// pairOf says that a point is one half of a pair.
type pairOf struct {
	pair  int32 // number of the point a*b
	other int32 // the other half; the point itself of a pair a*a
}

// trial is an experiment in a view.
type trial struct {
	*experiment.Compiled // nil of all_traffic
	number               int32
	qualify              int32 // number of the point, or -1
	unit                 int   // of view.byUnit, or -1
}

// running tells whether a session may be assigned at t.
func (x *trial) running(t int64) bool { return x.Compiled == nil || x.Running(t) }

// base is the phase that begins with an experiment.
const base = math.MinInt64

// phase is the phase in force at t, as the time from which it holds: another
// generation may have more of them.
func (x *trial) phase(t int64) int64 {
	if x.Compiled == nil {
		return base
	}
	if from, ok := x.From(x.Phase(t)); ok {
		return from
	}
	return base
}

// fits tells whether a plan can be seen by the tenant: the variants of an
// experiment are numbered by their place, once for all.
func (t *tenant) fits(p *plan) error {
	for _, e := range p.experiments {
		if n, ok := t.trials.of[e.ID()]; ok && !slices.Equal(t.variants[n], e.Names()) {
			return fmt.Errorf("session: tenant %s: experiment %s: the variants are %q and were %q: an experiment keeps its variants, take a new id",
				t.name, e.ID(), e.Names(), t.variants[n])
		}
	}
	return nil
}

// see gives the plan in the tenant's numbers.
func (t *tenant) see(p *plan) *view {
	w := &view{plan: p, carried: map[string]*trial{}, latest: math.MinInt64}
	for _, point := range p.declared {
		w.points = append(w.points, t.points.number(point.Name))
	}
	t.seeCells(w)
	if len(p.pairs) > 0 {
		w.pairsOf = make([][]pairOf, len(t.points.names)) // all halves have their numbers
	}
	for _, pair := range p.pairs {
		a, b := t.points.number(pair[0]), t.points.number(pair[1])
		number := t.points.number(pair[0] + pairSign + pair[1])
		w.pairsOf[a] = append(w.pairsOf[a], pairOf{number, b})
		if a != b {
			w.pairsOf[b] = append(w.pairsOf[b], pairOf{number, a})
		}
	}
	for i := range p.dimensions {
		n := t.dimension(p.dimensions[i].name)
		w.dims, w.values = append(w.dims, n), append(w.values, t.admitted[n])
	}
	for _, e := range p.experiments {
		t.trial(e.ID(), e.Names())
	}
	w.trials = make([]*trial, len(t.trials.names))
	if p.allTraffic {
		w.trials[allTrial] = &trial{number: allTrial, qualify: -1, unit: -1}
	}
	var drawn []*trial
	var byUnit [][]*trial
	for _, e := range p.experiments {
		x := &trial{Compiled: e.Compiled, number: t.trials.number(e.ID()), qualify: -1, unit: -1}
		if e.Qualify() != "" {
			x.qualify = t.points.number(e.Qualify())
		}
		w.trials[x.number] = x
		switch {
		case !e.Hash():
			w.carried[e.ID()] = x
		case e.unit < 0:
			drawn = append(drawn, x)
		default:
			x.unit = slices.IndexFunc(w.byUnit, func(u unitSchedule) bool { return u.unit == e.unit })
			if x.unit < 0 {
				x.unit = len(w.byUnit)
				w.byUnit, byUnit = append(w.byUnit, unitSchedule{unit: e.unit}), append(byUnit, nil)
			}
			byUnit[x.unit] = append(byUnit[x.unit], x)
		}
	}
	w.drawn = newSchedule(drawn, &t.slots)
	for i := range byUnit {
		w.byUnit[i].schedule = newSchedule(byUnit[i], &t.slots)
	}
	return w
}

// dimension gives the number of a dimension.
func (t *tenant) dimension(name string) int32 {
	n := t.dimensions.number(name)
	if int(n) == len(t.admitted) {
		t.admitted = append(t.admitted, newValueSet(t.refused))
	}
	return n
}

// trial gives the number of an experiment.
func (t *tenant) trial(id string, variants []string) int32 {
	n := t.trials.number(id)
	if int(n) == len(t.variants) {
		t.variants = append(t.variants, variants)
	}
	return n
}

// trial gives a trial by number, nil where the plan has it not.
func (w *view) trial(number int32) *trial {
	if int(number) < len(w.trials) {
		return w.trials[number]
	}
	return nil // of a later generation
}

// pairs are those that a point is part of.
func (w *view) pairs(point int32) []pairOf {
	if int(point) < len(w.pairsOf) {
		return w.pairsOf[point]
	}
	return nil
}

// addTenant adds a tenant, which the partition does not have.
func (p *Partition) addTenant(name string) *tenant {
	t := &tenant{
		name: name, number: len(p.tenants), views: map[uint64]*view{}, dimsets: map[string]*dimset{},
		attributes: map[attributeKey]*valueSet{}, tupleOf: map[string]int32{}, refused: &p.refused,
	}
	t.points.number(metric.Visit)
	t.points.number(metric.Crossover)
	t.trial(metric.AllExperiment, []string{metric.AllVariant})
	p.tenants = append(p.tenants, t)
	p.byName[name] = t
	return t
}
