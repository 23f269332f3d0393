package abi

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Sessions are the cells of the sessions that the rows of a batch belong to.
type Sessions struct {
	Slots []uint32   // by row: index of its session in each array of Cells
	Cells [][]uint64 // by cell of the plan, by slot: the bits of an i64 or f64
}

// Closed are sessions that have ended, for the close function: a row each.
type Closed struct {
	Tenant      []byte    // whose they are; no guest sees it
	Again       bool      // they were measured before: nobody counts it; no guest sees it
	First, Last []int64   // epoch ms of the first and last beacon
	Counts      [][]int64 // by point of the plan, by row: measurements of that point that are not bad values
	Sessions
}

// Batch makes dst the batch of the rows from first up to end. It keeps slices of
// c, so dst must not be filled by anything else, and c must not change under it.
func (c *Closed) Batch(first, end int, dst *Batch) {
	dst.Closed, dst.Rows = true, end-first
	dst.Columns = grow(dst.Columns[:0], 2+len(c.Counts))
	dst.valid = grow(dst.valid[:0], BitmapBytes(dst.Rows))[:BitmapBytes(dst.Rows)]
	for i := range dst.valid {
		dst.valid[i] = 0xFF
	}
	add := func(values []int64) {
		dst.Columns = append(dst.Columns, Column{Type: I64, Valid: dst.valid, I64: values[first:end:end]})
	}
	add(c.First)
	add(c.Last)
	for _, counts := range c.Counts {
		add(counts)
	}
	dst.Sessions = Sessions{Cells: c.Cells}
	if len(c.Cells) > 0 {
		dst.Slots = c.Slots[first:end:end]
	}
}

// closeFields are the columns of a batch of closed sessions.
func closeFields(plan *Plan) []Field {
	fields := make([]Field, 0, 2+len(plan.Points))
	for _, name := range []string{"first", "last"} {
		fields = append(fields, Field{Name: name, Type: I64})
	}
	for _, p := range plan.Points {
		fields = append(fields, Field{Name: p.Name, Type: I64})
	}
	return fields
}

// Check finds sessions that are not those of so many rows of the plan.
func (s *Sessions) Check(plan *Plan, rows int) error {
	if len(plan.Cells) == 0 {
		return nil
	}
	if len(s.Cells) != len(plan.Cells) || len(s.Slots) != rows {
		return fmt.Errorf("sessions have %d cells, and slots of %d rows: the plan has %d cells, and there are %d rows", len(s.Cells), len(s.Slots), len(plan.Cells), rows)
	}
	for i := range s.Cells {
		if n := len(s.Cells[i]); n != len(s.Cells[0]) {
			return fmt.Errorf("cell %s has %d values, %s has %d", plan.Cells[i].Name, n, plan.Cells[0].Name, len(s.Cells[0]))
		}
	}
	for i, slot := range s.Slots {
		if int64(slot) >= int64(len(s.Cells[0])) {
			return fmt.Errorf("row %d: slot %d of %d", i, slot, len(s.Cells[0]))
		}
	}
	return nil
}

// writeSessions writes the cells as they are before the call.
func (l *Layout) writeSessions(dst []byte, s *Sessions) {
	for i := range s.Cells {
		at := l.cells + 8*l.slots*i
		d := dst[l.cellsAt+CellSize*i:]
		binary.LittleEndian.PutUint32(d[CellType:], uint32(l.plan.Cells[i].Type))
		binary.LittleEndian.PutUint32(d[CellAt:], uint32(at))
		for j, v := range s.Cells[i] {
			binary.LittleEndian.PutUint64(dst[at+8*j:], v)
		}
	}
	writeNumbers(dst[l.slotsAt:], s.Slots)
}

// readSessions reads the cells as the guest left them. A NaN has many forms, of
// which a processor may take another than the next: it is given one.
func (l *Layout) readSessions(mem []byte, out *Output) {
	for len(out.Cells) < len(l.plan.Cells) {
		out.Cells = append(out.Cells, nil)
	}
	out.Cells = out.Cells[:len(l.plan.Cells)]
	for i := range out.Cells {
		values := out.Cells[i][:0]
		area := mem[l.cells+8*l.slots*i:]
		for j := range l.slots {
			v := binary.LittleEndian.Uint64(area[8*j:])
			if l.plan.Cells[i].Type == F64 && math.IsNaN(math.Float64frombits(v)) {
				v = nanBits
			}
			values = append(values, v)
		}
		out.Cells[i] = values
	}
}

// nanBits are those of the NaN in cells.
const nanBits = 0x7FF8000000000000
