package plugin

import (
	"context"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

const sessionsModule = "testdata/sessions.wasm"

// keep makes the cells of so many sessions that begin.
func keep(p *Plugin, sessions int, slots ...uint32) *abi.Sessions {
	s := &abi.Sessions{Slots: slots}
	for range p.Cells() {
		s.Cells = append(s.Cells, make([]uint64, sessions))
	}
	return s
}

// hear gives the three callbacks of an extractor that write down what it says.
func hear(p *Plugin, got *[]string) (func(metric.Measurement), func(int), func(int, beacon.Drop)) {
	say := func(format string, args ...any) { *got = append(*got, fmt.Sprintf(format, args...)) }
	return func(m metric.Measurement) { say("%d %s=%v %s", m.Row, p.Points()[m.Point].Name, m.Value, m.Attributes) },
		func(row int) { say("%d bad", row) },
		func(row int, d beacon.Drop) { say("%d %s", row, d.Cause) }
}

func extract(t rapid.TB, p *Plugin, b *beacon.Batch, sel []int, s *abi.Sessions) (got []string) {
	t.Helper()
	emit, bad, fail := hear(p, &got)
	if err := p.ExtractSessions(context.Background(), b, sel, s, emit, bad, fail); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestExtractSessions(t *testing.T) {
	p := load(t, Spec{Name: "s", Module: sessionsModule})
	if len(p.Cells()) != 3 || !p.Closes() {
		t.Fatal(p.Cells(), p.Closes())
	}
	b, sel := beacons(t, p, `{"do":"x","v":1.5}`, `{"do":"sum"}`, `{"do":"trap"}`, `{"do":"sum","v":2}`, `{"do":"nan"}`, `{"do":"x"}`, `{"do":"not a number"}`)
	s := keep(p, 3, 2, 0, 2, 2, 0, 2, 1)
	want := []string{
		"0 nth=1 []", "1 nth=1 []", "1 sum=0 [sum]", "2 plugin s: trap",
		"3 nth=2 []", "3 sum=3.5 [sum]", "4 bad", "5 nth=3 []", "6 nth=1 []",
	}
	got := extract(t, p, b, sel, s)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([][]uint64{{2, 1, 3}, {0, 0x7FF8000000000000, math.Float64bits(3.5)}, {0, 0, 0}}, s.Cells); diff != "" {
		t.Error(diff)
	}
	if stats := p.Stats(); stats.Guilty != 1 || stats.Rows != 6 || stats.Counters[0].Value != 6 {
		t.Errorf("%+v", stats)
	}
	emit, bad, fail := hear(p, &got)
	for _, wrong := range []*abi.Sessions{{}, keep(p, 1, 0), keep(p, 7, 0, 1, 2, 3, 4, 5, 7)} {
		if err := p.ExtractSessions(context.Background(), b, sel, wrong, emit, bad, fail); err == nil || !strings.Contains(err.Error(), "plugin s: ") {
			t.Errorf("%v", err)
		}
	}
	if err := p.Extract(context.Background(), b, sel, emit, bad, fail); err == nil || !strings.Contains(err.Error(), "keeps cells") {
		t.Errorf("%v", err)
	}
}

func TestSessionsArePure(t *testing.T) {
	code, err := os.ReadFile(sessionsModule)
	if err != nil {
		t.Fatal(err)
	}
	pure(t, code, nil, nil, []string{"sum", "forget", "nan", "many at the end", "nan at the end", "not a number", "2.5"})
}

// TestBisectSessions compares batches of several sessions with beacons that come one
// by one: guilty ones, answers that need more room and calls that are cut change
// nothing.
func TestBisectSessions(t *testing.T) {
	p := load(t, Spec{Name: "s", Module: sessionsModule})
	rapid.Check(t, func(t *rapid.T) {
		thing := rapid.SampledFrom([]string{"x", "x", "x", "sum", "forget", "nan", "many", "trap", "fail", "trap in a used instance"})
		things := rapid.SliceOfN(thing, 1, 40).Draw(t, "beacons")
		raws, slots := make([]string, len(things)), make([]uint32, len(things))
		for i, thing := range things {
			raws[i] = fmt.Sprintf(`{"do": %q, "v": %d}`, thing, i)
			slots[i] = rapid.Uint32Range(0, 4).Draw(t, "slot")
		}
		b, sel := beacons(t, p, raws...)
		whole, one := keep(p, 5, slots...), keep(p, 5)
		whole.Cells[0][3], one.Cells[0][3] = 7, 7
		got := extract(t, p, b, sel, whole)
		var want []string
		for i := range sel {
			one.Slots = slots[i : i+1]
			want = append(want, extract(t, p, b, sel[i:i+1], one)...)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff(one.Cells, whole.Cells); diff != "" {
			t.Fatal(diff)
		}
	})
}

func byRow(lines []string) map[string][]string {
	rows := map[string][]string{}
	for _, line := range lines {
		row, what, _ := strings.Cut(line, " ")
		rows[row] = append(rows[row], what)
	}
	return rows
}

func TestCloseSessions(t *testing.T) {
	p := load(t, Spec{Name: "s", Module: sessionsModule})
	s := keep(p, 6, 5, 0, 1, 2, 3)
	s.Cells[1][5] = math.Float64bits(2.5)
	s.Cells[2] = []uint64{0, 1, 2, 3, 0, 0}
	before := fmt.Sprint(s.Cells)
	closed := &abi.Closed{
		First: []int64{1000, 0, 0, 0, -5}, Last: []int64{61000, 0, 0, 9, 5},
		Counts: [][]int64{{1, 2, 3, 4, 5}, {0, 0, 0, 0, 0}, {0, 0, 0, 0, 0}, {0, 0, 0, 0, 0}}, Sessions: *s,
	}
	for range 2 {
		var got []string
		emit, bad, fail := hear(p, &got)
		if err := p.CloseSessions(context.Background(), closed, emit, bad, fail); err != nil {
			t.Fatal(err)
		}
		rows := byRow(got)
		many := rows["4"]
		delete(rows, "4")
		want := map[string][]string{
			"0": {"sum=2.5 [all]", "end=60000 []", "counted=1 []"},
			"1": {"sum=0 [all]", "end=0 []", "counted=2 []"},
			"2": {"plugin s: trap"},
			"3": {"sum=0 [all]", "bad", "counted=4 []"},
		}
		if diff := cmp.Diff(want, rows); diff != "" {
			t.Error(diff)
		}
		if len(many) != 253 || many[1] != "end=10 []" || many[252] != "nth=249 []" {
			t.Errorf("%d: %s", len(many), many)
		}
	}
	if fmt.Sprint(s.Cells) != before {
		t.Errorf("the cells have changed: %v", s.Cells)
	}
	if stats := p.Stats(); stats.Sessions != 8 || stats.Rows != 0 || stats.Guilty != 2 || stats.Counters[1].Value != 8 {
		t.Errorf("%+v", stats)
	}
	other := load(t, Spec{Module: "testdata/extract.wasm"})
	if err := other.CloseSessions(context.Background(), closed, nil, nil, nil); other.Closes() || err == nil || !strings.Contains(err.Error(), "has no close function") {
		t.Errorf("%v", err)
	}
	closed.Slots[0] = 6
	if err := p.CloseSessions(context.Background(), closed, nil, nil, nil); err == nil || !strings.Contains(err.Error(), "slot 6 of 6") {
		t.Errorf("%v", err)
	}
}

// TestManySessions: what is more than a call takes goes on where the call before ended,
// with guilty rows in between.
func TestManySessions(t *testing.T) {
	p := load(t, Spec{Name: "s", Module: sessionsModule})
	const rows, sessions = 2*chunkRows + 100, 3
	raws, slots := make([]string, rows), make([]uint32, rows)
	want, nth := make([]string, rows), [sessions]int{}
	for i := range raws {
		slots[i] = uint32(i % sessions)
		if i%1000 == 7 {
			raws[i], want[i] = `{"do":"trap"}`, fmt.Sprintf("%d plugin s: trap", i)
			continue
		}
		nth[i%sessions]++
		raws[i], want[i] = `{"do":"x"}`, fmt.Sprintf("%d nth=%d []", i, nth[i%sessions])
	}
	b, sel := beacons(t, p, raws...)
	s := keep(p, sessions, slots...)
	if diff := cmp.Diff(want, extract(t, p, b, sel, s)); diff != "" {
		t.Error(diff)
	}
	closed := &abi.Closed{First: make([]int64, rows), Last: make([]int64, rows), Counts: make([][]int64, 4), Sessions: abi.Sessions{Slots: slots, Cells: s.Cells}}
	for i := range closed.Counts {
		closed.Counts[i] = make([]int64, rows)
	}
	for i := range rows {
		closed.Last[i], closed.Counts[0][i] = int64(i), int64(2*i)
	}
	emit, bad, fail := hear(p, &want)
	ended := 0
	if err := p.CloseSessions(context.Background(), closed, func(m metric.Measurement) {
		switch p.Points()[m.Point].Name {
		case "end":
			ended++
			if m.Value != float64(m.Row) {
				t.Errorf("row %d took %v", m.Row, m.Value)
			}
		case "counted":
			if m.Value != float64(2*m.Row) {
				t.Errorf("row %d has counted %v", m.Row, m.Value)
			}
		default:
			emit(m)
		}
	}, bad, fail); err != nil || ended != rows {
		t.Errorf("%v, %d of %d sessions", err, ended, rows)
	}
}

// TestOneRowAllocates: the session stage asks about one beacon most of the time.
func TestOneRowAllocates(t *testing.T) {
	p := load(t, Spec{Name: "s", Module: sessionsModule})
	b, sel := beacons(t, p, `{"do":"sum","v":1}`)
	s := keep(p, 1, 0)
	closed := &abi.Closed{First: []int64{0}, Last: []int64{9}, Counts: [][]int64{{1}, {1}, {1}, {1}}, Sessions: *s}
	measured := 0
	emit, bad, fail := func(metric.Measurement) { measured++ }, func(int) {}, func(int, beacon.Drop) {}
	for name, ask := range map[string]func() error{
		"extract": func() error { return p.ExtractSessions(context.Background(), b, sel, s, emit, bad, fail) },
		"close":   func() error { return p.CloseSessions(context.Background(), closed, emit, bad, fail) },
	} {
		least := math.Inf(1) // now and then the scratch is another: pools forget
		for range 20 {
			least = min(least, testing.AllocsPerRun(1, func() {
				if err := ask(); err != nil {
					t.Fatal(err)
				}
			}))
		}
		if least > 0 {
			t.Errorf("%s: %v allocations", name, least)
		}
	}
	if measured == 0 {
		t.Error("nothing was measured")
	}
}

// BenchmarkOneRow is a call of one beacon.
func BenchmarkOneRow(b *testing.B) {
	p := load(b, Spec{Name: "s", Module: sessionsModule})
	batch, sel := beacons(b, p, `{"do":"x","v":1}`)
	s := keep(p, 1, 0)
	emit, bad, fail := func(metric.Measurement) {}, func(int) {}, func(int, beacon.Drop) {}
	b.ReportAllocs()
	for b.Loop() {
		if err := p.ExtractSessions(context.Background(), batch, sel, s, emit, bad, fail); err != nil {
			b.Fatal(err)
		}
	}
}
