package rollout

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/host/rules"
)

func noMeasurement(metric.Measurement) {}
func noRow(int)                        {}
func noDrop(int, beacon.Drop)          {}

// Beacons that are looked at again, and ends of sessions that are, are answered, and
// neither counted nor compared: the counts are those of what came, in every phase.
func TestPropertyLookedAtAgain(t *testing.T) {
	once, other := keeping(t), keeping(t)
	old := ruled(t, extracting(rules.Extract{Point: "old", When: "true"}))
	settings := Settings{Shadow: &ShadowSettings{MaxDiff: whole}, Canary: &CanarySettings{Share: whole / 2}}
	rapid.Check(t, func(rt *rapid.T) {
		phase := rapid.SampledFrom([]Phase{Live, Shadow, Canary, RolledBack}).Draw(rt, "phase")
		before := rapid.SampledFrom([]int{0, 1}).Draw(rt, "before")
		p := trial(t, phase, settings, once, []*Plugin{{Plugin: other}, {Plugin: old}}[before].Plugin)
		s := cellsFor(p, 3)
		var rows, ends int64
		for range rapid.IntRange(1, 10).Draw(rt, "calls") {
			b, sel := beacons(t, p)
			var slots []uint32
			for i := range rapid.IntRange(1, 6).Draw(rt, "rows") {
				slot := rapid.Uint32Range(0, 2).Draw(rt, "session")
				more, _ := beacons(t, p, fmt.Sprintf(`{"tenant": "shop", "sid": "s%d", "v": 1}`, slot))
				b.AddEmpty(0).Values = more.Row(0).Values
				if rapid.Bool().Draw(rt, "again") {
					b.SetAgain(i)
				} else {
					rows++
				}
				sel, slots = append(sel, i), append(slots, slot)
			}
			s.Slots = slots
			if err := p.ExtractSessions(t.Context(), b, sel, s, noMeasurement, noRow, noDrop); err != nil {
				rt.Fatal(err)
			}
			if !p.Closes() {
				continue
			}
			again := rapid.Bool().Draw(rt, "ends again")
			c := &abi.Closed{Again: again, First: []int64{0}, Last: []int64{1}, Sessions: abi.Sessions{Cells: s.Cells, Slots: []uint32{0}}}
			for range p.Points() {
				c.Counts = append(c.Counts, []int64{1})
			}
			if err := p.CloseSessions(t.Context(), c, noMeasurement, noRow, noDrop); err != nil {
				rt.Fatal(err)
			}
			if !again {
				ends++
			}
		}
		r := p.Report()
		want := map[Phase][3]int64{Live: {rows + ends}, Shadow: {rows + ends, rows + ends, rows + ends}, Canary: {rows + ends}, RolledBack: {0, rows + ends}}[phase]
		got := [3]int64{r.New.Rows, r.Old.Rows, r.Compared}
		if phase == Canary {
			got = [3]int64{r.New.Rows + r.Old.Rows}
		}
		if got != want {
			rt.Fatalf("%s: new, old and compared %v, want %v", phase, got, want)
		}
	})
}

// A beacon at which a version fails counts as one that it fails at the first time only;
// but whenever a shadow fails where the version before answers, that ends it.
func TestFailsAgain(t *testing.T) {
	ask := func(p *Plugin, again bool, do string) {
		t.Helper()
		b, sel := beacons(t, p, things(do)...)
		if again {
			b.SetAgain(0)
		}
		if err := p.Extract(t.Context(), b, sel, noMeasurement, noRow, noDrop); err != nil {
			t.Fatal(err)
		}
	}
	p := trial(t, Live, Settings{}, moody(t, "extract"), nil)
	for range 100 {
		ask(p, true, "trap")
	}
	if r := p.Report(); r.New.Rows != 0 || r.New.Traps != 0 || r.New.Fuel != 0 {
		t.Errorf("%+v", r.New)
	}
	if _, _, due := p.Due(time.Unix(0, 0)); due {
		t.Error("it is taken out for what was counted before")
	}
	p = trial(t, Shadow, Settings{Shadow: &ShadowSettings{MaxDiff: whole, MinRows: 1000}}, moody(t, "extract"), ruled(t, extracting(rules.Extract{Point: "one", When: "true"})))
	ask(p, false, "nothing")
	ask(p, true, "trap")
	r := p.Report()
	if r.Compared != 1 || !maps.Equal(counted(r), map[Change]int64{LostMeasurement: 1, NowFails: 1}) {
		t.Errorf("%+v", r)
	}
	if phase, reason, due := p.Due(time.Unix(0, 0)); !due || phase != RolledBack || reason != "in the shadow it failed at a beacon that the version before answers; 1 were compared before" {
		t.Error(phase, reason, due)
	}
}
