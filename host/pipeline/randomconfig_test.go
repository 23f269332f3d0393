package pipeline_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/seed-6a2d649b/pharos/host/definition"
)

// world is a random config, as text and as the definition has it.
type world struct {
	*rand.Rand
	yaml       strings.Builder
	def        definition.Config
	sources    []worldSource
	tenants    []string
	routes     []string
	partitions []int  // of the routes
	head       string // of the text: what no later generation changes
	base       int64  // the time about which everything happens
	span       int64  // how long
	moments    []int64
	params     params
}

// params narrow what is generated.
type params struct {
	tidy       bool // nothing depends on the order of arrival
	evolving   bool // there are later generations: an experiment keeps its variants
	partitions int  // of each route; 0: random
	steps      int  // how many steps of time there are to one at each boundary; 0: random
}

type worldSource struct {
	name string
	def  definition.Source
}

// quote writes a string as YAML and JSON do.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func (w *world) line(indent int, format string, args ...any) {
	fmt.Fprintf(&w.yaml, strings.Repeat("  ", indent)+format+"\n", args...)
}

// fields are the paths and further names that rules ask for.
var fields = []string{
	"type", "type", "type", "price", "price", "qty", "platform", "visitor", "tags.0", "tags.1", "img", "img.id", "img.slot", "flag", "nest.a.b",
	"nest.x-y", "agent", "status", "bytes", "method", "path", "referer", "where", "exp.0.id", "constant", "price.a",
}

func newWorld(seed uint64, p params) *world {
	w := &world{Rand: rand.New(rand.NewPCG(seed, 1)), params: p}
	r := w.Rand
	if w.params.steps == 0 {
		w.params.steps = pick(r, 16, 40, 100)
	}
	minutes := func(n int64) int64 { return n * minute }
	gap := pick(r, 1, 1000, 30_000, 30_000, minutes(1), minutes(1), minutes(5), minutes(30))
	w.def = definition.Config{
		Gap: gap, Lateness: pick(r, 0, 1, 10_000, minutes(1), minutes(2), minutes(10)), Ahead: pick(r, 0, 1000, minutes(5)),
		Tenants: map[string]definition.Tenant{},
	}
	w.base = pick(r, 0, minutes(1_000_000), minutes(2_000_000), time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).UnixMilli(), time.Date(9999, 12, 31, 23, 0, 0, 0, time.UTC).UnixMilli())
	w.span = max(minutes(2), 10*gap)
	for range 6 {
		w.moments = append(w.moments, w.base+r.Int64N(w.span+1))
	}
	w.moments = append(w.moments, w.base, w.base+minute)
	for i := range w.moments {
		w.moments[i] = min(w.moments[i], time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()-1)
	}
	slices.Sort(w.moments)
	w.moments = slices.Compact(w.moments)
	w.tenants = []string{"shop", "b", "C-3"}[:1+r.IntN(3)]
	w.routes = []string{"web", "mobile", "other"}[:1+r.IntN(3)]

	w.line(0, "data: data")
	session := fmt.Sprintf("gap: %dms, lateness: %dms, ahead: %dms", w.def.Gap, w.def.Lateness, w.def.Ahead)
	if !p.tidy && chance(r, 12) {
		w.def.MaxBeacons = pick(r, 1, 2, 5, 20)
		session += fmt.Sprintf(", max_beacons: %d", w.def.MaxBeacons)
	}
	w.line(0, "session: {%s}", session)
	w.sourceList()
	w.head = w.yaml.String()
	for range w.routes {
		partitions := 1 + r.IntN(4)
		if p.partitions > 0 {
			partitions = p.partitions
		}
		w.partitions = append(w.partitions, partitions)
	}
	w.rest()
	return w
}

