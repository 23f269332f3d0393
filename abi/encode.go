package abi

import (
	"encoding/binary"
	"fmt"
	"slices"
	"unsafe"
)

// Capacity is how much an extractor's outputs can take.
type Capacity struct {
	Measurements int
	Tuples       int
	Text         int // bytes
}

// Layout lays out batches for guests of one plan and reads their answers. It
// holds where the areas of the last placed batch are, so that nothing of it is
// taken from memory that a guest can write. Not for concurrent use.
type Layout struct {
	kind  Kind
	plan  *Plan
	width int     // values in a tuple
	close []Field // the columns of closed sessions

	size, rows    int
	closed        bool // the batch is of closed sessions
	cellsAt       int  // descriptors
	cells         int  // the first cell's array, the others behind it
	slots         int
	slotsAt       int
	columns       []columnAt
	counters      int
	keep, reasons int
	routes        int
	measurements  int
	tuples        int
	text          int
	caps          Capacity
	owners        []int32 // for Read: the point that has the tuple, or -1
}

type columnAt struct{ valid, data, entries, offsets, bytes, bytesLen int }

// NewLayout returns the layout of batches for a guest of that kind and plan,
// which must be valid.
func NewLayout(kind Kind, plan *Plan) *Layout {
	l := &Layout{kind: kind, plan: plan, width: plan.TupleWidth()}
	if kind == Extract {
		l.close = closeFields(plan)
	}
	l.columns = make([]columnAt, max(len(plan.Fields), len(l.close)))
	return l
}

// SizeError says that a batch cannot be laid out because it is too large: give
// fewer rows.
type SizeError struct{ Bytes, Rows int }

func (e *SizeError) Error() string {
	return fmt.Sprintf("a batch of %d rows and %d bytes is too large for a guest: split it", e.Rows, e.Bytes)
}

// Place decides where everything of the batch will be and returns its size in
// bytes. The capacity matters for extractors only. Errors are a *SizeError, or
// columns that are not those of the plan.
func (l *Layout) Place(b *Batch, caps Capacity) (int, error) {
	if b.Rows < 1 || b.Rows > MaxRows {
		return 0, &SizeError{Rows: b.Rows}
	}
	l.closed = b.Closed
	fields := l.fields()
	if len(b.Columns) != len(fields) {
		return 0, fmt.Errorf("batch has %d columns, the plan %d fields", len(b.Columns), len(fields))
	}
	if err := b.Sessions.Check(l.plan, b.Rows); err != nil {
		return 0, err
	}
	l.rows, l.caps = b.Rows, caps
	l.columns = l.columns[:len(fields)]
	at := HeaderSize
	area := func(n int) int {
		pos := at
		at += align(n)
		return pos
	}
	columnsAt := area(len(b.Columns) * ColumnSize)
	if columnsAt != HeaderSize {
		panic("descriptors follow the header")
	}
	bitmap := BitmapBytes(b.Rows)
	for i := range b.Columns {
		c, f := &b.Columns[i], &fields[i]
		if err := c.check(f, b.Rows); err != nil {
			return 0, fmt.Errorf("column %d, field %q: %w", i, f.Name, err)
		}
		p := columnAt{valid: area(bitmap)}
		switch c.Type {
		case I64, F64:
			p.data = area(8 * b.Rows)
		case Bool:
			p.data = area(bitmap)
		case Any, Kinds:
			p.data = area(b.Rows)
		case Str:
			if c.Dict {
				p.data = area(4 * b.Rows)
			}
		}
		if n := len(c.Offsets); n > 0 && c.hasTexts() {
			p.entries, p.bytesLen = n-1, int(c.Offsets[n-1])
		}
		if c.hasTexts() {
			if c.Dict {
				p.entries = max(p.entries, 1) // code 0 of invalid rows always means something
			}
			p.offsets = area(4 * (p.entries + 1))
			p.bytes = area(p.bytesLen)
		}
		l.columns[i] = p
	}
	l.counters, l.keep, l.reasons, l.routes, l.measurements, l.tuples, l.text = 0, 0, 0, 0, 0, 0, 0
	if n := len(l.plan.Cells); n > 0 {
		l.slots = len(b.Cells[0])
		l.cellsAt, l.slotsAt, l.cells = area(CellSize*n), area(4*b.Rows), area(8*l.slots*n)
	}
	if n := len(l.plan.Counters); n > 0 {
		l.counters = area(8 * n)
	}
	switch l.kind {
	case Filter:
		l.keep, l.reasons = area(bitmap), area(b.Rows)
	case Split:
		l.routes = area(2 * b.Rows)
	case Extract:
		l.measurements = area(MeasurementSize * caps.Measurements)
		l.tuples = area(ValueSize * l.width * caps.Tuples)
		l.text = area(caps.Text)
	}
	l.size = at
	if int64(at) > MaxMemory {
		return 0, &SizeError{Bytes: at, Rows: b.Rows}
	}
	return at, nil
}

// fields are those of the columns.
func (l *Layout) fields() []Field {
	if l.closed {
		return l.close
	}
	return l.plan.Fields
}

func (c *Column) hasTexts() bool { return c.Type == Str || c.Type == JSON || c.Type == Any }

