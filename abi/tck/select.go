package tck

import "github.com/seed-6a2d649b/pharos/abi"

// Select puts the rows of src, in the given order, into dst, whose memory is
// reused; the cells of their sessions are those of src. A dictionary gets its entries in the order of their first row.
func Select(src *abi.Batch, rows []int, dst *abi.Batch) {
	dst.Rows, dst.Closed = len(rows), src.Closed
	dst.Slots, dst.Cells = dst.Slots[:0], src.Cells
	if len(src.Slots) > 0 {
		for _, row := range rows {
			dst.Slots = append(dst.Slots, src.Slots[row])
		}
	}
	for len(dst.Columns) < len(src.Columns) {
		dst.Columns = append(dst.Columns, abi.Column{})
	}
	dst.Columns = dst.Columns[:len(src.Columns)]
	for i := range src.Columns {
		selectColumn(&src.Columns[i], rows, &dst.Columns[i])
	}
}

func selectColumn(src *abi.Column, rows []int, dst *abi.Column) {
	bitmap := abi.BitmapBytes(len(rows))
	*dst = abi.Column{
		Type: src.Type, Dict: src.Dict,
		Valid:   append(dst.Valid[:0], make([]byte, bitmap)...),
		Offsets: dst.Offsets[:0], Bytes: dst.Bytes[:0], Codes: dst.Codes[:0],
		I64: dst.I64[:0], F64: dst.F64[:0], Bits: dst.Bits[:0], Kinds: dst.Kinds[:0],
	}
	if src.Type == abi.Bool {
		dst.Bits = append(dst.Bits, make([]byte, bitmap)...)
	}
	texts := src.Type == abi.Str || src.Type == abi.JSON || src.Type == abi.Any
	if texts {
		dst.Offsets = append(dst.Offsets, 0)
	}
	text := func(i uint32) {
		dst.Bytes = append(dst.Bytes, src.Bytes[src.Offsets[i]:src.Offsets[i+1]]...)
		dst.Offsets = append(dst.Offsets, uint32(len(dst.Bytes)))
	}
	codes := make(map[uint32]uint32)
	for to, row := range rows {
		valid := abi.Bit(src.Valid, row)
		if valid {
			abi.SetBit(dst.Valid, to)
		}
		switch src.Type {
		case abi.I64:
			dst.I64 = append(dst.I64, src.I64[row])
		case abi.F64:
			dst.F64 = append(dst.F64, src.F64[row])
		case abi.Bool:
			if abi.Bit(src.Bits, row) {
				abi.SetBit(dst.Bits, to)
			}
		case abi.Any, abi.Kinds:
			dst.Kinds = append(dst.Kinds, src.Kinds[row])
		}
		switch {
		case !texts:
		case !src.Dict:
			text(uint32(row))
		case !valid:
			dst.Codes = append(dst.Codes, 0)
		default:
			code, ok := codes[src.Codes[row]]
			if !ok {
				code = uint32(len(codes))
				codes[src.Codes[row]] = code
				text(src.Codes[row])
			}
			dst.Codes = append(dst.Codes, code)
		}
	}
}
