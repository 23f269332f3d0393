package tck

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
)

var sessionPlan = &abi.Plan{
	Fields: []abi.Field{{Name: "n", Type: abi.I64}}, Points: []abi.Point{{Name: "sum"}, {Name: "end"}},
	Cells: []abi.Cell{{Name: "rows", Type: abi.I64}, {Name: "sum", Type: abi.F64}}, Counters: []string{"rows"},
}

// summer is a native extractor: it adds up n in each session, and says at its end how
// many rows, sums and ms it had. spoil may change what it does with a row.
type summer struct {
	calls, instance int
	own             map[uint32]float64
	spoil           func(g *summer, b *abi.Batch, row int, cells [][]uint64) float64
	fails           func(n int64) bool
}

func (g *summer) Process(_ context.Context, b *abi.Batch, out *abi.Output) error {
	out.Reset()
	g.calls++
	cells := copied(b.Cells)
	measure := func(row, point int, value float64) {
		out.Measurements = append(out.Measurements, abi.Measurement{Row: uint32(row), Point: uint32(point), Value: value})
	}
	for row := range b.Rows {
		if b.Closed {
			measure(row, 1, float64(b.Columns[1].I64[row]-b.Columns[0].I64[row])+float64(b.Columns[2].I64[row])+float64(cells[0][b.Slots[row]]))
		} else {
			if n := b.Columns[0].I64[row]; g.fails != nil && g.fails(n) {
				return fmt.Errorf("not %d", n)
			}
			cells[0][b.Slots[row]]++
			sum := &cells[1][b.Slots[row]]
			*sum = math.Float64bits(math.Float64frombits(*sum) + float64(b.Columns[0].I64[row]))
			measure(row, 0, math.Float64frombits(*sum))
		}
		if g.spoil != nil {
			out.Measurements[len(out.Measurements)-1].Value += g.spoil(g, b, row, cells)
		}
	}
	out.Cells = cells
	out.Counters = append(out.Counters, uint64(b.Rows))
	return nil
}

func sessionSubject(made *int, g summer) Subject {
	return Subject{Kind: abi.Extract, Plan: sessionPlan, Closes: true, New: func(context.Context) (Guest, func() error, error) {
		*made++
		guest := g
		guest.instance, guest.own = *made, map[uint32]float64{}
		return &guest, func() error { return nil }, nil
	}}
}

func sessionRows(rows int) *abi.Batch {
	list := make([][]abi.Value, rows)
	for i := range list {
		list[i] = []abi.Value{{Kind: abi.Number, Text: fmt.Append(nil, i%7+1)}}
	}
	b := new(abi.Batch)
	abi.Build(sessionPlan.Fields, list, b)
	return b
}

func TestSessionsPass(t *testing.T) {
	for rows := range 60 {
		given := sessionRows(rows + 1)
		for range given.Rows {
			given.Slots = append(given.Slots, 1)
		}
		given.Cells = [][]uint64{{9, 5}, {0, math.Float64bits(-2.5)}}
		for _, b := range []*abi.Batch{sessionRows(rows + 1), given} {
			failures, err := Purity(t.Context(), sessionSubject(new(int), summer{}), b, uint64(rows))
			if err != nil || len(failures) > 0 {
				t.Fatal(err, failures)
			}
		}
		if given.Cells[0][1] != 5 {
			t.Fatalf("the cells have changed: %v", given.Cells)
		}
	}
}

// What a guest does wrong with cells and at the end is found, by the check that is
// there for it.
func TestSessionsFail(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(g *summer, b *abi.Batch, row int, cells [][]uint64) float64
		want  []string
	}{
		{"keeps its own sums instead of cells", func(g *summer, b *abi.Batch, row int, _ [][]uint64) float64 {
			g.own[b.Slots[row]]++
			return g.own[b.Slots[row]]
		}, []string{"repeated", "halves", "pieces", "alone"}},
		{"writes the cell of another session", func(_ *summer, b *abi.Batch, row int, cells [][]uint64) float64 {
			cells[0][(int(b.Slots[row])+1)%len(cells[0])]++
			return 0
		}, []string{"cells"}},
		{"starts anew with each call", func(_ *summer, b *abi.Batch, row int, cells [][]uint64) float64 {
			if row == 0 {
				cells[0][b.Slots[row]] = 1
			}
			return 0
		}, []string{"cells"}},
		{"looks at the slot", func(_ *summer, b *abi.Batch, row int, _ [][]uint64) float64 { return float64(b.Slots[row]) }, []string{"shuffled", "pieces", "close, reversed"}},
		{"looks at the row of the session before", func(_ *summer, b *abi.Batch, row int, _ [][]uint64) float64 {
			if b.Closed && row > 0 {
				return float64(b.Columns[0].I64[row-1])
			}
			return 0
		}, []string{"close, reversed", "close, alone"}},
		{"differs by instance at the end", func(g *summer, b *abi.Batch, _ int, _ [][]uint64) float64 {
			if b.Closed {
				return float64(g.instance)
			}
			return 0
		}, []string{"close, fresh", "close, alone"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			failures, err := Purity(t.Context(), sessionSubject(new(int), summer{spoil: c.spoil}), sessionRows(80), 7)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if !slices.ContainsFunc(failures, func(f Failure) bool { return len(f.String()) > len(want) && f.String()[:len(want)+1] == want+":" }) {
					t.Errorf("%s does not fail: %v", want, failures)
				}
			}
			for _, f := range failures {
				if f.Row >= 80 {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}

// Guilty rows leave cells alone, and the other rows of their sessions are tried.
func TestTrySessions(t *testing.T) {
	r, err := Try(t.Context(), sessionSubject(new(int), summer{fails: func(n int64) bool { return n == 3 }}), sessionRows(20), 1)
	if err != nil || len(r.Failures) > 0 || len(r.Guilty) != 3 || r.Guilty[1].Row != 9 {
		t.Errorf("%v %+v", err, r)
	}
}
