package pharos

import (
	"encoding/binary"
	"math"

	"github.com/seed-6a2d649b/pharos/abi"
)

// Batch is the batch of one call. Nothing of it outlives the call.
type Batch struct{ mem []byte }

// NewBatch wraps the bytes of a batch, as abi/SPEC.md lays it out.
func NewBatch(mem []byte) *Batch { return &Batch{mem} }

func (b *Batch) u32(at int) uint32        { return binary.LittleEndian.Uint32(b.mem[at:]) }
func (b *Batch) put(at int, v uint32)     { binary.LittleEndian.PutUint32(b.mem[at:], v) }
func (b *Batch) from(position int) []byte { return b.mem[b.u32(position):] }

// Rows is the number of rows.
func (b *Batch) Rows() int { return int(b.u32(abi.HRows)) }

// Keep keeps a row (filter).
func (b *Batch) Keep(row int) { b.from(abi.HKeepAt)[row>>3] |= 1 << (row & 7) }

// Drop drops a row with a reason, an index in the plan (filter).
func (b *Batch) Drop(row, reason int) { b.from(abi.HReasonsAt)[row] = uint8(reason) }

// Route sends a row to a route, an index in the plan (split). A row without a
// route goes to the default one.
func (b *Batch) Route(row, route int) {
	binary.LittleEndian.PutUint16(b.from(abi.HRoutesAt)[row*2:], uint16(route))
}

// Count adds n to a counter, an index in the plan.
func (b *Batch) Count(counter int, n uint64) {
	at := b.from(abi.HCountersAt)[counter*8:]
	binary.LittleEndian.PutUint64(at, binary.LittleEndian.Uint64(at)+n)
}

// Measure adds a measurement of a point, an index in the plan (extract). Rows
// must not fall from call to call. NaN is a value that is no number. attributes
// are in the order of the point's; "" is none.
func (b *Batch) Measure(row, point int, value float64, attributes ...string) {
	n, tuple := b.u32(abi.HMeasurementCount), uint32(0)
	for _, a := range attributes {
		if a != "" {
			tuple = b.tuple(attributes)
			break
		}
	}
	if n < b.u32(abi.HMeasurementsCap) {
		m := b.from(abi.HMeasurementsAt)[n*abi.MeasurementSize:]
		binary.LittleEndian.PutUint32(m[abi.MRow:], uint32(row))
		binary.LittleEndian.PutUint32(m[abi.MPoint:], uint32(point))
		binary.LittleEndian.PutUint32(m[abi.MAttributes:], tuple)
		binary.LittleEndian.PutUint32(m[abi.MZero:], 0)
		binary.LittleEndian.PutUint64(m[abi.MValue:], math.Float64bits(value))
	}
	b.put(abi.HMeasurementCount, n+1)
}

// tuple writes a tuple of attributes, their texts copied, and returns 1 + its index.
func (b *Batch) tuple(attributes []string) uint32 {
	n, width := b.u32(abi.HTupleCount), b.u32(abi.HTupleWidth)
	b.put(abi.HTupleCount, n+1)
	var values []byte
	if n < b.u32(abi.HTuplesCap) {
		values = b.from(abi.HTuplesAt)[n*width*abi.ValueSize:][:width*abi.ValueSize]
		clear(values)
	}
	for i, a := range attributes {
		at := b.u32(abi.HTextCount)
		b.put(abi.HTextCount, at+uint32(len(a)))
		if values == nil || at+uint32(len(a)) > b.u32(abi.HTextCap) {
			continue
		}
		copy(b.from(abi.HTextAt)[at:], a)
		binary.LittleEndian.PutUint32(values[i*abi.ValueSize+abi.VAt:], b.u32(abi.HTextAt)+at)
		binary.LittleEndian.PutUint32(values[i*abi.ValueSize+abi.VLen:], uint32(len(a)))
	}
	return n + 1
}

// tooSmall tells whether an output did not fit.
func (b *Batch) tooSmall() bool {
	return b.u32(abi.HMeasurementCount) > b.u32(abi.HMeasurementsCap) ||
		b.u32(abi.HTupleCount) > b.u32(abi.HTuplesCap) ||
		b.u32(abi.HTextCount) > b.u32(abi.HTextCap)
}