// next is a later generation: other filters, routing, tenants, whose extractors,
// dimensions, pairs and experiments have changed.
func (w *world) next(seed uint64) *world {
	n := &world{
		Rand: rand.New(rand.NewPCG(seed, 3)), def: w.def, sources: w.sources, routes: w.routes, partitions: w.partitions, head: w.head,
		base: w.base, span: w.span, moments: w.moments, params: w.params,
	}
	n.def.Tenants, n.def.Split = map[string]definition.Tenant{}, nil
	n.tenants = slices.DeleteFunc([]string{"shop", "b", "C-3"}, func(name string) bool {
		fixed := slices.ContainsFunc(w.sources, func(s worldSource) bool { return s.def.Tenant.Const == name })
		return !fixed && chance(n.Rand, 4)
	})
	if len(n.tenants) == 0 {
		n.tenants = w.tenants
	}
	n.yaml.WriteString(w.head)
	n.rest()
	return n
}

// rest writes what generations change.
func (w *world) rest() {
	var plugins strings.Builder
	w.dispatch(&plugins)
	w.tenantList(&plugins)
	if plugins.Len() > 0 {
		w.yaml.WriteString("plugins:\n" + plugins.String())
	}
}

func locator(l definition.Locator) string {
	switch {
	case len(l.Paths) == 0:
		return "{const: " + quote(l.Const) + "}"
	case len(l.Paths) == 1:
		return quote(l.Paths[0])
	}
	return list(l.Paths)
}

