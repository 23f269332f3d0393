package pharos_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/sdk/go/pharos"
	"github.com/seed-6a2d649b/pharos/sdk/go/pharostest"
	"pgregory.net/rapid"
)

var sessionPlan = abi.Plan{
	Points: []abi.Point{{Name: "p"}},
	Cells:  []abi.Cell{{Name: "n", Type: abi.I64}, {Name: "x", Type: abi.F64}},
}

func sessionGuest(t testing.TB, process, closed func(*pharos.Batch) error) *pharostest.Guest {
	t.Helper()
	g, err := pharostest.New(pharos.Plugin{
		Manifest:  pharos.Manifest{Kind: abi.Extract, Name: "test", Version: "1"},
		Configure: func(pharos.Config) (abi.Plan, error) { return sessionPlan, nil },
		Process:   process, Close: closed,
	}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Cells are those of the row's session, and what is set is there for the next row of
// it, also where the batch is given once more for want of room.
func TestCells(t *testing.T) {
	g := sessionGuest(t, func(b *pharos.Batch) error {
		n, x := b.Cell(0), b.Cell(1)
		for row := range b.Rows() {
			n.SetI64(row, n.I64(row)-1)
			x.SetF64(row, x.F64(row)/2)
			b.Measure(row, 0, float64(n.I64(row))+x.F64(row))
		}
		return nil
	}, nil)
	rapid.Check(t, func(r *rapid.T) {
		slots := rapid.SliceOfN(rapid.Uint32Range(0, 3), 1, 30).Draw(r, "slots")
		b := abi.Batch{Rows: len(slots), Sessions: abi.Sessions{Slots: slots, Cells: [][]uint64{{0, 7, math.MaxUint64, 1 << 62}, make([]uint64, 4)}}}
		ns, xs := []int64{0, 7, -1, 1 << 62}, []float64{1, -3.5, 0, math.Inf(1)}
		for i, v := range xs {
			b.Cells[1][i] = math.Float64bits(v)
		}
		var want []float64
		for _, s := range slots {
			ns[s], xs[s] = ns[s]-1, xs[s]/2
			want = append(want, float64(ns[s])+xs[s])
		}
		g.Capacity = abi.Capacity{Measurements: rapid.IntRange(0, 30).Draw(r, "room")}
		var out abi.Output
		if err := g.Process(t.Context(), &b, &out); err != nil {
			r.Fatal(err)
		}
		var got []float64
		for _, m := range out.Measurements {
			got = append(got, m.Value)
		}
		if !slices.Equal(got, want) {
			r.Fatalf("%v, not %v", got, want)
		}
		for s := range ns {
			if int64(out.Cells[0][s]) != ns[s] || math.Float64frombits(out.Cells[1][s]) != xs[s] {
				r.Fatalf("session %d is left with %x", s, out.Cells)
			}
		}
	})
}

func TestClose(t *testing.T) {
	g := sessionGuest(t, func(*pharos.Batch) error { return nil }, func(b *pharos.Batch) error {
		for row := range b.Rows() {
			b.Measure(row, 0, float64(b.Last(row)-b.First(row)+b.Counted(row, 0)+b.Cell(0).I64(row)))
		}
		return nil
	})
	closed := abi.Closed{
		First: []int64{1, 10}, Last: []int64{2, 30}, Counts: [][]int64{{100, 200}},
		Sessions: abi.Sessions{Slots: []uint32{1, 0}, Cells: [][]uint64{{3000, 1000}, {0, 0}}},
	}
	var b abi.Batch
	var out abi.Output
	closed.Batch(0, 2, &b)
	if err := g.Process(t.Context(), &b, &out); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(out.Measurements[0].Value, out.Measurements[1].Value); got != "1101 3220" {
		t.Error(got)
	}
	if err := sessionGuest(t, func(*pharos.Batch) error { return nil }, nil).Process(t.Context(), &b, &out); err == nil || !strings.Contains(err.Error(), "has no Close") {
		t.Error(err)
	}
}

func TestSessionMisuse(t *testing.T) {
	for name, use := range map[string]func(*pharos.Batch){
		"a cell that is not planned": func(b *pharos.Batch) { b.Cell(2) },
		"a cell of another type":     func(b *pharos.Batch) { b.Cell(1).SetI64(0, 1) },
		"a row beyond":               func(b *pharos.Batch) { b.Cell(0).I64(2) },
		"first of a beacon":          func(b *pharos.Batch) { b.First(0) },
	} {
		g := sessionGuest(t, func(b *pharos.Batch) error {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			use(b)
			return nil
		}, nil)
		var out abi.Output
		if err := g.Process(t.Context(), &abi.Batch{Rows: 1, Sessions: abi.Sessions{Slots: []uint32{0}, Cells: [][]uint64{{1}, {1}}}}, &out); err != nil {
			t.Fatal(err)
		}
	}
}

// A module exports a close function if, and only if, its plugin has one.
func TestCloseIsLinked(t *testing.T) {
	defer func() {
		if said := fmt.Sprint(recover()); !strings.Contains(said, "sdk/go/closes") {
			t.Error(said)
		}
	}()
	pharos.Register(pharos.Plugin{
		Configure: func(pharos.Config) (abi.Plan, error) { return sessionPlan, nil },
		Process:   func(*pharos.Batch) error { return nil }, Close: func(*pharos.Batch) error { return nil },
	})
}
