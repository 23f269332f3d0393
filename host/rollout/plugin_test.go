package rollout

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/host/plugin"
	"github.com/seed-6a2d649b/pharos/host/rules"
)

var loader = func() *plugin.Loader {
	l, err := plugin.NewLoader("")
	if err != nil {
		panic(err)
	}
	return l
}()

func load(t *testing.T, spec plugin.Spec) *plugin.Plugin {
	t.Helper()
	spec.Name = "p"
	p, err := loader.Load(context.Background(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}

// moody is a guest that does what a beacon's field do says.
func moody(t *testing.T, kind string) *plugin.Plugin {
	return load(t, plugin.Spec{Module: "../plugin/testdata/" + kind + ".wasm", OnError: plugin.Pass})
}

func ruled(t *testing.T, r rules.Rules) *plugin.Plugin { return load(t, plugin.Spec{Rules: &r}) }

// trial is a plugin of two versions in a phase that has begun at second 0.
func trial(t *testing.T, phase Phase, settings Settings, new, old *plugin.Plugin) *Plugin {
	t.Helper()
	if settings.Breaker == (BreakerSettings{}) {
		settings.Breaker = BreakerSettings{Traps: whole / 2, Rows: 10, Backoff: time.Minute, MaxBackoff: time.Hour}
	}
	spec := spec("before")
	s := State{Phase: phase, New: "sha256:new", Old: &spec, Generation: 2, By: "host"}
	w := NewWatch("p", nil, hclog.NewNullLogger())
	w.Activate(time.Unix(0, 0))
	p, err := New(s, settings, new, old, w)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// beacons decodes JSON beacons into a batch of the plugin's fields.
func beacons(t *testing.T, p *Plugin, raws ...string) (*beacon.Batch, []int) {
	t.Helper()
	fields := beacon.NewFields(p.Fields()...)
	at := func(path string) beacon.Locator { return beacon.Locator{Paths: []string{path}} }
	projection, err := beacon.NewProjection(&beacon.Source{Name: "test", Format: beacon.JSON, Tenant: at("tenant"), Session: at("sid")}, fields)
	if err != nil {
		t.Fatal(err)
	}
	b := beacon.NewBatch(fields)
	var sel []int
	for _, raw := range raws {
		row, cause := b.Add(projection, []byte(raw))
		if cause != "" {
			t.Fatal(cause)
		}
		sel = append(sel, row)
	}
	return b, sel
}

func things(things ...string) (raws []string) {
	for _, do := range things {
		raws = append(raws, fmt.Sprintf(`{"do": %q}`, do))
	}
	return raws
}

// filtered is what a filter does, by row: kept is empty.
func filtered(t *testing.T, p *Plugin, raws ...string) []string {
	t.Helper()
	b, sel := beacons(t, p, raws...)
	said := make([]string, len(sel))
	err := p.Filter(t.Context(), b, sel, func(row int, d beacon.Drop) { said[row] += d.Reason + string(d.Cause) })
	if err != nil {
		t.Fatal(err)
	}
	return said
}

func counted(r *Report) map[Change]int64 {
	all := map[Change]int64{}
	for _, c := range r.Changes {
		all[c.Change] = c.Rows
	}
	return all
}

func dropping(reasons ...string) rules.Rules {
	var r rules.Rules
	for _, one := range reasons {
		reason, when, _ := strings.Cut(one, ": ")
		r.Drop = append(r.Drop, rules.Drop{Reason: reason, When: when})
	}
	return r
}

func TestShadowOfAFilter(t *testing.T) {
	old := ruled(t, dropping(`a: do == "a"`, `b: do == "b"`, `c: do == "c"`))
	new := ruled(t, dropping(`a: do == "a"`, `other: do == "b"`, `d: do == "d"`))
	p := trial(t, Shadow, Settings{Shadow: &ShadowSettings{}}, new, old)
	for range 20 {
		if got := filtered(t, p, things("a", "b", "c", "d", "e")...); !slices.Equal(got, []string{"a", "b", "c", "", ""}) {
			t.Fatal(got)
		}
	}
	r := p.Report()
	if got := counted(r); r.Compared != 100 || r.Differing != 60 || !maps.Equal(got, map[Change]int64{NowDropped: 20, NowKept: 20, OtherReason: 20}) {
		t.Errorf("%+v", r)
	}
	for _, c := range r.Changes {
		if len(c.Samples) != maxSamples {
			t.Errorf("%s: %d samples", c.Change, len(c.Samples))
		}
	}
	if s := r.Changes[0].Samples[0]; r.Changes[0].Change != NowDropped || s != (Sample{`{"do": "d"}`, "kept", "dropped: d"}) {
		t.Errorf("%+v", r.Changes[0])
	}
	if r.Old.Rows != 100 || r.New.Rows != 100 || r.FuelRatio == nil || *r.FuelRatio <= 0 {
		t.Errorf("%+v %+v", r.Old, r.New)
	}
}

func TestShadowThatFails(t *testing.T) {
	moody, old := moody(t, "filter"), ruled(t, dropping(`yes: do == "yes"`))
	p := trial(t, Shadow, Settings{Shadow: &ShadowSettings{MaxDiff: whole, MinRows: 1000}}, moody, old)
	if got := filtered(t, p, things("yes", "", "trap", "yes")...); !slices.Equal(got, []string{"yes", "", "", "yes"}) {
		t.Error(got)
	}
	if got := counted(p.Report()); !maps.Equal(got, map[Change]int64{NowFails: 1}) {
		t.Error(got)
	}
	if phase, reason, due := p.Due(time.Unix(0, 0)); !due || phase != RolledBack || reason != "in the shadow it failed at a beacon that the version before answers; 0 were compared before" {
		t.Error(phase, reason, due)
	}
	if r := p.Report(); r.Changes[0].Samples[0] != (Sample{`{"do": "trap"}`, "kept", "fails"}) || r.New.Traps != 1 {
		t.Errorf("%+v", r)
	}
	fuel := p.Report().New.Fuel
	filtered(t, p, things("yes", "trap", "trap")...)
	if r := p.Report(); r.New.Fuel != fuel {
		t.Error("a shadow that has failed is asked again")
	}
	// the other way round it is no difference
	p = trial(t, Shadow, Settings{Shadow: &ShadowSettings{MinRows: 1000}}, old, moody)
	filtered(t, p, things("yes", "trap")...)
	if r := p.Report(); r.Differing != 0 || !maps.Equal(counted(r), map[Change]int64{FailsNoMore: 1}) || r.Old.Traps != 1 || r.Old.Fuel == 0 {
		t.Errorf("%+v", r)
	}
	if phase, reason, due := p.Due(time.Unix(0, 0)); due {
		t.Error(phase, reason)
	}
}

// A filter that is to be taken out is not asked about the rest of the batch, nor of
// those behind it.
func TestBreakerWithinABatch(t *testing.T) {
	p := trial(t, Live, Settings{}, moody(t, "filter"), nil)
	bad := slices.Repeat([]string{"trap"}, 100)
	filtered(t, p, things(bad...)...)
	if traps := p.Report().New.Traps; traps != 5 {
		t.Errorf("it failed at %d beacons", traps)
	}
	fuel := p.Report().New.Fuel
	filtered(t, p, things(bad...)...)
	if p.Report().New.Fuel != fuel {
		t.Error("it is asked again")
	}
	if phase, _, due := p.Due(time.Now()); !due || phase != Fallback {
		t.Error(phase, due)
	}
	old := moody(t, "filter")
	p = trial(t, Shadow, Settings{Shadow: &ShadowSettings{}}, ruled(t, dropping(`yes: do == "yes"`)), old)
	filtered(t, p, things(bad...)...)
	if traps := p.Report().Old.Traps; traps != 100 {
		t.Errorf("beside a new version it failed at %d beacons only", traps)
	}
}

// A shadow whose host breaks off is not compared, and its batch goes on.
func TestShadowThatBreaksOff(t *testing.T) {
	old := ruled(t, dropping(`yes: do == "yes"`))
	moody, err := loader.Load(t.Context(), plugin.Spec{Name: "p", Module: "../plugin/testdata/filter.wasm"})
	if err != nil {
		t.Fatal(err)
	}
	p := trial(t, Shadow, Settings{Shadow: &ShadowSettings{}}, moody, old)
	if err := moody.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := filtered(t, p, things("yes", "")...); !slices.Equal(got, []string{"yes", ""}) {
		t.Error(got)
	}
	if r := p.Report(); r.Compared != 0 {
		t.Errorf("%+v", r)
	}
}

func TestShadowOfASplitter(t *testing.T) {
	split := func(rule ...rules.Split) *plugin.Plugin { return ruled(t, rules.Rules{Split: rule}) }
	old := split(rules.Split{Route: "one", When: `do == "a"`}, rules.Split{Route: "two", When: `do == "b"`})
	new := split(rules.Split{Route: "one", When: `do == "a"`}, rules.Split{Route: "three", When: `do == "b" || do == "c"`})
	p := trial(t, Shadow, Settings{Shadow: &ShadowSettings{}}, new, old)
	b, sel := beacons(t, p, things("a", "b", "c", "d")...)
	said := make([]string, len(sel))
	if err := p.Split(t.Context(), b, sel, func(row int, name string) { said[row] += name }, func(int, beacon.Drop) { t.Error("dropped") }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(said, []string{"one", "two", "", ""}) {
		t.Error(said)
	}
	r := p.Report()
	if r.Differing != 2 || !maps.Equal(counted(r), map[Change]int64{OtherRoute: 2}) || r.Changes[0].Samples[1] != (Sample{`{"do": "c"}`, "no opinion", "route three"}) {
		t.Errorf("%+v", r)
	}
}

func extracting(list ...rules.Extract) rules.Rules { return rules.Rules{Extract: list} }

// extracted is what an extractor measures, by row.
func extracted(t *testing.T, p *Plugin, raws ...string) []string {
	t.Helper()
	b, sel := beacons(t, p, raws...)
	said := make([]string, len(sel))
	err := p.Extract(t.Context(), b, sel, func(m metric.Measurement) {
		said[m.Row] += fmt.Sprintf("%s=%v%s ", p.Points()[m.Point].Name, m.Value, m.Attributes)
	}, func(row int) { said[row] += "bad " }, func(row int, d beacon.Drop) { said[row] += string(d.Cause) })
	if err != nil {
		t.Fatal(err)
	}
	return said
}

func TestShadowOfAnExtractor(t *testing.T) {
	what := map[string]string{"what": "what"}
	old := ruled(t, extracting(
		rules.Extract{Point: "gone", When: `do == "gone"`},
		rules.Extract{Point: "same", When: `do != "came"`},
		rules.Extract{Point: "value", When: `true`, Value: "n"},
		rules.Extract{Point: "pictured", When: `do == "pictured"`, Attributes: what},
	))
	new := ruled(t, extracting(
		rules.Extract{Point: "came", When: `do == "came"`},
		rules.Extract{Point: "value", When: `true`, Value: `do == "other" ? n + 1 : n`},
		rules.Extract{Point: "same", When: `do != "came"`},
		rules.Extract{Point: "pictured", When: `do == "pictured"`, Attributes: map[string]string{"what": "else"}},
	))
	p := trial(t, Shadow, Settings{Shadow: &ShadowSettings{}}, new, old)
	got := extracted(t, p, `{"do": "gone", "n": 1}`, `{"do": "came", "n": 2}`, `{"do": "other", "n": 3}`, `{"do": "pictured", "n": 4, "what": "a", "else": "b"}`, `{"n": 5}`, `{"do": "other"}`)
	want := []string{"gone=1[] same=1[] value=1[] ", "value=2[] ", "same=1[] value=3[] ", "same=1[] value=4[] pictured=1[a] ", "value=5[] ", "same=1[] bad "}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	r := p.Report()
	if r.Compared != 6 || r.Differing != 4 || !maps.Equal(counted(r), map[Change]int64{LostMeasurement: 1, NewMeasurement: 1, OtherValue: 1, OtherAttributes: 1}) {
		t.Errorf("%+v", r)
	}
	for _, c := range r.Changes {
		if c.Change == OtherAttributes && c.Samples[0].New != "value=4, same=1, pictured=1 {what: b}" {
			t.Errorf("%q", c.Samples[0].New)
		}
	}
}

// A canary decides of its sessions, and the same ones whatever the batch.
func TestCanary(t *testing.T) {
	p := trial(t, Canary, Settings{Canary: &CanarySettings{Share: whole / 5}},
		ruled(t, extracting(rules.Extract{Point: "new", When: "true"})), ruled(t, extracting(rules.Extract{Point: "old", When: "true"})))
	var raws []string
	for i := range 2000 {
		raws = append(raws, fmt.Sprintf(`{"tenant": "t%d", "sid": "s%d"}`, i%2, i/2))
	}
	whole := extracted(t, p, raws...)
	count := map[string]int{}
	for i, one := range whole {
		count[one]++
		if i%100 == 0 {
			if alone := extracted(t, p, raws[i])[0]; alone != one {
				t.Errorf("%s: %s alone, else %s", raws[i], alone, one)
			}
		}
	}
	if n := count["new=1[] "]; n < 340 || n > 460 || n+count["old=1[] "] != 2000 {
		t.Error(count)
	}
	if r := p.Report(); r.New.Rows+r.Old.Rows != 2020 || r.New.Rows > r.Old.Rows {
		t.Errorf("%+v %+v", r.New, r.Old)
	}
}

// By a field all that has its value is with one version; what has none goes by its
// session.
func TestCanaryByField(t *testing.T) {
	new, old := ruled(t, extracting(rules.Extract{Point: "new", When: "true"})), ruled(t, extracting(rules.Extract{Point: "old", When: "true"}))
	p := trial(t, Canary, Settings{Canary: &CanarySettings{Share: whole / 2, By: "who.id"}}, new, old)
	sides := map[string]int{}
	for i := range 100 {
		var raws []string
		for j := range 3 {
			raws = append(raws, fmt.Sprintf(`{"tenant": "shop", "sid": "s%d", "who": {"id": "v%d"}}`, 10*i+j, i))
		}
		raws = append(raws, fmt.Sprintf(`{"tenant": "shop", "sid": "v%d"}`, i))
		got := extracted(t, p, raws...)
		if got[0] != got[1] || got[0] != got[2] || got[0] != got[3] {
			t.Errorf("visitor %d: %q", i, got)
		}
		sides[got[0]]++
	}
	if len(sides) != 2 || sides["new=1[] "] < 30 || sides["old=1[] "] < 30 {
		t.Error(sides)
	}
	settings := Settings{Canary: &CanarySettings{Share: whole / 2, By: "who.id"}}
	if _, err := New(State{Phase: Live}, settings, keeping(t), nil, nil); err == nil || !strings.Contains(err.Error(), "canary: by: who.id: it keeps something with sessions") {
		t.Error(err)
	}
}

func TestWithoutAVersion(t *testing.T) {
	for on, want := range map[plugin.OnError]string{plugin.DeadLetter: "plugin p: taken out", plugin.Pass: "", plugin.Filtered: "plugin p"} {
		p := load(t, plugin.Spec{Module: "../plugin/testdata/filter.wasm", OnError: on})
		out, err := New(State{Phase: Out, Reason: "it failed"}, Settings{}, p, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := filtered(t, out, things("yes", "")...); !slices.Equal(got, []string{want, want}) {
			t.Errorf("%s: %q", on, got)
		}
	}
	if _, err := New(State{Phase: RolledBack}, Settings{}, moody(t, "filter"), nil, nil); err == nil {
		t.Error("it is rolled back to nothing")
	}
	_, err := New(State{Phase: Shadow}, Settings{Shadow: &ShadowSettings{}}, moody(t, "filter"), moody(t, "split"), nil)
	if err == nil || !strings.Contains(err.Error(), "the version before is of the kind split, and this one of the kind filter") {
		t.Errorf("a version of another kind: %v", err)
	}
}

// usage makes a plugin that has answered so many rows.
func (p *Plugin) used(s side, rows, traps int) *Plugin {
	p.watch.took(p, s, rows, traps, &plugin.Tally{})
	return p
}

func TestDue(t *testing.T) {
	filter := ruled(t, dropping(`a: do == "a"`))
	settings := Settings{
		Shadow:  &ShadowSettings{For: time.Minute, MaxDiff: whole / 100, MinRows: 100},
		Canary:  &CanarySettings{For: time.Minute, MaxTraps: whole / 100, MinRows: 100},
		Breaker: BreakerSettings{Traps: whole / 2, Rows: 100, Backoff: time.Minute, MaxBackoff: time.Hour},
	}
	alone := settings
	alone.Canary = nil
	of := func(phase Phase, settings Settings) *Plugin { return trial(t, phase, settings, filter, filter) }
	compared := func(p *Plugin, rows, differing int64) *Plugin {
		p.watch.comparison.rows, p.watch.comparison.differing = rows, differing
		return p
	}
	broken := of(Fallback, settings)
	broken.state.Broken, broken.state.Trips = Live, 2
	for _, c := range []struct {
		name    string
		p       *Plugin
		seconds int64
		phase   Phase // empty: it goes on
		reason  string
	}{
		{"a shadow that is young", compared(of(Shadow, settings), 1000, 10), 59, "", ""},
		{"a shadow that has seen little", compared(of(Shadow, settings), 99, 1), 60, "", ""},
		{"a shadow that is right", compared(of(Shadow, settings), 1000, 10), 60, Canary, "in the shadow 10 of 1000 beacons differed"},
		{"a shadow without a canary", compared(of(Shadow, alone), 1000, 10), 60, Live, "in the shadow 10 of 1000 beacons differed"},
		{"a shadow that is wrong", compared(of(Shadow, settings), 1000, 11), 1, RolledBack, "in the shadow 11 of 1000 beacons differed (1.1%), and max_diff is 1%"},
		{"a shadow that can not get right", compared(of(Shadow, settings), 3, 2), 1, RolledBack, "in the shadow 2 of 3 beacons differed (66.6666%), and max_diff is 1%"},
		{"a canary that is young", of(Canary, settings).used(newSide, 1000, 10), 59, "", ""},
		{"a canary that has seen little", of(Canary, settings).used(newSide, 99, 1), 60, "", ""},
		{"a canary that is right", of(Canary, settings).used(newSide, 1000, 10), 60, Live, "as a canary it failed at 10 of 1000 beacons"},
		{"a canary that traps", of(Canary, settings).used(newSide, 50, 2), 1, RolledBack, "as a canary it failed at 2 of 50 beacons (4%), and max_traps is 1%"},
		{"a canary that traps no more than the other", of(Canary, settings).used(newSide, 1000, 20).used(decidingSide, 10000, 200), 60, Live, "as a canary it failed at 20 of 1000 beacons"},
		{"one that is well", of(Live, settings).used(decidingSide, 100, 49), 1000, "", ""},
		{"one that keeps failing", of(Live, settings).used(decidingSide, 100, 50), 1, Fallback, "it failed at 50% of its beacons or more"},
		{"an old one that does", of(RolledBack, settings).used(decidingSide, 100, 50), 1, Out, "it failed at 50% of its beacons or more"},
		{"a fallback that waits", broken, 119, "", ""},
		{"a fallback that has waited", broken, 120, Live, "tried again after 2m0s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			phase, reason, due := c.p.Due(time.Unix(c.seconds, 0))
			if phase != c.phase || due != (c.phase != "") || reason != c.reason {
				t.Errorf("%q %q %v", phase, reason, due)
			}
		})
	}
}

// A plugin that keeps failing is out longer each time, and no longer than at first
// once it was well for long.
func TestTripsInARow(t *testing.T) {
	filter := ruled(t, dropping(`a: do == "a"`))
	p := trial(t, Live, Settings{Breaker: BreakerSettings{Backoff: time.Minute, MaxBackoff: 10 * time.Minute}}, filter, filter)
	now := int64(0)
	for trips := 1; trips <= 3; trips++ {
		now += 1200 // the longest that is not long
		p.state = p.Next(Fallback, "it failed", moment(3, now))
		if p.state.Trips != trips || p.state.Broken != Live {
			t.Errorf("%+v", p.state)
		}
		p.state = p.Next(Out, "the version before failed", moment(4, now))
		if p.state.Trips != trips || p.state.Broken != Live {
			t.Errorf("%+v", p.state)
		}
		p.state, p.watch.began = p.Next(Live, "again", moment(5, now)), time.Unix(now, 0)
	}
	now += 1201
	if p.state = p.Next(Fallback, "it failed", moment(6, now)); p.state.Trips != 1 {
		t.Errorf("%+v", p.state)
	}
}

// Under a generation that is not in force nothing is compared or counted.
func TestNotInForce(t *testing.T) {
	p := trial(t, Shadow, Settings{Shadow: &ShadowSettings{}}, ruled(t, dropping(`a: do == "a"`)), ruled(t, dropping(`b: do == "b"`)))
	p.watch.Deactivate()
	filtered(t, p, things("a", "b")...)
	if r := p.Report(); r.Compared != 0 || r.Old.Rows != 0 || r.New.Rows != 0 {
		t.Errorf("%+v", r)
	}
}
