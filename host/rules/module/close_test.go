package module_test

import (
	"math"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/rules"
)

// Conditions of closed sessions that differ in nothing but the column are not
// taken for each other, also where they are large enough for functions of their own.
func TestClosedSessionsAreMeasuredAsByTheReference(t *testing.T) {
	large := func(point string) string {
		return strings.TrimSuffix(strings.Repeat(point+" > 1 && ", 300), " && ")
	}
	list := rules.Rules{
		Extract: []rules.Extract{{Point: "p", When: "true", Set: map[string]string{"x": "1"}}, {Point: "q", When: "a == 1"}},
		Cells:   []string{"x"},
		Close: []rules.Close{
			{Point: "p", When: large(`count("p")`)},
			{Point: "q", When: large(`count("q")`), Value: `cell("x") * 2`},
		},
	}
	program, err := rules.Compile(abi.Extract, list)
	if err != nil {
		t.Fatal(err)
	}
	g := load(t, program, plenty)
	defer g.close(t)
	counts := [][]int64{{0, 0, 0, 0}, {1, 2, 2, 0}, {5, 9, 0, 3}, {5, 9, 7, 2}}
	b := abi.Batch{Rows: len(counts), Closed: true}
	for column := range counts[0] {
		c := abi.Column{Type: abi.I64, Valid: []byte{1<<len(counts) - 1}}
		for _, row := range counts {
			c.I64 = append(c.I64, row[column])
		}
		b.Columns = append(b.Columns, c)
	}
	cell := make([]uint64, len(counts))
	for i := range counts {
		b.Slots = append(b.Slots, uint32(i))
		cell[i] = math.Float64bits(float64(i) + 0.5)
	}
	b.Cells = [][]uint64{cell}
	var want, got abi.Output
	if err := program.Process(t.Context(), &b, &want); err != nil {
		t.Fatal(err)
	}
	if err := g.Process(t.Context(), &b, &got); err != nil {
		t.Fatal(err)
	}
	want.Cells, got.Cells = nil, nil
	w, h := show(abi.Extract, b.Rows, &want), show(abi.Extract, b.Rows, &got)
	for i := range w {
		if w[i] != h[i] {
			t.Errorf("session %d: module %q, reference %q", i, h[i], w[i])
		}
	}
	if len(want.Measurements) != 4 {
		t.Errorf("the reference measures %d times", len(want.Measurements))
	}
}