func list(all []string) string {
	var quoted []string
	for _, s := range all {
		quoted = append(quoted, quote(s))
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func paths(all ...string) definition.Locator { return definition.Locator{Paths: all} }

func (w *world) sourceList() {
	r := w.Rand
	w.line(0, "sources:")
	for i := range 1 + r.IntN(3) {
		s := worldSource{name: fmt.Sprintf("src%d", i)}
		d := &s.def
		d.Format = pick(r, "json", "json", "query", "clf")
		d.Tenant = pick(r, paths("tenant"), definition.Locator{Const: pick(r, w.tenants...)})
		d.Time, d.ID, d.Assignments = paths("ts"), paths("id"), paths("exp")
		d.Session = pick(r, paths("sid"), paths("sid"), paths("sid", "user.name"), paths("ip", "sid"))
		d.Names = map[string]definition.Locator{
			"agent":    pick(r, paths("headers.ua"), paths("headers.ua", "platform"), paths("agent"), paths("type")),
			"where":    pick(r, paths("img.slot"), paths("status"), paths("flag", "type"), definition.Locator{Const: "here"}),
			"constant": {Const: pick(r, "1", "x y")},
		}
		if chance(r, 4) {
			d.Names["img.slot"] = pick(r, paths("platform"), paths("img.id"))
		}
		if chance(r, 3) {
			d.Names["price"] = pick(r, paths("qty"), paths("img.id", "qty"), paths("none"), definition.Locator{Const: "1.50"})
		}
		if d.Format == "clf" {
			d.Time = paths("time")
			d.Tenant = pick(r, paths("user"), definition.Locator{Const: pick(r, w.tenants...)})
			d.Session = pick(r, paths("remote"), paths("remote", "agent"), paths("agent"))
			d.ID = pick(r, paths("referer"), paths("bytes"), paths("bytes", "referer"))
			d.Assignments = definition.Locator{}
			d.Names = map[string]definition.Locator{
				"where": pick(r, paths("bytes"), paths("method", "status"), definition.Locator{Const: "here"}),
				"price": pick(r, paths("bytes"), paths("status"), paths("referer")),
			}
		}
		if w.params.tidy {
			d.Format, d.ID, d.Tenant = "json", paths("id"), paths("tenant")
			d.Time, d.Session = paths("ts"), paths("sid")
		}
		w.line(1, "- name: %s", s.name)
		w.line(2, "topic: in-%s", s.name)
		w.line(2, "format: %s", d.Format)
		w.line(2, "fields:")
		for _, f := range []struct {
			name string
			l    definition.Locator
		}{{"time", d.Time}, {"tenant", d.Tenant}, {"session", d.Session}, {"id", d.ID}, {"assignments", d.Assignments}} {
			if len(f.l.Paths) > 0 || f.l.Const != "" {
				w.line(3, "%s: %s", f.name, locator(f.l))
			}
		}
		for _, name := range sorted(d.Names) {
			w.line(3, "%s: %s", quote(name), locator(d.Names[name]))
		}
		w.sources = append(w.sources, s)
	}
}

func sorted[V any](m map[string]V) (names []string) {
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// drops writes a filter of rules, and gives what it does.
func (w *world) drops(plugins *strings.Builder, name string) func(definition.Beacon) (string, bool) {
	g := exprs{w.Rand, fields}
	fmt.Fprintf(plugins, "  %s:\n    rules:\n      drop:\n", name)
	var all []func(definition.Beacon) (string, bool)
	for range 1 + w.IntN(2) {
		reason := pick(w.Rand, "asset", "bot", "no use")
		when := g.condition(2)
		if !chance(w.Rand, 16) { // most of the beacons are to be left
			inner := when
			when = expr{`type == "drop" && (` + inner.text + ")", func(b definition.Beacon) any {
				return compare(fieldValue(b, "type"), "==", "drop") && inner.holds(b)
			}}
		}
		fmt.Fprintf(plugins, "        - {reason: %s, when: %s}\n", quote(reason), quote(when.text))
		all = append(all, func(b definition.Beacon) (string, bool) { return reason, when.holds(b) })
	}
	return firstDrop(all)
}

func firstDrop(all []func(definition.Beacon) (string, bool)) func(definition.Beacon) (string, bool) {
	return func(b definition.Beacon) (string, bool) {
		for _, drop := range all {
			if reason, dropped := drop(b); dropped {
				return reason, true
			}
		}
		return "", false
	}
}

// dispatch writes filters, splitter and routes.
func (w *world) dispatch(plugins *strings.Builder) {
	r := w.Rand
	var all []func(definition.Beacon) (string, bool)
	var filters []string
	for i := range r.IntN(3) {
		name := fmt.Sprintf("filter%d", i)
		filters = append(filters, name)
		all = append(all, w.drops(plugins, name))
	}
	w.def.Filter = firstDrop(all)
	w.def.Default = pick(r, w.routes...)
	w.line(0, "dispatch:")
	w.line(1, "filters: %s", list(filters))
	w.line(1, "default: %s", w.def.Default)
	w.line(1, "routes:")
	for i, route := range w.routes {
		w.line(2, "%s: {topic: out-%s, partitions: %d}", route, route, w.partitions[i])
	}
	if chance(r, 2) {
		w.line(1, "split: splitter")
		plugins.WriteString("  splitter:\n    rules:\n      split:\n")
		var rules []func(definition.Beacon) string
		for range 1 + r.IntN(3) {
			route, when := pick(r, w.routes...), exprs{r, fields}.condition(2)
			fmt.Fprintf(plugins, "        - {route: %s, when: %s}\n", route, quote(when.text))
			rules = append(rules, func(b definition.Beacon) string {
				if when.holds(b) {
					return route
				}
				return ""
			})
		}
		w.def.Split = func(b definition.Beacon) string {
			for _, rule := range rules {
				if route := rule(b); route != "" {
					return route
				}
			}
			return ""
		}
	}
}

// extract writes an extractor of rules, and gives what it does and its points.
func (w *world) extract(plugins *strings.Builder, name string) (points []string, extract func(definition.Beacon) []definition.Measurement) {
	r := w.Rand
	g := exprs{r, fields}
	type rule struct {
		point       string
		when, value expr
		attributes  map[string]string
	}
	var rules []rule
	fmt.Fprintf(plugins, "  %s:\n    rules:\n      extract:\n", name)
	for range 1 + r.IntN(5) {
		one := rule{point: pick(r, "page", "order", "revenue", "click"), when: g.condition(2)}
		switch r.IntN(3) {
		case 0:
			one.when = constant("true", true)
		case 1:
			one.when = expr{`type == "buy"`, func(b definition.Beacon) any { return compare(fieldValue(b, "type"), "==", "buy") }}
		}
		fmt.Fprintf(plugins, "        - {point: %s, when: %s", one.point, quote(one.when.text))
		if chance(r, 2) {
			switch one.value = g.number(2); r.IntN(3) {
			case 0:
				one.value = exprs{r, []string{"price", "bytes"}}.field()
			case 1:
				one.value = g.any(1)
			}
			fmt.Fprintf(plugins, ", value: %s", quote(one.value.text))
		}
		if chance(r, 3) {
			one.attributes = map[string]string{}
			var texts []string
			for _, a := range []string{"image", "slot", "z_1"}[:1+r.IntN(3)] {
				one.attributes[a] = pick(r, "img.id", "img.slot", "platform", "qty", "flag", "where", "agent", "tags", "status")
				texts = append(texts, a+": "+one.attributes[a])
			}
			fmt.Fprintf(plugins, ", attributes: {%s}", strings.Join(texts, ", "))
		}
		plugins.WriteString("}\n")
		rules = append(rules, one)
		if !slices.Contains(points, one.point) {
			points = append(points, one.point)
		}
	}
	return points, func(b definition.Beacon) (all []definition.Measurement) {
		for _, rule := range rules {
			if !rule.when.holds(b) {
				continue
			}
			m := definition.Measurement{Point: rule.point, Value: 1, Attributes: map[string]string{}}
			if rule.value.eval != nil {
				v, ok := number(rule.value.eval(b))
				m.Value, m.Bad = v, !ok
			}
			for name, path := range rule.attributes {
				m.Attributes[name] = b.Field(path).Text()
			}
			all = append(all, m)
		}
		return all
	}
}

func (w *world) tenantList(plugins *strings.Builder) {
	r := w.Rand
	w.line(0, "tenants:")
	for i, name := range w.tenants {
		var t definition.Tenant
		var points []string
		w.line(1, "%s:", name)
		if !chance(r, 8) {
			extractor := fmt.Sprintf("extract%d", i)
			points, t.Extract = w.extract(plugins, extractor)
			w.line(2, "extract: %s", extractor)
		}
		if chance(r, 4) {
			filter := fmt.Sprintf("own%d", i)
			t.Filter = w.drops(plugins, filter)
			w.line(2, "filters: [%s]", filter)
		}
		if t.AllTraffic = chance(r, 2); t.AllTraffic {
			w.line(2, "all_traffic: true")
		}
		var pairs []string
		for range r.IntN(3) {
			if len(points) == 0 {
				break
			}
			pair := [2]string{pick(r, points...), pick(r, points...)}
			if !slices.Contains(t.Pairs, pair) {
				t.Pairs = append(t.Pairs, pair)
				pairs = append(pairs, list(pair[:]))
			}
		}
		w.line(2, "pairs: [%s]", strings.Join(pairs, ", "))
		w.line(2, "dimensions:")
		for _, dim := range []string{"platform", "zone", "A_1"}[:r.IntN(4)] {
			d := definition.Dimension{Name: dim, Path: pick(r, "platform", "img.slot", "flag", "status", "price", "tags.0", "where")}
			text := "path: " + d.Path
			if chance(r, 2) {
				d.Values = pick(r, []string{"web", "ios"}, []string{"1.50", "true", "200"})
				text += ", values: " + list(d.Values)
			}
			if chance(r, 2) {
				d.Default = pick(r, "web", "none", "_other")
				text += ", default: " + d.Default
			}
			w.line(3, "%s: {%s}", dim, text)
			t.Dimensions = append(t.Dimensions, d)
		}
		w.line(2, "layers: {l1: {}, l2: {salt: pepper}}")
		w.line(2, "experiments:")
		for n := range r.IntN(4) {
			t.Experiments = append(t.Experiments, w.experiment(fmt.Sprintf("e%d", n), points))
		}
		w.def.Tenants[name] = t
	}
}

func (w *world) experiment(id string, points []string) definition.Experiment {
	r := w.Rand
	e := definition.Experiment{ID: id, Hash: chance(r, 2)}
	w.line(3, "%s:", id)
	variants := func(names []string) (all []definition.Variant) {
		for i, name := range names {
			all = append(all, definition.Variant{Name: name, Weight: int64(pick(r, 0, 1, 1, 2, 50, 1_000_000_000))})
			all[0].Weight = max(all[0].Weight, int64(1-i))
		}
		return all
	}
	shares := func(all []definition.Variant) string {
		var texts []string
		for _, v := range all {
			texts = append(texts, fmt.Sprintf("%s: %d", quote(v.Name), v.Weight))
		}
		return "{" + strings.Join(texts, ", ") + "}"
	}
	names := []string{"a", "b", "1", "1.50"}[:1+r.IntN(4)]
	if w.params.evolving {
		names = []string{"a", "b", "1", "1.50"}[:2+int(id[1]-'0')%3]
	}
	e.Variants = variants(names)
	w.line(4, "variants: %s", shares(e.Variants))
	buckets := func() *[2]int64 {
		from := r.Int64N(9999)
		return &[2]int64{from, from + 1 + r.Int64N(10_000-from)}
	}
	if e.Hash {
		w.line(4, "assign: hash")
		if chance(r, 2) {
			e.Unit = pick(r, "visitor", "visitor", "platform", "price", "nest.a")
			w.line(4, "unit: %s", e.Unit)
		}
		if chance(r, 2) {
			e.Salt = pick(r, "s", "salt-2")
			w.line(4, "salt: %s", e.Salt)
		}
		if chance(r, 2) {
			e.Layer = pick(r, "l1", "l2")
			if e.Layer == "l2" {
				e.LayerSalt = "pepper"
			}
			w.line(4, "layer: %s", e.Layer)
			if chance(r, 2) {
				e.Buckets = buckets()
				w.line(4, "buckets: [%d, %d]", e.Buckets[0], e.Buckets[1])
			}
		}
	}
	if len(points) > 0 && chance(r, 2) {
		e.Qualify = pick(r, points...)
		w.line(4, "qualify: %s", e.Qualify)
	}
	if e.Exclude = chance(r, 2); e.Exclude {
		w.line(4, "crossover: exclude")
	}
	if chance(r, 3) {
		e.Start = &w.moments[r.IntN(len(w.moments)/2)]
		w.line(4, "start: %s", moment(*e.Start))
	}
	if chance(r, 3) {
		e.End = &w.moments[len(w.moments)/2+r.IntN(len(w.moments)/2)]
		w.line(4, "end: %s", moment(*e.End))
	}
	if chance(r, 2) {
		w.line(4, "phases:")
		for _, from := range w.moments {
			if !chance(r, 3) {
				continue
			}
			p := definition.Phase{From: from}
			text := "from: " + moment(from)
			if e.Layer == "" || chance(r, 2) {
				p.Variants = variants(names)
				r.Shuffle(len(names), func(i, j int) { p.Variants[i], p.Variants[j] = p.Variants[j], p.Variants[i] })
				text += ", variants: " + shares(p.Variants)
			}
			if e.Layer != "" && (p.Variants == nil || chance(r, 2)) {
				p.Buckets = buckets()
				text += fmt.Sprintf(", buckets: [%d, %d]", p.Buckets[0], p.Buckets[1])
			}
			w.line(5, "- {%s}", text)
			e.Phases = append(e.Phases, p)
		}
	}
	return e
}

func moment(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }
