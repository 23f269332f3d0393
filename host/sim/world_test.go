package sim

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/definition"
	"github.com/seed-6a2d649b/pharos/host/dispatch"
	"github.com/seed-6a2d649b/pharos/host/experiment"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/rollout"
	"github.com/seed-6a2d649b/pharos/host/session"
)

// The names of topics.
const (
	metricsTopic = "pharos.metrics"
	deadTopic    = "pharos.dead-letters"
)

// world is what a seed says of the config: everything that does not change with
// time, and the generations.
type world struct {
	r                                 *rand.Rand
	began                             time.Time
	gap, lateness, idle, ahead        time.Duration
	sources                           map[string]int32 // partitions at the beginning, by topic
	metricsPartitions, deadPartitions int32
	generations                       []*generation                      // by number, from 1
	pools                             map[string][]definition.Experiment // by tenant: all that a generation may have
	lastSent                          atomic.Int64                       // time of the last beacons of all; 0: not sent yet
	broken                            func() error                       // plugins' failures, which are no fault of a beacon
}

// generation is one config, as the stages and as the definition want it.
type generation struct {
	number  uint64
	since   time.Time // it was published
	sources []string  // topics
	routes  []route
	tenants map[string]tenant
	defined *definition.Config // see world.definition
}

// route is a route with the topic that it has in a generation.
type route struct {
	name string
	routeTopic
}

// routeTopic is a topic of a route, and the one that it took the place of.
type routeTopic struct {
	topic      string
	partitions int32
	since      uint64 // generation
	replaces   *routeTopic
}

// all are the topics that the route has had, this one first.
func (t *routeTopic) all() (topics []*routeTopic) {
	for ; t != nil; t = t.replaces {
		topics = append(topics, t)
	}
	return topics
}

// under is the topic that a generation writes to.
func (t *routeTopic) under(generation uint64) *routeTopic {
	for t.since > generation {
		t = t.replaces
	}
	return t
}

func (t *routeTopic) session() *session.RouteTopic {
	if t == nil {
		return nil
	}
	return &session.RouteTopic{Topic: t.topic, Partitions: t.partitions, Since: t.since, Replaces: t.replaces.session()}
}

// tenant is a tenant of a generation.
type tenant struct {
	plugin      *plugin // nil of news
	rolled      rolled  // of news
	allTraffic  bool
	pairs       [][2]string
	dimensions  []definition.Dimension
	experiments []definition.Experiment
}

func newWorld(seed uint64, broken func() error) *world {
	r := rand.New(rand.NewPCG(seed, 1))
	w := &world{
		r: r, broken: broken, began: time.Now(), ahead: 5 * time.Minute,
		gap: pick(r, 40*time.Second, 3*time.Minute, 10*time.Minute), lateness: pick(r, 10*time.Second, time.Minute, 3*time.Minute),
		idle:    pick(r, 10*time.Second, time.Minute),
		sources: map[string]int32{"raw-a": 1 + r.Int32N(3)}, metricsPartitions: 1 + r.Int32N(3), deadPartitions: 1 + r.Int32N(2),
	}
	if r.IntN(3) > 0 {
		w.sources["raw-b"] = 1 + r.Int32N(2)
	}
	two := []definition.Variant{{Name: "a", Weight: 1}, {Name: "b", Weight: 1}}
	w.pools = map[string][]definition.Experiment{
		"shop": w.experiments(), "blog": w.experiments()[:2],
		"news": {{ID: "keep", Variants: two}, {ID: "out", Variants: two, Exclude: true}}, // no point qualifies: a version may not have it
	}
	g := &generation{
		number: 1, sources: slices.Sorted(keys(w.sources)),
		routes: []route{
			{"web", routeTopic{topic: "pharos.web", partitions: 1 + r.Int32N(4), since: 1}},
			{"app", routeTopic{topic: "pharos.app", partitions: 1 + r.Int32N(2), since: 1}},
		},
		tenants: map[string]tenant{
			"shop": {
				plugin: &plugin{factor: 1, cells: true, closes: true, broken: w.broken, last: &w.lastSent}, allTraffic: r.IntN(2) == 0, pairs: [][2]string{{"view", "order"}},
				dimensions:  []definition.Dimension{{Name: "platform", Path: "platform", Default: "none", Values: []string{"web", "ios"}}, {Name: "dc", Path: "dc"}},
				experiments: w.pools["shop"],
			},
			"blog": {plugin: &plugin{factor: 2, fewer: true, broken: w.broken, last: &w.lastSent}, allTraffic: true, experiments: w.pools["blog"]},
			"news": {rolled: firstRolled(r), allTraffic: true, experiments: w.pools["news"]},
		},
	}
	w.add(g)
	return w
}

