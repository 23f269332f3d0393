package pharos

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"

	"github.com/seed-6a2d649b/pharos/abi"
)

// Batch is the batch of one call. Nothing of it outlives the call.
type Batch struct {
	mem                            []byte
	rows                           int
	columns                        []Column
	cells                          []Cell
	closed                         bool // its rows are sessions that have ended
	counters                       []byte
	keep, reasons, routes          []byte // outputs; nil if the kind has none
	measurements, tuples, text     []byte
	measurementCount, tupleCount   uint32 // needed, which may be more than there is room for
	textCount                      uint32
	measurementCap, tupleCap, wide uint32
	textAt                         uint32
}

// NewBatch wraps the bytes of a batch, as abi/SPEC.md lays it out.
func NewBatch(mem []byte) *Batch {
	b := new(Batch)
	b.set(mem)
	return b
}

// set makes b the batch of mem and keeps what memory b has.
func (b *Batch) set(mem []byte) {
	columns, cells := b.columns[:0], b.cells[:0]
	*b = Batch{mem: mem}
	b.mem = mem[:b.u32(abi.HSize):b.u32(abi.HSize)]
	b.rows = int(b.u32(abi.HRows))
	b.counters = b.area(b.u32(abi.HCountersAt), 8*int(b.u32(abi.HCounters)))
	switch b.u32(abi.HKind) {
	case abi.KindFilter:
		b.keep = b.area(b.u32(abi.HKeepAt), abi.BitmapBytes(b.rows))
		b.reasons = b.area(b.u32(abi.HReasonsAt), b.rows)
	case abi.KindSplit:
		b.routes = b.area(b.u32(abi.HRoutesAt), 2*b.rows)
	case abi.KindExtract, abi.KindClose:
		b.closed = b.u32(abi.HKind) == abi.KindClose
		b.wide = b.u32(abi.HTupleWidth)
		b.measurementCap, b.tupleCap = b.u32(abi.HMeasurementsCap), b.u32(abi.HTuplesCap)
		b.measurements = b.area(b.u32(abi.HMeasurementsAt), abi.MeasurementSize*int(b.measurementCap))
		b.tuples = b.area(b.u32(abi.HTuplesAt), abi.ValueSize*int(b.wide*b.tupleCap))
		b.textAt = b.u32(abi.HTextAt)
		b.text = b.area(b.textAt, int(b.u32(abi.HTextCap)))
	}
	for i := range int(b.u32(abi.HColumns)) {
		columns = append(columns, b.column(int(b.u32(abi.HColumnsAt))+i*abi.ColumnSize))
	}
	for i := range int(b.u32(abi.HCells)) {
		cells = append(cells, b.cell(int(b.u32(abi.HCellsAt))+i*abi.CellSize))
	}
	b.columns, b.cells = columns, cells
}

func (b *Batch) u32(at int) uint32 { return binary.LittleEndian.Uint32(b.mem[at:]) }

// area is n bytes at a position. An empty one may have any position.
func (b *Batch) area(position uint32, n int) []byte {
	if n == 0 {
		return nil
	}
	return b.mem[position:][:n:n]
}

// Rows is the number of rows.
func (b *Batch) Rows() int { return b.rows }

// Column gives column i of the plan's fields. It is valid during the call.
func (b *Batch) Column(i int) *Column { return &b.columns[i] }

// Keep keeps a row (filter). A row that is not kept is dropped.
func (b *Batch) Keep(row int) { b.keep[row>>3] |= 1 << (row & 7) }

// Drop gives the reason, an index in the plan, why a row is dropped (filter).
func (b *Batch) Drop(row, reason int) { b.reasons[row] = uint8(reason) }

// Route sends a row to a route, an index in the plan (split). About a row that is
// sent nowhere the plugin has no opinion.
func (b *Batch) Route(row, route int) {
	binary.LittleEndian.PutUint16(b.routes[2*row:], uint16(route))
}

// Count adds n to a counter, an index in the plan.
func (b *Batch) Count(counter int, n uint64) {
	at := b.counters[8*counter:]
	binary.LittleEndian.PutUint64(at, binary.LittleEndian.Uint64(at)+n)
}

// Measure adds a measurement of a point, an index in the plan (extract). Rows
// must not fall from call to call. NaN is a value that is no number. attributes
// are in the order of the point's; an empty one is none. A text of a column is
// not copied.
func (b *Batch) Measure(row, point int, value float64, attributes ...[]byte) {
	tuple := uint32(0)
	for _, a := range attributes {
		if len(a) > 0 {
			tuple = b.tuple(attributes)
			break
		}
	}
	if n := b.measurementCount; n < b.measurementCap {
		m := b.measurements[int(n)*abi.MeasurementSize:][:abi.MeasurementSize]
		binary.LittleEndian.PutUint32(m[abi.MRow:], uint32(row))
		binary.LittleEndian.PutUint32(m[abi.MPoint:], uint32(point))
		binary.LittleEndian.PutUint32(m[abi.MAttributes:], tuple)
		binary.LittleEndian.PutUint32(m[abi.MZero:], 0)
		binary.LittleEndian.PutUint64(m[abi.MValue:], math.Float64bits(value))
	}
	b.measurementCount++
}

// tuple writes a tuple of attributes and returns 1 + its index. Where there is no
// room it only counts.
func (b *Batch) tuple(attributes [][]byte) uint32 {
	if len(attributes) > int(b.wide) {
		panic(fmt.Sprintf("pharos: %d attributes, no point of the plan has more than %d", len(attributes), b.wide))
	}
	n := b.tupleCount
	b.tupleCount++
	var values []byte
	if size := int(b.wide) * abi.ValueSize; n < b.tupleCap {
		values = b.tuples[int(n)*size:][:size]
		clear(values)
	}
	for i, a := range attributes {
		if len(a) == 0 {
			continue
		}
		at, ok := b.position(a)
		if !ok {
			at, ok = b.copy(a)
		}
		if ok && values != nil {
			binary.LittleEndian.PutUint32(values[i*abi.ValueSize+abi.VAt:], at)
			binary.LittleEndian.PutUint32(values[i*abi.ValueSize+abi.VLen:], uint32(len(a)))
		}
	}
	return n + 1
}

// position tells where in the batch a text lies, if it does.
func (b *Batch) position(text []byte) (uint32, bool) {
	at := uintptr(unsafe.Pointer(unsafe.SliceData(text))) - uintptr(unsafe.Pointer(unsafe.SliceData(b.mem)))
	return uint32(at), at < uintptr(len(b.mem)) // a text that lies before wraps around
}

// copy puts a text into the text output; false if it does not fit.
func (b *Batch) copy(text []byte) (uint32, bool) {
	at := b.textCount
	if b.textCount += uint32(len(text)); b.textCount < at {
		b.textCount = math.MaxUint32
	}
	if uint64(at)+uint64(len(text)) > uint64(len(b.text)) {
		return 0, false
	}
	copy(b.text[at:], text)
	return b.textAt + at, true
}

// finish writes the counts of an extractor's outputs, and tells whether one did
// not fit.
func (b *Batch) finish() (tooSmall bool) {
	binary.LittleEndian.PutUint32(b.mem[abi.HMeasurementCount:], b.measurementCount)
	binary.LittleEndian.PutUint32(b.mem[abi.HTupleCount:], b.tupleCount)
	binary.LittleEndian.PutUint32(b.mem[abi.HTextCount:], b.textCount)
	return b.measurementCount > b.measurementCap || b.tupleCount > b.tupleCap || uint64(b.textCount) > uint64(len(b.text))
}
