package pharos

import (
	"encoding/binary"
	"math"

	"github.com/seed-6a2d649b/pharos/abi"
)

// Cell is a value that the host keeps with each session: 0 at its start, and from
// then on what the rows before have set, in this batch or an earlier one. What is
// asked for must be of its type in the plan; a row out of range panics.
type Cell struct {
	slots, values []byte
	typ           abi.Type
}

// cell reads a descriptor.
func (b *Batch) cell(at int) Cell {
	return Cell{
		slots:  b.area(b.u32(abi.HSlotsAt), 4*b.rows),
		values: b.area(b.u32(at+abi.CellAt), 8*int(b.u32(abi.HSlots))),
		typ:    abi.Type(b.u32(at + abi.CellType)),
	}
}

// Cell gives cell i of the plan. It is valid during the call.
func (b *Batch) Cell(i int) *Cell { return &b.cells[i] }

// of is the value of a row's session.
func (c *Cell) of(row int, typ abi.Type) []byte {
	if c.typ != typ {
		panic("pharos: a cell of type " + c.typ.String() + " is used as " + typ.String())
	}
	return c.values[8*int(binary.LittleEndian.Uint32(c.slots[4*row:])):][:8]
}

// I64 is the value of an i64 cell in the session of a row.
func (c *Cell) I64(row int) int64 { return int64(binary.LittleEndian.Uint64(c.of(row, abi.I64))) }

// SetI64 sets it.
func (c *Cell) SetI64(row int, v int64) { binary.LittleEndian.PutUint64(c.of(row, abi.I64), uint64(v)) }

// F64 is the value of an f64 cell in the session of a row.
func (c *Cell) F64(row int) float64 {
	return math.Float64frombits(binary.LittleEndian.Uint64(c.of(row, abi.F64)))
}

// SetF64 sets it.
func (c *Cell) SetF64(row int, v float64) {
	binary.LittleEndian.PutUint64(c.of(row, abi.F64), math.Float64bits(v))
}

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