// next is a generation that says the same.
func (g *generation) next() *generation {
	return &generation{number: g.number + 1, sources: slices.Clone(g.sources), routes: slices.Clone(g.routes), tenants: maps.Clone(g.tenants)}
}

// add makes a generation the newest.
func (w *world) add(g *generation) {
	g.since = time.Now()
	w.generations = append(w.generations, g)
}

// repartition makes a generation in which a route has another topic.
func (w *world) repartition(name string, partitions int32) *generation {
	g := w.newest().next()
	for i, r := range g.routes {
		if r.name == name {
			before := r.routeTopic
			g.routes[i].routeTopic = routeTopic{
				topic: fmt.Sprintf("pharos.%s-v%d", name, len(r.all())+1), partitions: partitions, since: g.number, replaces: &before,
			}
		}
	}
	w.add(g)
	return g
}

// extend makes a generation with one more route or source, if there is one that is
// not there yet.
func (w *world) extend(r *rand.Rand) *generation {
	g := w.newest().next()
	switch {
	case len(g.routes) == 2 && r.IntN(2) == 0:
		g.routes = append(g.routes, route{"tv", routeTopic{topic: "pharos.tv", partitions: 1 + r.Int32N(3), since: g.number}})
	case !slices.Contains(g.sources, "raw-c"):
		w.sources["raw-c"] = 1 + r.Int32N(2)
		g.sources = append(g.sources, "raw-c")
	default:
		return nil
	}
	w.add(g)
	return g
}

// reload makes a generation in which a tenant has changed.
func (w *world) reload(r *rand.Rand) *generation {
	g := w.newest().next()
	name := pick(r, "shop", "shop", "blog", "news")
	t, ok := g.tenants[name]
	if !ok {
		t = w.generation(1).tenants[name] // it is back
	}
	for range 1 + r.IntN(3) {
		switch n := r.IntN(8); {
		case n == 0 && name == "news":
			t.rolled = w.newest().tenants[name].rolled.follow(r, g.number)
		case n == 0:
			t.plugin = &plugin{
				factor: pick(r, 1.0, 2, 3), fewer: r.IntN(2) == 0, cells: g.number%3 > 0, closes: g.number%2 == 0,
				broken: w.broken, last: &w.lastSent,
			}
		case n == 1:
			t.allTraffic = !t.allTraffic
		case n == 2 && name != "news": // its versions have not the points
			t.pairs = pick(r, nil, [][2]string{{"view", "order"}}, [][2]string{{"order", "order"}, {"order", "view"}})
		case n == 3:
			t.dimensions = pick(r, nil, t.dimensions, w.generation(1).tenants[name].dimensions)
		case n == 4:
			if name == "blog" && ok {
				delete(g.tenants, name)
				w.add(g)
				return g
			}
		default: // experiments go, come, and come back
			t.experiments = nil
			for _, e := range w.pools[name] {
				if r.IntN(3) > 0 {
					t.experiments = append(t.experiments, e)
				}
			}
			r.Shuffle(len(t.experiments), func(i, j int) { t.experiments[i], t.experiments[j] = t.experiments[j], t.experiments[i] })
		}
	}
	g.tenants[name] = t
	w.add(g)
	return g
}

func (w *world) generation(number uint64) *generation { return w.generations[number-1] }

func (w *world) newest() *generation { return w.generations[len(w.generations)-1] }

