package pharos

import (
	"encoding/binary"
	"math"

	"github.com/seed-6a2d649b/pharos/abi"
)

// Column is one column of a batch.
type Column struct {
	valid, data, offsets, bytes []byte
	entries                     int
}

// Column gives column i of the plan's fields.
func (b *Batch) Column(i int) Column {
	at := int(b.u32(abi.HColumnsAt)) + i*abi.ColumnSize
	c := Column{valid: b.from(at + abi.CValidAt), entries: int(b.u32(at + abi.CEntries))}
	if position := b.u32(at + abi.CDataAt); position != 0 {
		c.data = b.mem[position:]
	}
	if position := b.u32(at + abi.COffsetsAt); position != 0 {
		c.offsets = b.mem[position:]
		c.bytes = b.mem[b.u32(at+abi.CBytesAt):][:b.u32(at+abi.CBytesLen)]
	}
	return c
}

// Valid tells whether a row has a value.
func (c Column) Valid(row int) bool { return abi.Bit(c.valid, row) }

// Entries is the number of texts: of rows, or of the dictionary.
func (c Column) Entries() int { return c.entries }

// Entry is text i of a str, json or any column: of row i, or of the dictionary's
// entry i. It is valid during the call.
func (c Column) Entry(i int) []byte {
	from := binary.LittleEndian.Uint32(c.offsets[i*4:])
	to := binary.LittleEndian.Uint32(c.offsets[i*4+4:])
	return c.bytes[from:to]
}

// Code is the dictionary's entry of a row.
func (c Column) Code(row int) int { return int(binary.LittleEndian.Uint32(c.data[row*4:])) }

// F64 is the number of a row of an f64 column.
func (c Column) F64(row int) float64 {
	return math.Float64frombits(binary.LittleEndian.Uint64(c.data[row*8:]))
}

// I64 is the integer of a row of an i64 column.
func (c Column) I64(row int) int64 { return int64(binary.LittleEndian.Uint64(c.data[row*8:])) }

// Bool is the value of a row of a bool column.
func (c Column) Bool(row int) bool { return abi.Bit(c.data, row) }

// Kind is the kind of a row's value in an any column.
func (c Column) Kind(row int) abi.ValueKind { return abi.ValueKind(c.data[row]) }
