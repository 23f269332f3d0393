package pharos

import "github.com/seed-6a2d649b/pharos/abi"

// Cell is a value that the host keeps with each session: 0 at its start, and from
// then on what the rows before have set, in this batch or an earlier one. What is
// asked for must be of its type in the plan; a row out of range panics.
type Cell struct {
	slots  []uint32
	ints   []int64   // nil of another type
	floats []float64 // nil of another type
}

// cell reads a descriptor.
func (b *Batch) cell(at int) Cell {
	c := Cell{slots: numbers[uint32](b, b.u32(abi.HSlotsAt), b.rows)}
	values, n := b.u32(at+abi.CellAt), int(b.u32(abi.HSlots))
	if abi.Type(b.u32(at+abi.CellType)) == abi.I64 {
		c.ints = numbers[int64](b, values, n)
	} else {
		c.floats = numbers[float64](b, values, n)
	}
	return c
}

// Cell gives cell i of the plan. It is valid during the call.
func (b *Batch) Cell(i int) *Cell { return &b.cells[i] }

// I64 is the value of an i64 cell in the session of a row.
func (c *Cell) I64(row int) int64 { return c.ints[c.slots[row]] }

// SetI64 sets it.
func (c *Cell) SetI64(row int, v int64) { c.ints[c.slots[row]] = v }

// F64 is the value of an f64 cell in the session of a row.
func (c *Cell) F64(row int) float64 { return c.floats[c.slots[row]] }

// SetF64 sets it.
func (c *Cell) SetF64(row int, v float64) { c.floats[c.slots[row]] = v }

// First is the time of the first beacon of a session that has ended, in ms since
// 1970. This and the next two are for Plugin.Close.
func (b *Batch) First(row int) int64 { return b.ended(0).I64(row) }

// Last is the time of its last beacon.
func (b *Batch) Last(row int) int64 { return b.ended(1).I64(row) }

// Counted is how many of its measurements of a point, an index in the plan, were
// booked.
func (b *Batch) Counted(row, point int) int64 { return b.ended(2 + point).I64(row) }

func (b *Batch) ended(column int) *Column {
	if !b.closed {
		panic("pharos: the batch is of beacons, not of sessions that have ended")
	}
	return &b.columns[column]
}
