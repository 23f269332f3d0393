package rollout

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/host/plugin"
	"github.com/seed-6a2d649b/pharos/host/rules"
)

// keeping is an extractor that counts the beacons of a session in a cell, and
// measures sessions that have ended.
func keeping(t *testing.T) *plugin.Plugin {
	return load(t, plugin.Spec{Module: "../plugin/testdata/sessions.wasm", OnError: plugin.Pass})
}

// cellsFor are the cells of n sessions.
func cellsFor(p *Plugin, n int) *abi.Sessions {
	s := &abi.Sessions{}
	for range p.Cells() {
		s.Cells = append(s.Cells, make([]uint64, n))
	}
	return s
}

func (p *Plugin) cell(t *testing.T, s *abi.Sessions, name string) []uint64 {
	t.Helper()
	i := slices.IndexFunc(p.Cells(), func(c abi.Cell) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("no cell %s in %v", name, p.Cells())
	}
	return s.Cells[i]
}

// looked is what is measured of beacons, the slots of whose sessions are given.
func looked(t *testing.T, p *Plugin, s *abi.Sessions, slots []uint32, raws ...string) []string {
	t.Helper()
	b, sel := beacons(t, p, raws...)
	for _, row := range sel { // what the stage does not keep
		b.Row(row).Tenant, b.Row(row).Session = nil, nil
	}
	s.Slots = slots
	said := make([]string, len(sel))
	err := p.ExtractSessions(t.Context(), b, sel, s, func(m metric.Measurement) {
		said[m.Row] += fmt.Sprintf("%s=%v ", p.Points()[m.Point].Name, m.Value)
	}, func(row int) { said[row] += "bad " }, func(row int, d beacon.Drop) { said[row] += string(d.Cause) })
	if err != nil {
		t.Fatal(err)
	}
	return said
}

// ended is what is measured of the sessions' ends.
func ended(t *testing.T, p *Plugin, s *abi.Sessions) []string {
	t.Helper()
	n := len(s.Cells[0])
	c := &abi.Closed{Sessions: abi.Sessions{Cells: s.Cells}}
	for i := range n {
		c.First, c.Last, c.Slots = append(c.First, 0), append(c.Last, int64(1000*i)), append(c.Slots, uint32(i))
	}
	for i := range p.Points() {
		c.Counts = append(c.Counts, slices.Repeat([]int64{int64(i)}, n))
	}
	said := make([]string, n)
	err := p.CloseSessions(t.Context(), c, func(m metric.Measurement) {
		said[m.Row] += fmt.Sprintf("%s=%v ", p.Points()[m.Point].Name, m.Value)
	}, func(row int) { said[row] += "bad " }, func(row int, d beacon.Drop) { said[row] += string(d.Cause) })
	if err != nil {
		t.Fatal(err)
	}
	return said
}

// A shadow's cells begin as a promotion would have them begin, and are its own.
func TestCellsOfAShadow(t *testing.T) {
	p := trial(t, Shadow, Settings{Shadow: &ShadowSettings{}}, keeping(t), keeping(t))
	if !p.Closes() || len(p.Cells()) != 7 {
		t.Fatal(p.Cells())
	}
	s := cellsFor(p, 2)
	p.cell(t, s, "seen")[1] = 5
	if got := looked(t, p, s, []uint32{0, 1, 1}, `{"v": 1}`, `{"v": 2}`, `{"v": 3}`); !slices.Equal(got, []string{"nth=1 ", "nth=6 ", "nth=7 "}) {
		t.Error(got)
	}
	if old, new := p.cell(t, s, "seen"), p.cell(t, s, "shadow:seen"); !slices.Equal(old, []uint64{1, 7}) || !slices.Equal(new, old) {
		t.Error(old, new)
	}
	if r := p.Report(); r.Compared != 3 || r.Differing != 0 {
		t.Errorf("%+v", r)
	}
	p.cell(t, s, "shadow:seen")[1] = 50 // as if it counted otherwise
	p.cell(t, s, "shadow:total")[1] = math.Float64bits(50)
	if got := looked(t, p, s, []uint32{1}, `{"v": 1}`); !slices.Equal(got, []string{"nth=8 "}) {
		t.Error(got)
	}
	alone := trial(t, Live, Settings{}, p.New(), nil)
	want := ended(t, alone, &abi.Sessions{Cells: s.Cells[:3]})
	if got := ended(t, p, s); !slices.Equal(got, want) || want[1] == "" {
		t.Errorf("%q, alone %q", got, want)
	}
	if r := p.Report(); r.Compared != 6 || !maps.Equal(counted(r), map[Change]int64{OtherValue: 2}) {
		t.Errorf("%+v", r)
	}
}

// A second shadow does not go on from the cells of the first.
func TestCellsOfTheNextShadow(t *testing.T) {
	first := trial(t, Shadow, Settings{Shadow: &ShadowSettings{}}, keeping(t), keeping(t))
	s := cellsFor(first, 1)
	looked(t, first, s, []uint32{0}, `{"v": 1}`)
	first.cell(t, s, "seen")[0] = 5 // the session went on
	next := trial(t, Shadow, Settings{Shadow: &ShadowSettings{}}, keeping(t), keeping(t))
	next.state.Generation++
	looked(t, next, s, []uint32{0}, `{"v": 1}`)
	if old, new := next.cell(t, s, "seen"), next.cell(t, s, "shadow:seen"); old[0] != 6 || new[0] != 6 || next.Report().Differing != 0 {
		t.Error(old, new, next.Report().Differing)
	}
}

// A canary's sessions are looked at, and closed, by the new version.
func TestCellsOfACanary(t *testing.T) {
	old := ruled(t, rules.Rules{Extract: []rules.Extract{{Point: "old", When: "true"}}})
	p := trial(t, Canary, Settings{Canary: &CanarySettings{Share: whole / 2}}, keeping(t), old)
	var raws []string
	var slots []uint32
	for i := range 200 {
		raws = append(raws, fmt.Sprintf(`{"tenant": "shop", "sid": "s%d", "v": 1}`, i%100))
		slots = append(slots, uint32(i%100))
	}
	s := cellsFor(p, 101) // the last one begins before
	got := looked(t, p, s, slots, raws...)
	closed := ended(t, p, s)
	news := 0
	for i := range 100 {
		switch first, second := got[i], got[i+100]; {
		case first == "nth=1 " && second == "nth=2 " && closed[i] != "" && p.cell(t, s, "seen")[i] == 2:
			news++
		case first == "old=1 " && second == "old=1 " && closed[i] == "" && p.cell(t, s, "seen")[i] == 0:
		default:
			t.Errorf("session %d: %q %q, in the end %q", i, first, second, closed[i])
		}
	}
	if news < 30 || news > 70 || closed[100] != "" {
		t.Error(news, closed[100])
	}
}