// String says what there is in a generation.
func (g *generation) String() string {
	text := fmt.Sprintf("generation %d with", g.number)
	for _, r := range g.routes {
		text += fmt.Sprintf(" %s of %d,", r.topic, r.partitions)
	}
	for _, name := range slices.Sorted(maps.Keys(g.tenants)) {
		t := g.tenants[name]
		if t.plugin == nil {
			text += fmt.Sprintf(" %s (%v", name, t.rolled)
		} else {
			text += fmt.Sprintf(" %s (factor %v, fewer points %v, cells %v, closes %v", name, t.plugin.factor, t.plugin.fewer, t.plugin.cells, t.plugin.closes)
		}
		text += fmt.Sprintf(", all traffic %v, pairs %v, %d dimensions", t.allTraffic, t.pairs, len(t.dimensions))
		for _, e := range t.experiments {
			text += ", " + e.ID
		}
		text += ")"
	}
	return text
}

func (g *generation) routeNames() (names []string) {
	for _, r := range g.routes {
		names = append(names, r.name)
	}
	return names
}

// topics are all that routes have or had.
func (g *generation) topics() (topics []string) {
	for _, r := range g.routes {
		for _, t := range r.all() {
			topics = append(topics, t.topic)
		}
	}
	return topics
}

// experiments are those that generations choose from: an id never means
// anything else.
func (w *world) experiments() []definition.Experiment {
	r := w.r
	two := []definition.Variant{{Name: "a", Weight: 1}, {Name: "b", Weight: 1}}
	at := func(minutes int64) *int64 {
		t := w.began.UnixMilli() + minutes*60_000 + r.Int64N(3)*500
		return &t
	}
	all := []definition.Experiment{
		{ID: "keep", Variants: two, Qualify: pick(r, "order", "")},
		{ID: "out", Variants: two, Exclude: true, Qualify: pick(r, "view", "")},
		{ID: "drawn", Variants: two, Hash: true, Qualify: "view"},
		{ID: "unit", Variants: append(two, definition.Variant{Name: "c", Weight: 2}), Hash: true, Unit: "visitor", Exclude: true},
		{ID: "short", Variants: two, Start: at(5), End: at(30), Exclude: r.IntN(2) == 0},
		{ID: "phased", Variants: two, Hash: true, Unit: "visitor", Phases: []definition.Phase{
			{From: *at(10), Variants: []definition.Variant{{Name: "b", Weight: 3}, {Name: "a", Weight: 1}}},
			{From: *at(25), Variants: []definition.Variant{{Name: "a", Weight: 1}, {Name: "b", Weight: 9}}},
		}},
	}
	return all
}

// source is a raw topic as the stages see it.
func source(topic string) *beacon.Source {
	path := func(p string) beacon.Locator { return beacon.Locator{Paths: []string{p}} }
	return &beacon.Source{
		Name: topic, Topic: topic, Format: beacon.JSON,
		Time: path("ts"), Tenant: path("tenant"), Session: path("sid"), ID: path("id"), Assignments: path("exp"),
	}
}

// definitionSource is the same for the definition.
var definitionSource = func() definition.Source {
	path := func(p string) definition.Locator { return definition.Locator{Paths: []string{p}} }
	return definition.Source{
		Format: "json", Time: path("ts"), Tenant: path("tenant"), Session: path("sid"), ID: path("id"), Assignments: path("exp"),
	}
}()

// topics are all raw topics.
func (w *world) topics() []string { return w.newest().sources }

// core compiles a generation's dispatch. Nobody reads topics any more that are
// handed over.
func (w *world) core(g *generation, handed map[string]bool) *dispatch.Core {
	cfg := dispatch.Config{
		Generation: g.number, Fields: beacon.NewFields("bot", "shopbot", "app"), Tenants: map[string]dispatch.Tenant{},
		Filters: []dispatch.Filter{filter{"bot", w.broken}}, Splitter: splitter{g}, Default: "web", Ahead: w.ahead,
	}
	for _, r := range g.routes {
		to := dispatch.Route{Name: r.name, Topic: r.topic, Partitions: r.partitions}
		if old := r.replaces; old != nil && !handed[old.topic] {
			to.Replaces = &dispatch.Replaced{Topic: old.topic, Partitions: old.partitions, Generation: r.since}
		}
		cfg.Routes = append(cfg.Routes, to)
	}
	for _, topic := range g.sources {
		cfg.Sources = append(cfg.Sources, source(topic))
	}
	for name := range g.tenants {
		cfg.Tenants[name] = dispatch.Tenant{}
	}
	cfg.Tenants["shop"] = dispatch.Tenant{Filters: []dispatch.Filter{filter{"shopbot", w.broken}}}
	core, err := dispatch.NewCore(cfg)
	if err != nil {
		panic(err)
	}
	return core
}

