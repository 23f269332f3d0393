package pharos

import (
	"encoding/binary"
	"math"

	"github.com/seed-6a2d649b/pharos/abi"
)

// Column is one column of a batch. What is asked for must be of its type in the
// plan; a row out of range panics.
type Column struct {
	valid, data, offsets, bytes []byte
	entries                     int
	dict                        bool
}

// column reads a descriptor.
func (b *Batch) column(at int) Column {
	c := Column{
		valid:   b.area(b.u32(at+abi.CValidAt), abi.BitmapBytes(b.rows)),
		entries: int(b.u32(at + abi.CEntries)),
		dict:    b.u32(at+abi.CFlags)&abi.CDict != 0,
	}
	size := 0
	switch abi.Type(b.u32(at + abi.CType)) {
	case abi.I64, abi.F64:
		size = 8 * b.rows
	case abi.Bool:
		size = abi.BitmapBytes(b.rows)
	case abi.Any:
		size = b.rows
	case abi.Str:
		if c.dict {
			size = 4 * b.rows
		}
	}
	c.data = b.area(b.u32(at+abi.CDataAt), size)
	if position := b.u32(at + abi.COffsetsAt); position != 0 {
		c.offsets = b.area(position, 4*(c.entries+1))
		c.bytes = b.area(b.u32(at+abi.CBytesAt), int(b.u32(at+abi.CBytesLen)))
	}
	return c
}

// Valid tells whether a row has a value.
func (c *Column) Valid(row int) bool { return abi.Bit(c.valid, row) }

// Text is the text of a row of a str, json or any column, dictionary or not; empty
// if it has none. It is valid during the call.
func (c *Column) Text(row int) []byte {
	if !c.dict {
		return c.Entry(row)
	}
	if !c.Valid(row) { // its code is that of any value
		return nil
	}
	return c.Entry(c.Code(row))
}

// Entries is the number of texts: of rows, or of the dictionary.
func (c *Column) Entries() int { return c.entries }

// Entry is text i of a str, json or any column: of row i, or of the dictionary's
// entry i. It is valid during the call.
func (c *Column) Entry(i int) []byte {
	from := binary.LittleEndian.Uint32(c.offsets[i*4:])
	to := binary.LittleEndian.Uint32(c.offsets[i*4+4:])
	return c.bytes[from:to:to]
}

// Code is the dictionary's entry of a row; 0 if the row has no value.
func (c *Column) Code(row int) int { return int(binary.LittleEndian.Uint32(c.data[row*4:])) }

// F64 is the number of a row of an f64 column; 0 if the row has none.
func (c *Column) F64(row int) float64 {
	return math.Float64frombits(binary.LittleEndian.Uint64(c.data[row*8:]))
}

// I64 is the integer of a row of an i64 column; 0 if the row has none.
func (c *Column) I64(row int) int64 { return int64(binary.LittleEndian.Uint64(c.data[row*8:])) }

// Bool is the value of a row of a bool column; false if the row has none.
func (c *Column) Bool(row int) bool { return abi.Bit(c.data, row) }

// Kind is the kind of a row's value in an any column.
func (c *Column) Kind(row int) abi.ValueKind { return abi.ValueKind(c.data[row]) }
