package pharos

import (
	"unsafe"

	"github.com/seed-6a2d649b/pharos/abi"
)

// Column is one column of a batch. What is asked for must be of its type in the
// plan; a row out of range panics.
type Column struct {
	valid, bits, kinds, bytes []byte
	offsets, codes            []uint32
	ints                      []int64
	floats                    []float64
	entries                   int
	dict                      bool
}

// column reads a descriptor.
func (b *Batch) column(at int) Column {
	c := Column{
		valid:   b.area(b.u32(at+abi.CValidAt), abi.BitmapBytes(b.rows)),
		entries: int(b.u32(at + abi.CEntries)),
		dict:    b.u32(at+abi.CFlags)&abi.CDict != 0,
	}
	data := b.u32(at + abi.CDataAt)
	switch abi.Type(b.u32(at + abi.CType)) {
	case abi.I64:
		c.ints = numbers[int64](b, data, b.rows)
	case abi.F64:
		c.floats = numbers[float64](b, data, b.rows)
	case abi.Bool:
		c.bits = b.area(data, abi.BitmapBytes(b.rows))
	case abi.Any, abi.Kinds:
		c.kinds = b.area(data, b.rows)
	case abi.Str:
		if c.dict {
			c.codes = numbers[uint32](b, data, b.rows)
		}
	}
	if position := b.u32(at + abi.COffsetsAt); position != 0 {
		c.offsets = numbers[uint32](b, position, c.entries+1)
		c.bytes = b.area(b.u32(at+abi.CBytesAt), int(b.u32(at+abi.CBytesLen)))
	}
	return c
}

// numbers are n numbers at a position, which is a multiple of 8. They lie in the
// batch as in the memory of wasm, and of all machines that are little-endian.
func numbers[T uint32 | int64 | float64](b *Batch, position uint32, n int) []T {
	area := b.area(position, n*int(unsafe.Sizeof(*new(T))))
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(area))), n)
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
	to := c.offsets[i+1]
	return c.bytes[c.offsets[i]:to:to]
}

// Code is the dictionary's entry of a row; 0 if the row has no value.
func (c *Column) Code(row int) int { return int(c.codes[row]) }

// F64 is the number of a row of an f64 column; 0 if the row has none.
func (c *Column) F64(row int) float64 { return c.floats[row] }

// I64 is the integer of a row of an i64 column; 0 if the row has none.
func (c *Column) I64(row int) int64 { return c.ints[row] }

// Bool is the value of a row of a bool column; false if the row has none.
func (c *Column) Bool(row int) bool { return abi.Bit(c.bits, row) }

// Kind is the kind of a row's value in an any or kind column.
func (c *Column) Kind(row int) abi.ValueKind { return abi.ValueKind(c.kinds[row]) }