// check finds a batch that was built for another plan; it does not look at
// every value.
func (c *Column) check(f *Field, rows int) error {
	if c.Type != f.Type || c.Dict != f.Dict {
		return fmt.Errorf("type %s dict %t, planned is %s dict %t", c.Type, c.Dict, f.Type, f.Dict)
	}
	ok := len(c.Valid) >= BitmapBytes(rows)
	switch c.Type {
	case I64:
		ok = ok && len(c.I64) == rows
	case F64:
		ok = ok && len(c.F64) == rows
	case Bool:
		ok = ok && len(c.Bits) >= BitmapBytes(rows)
	case Any, Kinds:
		ok = ok && len(c.Kinds) == rows
	}
	switch {
	case !c.hasTexts():
	case c.Dict:
		ok = ok && len(c.Codes) == rows
	default:
		ok = ok && len(c.Offsets) == rows+1
	}
	if n := len(c.Offsets); c.hasTexts() && n > 0 {
		ok = ok && int(c.Offsets[n-1]) <= len(c.Bytes)
	}
	if !ok {
		return fmt.Errorf("its slices do not fit %d rows", rows)
	}
	return nil
}

// Write writes the batch that was placed last to dst, which has the size that
// Place returned, outputs and counters made ready for a call.
func (l *Layout) Write(dst []byte, b *Batch) {
	dst = dst[:l.size:l.size]
	l.header(dst)
	for i := range b.Columns {
		l.column(dst, i, &b.Columns[i])
	}
	if len(l.plan.Cells) > 0 {
		l.writeSessions(dst, &b.Sessions)
	}
	clear(dst[l.counters : l.counters+8*len(l.plan.Counters)])
	switch l.kind {
	case Filter:
		clear(dst[l.keep : l.keep+align(BitmapBytes(l.rows))])
		clear(dst[l.reasons : l.reasons+align(l.rows)])
	case Split:
		routes := dst[l.routes : l.routes+align(2*l.rows)]
		for i := range routes {
			routes[i] = 0xFF
		}
		clear(routes[2*l.rows:])
	}
}

func (l *Layout) header(dst []byte) {
	clear(dst[:HeaderSize])
	put := func(at, v int) { binary.LittleEndian.PutUint32(dst[at:], uint32(v)) }
	put(HSize, l.size)
	put(HRows, l.rows)
	put(HColumns, len(l.columns))
	put(HColumnsAt, HeaderSize)
	put(HCounters, len(l.plan.Counters))
	put(HCountersAt, l.counters)
	put(HCells, len(l.plan.Cells))
	put(HCellsAt, l.cellsAt)
	put(HSlots, l.slots)
	put(HSlotsAt, l.slotsAt)
	switch l.kind {
	case Filter:
		put(HKind, KindFilter)
		put(HKeepAt, l.keep)
		put(HReasonsAt, l.reasons)
	case Split:
		put(HKind, KindSplit)
		put(HRoutesAt, l.routes)
	case Extract:
		put(HKind, KindExtract)
		if l.closed {
			put(HKind, KindClose)
		}
		put(HMeasurementsAt, l.measurements)
		put(HMeasurementsCap, l.caps.Measurements)
		put(HTupleWidth, l.width)
		put(HTuplesAt, l.tuples)
		put(HTuplesCap, l.caps.Tuples)
		put(HTextAt, l.text)
		put(HTextCap, l.caps.Text)
	}
}

func (l *Layout) column(dst []byte, i int, c *Column) {
	p := &l.columns[i]
	d := dst[HeaderSize+i*ColumnSize:][:ColumnSize]
	put := func(at, v int) { binary.LittleEndian.PutUint32(d[at:], uint32(v)) }
	flags := 0
	if c.Dict {
		flags = CDict
	}
	put(CType, int(c.Type))
	put(CFlags, flags)
	put(CValidAt, p.valid)
	put(CDataAt, p.data)
	put(CEntries, p.entries)
	put(COffsetsAt, p.offsets)
	put(CBytesAt, p.bytes)
	put(CBytesLen, p.bytesLen)

	writeBitmap(dst[p.valid:], c.Valid, l.rows)
	switch c.Type {
	case I64:
		writeNumbers(dst[p.data:], c.I64)
	case F64:
		writeNumbers(dst[p.data:], c.F64)
	case Bool:
		writeBitmap(dst[p.data:], c.Bits, l.rows)
	case Any, Kinds:
		data := dst[p.data : p.data+align(l.rows)]
		for j, k := range c.Kinds {
			data[j] = byte(k)
		}
		clear(data[l.rows:])
	case Str:
		if c.Dict {
			writeNumbers(dst[p.data:], c.Codes)
		}
	}
	if c.hasTexts() {
		if len(c.Offsets) == p.entries+1 {
			writeNumbers(dst[p.offsets:], c.Offsets)
		} else { // an empty dictionary, given its one entry
			clear(dst[p.offsets : p.offsets+align(4*(p.entries+1))])
		}
		bytes := dst[p.bytes : p.bytes+align(p.bytesLen)]
		copy(bytes, c.Bytes[:p.bytesLen])
		clear(bytes[p.bytesLen:])
	}
}

func writeBitmap(dst, bitmap []byte, rows int) {
	n := BitmapBytes(rows)
	dst = dst[:align(n)]
	copy(dst, bitmap[:n])
	clear(dst[n:])
	if r := rows & 7; r != 0 {
		dst[n-1] &= 1<<r - 1
	}
}

// writeNumbers writes numbers little-endian: as they lie in the memory of most hosts.
func writeNumbers[T uint32 | int64 | float64](dst []byte, v []T) {
	width := int(unsafe.Sizeof(*new(T)))
	dst = dst[:align(width*len(v))]
	n := copy(dst, unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), width*len(v)))
	if !littleEndian {
		for i := 0; i < n; i += width {
			slices.Reverse(dst[i : i+width])
		}
	}
	clear(dst[n:])
}

var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1
