package author

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/abi/tck"
)

// The empty guest of any plan is a guest that the host takes, and says nothing.
func TestEmptyGuest(t *testing.T) {
	for kind, plan := range map[abi.Kind]*abi.Plan{
		abi.Filter:  {Fields: []abi.Field{{Name: "a", Type: abi.Str, Dict: true}, {Name: "b", Type: abi.I64}}, Reasons: []string{"é\"quoted\""}, Counters: []string{"c"}},
		abi.Split:   {Fields: []abi.Field{{Name: "a", Type: abi.JSON}}, Routes: []string{"r"}},
		abi.Extract: {Points: []abi.Point{{Name: "p", Attributes: []string{"x"}}}, Cells: []abi.Cell{{Name: "c", Type: abi.F64}}},
	} {
		code, err := emptyGuest(kind, plan)
		if err != nil {
			t.Fatal(err)
		}
		g, err := compileCode(t.Context(), "empty", code, tryFuel)
		if err != nil {
			t.Fatal(kind, err)
		}
		i, err := g.instance(t.Context(), Settings{})
		if err != nil {
			t.Fatal(kind, err)
		}
		for _, rows := range []int{1, 100, 20_000} { // memory grows
			var b abi.Batch
			var out abi.Output
			values := make([][]abi.Value, rows)
			for r := range values {
				values[r] = make([]abi.Value, len(plan.Fields))
			}
			abi.Build(plan.Fields, values, &b)
			giveCells(plan, &b)
			if err := i.Process(t.Context(), &b, &out); err != nil {
				t.Fatal(kind, err)
			}
			answers, err := tck.Answers(kind, plan, rows, &out)
			want := map[abi.Kind]string{abi.Filter: `drop "é\"quoted\""`, abi.Split: "no opinion"}[kind]
			if err != nil || answers[rows-1] != want {
				t.Errorf("%s: %q %v", kind, answers[rows-1], err)
			}
		}
		if err := g.close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestBench(t *testing.T) {
	dir := begin(t, "c", "extract")
	built, err := Build(t.Context(), dir, "")
	if err != nil {
		t.Fatal(err)
	}
	in := filepath.Join(dir, "beacons")
	write(t, in, "{\"type\":\"click\"}\n{\"type\":\"view\"}\n{}\nbroken")
	for _, inputs := range [][]Input{nil, {{Path: in}}} {
		o := BenchOptions{Sizes: []int{1, 300}, Time: time.Millisecond, Inputs: inputs}
		m, err := Bench(t.Context(), built.Path, o)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Bench(t.Context(), built.Path, o)
		if err != nil {
			t.Fatal(err)
		}
		if want := map[bool]int{true: 4, false: 3}[inputs == nil]; m.Rows != want || m.Memory < abi.PageBytes || len(m.Sizes) != 2 {
			t.Errorf("%+v", m)
		}
		for i, s := range m.Sizes {
			if s.Failed != nil || s.Plugin.Nanoseconds <= 0 || s.Empty.Nanoseconds <= 0 || s.Plugin.Fuel <= s.Empty.Fuel || s.Plugin.Fuel != again.Sizes[i].Plugin.Fuel {
				t.Errorf("%+v, and again %+v", s, again.Sizes[i])
			}
		}
	}
}
