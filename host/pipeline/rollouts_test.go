package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/plugin"
	"github.com/seed-6a2d649b/pharos/host/rollout"
)

// visitors send beacons with a field do, each in a session of its own.
type visitors struct {
	*kgo.Client
	n int
}

func newVisitors(t *testing.T, k kafka.Config) *visitors {
	t.Helper()
	cl, err := kafka.NewClient(k)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return &visitors{Client: cl}
}

func (s *visitors) send(t *testing.T, things ...string) {
	t.Helper()
	var records []*kgo.Record
	for _, do := range things {
		s.n++
		value := fmt.Sprintf(`{"ts": %d, "tenant": "shop", "sid": "s%d", "do": %q}`, time.Now().UnixMilli(), s.n, do)
		records = append(records, &kgo.Record{Topic: "beacons", Value: []byte(value)})
	}
	if err := s.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// phases are those of a plugin, generation by generation.
func (h *hosting) phases(t *testing.T, name string) (phases []rollout.Phase) {
	t.Helper()
	for number := uint64(1); number <= h.gens.journal.wanted(); number++ {
		r, err := h.gens.journal.fetch(t.Context(), number)
		if err != nil {
			t.Fatal(err)
		}
		phases = append(phases, r.Rollouts[name].Phase)
	}
	return phases
}

func (h *hosting) phase(name string) rollout.Phase {
	return h.gens.inForce().plugins[name].State().Phase
}

// drain waits until all beacons are counted.
func (h *hosting) drain(t *testing.T, s *visitors) {
	t.Helper()
	eventually(t, "all beacons to be counted", func() bool {
		counts, _ := h.live.Beacons([]string{"shop"})
		b := counts.Tenants["shop"]
		return b.In == int64(s.n) && counts.Conserved() == nil
	})
}

const rolledConfig = `data: data
http: {listen: '127.0.0.1:0'}
sources:
  - {name: site, topic: beacons}
plugins:
  filter:
    rules: {drop: [{reason: 'yes', when: 'do == "yes"'}]}
    shadow: {for: 0s, max_diff: 10%, min_rows: 20}
    breaker: {rows: 20, backoff: 2s}
  points:
    rules: {extract: [{point: order, when: 'do == "order"'}]}
    canary: {for: 0s, share: 50%, min_rows: 20}
    breaker: {rows: 20, backoff: 2s}
dispatch: {filters: [filter], routes: {web: {partitions: 2}}}
tenants:
  shop: {extract: points, all_traffic: true}
`

// A new filter runs in a shadow, a new extractor as a canary; what is worse is rolled
// back, and stays so until it is promoted or another one comes. Each step is a
// generation.
func TestRollouts(t *testing.T) {
	k := testBroker(t)
	h := startHost(t, k, hostOptions{id: "a", roles: AllRoles, embedded: true}, rolledConfig)
	s := newVisitors(t, k)
	reload := func(text string) *ReloadAnswer {
		t.Helper()
		writeFileT(t, h.file, text)
		dry, err := h.reload(t.Context(), true)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := h.reload(t.Context(), false)
		if err != nil || !slices.Equal(answer.Changes, dry.Changes) {
			t.Fatalf("%v %+v\ndry: %+v", err, answer, dry)
		}
		h.documented(t, answer, "Reloaded")
		return answer
	}
	until := func(name string, phase rollout.Phase, things ...string) {
		t.Helper()
		eventually(t, fmt.Sprintf("%s to be %s", name, phase), func() bool {
			s.send(t, things...)
			return h.phase(name) == phase
		})
	}

	better := edited(t, rolledConfig, `do == "yes"`, `do == "yes" || do == "rare"`)
	if answer := reload(better); len(answer.Changes) != 2 || answer.Changes[1].String() != `~ rollout of filter: live -> shadow` {
		t.Errorf("%+v", answer)
	}
	until("filter", rollout.Live, "", "yes", "order")

	wrong := edited(t, better, `do == "yes" ||`, `do == "order" ||`)
	reload(wrong)
	until("filter", rollout.RolledBack, "", "yes", "order")
	if r := h.gens.inForce().plugins["filter"].Report(); r.Compared == 0 || len(r.Changes) != 2 || !strings.HasPrefix(r.Reason, "in the shadow ") {
		t.Errorf("%+v", r)
	}
	h.documented(t, h.ask(t, "api/v1/plugins/filter/diff"), "PluginDiff")
	h.documentedActions(t)
	if answer := reload(wrong); answer.Published || !strings.Contains(answer.Warning, "pharos plugin promote filter") {
		t.Errorf("%+v", answer)
	}
	if faults := h.status(t.Context()).Faults; len(faults) != 1 || !strings.Contains(faults[0], "beacons differed") {
		t.Errorf("%q", faults)
	}
	if answer := reload(edited(t, wrong, "max_diff: 10%", "max_diff: 20%")); len(answer.Changes) != 1 || h.phase("filter") != rollout.RolledBack {
		t.Errorf("%+v", answer)
	}
	if got := h.phases(t, "filter"); !slices.Equal(got, []rollout.Phase{rollout.Live, rollout.Shadow, rollout.Live, rollout.Shadow, rollout.RolledBack, rollout.RolledBack}) {
		t.Error(got)
	}
	for _, c := range []struct {
		action string
		to     rollout.Phase
		fault  string
	}{
		{"rollback", "", "it is rolled back already"},
		{"promote", rollout.Live, ""},
		{"promote", "", "is live already"},
		{"rollback", rollout.RolledBack, ""},
	} {
		answer, err := AskPhase(context.Background(), h.server.url(), "filter", c.action)
		if c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)) || c.fault == "" && (err != nil || answer.Phase != string(c.to) || h.phase("filter") != c.to) {
			t.Errorf("%s: %v %+v", c.action, err, answer)
		}
		if c.fault == "" {
			h.documented(t, answer, "PluginPhase")
		}
	}
	if _, err := AskPhase(context.Background(), h.server.url(), "none", "promote"); err == nil || !strings.Contains(err.Error(), `no plugin "none": it has [filter points]`) {
		t.Error(err)
	}
	if reload(edited(t, wrong, "    shadow: {for: 0s, max_diff: 10%, min_rows: 20}\n", "")); h.phase("filter") != rollout.RolledBack {
		t.Errorf("another reload has made it %s", h.phase("filter"))
	}

	moody := "module: '" + moduleURL(t, "extract.wasm") + "'"
	canary := edited(t, wrong, `rules: {extract: [{point: order, when: 'do == "order"'}]}`, moody)
	h.drain(t, s)
	reload(canary)
	if h.phase("points") != rollout.Canary {
		t.Fatal(h.phase("points"))
	}
	until("points", rollout.RolledBack, "yes", "trap")
	h.drain(t, s)
	reload(edited(t, canary, moody, moody+"\n    config: {refuse: false}"))
	if h.phase("points") != rollout.Canary {
		t.Fatal(h.phase("points"))
	}
	until("points", rollout.Live, "yes", "no")
}

