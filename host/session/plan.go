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

// plan is a prepared tenant of one generation. Partitions share it; each reads
// it through a view of its own.
type plan struct {
	name        string
	tenant      []byte // the name
	generation  uint64
	extractor   Extractor
	sessions    SessionExtractor // the extractor, if it keeps cells or closes sessions
	cells       []abi.Cell       // that it keeps
	closes      bool
	fields      *beacon.Fields // what it must see to look at a beacon again, if it keeps cells
	declared    []abi.Point    // of the extractor; two may have one name
	pairs       [][2]string
	dimensions  []dimension // sorted by name
	limit       int         // of distinct values
	allTraffic  bool
	experiments []planned
	fieldAt     []int // of fields: where they stand in a row's values
}

// planned is an experiment of a plan.
type planned struct {
	*experiment.Compiled
	unit int // where its unit stands in a row's values; -1: the session id, or none
}

// dimension is a prepared Dimension.
type dimension struct {
	name   string
	path   int // in a row's values
	def    string
	values map[string]bool // nil: any, up to limit
	limit  int
}

func newPlan(name string, t Tenant, c *Config, p *prepared) (*plan, error) {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("session: tenant %s: "+format, append([]any{name}, args...)...))
	}
	w := &plan{
		name: name, tenant: []byte(name), generation: c.Generation, extractor: t.Extractor, limit: c.MaxValues,
		pairs: t.Pairs, allTraffic: t.AllTraffic,
	}
	if t.Extractor != nil {
		w.declared = t.Extractor.Points()
	}
	if x, ok := t.Extractor.(SessionExtractor); ok && (len(x.Cells()) > 0 || x.Closes()) {
		w.sessions, w.cells, w.closes = x, x.Cells(), x.Closes()
		w.fields = beacon.NewFields(t.Fields...)
		for _, name := range w.fields.Names() {
			w.fieldAt = append(w.fieldAt, p.fields.Index(name))
		}
	}
	for _, point := range w.declared {
		if point.Name == "" || point.Name == metric.Visit || point.Name == metric.Crossover || strings.Contains(point.Name, pairSign) {
			fault("the extractor's point %q: the name is reserved, take another", point.Name)
		}
	}
	for i, pair := range w.pairs {
		if !w.measures(pair[0]) || !w.measures(pair[1]) {
			fault("pairs: [%s, %s]: the extractor has the points %v", pair[0], pair[1], w.pointNames())
		}
		if slices.Index(w.pairs, pair) != i {
			fault("pairs: [%s, %s] stands there twice", pair[0], pair[1])
		}
	}
	w.addDimensions(t.Dimensions, p, fault)
	for _, e := range t.Experiments {
		w.addExperiment(e, p, fault)
	}
	return w, errors.Join(faults...)
}

// measures tells whether the extractor has a point.
func (w *plan) measures(point string) bool {
	return slices.ContainsFunc(w.declared, func(p abi.Point) bool { return p.Name == point })
}

// pointNames are the extractor's points, for messages.
func (w *plan) pointNames() (names []string) {
	for _, p := range w.declared {
		if !slices.Contains(names, p.Name) {
			names = append(names, p.Name)
		}
	}
	return names
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

func (w *plan) addExperiment(e *experiment.Compiled, p *prepared, fault func(string, ...any)) {
	if slices.ContainsFunc(w.experiments, func(o planned) bool { return o.ID() == e.ID() }) {
		fault("two experiments have the id %q", e.ID())
	}
	if e.Qualify() != "" && !w.measures(e.Qualify()) {
		fault("experiment %s: qualify: the extractor has no point %q, only %v", e.ID(), e.Qualify(), w.pointNames())
	}
	x := planned{Compiled: e, unit: -1}
	if e.Hash() && e.Unit() != "" {
		x.unit = p.fields.Index(beacon.Path(e.Unit()))
	}
	w.experiments = append(w.experiments, x)
}

func compareText(a, b string) int { return strings.Compare(a, b) }
