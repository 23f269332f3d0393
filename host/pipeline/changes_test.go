package pipeline

import (
	"slices"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/host/config"
)

// shop is a config of which each test changes something.
const shop = `sources:
  - {name: site, topic: beacons, fields: {tenant: {const: shop}}}
plugins:
  points: {rules: {extract: [{point: order, when: 'type == "order"'}, {point: view, when: 'type == "view"'}]}}
dispatch:
  routes: {web: {topic: pharos.web, partitions: 2}, mobile: {partitions: 1}}
  default: web
tenants:
  shop:
    extract: points
    layers: {checkout: }
    experiments:
      button: {variants: {a: 1, b: 1}, qualify: view}
      price: {assign: hash, layer: checkout, buckets: [0, 5000], variants: {a: 1, b: 1}}
`

func parsed(t *testing.T, text string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("x", t.TempDir(), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func edited(t testing.TB, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("there is no %q in\n%s", pairs[i], text)
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	return text
}

// faultsOf is everything that makes a config no follower of another.
func faultsOf(t *testing.T, before, next string) (texts []string) {
	t.Helper()
	a, b := parsed(t, before), parsed(t, next)
	faults := checkFixed(a, b)
	_, more := nextRoutes(b, firstRoutes(a), 2)
	known := identities{}
	known.add(a, 1)
	for _, f := range append(append(faults, more...), known.check(b)...) {
		texts = append(texts, f.Error())
	}
	return texts
}

func TestWhatMayFollow(t *testing.T) {
	for name, pairs := range map[string][]string{
		"nothing":                  {},
		"another rule":             {`type == "order"`, `type == "purchase"`},
		"a new experiment":         {"      button:", "      new: {variants: {x: 1}}\n      button:"},
		"an experiment less":       {"      button: {variants: {a: 1, b: 1}, qualify: view}\n", ""},
		"a phase":                  {"qualify: view}", "qualify: view, phases: [{from: 2026-01-01T00:00:00Z, variants: {a: 1, b: 3}}]}"},
		"an end":                   {"qualify: view}", "qualify: view, end: 2026-01-01T00:00:00Z}"},
		"exclusion":                {"qualify: view}", "qualify: view, crossover: exclude}"},
		"the salt it had":          {"assign: hash,", "assign: hash, salt: price,"},
		"the layer's salt it had":  {"checkout: }", "checkout: {salt: checkout}}"},
		"a new route":              {"mobile: {partitions: 1}", "mobile: {partitions: 1}, app: {partitions: 3}"},
		"a new tenant":             {"tenants:\n", "tenants:\n  other: {all_traffic: true}\n"},
		"a new source":             {"plugins:", "  - {name: app, topic: app-beacons}\nplugins:"},
		"sources in another order": {"sources:\n", "sources:\n  - {name: app, topic: app-beacons}\n"},
		"bounds of sessions":       {"tenants:\n", "session: {ahead: 1m, max_sessions: 5}\ntenants:\n"},
	} {
		if faults := faultsOf(t, shop, edited(t, shop, pairs...)); len(faults) > 0 {
			t.Errorf("%s: %q", name, faults)
		}
	}
}

func TestWhatMayNotFollow(t *testing.T) {
	for want, pairs := range map[string][]string{
		"tenants.shop.experiments.button.variants: the experiment button had {a: 1, b: 1} in generation 1, and can not have {a: 1, b: 2}: change shares by phases, or take a new id": {"b: 1}, qualify", "b: 2}, qualify"},
		"tenants.shop.experiments.button.qualify: the experiment button had view in generation 1, and can not have order: take a new id":                                             {"qualify: view", "qualify: order"},
		"button.qualify: the experiment button had view in generation 1, and can not have none":                                                                                      {", qualify: view", ""},
		"price.salt: the experiment price had price in generation 1, and can not have new":                                                                                           {"assign: hash,", "assign: hash, salt: new,"},
		"price.unit: the experiment price had none in generation 1, and can not have visitor":                                                                                        {"assign: hash,", "assign: hash, unit: visitor,"},
		"price.buckets: the experiment price had [0, 5000] in generation 1, and can not have [0, 6000]: change shares by phases, or take a new id":                                   {"5000", "6000"},
		"price.layer: the experiment price had checkout in generation 1, and can not have checkout (salt s)":                                                                         {"checkout: }", "checkout: {salt: s}}"},
		"price.assign: the experiment price had hash in generation 1, and can not have none":                                                                                         {"assign: hash, layer: checkout, buckets: [0, 5000], ", ""},
		"session.gap: it is 30m in the running generation, and can not be 20m as long as the group lives: put it back":                                                               {"tenants:\n", "session: {gap: 20m}\ntenants:\n"},
		"session.lateness: it is 10m in the running generation, and can not be 20m":                                                                                                  {"tenants:\n", "session: {lateness: 20m}\ntenants:\n"},
		"group: it is pharos in the running generation, and can not be other":                                                                                                        {"sources:", "group: other\nsources:"},
		"topics.metrics: it is {pharos.metrics 4} in the running generation, and can not be {pharos.metrics 5}":                                                                      {"sources:", "topics: {metrics: {partitions: 5}}\nsources:"},
		"sources: the source site is missing: sessions still hold beacons of its topic beacons, keep it":                                                                             {"topic: beacons", "topic: others"},
		`sources.0: it is {"name":"site","topic":"beacons","format":"json",`:                                                                                                         {"{tenant:", "{time: at, tenant:"},
		"dispatch.routes: the route mobile is missing: a route can not be taken away":                                                                                                {", mobile: {partitions: 1}", ""},
		"dispatch.routes.web.topic: the topic is pharos.web, and can not be another: write topic: pharos.web":                                                                        {"topic: pharos.web", "topic: pharos.new"},
		"dispatch.routes.web.partitions: the route has 2 partitions: write partitions: 2, or change it with 'pharos repartition web 5' (which moves its sessions)":                   {"partitions: 2", "partitions: 5"},
	} {
		faults := faultsOf(t, shop, edited(t, shop, pairs...))
		if len(faults) != 1 || !strings.Contains(faults[0], want) {
			t.Errorf("%q\nwant %s", faults, want)
		}
	}
}

// An id that is gone keeps what it meant.
func TestAnIDIsNeverAnother(t *testing.T) {
	first := parsed(t, shop)
	without := parsed(t, edited(t, shop, "      button: {variants: {a: 1, b: 1}, qualify: view}\n", ""))
	other := parsed(t, edited(t, shop, "b: 1}, qualify", "b: 1, c: 1}, qualify"))
	known := identities{}
	known.add(first, 1)
	known.add(without, 2)
	if faults := known.check(other); len(faults) != 1 || !strings.Contains(faults[0].Error(), "in generation 1, and can not have {a: 1, b: 1, c: 1}") {
		t.Errorf("%v", faults)
	}
	if faults := known.check(first); len(faults) > 0 {
		t.Errorf("as it was: %v", faults)
	}
}

func TestGrownRoutes(t *testing.T) {
	cfg := parsed(t, shop)
	routes := firstRoutes(cfg)
	routes[0] = routes[0].grown(3, 5)
	routes[0] = routes[0].grown(7, 9)
	r := routes[0]
	if first, topics := r.first(); r.Topic != "pharos.web-v3" || r.Replaces.Topic != "pharos.web-v2" || first != "pharos.web" || topics != 3 || r.Since != 9 || r.Replaces.Since != 5 {
		t.Errorf("%+v", r)
	}
	if s := r.sessionTopic(); s.Replaces.Replaces.Topic != "pharos.web" || s.Replaces.Partitions != 3 || s.Replaces.Replaces.Replaces != nil {
		t.Errorf("%+v", s)
	}
	_, faults := nextRoutes(cfg, routes, 10)
	if len(faults) != 1 || !strings.Contains(faults[0].Error(), "the route has 7 partitions: write partitions: 7") {
		t.Errorf("%v", faults)
	}
	next, faults := nextRoutes(parsed(t, edited(t, shop, "partitions: 2", "partitions: 7")), routes, 10)
	if len(faults) > 0 || !slices.EqualFunc(next, routes, func(a, b route) bool { return a.Topic == b.Topic && a.Partitions == b.Partitions }) {
		t.Errorf("%v %+v", faults, next)
	}
	taken := parsed(t, edited(t, shop, "topic: beacons", "topic: pharos.web-v2", "partitions: 2", "partitions: 7"))
	if faults := takenTopics(taken, next); len(faults) != 1 || !strings.Contains(faults[0].Error(), "dispatch.routes.web: its topic pharos.web-v2 is that of the source site too") {
		t.Errorf("%v", faults)
	}
}

func TestWhatNeedsARestart(t *testing.T) {
	base := parsed(t, shop)
	for key, pairs := range map[string][]string{
		"http":      {"sources:", "http: {listen: '127.0.0.1:1'}\nsources:"},
		"data":      {"sources:", "data: elsewhere\nsources:"},
		"snapshots": {"sources:", "snapshots: {every: 1m}\nsources:"},
		"session":   {"sources:", "session: {idle: 5s}\nsources:"},
	} {
		faults := checkRestart(base, parsed(t, edited(t, shop, pairs...)))
		if !slices.ContainsFunc(faults, func(f config.Fault) bool { return strings.HasPrefix(f.Message, key+": a change of it needs a restart") }) {
			t.Errorf("%s: %v", key, faults)
		}
	}
	if faults := checkRestart(base, parsed(t, edited(t, shop, `type == "order"`, `type == "purchase"`))); len(faults) > 0 {
		t.Errorf("a rule: %v", faults)
	}
}