// A plugin that becomes one of another kind is a new one: live at once, whatever trial
// is asked for, and the generation says so. What it was before drains.
func TestPluginOfAnotherKind(t *testing.T) {
	k := testBroker(t)
	h := startHost(t, k, hostOptions{id: "a", roles: AllRoles, embedded: true}, rolledConfig)
	s := newVisitors(t, k)
	s.send(t, "yes", "order", "")
	h.drain(t, s)
	before := h.gens.inForce().plugins["filter"].New()

	text := edited(t, rolledConfig, `{drop: [{reason: 'yes', when: 'do == "yes"'}]}`, `{extract: [{point: agreed, when: 'do == "yes"'}]}`,
		"filters: [filter], ", "", "extract: points", "extract: filter")
	writeFileT(t, h.file, text)
	answer, err := h.reload(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, c := range answer.Changes {
		said = append(said, c.String())
	}
	if !slices.Contains(said, "~ kind of filter: filter -> extract") || slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, "rollout of filter") }) {
		t.Errorf("%q", said)
	}
	r, err := h.gens.journal.fetch(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	state := h.gens.inForce().plugins["filter"].State()
	if s := r.Rollouts["filter"]; s != state || s.Phase != rollout.Live || s.Generation != 2 || s.Old != nil || s.Reason != "it was of the kind filter, and is of the kind extract now: a new plugin" {
		t.Errorf("the record says %+v, in force is %+v", s, state)
	}
	if _, err := AskPhase(t.Context(), h.server.url(), "filter", "rollback"); err == nil || !strings.Contains(err.Error(), "there is no version before") {
		t.Error(err)
	}
	s.send(t, "yes", "yes", "order")
	h.drain(t, s)
	if rows := h.gens.inForce().plugins["filter"].Report().New.Rows; rows != 3 {
		t.Errorf("it was asked about %d beacons", rows)
	}
	if !slices.ContainsFunc(before.Life().Steps(), func(s plugin.Step) bool {
		return s.Name == plugin.Draining && strings.HasPrefix(s.Detail, "generation 2 has version ")
	}) {
		t.Errorf("%+v", before.Life().Steps())
	}
}

