package session

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/experiment"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// plan is a prepared tenant of one generation. Partitions share it.
type plan struct {
	name      string
	order     int // among the tenants
	extractor Extractor
	points    []abi.Point // of the extractor
	numbers   []int32     // of those points: two of one name are one
	// names are the points by number: those of the extractor, then visit and
	// crossover, then the pairs. Points with attributes are numbered from there.
	names      []string
	visit      int32
	crossover  int32
	firstPair  int32
	pairs      [][2]int32  // by number - firstPair
	pairsOf    [][]pairOf  // by point of the extractor
	dimensions []dimension // sorted by name
	limit      int         // of distinct values

	all     *trial            // all_traffic, or nil
	trials  []*trial          // of the config, by index
	carried map[string]*trial // by id
	drawn   []*trial          // hashed by the session id
	byUnit  []*trial          // hashed by a field
}

// pairOf says that a point is one half of a pair.
type pairOf struct {
	pair  int32 // number of the point a*b
	other int32 // the other half; the point itself of a pair a*a
}

// dimension is a prepared Dimension.
type dimension struct {
	name   string
	path   int // in a row's values
	def    string
	values map[string]bool // nil: any, up to limit
	limit  int
}

// trial is a prepared experiment.
type trial struct {
	*experiment.Compiled // nil for all_traffic
	index                int32
	id                   string
	variants             []string
	qualify              int32 // point of the extractor, or -1
	exclude              bool
	unit                 int // of byUnit: where the unit stands in a row's values
	draw                 int // of drawn: its index there
}

// running tells whether a session may be assigned at t.
func (x *trial) running(t int64) bool { return x.Compiled == nil || x.Running(t) }

// phase is the phase in force at t.
func (x *trial) phase(t int64) int32 {
	if x.Compiled == nil {
		return 0
	}
	return int32(x.Phase(t))
}

func newPlan(name string, t Tenant, c *Config, p *prepared) (*plan, error) {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("session: tenant %s: "+format, append([]any{name}, args...)...))
	}
	w := &plan{name: name, extractor: t.Extractor, limit: c.MaxValues, carried: map[string]*trial{}}
	if t.Extractor != nil {
		w.points = t.Extractor.Points()
	}
	for _, point := range w.points {
		if point.Name == "" || point.Name == metric.Visit || point.Name == metric.Crossover || strings.Contains(point.Name, "*") {
			fault("the extractor's point %q: the name is reserved, take another", point.Name)
		}
		number := w.point(point.Name)
		if number < 0 {
			number = int32(len(w.names))
			w.names = append(w.names, point.Name)
		}
		w.numbers = append(w.numbers, number)
	}
	w.visit = int32(len(w.names))
	w.crossover = w.visit + 1
	w.firstPair = w.visit + 2
	w.names = append(w.names, metric.Visit, metric.Crossover)
	w.addPairs(t.Pairs, fault)
	w.addDimensions(t.Dimensions, p, fault)
	if t.AllTraffic {
		w.all = &trial{index: -1, id: metric.AllExperiment, variants: []string{metric.AllVariant}, qualify: -1}
	}
	for _, e := range t.Experiments {
		w.addTrial(e, p, fault)
	}
	return w, errors.Join(faults...)
}

// point is the number of an extractor's point, or -1.
func (w *plan) point(name string) int32 {
	return int32(slices.Index(w.names[:min(len(w.names), len(w.points))], name))
}

func (w *plan) addPairs(pairs [][2]string, fault func(string, ...any)) {
	w.pairsOf = make([][]pairOf, w.visit)
	for i, pair := range pairs {
		a, b := w.point(pair[0]), w.point(pair[1])
		if a < 0 || b < 0 {
			fault("pairs: [%s, %s]: the extractor has the points %v", pair[0], pair[1], w.names[:w.visit])
			continue
		}
		if slices.Index(pairs, pair) != i {
			fault("pairs: [%s, %s] stands there twice", pair[0], pair[1])
			continue
		}
		number := int32(len(w.names))
		w.names = append(w.names, pair[0]+"*"+pair[1])
		w.pairs = append(w.pairs, [2]int32{a, b})
		w.pairsOf[a] = append(w.pairsOf[a], pairOf{number, b})
		if a != b {
			w.pairsOf[b] = append(w.pairsOf[b], pairOf{number, a})
		}
	}
}

func (w *plan) addDimensions(all []Dimension, p *prepared, fault func(string, ...any)) {
	for _, d := range all {
		if d.Name == "" || d.Path == "" {
			fault("a dimension needs a name and a path, got %q and %q", d.Name, d.Path)
		}
		if d.Limit < 0 {
			fault("dimension %s: the limit %d: it must be above 0", d.Name, d.Limit)
		}
		next := dimension{name: d.Name, path: p.fields.Index(beacon.Path(d.Path)), def: d.Default, limit: cmp.Or(d.Limit, w.limit)}
		if len(d.Values) > 0 {
			next.values = map[string]bool{}
			for _, v := range d.Values {
				next.values[v] = true
			}
		}
		w.dimensions = append(w.dimensions, next)
	}
	slices.SortFunc(w.dimensions, func(a, b dimension) int { return compareText(a.name, b.name) })
	for i := range w.dimensions {
		if i > 0 && w.dimensions[i].name == w.dimensions[i-1].name {
			fault("two dimensions have the name %q", w.dimensions[i].name)
		}
	}
}

func (w *plan) addTrial(e *experiment.Compiled, p *prepared, fault func(string, ...any)) {
	x := &trial{Compiled: e, index: int32(len(w.trials)), id: e.ID(), variants: e.Names(), qualify: -1, exclude: e.Exclude()}
	if slices.ContainsFunc(w.trials, func(o *trial) bool { return o.id == x.id }) {
		fault("two experiments have the id %q", x.id)
	}
	if e.Qualify() != "" {
		if x.qualify = w.point(e.Qualify()); x.qualify < 0 {
			fault("experiment %s: qualify: the extractor has no point %q, only %v", x.id, e.Qualify(), w.names[:w.visit])
		}
	}
	switch {
	case !e.Hash():
		w.carried[x.id] = x
	case e.Unit() == "":
		x.draw = len(w.drawn)
		w.drawn = append(w.drawn, x)
	default:
		x.unit = p.fields.Index(beacon.Path(e.Unit()))
		w.byUnit = append(w.byUnit, x)
	}
	w.trials = append(w.trials, x)
}

func compareText(a, b string) int { return strings.Compare(a, b) }