// sessionConfig compiles a generation's sessions, for a host that watches the
// extractor of news; nil: nobody watches.
func (w *world) sessionConfig(g *generation, watch func(rollout.State) *rollout.Watch) *session.Config {
	cfg := &session.Config{Generation: g.number, Gap: w.gap, Lateness: w.lateness, Tenants: map[string]session.Tenant{}, Routes: map[string]session.RouteTopic{}}
	for _, r := range g.routes {
		cfg.Routes[r.name] = *r.session()
	}
	for _, topic := range g.sources {
		cfg.Sources = append(cfg.Sources, session.Source{Source: source(topic)})
	}
	for name, t := range g.tenants {
		s := session.Tenant{Extractor: t.plugin, Fields: pluginFields, AllTraffic: t.allTraffic, Pairs: t.pairs}
		if t.plugin == nil {
			p := t.rolled.plugin(watch(t.rolled.state))
			s.Extractor, s.Fields = p, p.Fields()
		}
		for _, d := range t.dimensions {
			s.Dimensions = append(s.Dimensions, session.Dimension{Name: d.Name, Path: d.Path, Default: d.Default, Values: d.Values})
		}
		for i := range t.experiments {
			s.Experiments = append(s.Experiments, compiled(&t.experiments[i]))
		}
		cfg.Tenants[name] = s
	}
	if err := cfg.Prepare(); err != nil {
		panic(err)
	}
	return cfg
}

func compiled(e *definition.Experiment) *experiment.Compiled {
	variants := func(from []definition.Variant) (to []experiment.Variant) {
		for _, v := range from {
			to = append(to, experiment.Variant{Name: v.Name, Weight: v.Weight})
		}
		return to
	}
	x := experiment.Experiment{ID: e.ID, Variants: variants(e.Variants), Hash: e.Hash, Unit: e.Unit, Qualify: e.Qualify, Exclude: e.Exclude}
	if e.Start != nil {
		x.Start, x.HasStart = *e.Start, true
	}
	if e.End != nil {
		x.End, x.HasEnd = *e.End, true
	}
	for _, p := range e.Phases {
		x.Phases = append(x.Phases, experiment.Phase{From: p.From, Variants: variants(p.Variants)})
	}
	c, err := experiment.Compile(x)
	if err != nil {
		panic(err)
	}
	return c
}

// definition is a generation as the definition wants it, of beacons that count.
func (w *world) definition(g *generation) *definition.Config {
	if g.defined != nil {
		return g.defined
	}
	g.defined = &definition.Config{Gap: w.gap.Milliseconds(), Tenants: map[string]definition.Tenant{}}
	for name, t := range g.tenants {
		tenant := definition.Tenant{AllTraffic: t.allTraffic, Pairs: t.pairs, Dimensions: t.dimensions, Experiments: t.experiments}
		switch {
		case t.plugin == nil:
			t.rolled.define(&tenant)
		case t.plugin.closes:
			tenant.ExtractIn, tenant.Close = t.plugin.extract, t.plugin.close
		default:
			tenant.ExtractIn = t.plugin.extract
		}
		g.defined.Tenants[name] = tenant
	}
	return g.defined
}

func (w *world) metrics() kafka.Topic {
	return kafka.Topic{Name: metricsTopic, Partitions: w.metricsPartitions}
}

func (w *world) deadLetters() kafka.Topic {
	return kafka.Topic{Name: deadTopic, Partitions: w.deadPartitions}
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func keys[K comparable, V any](m map[K]V) func(func(K) bool) {
	return func(yield func(K) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}