// ask gives what the host answers, in JSON.
func (h *hosting) ask(t *testing.T, path string) any {
	t.Helper()
	resp, err := http.Get(h.server.url() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	v, err := jsonschema.UnmarshalJSON(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", path, resp.Status, err)
	}
	return v
}

// documented sees that an answer is of the form that the API's document says.
func (h *hosting) documented(t *testing.T, answer any, schema string) {
	t.Helper()
	c := jsonschema.NewCompiler()
	if err := c.AddResource("http://pharos/openapi.json", h.ask(t, "api/v1/openapi.json")); err != nil {
		t.Fatal(err)
	}
	form, err := c.Compile("http://pharos/openapi.json#/components/schemas/" + schema)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := form.Validate(v); err != nil {
		t.Error(err)
	}
}

// documentedActions sees that the API's document has what may be asked by POST, and
// no more.
func (h *hosting) documentedActions(t *testing.T) {
	t.Helper()
	served := h.actions()
	for path, item := range h.ask(t, "api/v1/openapi.json").(map[string]any)["paths"].(map[string]any) {
		if !strings.HasPrefix(path, "/-/") {
			continue
		}
		if _, post := item.(map[string]any)["post"]; !post || served[path] == nil {
			t.Errorf("%s is told and not served", path)
		}
		delete(served, path)
	}
	for path := range served {
		t.Errorf("%s is served and not told", path)
	}
}

// clock is one that a test sets.
type clock struct{ ms atomic.Int64 }

func clockAt(at time.Time) *clock {
	c := new(clock)
	c.ms.Store(at.UnixMilli())
	return c
}

func (c *clock) now() time.Time         { return time.UnixMilli(c.ms.Load()) }
func (c *clock) passes(d time.Duration) { c.ms.Add(d.Milliseconds()) }

// How long a phase lasts each host counts by its own clock, from when it has taken it:
// neither of two whose clocks are two hours apart ends one too early or too late,
// whoever began it.
func TestClocksThatDiffer(t *testing.T) {
	k := testBroker(t)
	text := "snapshots: {url: 'file://" + t.TempDir() + "'}\n" + edited(t, rolledConfig, "canary: {for: 0s, share: 50%, min_rows: 20}", "shadow: {for: 10m, min_rows: 1}")
	slow, fast := clockAt(time.Now().Add(-time.Hour)), clockAt(time.Now().Add(time.Hour))
	a := startHost(t, k, hostOptions{id: "a", roles: AllRoles, embedded: true, now: slow.now}, text)
	b := startHost(t, k, hostOptions{id: "b", roles: []Role{Session}, now: fast.now}, text)
	s := newVisitors(t, k)
	begins := func(by *hosting, generation uint64) {
		t.Helper()
		text = edited(t, text, `order, when: 'do`, `order, when: 'do == "never" || do`)
		writeFileT(t, by.file, text)
		if answer, err := by.reload(t.Context(), false); err != nil || answer.Generation != generation {
			t.Fatalf("%v %+v", err, answer)
		}
		eventually(t, "both to compare", func() bool {
			s.send(t, "a", "b", "c", "d")
			for _, h := range []*hosting{a, b} {
				g := h.gens.inForce()
				if rows, _ := g.plugins["points"].Compared(); g.Number != generation || g.plugins["points"].State().Phase != rollout.Shadow || rows == 0 {
					return false
				}
			}
			return true
		})
	}
	stays := func(generation uint64) {
		t.Helper()
		for _, h := range []*hosting{a, b} {
			if err := h.decide(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := h.gens.journal.wanted(); n != generation {
				t.Fatalf("generation %d is there: %s", n, h.gens.inForce().plugins["points"].State().Reason)
			}
		}
	}
	ends := func(by *hosting, generation uint64) {
		t.Helper()
		if err := by.decide(t.Context()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "both to have the end of the shadow", func() bool {
			return a.gens.inForce().Number == generation && b.gens.inForce().Number == generation
		})
		if state := a.gens.inForce().plugins["points"].State(); state.Phase != rollout.Live || state.By != by.id {
			t.Errorf("%+v", state)
		}
	}
	begins(a, 2)
	stays(2)
	slow.passes(10*time.Minute - time.Second)
	fast.passes(10*time.Minute - time.Second)
	stays(2)
	fast.passes(time.Second)
	ends(b, 3)

	begins(b, 4)
	stays(4)
	slow.passes(10*time.Minute - time.Second)
	stays(4)
	slow.passes(time.Second)
	ends(a, 5)
}

// A plugin that keeps failing is taken out: the version before decides, or nobody;
// it is tried again, and longer waited for each time.
func TestBreaker(t *testing.T) {
	k := testBroker(t)
	moody := fmt.Sprintf("module: '%s'\n    on_error: pass", moduleURL(t, "extract.wasm"))
	text := edited(t, rolledConfig, `rules: {extract: [{point: order, when: 'do == "order"'}]}`, moody, "canary: {for: 0s, share: 50%, min_rows: 20}", "config: {}")
	text = "snapshots: {url: 'file://" + t.TempDir() + "'}\n" + text
	h := startHost(t, k, hostOptions{id: "a", roles: AllRoles, embedded: true}, text)
	b := startHost(t, k, hostOptions{id: "b", roles: []Role{Session}}, text) // sees it too: one of them is first
	s := newVisitors(t, k)
	until := func(what string, is func() bool, things ...string) {
		t.Helper()
		eventually(t, what, func() bool {
			s.send(t, things...)
			return is()
		})
	}
	// the first version: nothing decides instead
	until("it is out", func() bool { return h.phase("points") == rollout.Out }, "trap", "trap", "yes")
	if faults := h.status(t.Context()).Faults; len(faults) != 1 || !strings.Contains(faults[0], "its on_error holds for all beacons: it failed at 50% of its beacons or more") {
		t.Errorf("%q", faults)
	}
	until("it is tried again", func() bool { return h.phase("points") == rollout.Live }, "yes")
	until("it is out again", func() bool { return h.phase("points") == rollout.Out }, "trap")
	if trips := h.gens.inForce().plugins["points"].State().Trips; trips != 2 {
		t.Errorf("out for the %dth time", trips)
	}
	// another version of it, beside a version before that is well
	text = edited(t, text, moody, `rules: {extract: [{point: order, when: 'do == "order"'}]}`, "\n    config: {}", "")
	writeFileT(t, h.file, text)
	if _, err := h.reload(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	writeFileT(t, h.file, edited(t, text, `rules: {extract: [{point: order, when: 'do == "order"'}]}`, moody))
	if _, err := h.reload(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	until("the version before decides", func() bool { return h.phase("points") == rollout.Fallback }, "trap", "order")
	if p := h.gens.inForce().plugins["points"]; p.Old() == nil || !strings.HasPrefix(p.Old().Version(), "rules-") {
		t.Errorf("%+v", p.State())
	}
	until("it is tried again", func() bool { return h.phase("points") == rollout.Live }, "order")
	eventually(t, "the other host follows", func() bool { return b.gens.inForce().Number == h.gens.journal.wanted() })
	want := []rollout.Phase{rollout.Live, rollout.Out, rollout.Live, rollout.Out, rollout.Live, rollout.Live, rollout.Fallback, rollout.Live}
	if got := b.phases(t, "points"); !slices.Equal(got, want) {
		t.Error(got)
	}
}

// moduleURL is the address of a guest of the plugin package's tests.
func moduleURL(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "plugin", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return "file://" + path
}

// What a generation has to say of versions before is bounded: it is refused before it
// is published.
func TestRecordsAreBounded(t *testing.T) {
	r := &generationRecord{Number: 2, Rollouts: map[string]rollout.State{}}
	for i := range 5 {
		spec := plugin.Spec{Name: "p", Config: []byte(`"` + strings.Repeat("y", 1<<20) + `"`)}
		r.Rollouts[fmt.Sprint(i)] = rollout.State{Phase: rollout.Live, Old: &spec}
	}
	if _, err := r.encode(); err == nil || !strings.Contains(err.Error(), "a generation has at most 5242880") {
		t.Error(err)
	}
	delete(r.Rollouts, "0")
	if _, err := r.encode(); err != nil {
		t.Error(err)
	}
}

func TestWriteDiff(t *testing.T) {
	ratio := 1.25
	r := &rollout.Report{
		Plugin: "bots", Kind: "filter", Phase: rollout.Shadow, Since: 1569888000000, Generation: 4, By: "a1",
		New:       &rollout.VersionReport{Version: "2", Digest: "sha256:0123456789abcdef", Rows: 200, Traps: 1},
		Old:       &rollout.VersionReport{Version: "1", Digest: "sha256:fedcba9876543210", Rows: 200},
		FuelRatio: &ratio, Compared: 200, Differing: 3,
		Changes: []rollout.ChangeReport{{Change: rollout.NowDropped, Rows: 3, Samples: []rollout.Sample{{Beacon: "{\"a\":\t1}\x1b[2J", Old: "kept", New: "dropped: bot"}}}},
	}
	var b strings.Builder
	if err := WriteDiff(&b, r); err != nil {
		t.Fatal(err)
	}
	const want = `plugin    bots, filter
phase     shadow since 2019-10-01 00:00:00, generation 4 by a1
new       version 2, sha256:0123456789ab: 200 beacons, failed at 1 (0.5 %)
old       version 1, sha256:fedcba987654: 200 beacons, failed at 0
fuel      1.25 times that of old a beacon
compared  200 beacons, 3 differ (1.5 %)

now dropped  3 (1.5 %)
  {"a": 1} [2J
    old: kept
    new: dropped: bot
`
	if b.String() != want {
		t.Errorf("%s", b.String())
	}
}
