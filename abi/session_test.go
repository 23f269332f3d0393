package abi

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Cells that a guest reads by header and descriptors are those that were given, and
// those that it writes come back; but for NaN, of which there is one.
func TestCells(t *testing.T) {
	plan := &Plan{Fields: []Field{{"n", I64, false}}, Points: []Point{{Name: "p"}}, Cells: []Cell{{"a", I64}, {"b", F64}, {"c", I64}}}
	l := NewLayout(Extract, plan)
	rng := rand.New(rand.NewPCG(1, 2))
	var out Output
	for n := range 200 {
		rows, slots := 1+n%50, 1+rng.IntN(20)
		var b Batch
		Build(plan.Fields, make([][]Value, 0), &b)
		b.Rows, b.Columns[0].I64, b.Columns[0].Valid = rows, make([]int64, rows), make([]byte, BitmapBytes(rows))
		for range rows {
			b.Slots = append(b.Slots, uint32(rng.IntN(slots)))
		}
		for range plan.Cells {
			cell := make([]uint64, slots)
			for i := range cell {
				cell[i] = rng.Uint64()
			}
			b.Cells = append(b.Cells, cell)
		}
		size, err := l.Place(&b, Capacity{Measurements: rng.IntN(3)})
		if err != nil {
			t.Fatal(err)
		}
		mem := make(view, size)
		for i := range mem {
			mem[i] = 0xEE
		}
		l.Write(mem, &b)
		clear(mem[HMeasurementCount:][:4])
		if mem.u32(HCells) != 3 || mem.u32(HSlots) != uint32(slots) {
			t.Fatalf("%d cells of %d slots", mem.u32(HCells), mem.u32(HSlots))
		}
		want := make([][]uint64, len(plan.Cells))
		for i, c := range plan.Cells {
			d := mem.u32(HCellsAt) + uint32(i)*CellSize
			at := mem.u32(d + CellAt)
			if mem.u32(d+CellType) != uint32(c.Type) || at%Align != 0 {
				t.Fatalf("cell %d: type %d at %d", i, mem.u32(d+CellType), at)
			}
			for j := range slots {
				value := mem[at+8*uint32(j):]
				if got := binary.LittleEndian.Uint64(value); got != b.Cells[i][j] {
					t.Fatalf("cell %d, slot %d: %x, not %x", i, j, got, b.Cells[i][j])
				}
				written := rng.Uint64() | 0x7FF<<52 // of an f64 NaN most likely
				binary.LittleEndian.PutUint64(value, written)
				if c.Type == F64 && math.IsNaN(math.Float64frombits(written)) {
					written = 0x7FF8000000000000
				}
				want[i] = append(want[i], written)
			}
		}
		for row, slot := range b.Slots {
			if got := mem.u32(mem.u32(HSlotsAt) + 4*uint32(row)); got != slot {
				t.Fatalf("row %d: slot %d, not %d", row, got, slot)
			}
		}
		if err := l.Read(mem, &out); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, out.Cells); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestCellsOfAnotherPlan(t *testing.T) {
	plan := &Plan{Points: []Point{{Name: "p"}}, Cells: []Cell{{"a", I64}, {"b", F64}}}
	l := NewLayout(Extract, plan)
	for _, c := range []struct {
		b    Batch
		want string
	}{
		{Batch{Rows: 1}, "0 cells, and slots of 0 rows"},
		{Batch{Rows: 1, Sessions: Sessions{Slots: []uint32{0}, Cells: [][]uint64{{1}}}}, "1 cells"},
		{Batch{Rows: 2, Sessions: Sessions{Slots: []uint32{0}, Cells: [][]uint64{{1}, {1}}}}, "slots of 1 rows"},
		{Batch{Rows: 1, Sessions: Sessions{Slots: []uint32{0}, Cells: [][]uint64{{1}, {1, 2}}}}, "cell b has 2 values, a has 1"},
		{Batch{Rows: 1, Sessions: Sessions{Slots: []uint32{1}, Cells: [][]uint64{{1}, {1}}}}, "row 0: slot 1 of 1"},
		{Batch{Rows: 1, Closed: true}, "0 columns, the plan 3"},
	} {
		if _, err := l.Place(&c.b, Capacity{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}
