package session

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/seed-6a2d649b/pharos/abi"
)

// kept is what is kept with a session for its extractor: cells, and for its close
// function how many measurements of each point there were, of beacons whose
// extractor has one. It is kept packed, as text; no text is nothing.
type kept struct {
	cells  []keptValue // by number of a cell; none is 0
	counts []keptValue // by number of a point; none is 0
}

type keptValue struct {
	number int32
	bits   uint64
}

func (m *kept) clear() { m.cells, m.counts = m.cells[:0], m.counts[:0] }

// placeOf finds a value, or the place for it.
func placeOf(values []keptValue, number int32) (int, bool) {
	return slices.BinarySearchFunc(values, number, func(v keptValue, n int32) int { return int(v.number) - int(n) })
}

func get(values []keptValue, number int32) uint64 {
	if i, ok := placeOf(values, number); ok {
		return values[i].bits
	}
	return 0
}

func put(values *[]keptValue, number int32, bits uint64) {
	i, ok := placeOf(*values, number)
	switch {
	case ok && bits == 0:
		*values = slices.Delete(*values, i, i+1)
	case ok:
		(*values)[i].bits = bits
	case bits != 0:
		*values = slices.Insert(*values, i, keptValue{number, bits})
	}
}

// count counts measurements.
func (m *kept) count(w *view, measures []measure) {
	for i := range measures {
		point := w.points[measures[i].point]
		put(&m.counts, point, get(m.counts, point)+1)
	}
}

// append packs m: nothing if it is empty. A value is packed as the distance of its
// number to the one before << 1 | whether its bytes are turned around, as is
// shorter for most floating-point numbers.
func (m *kept) append(dst []byte) []byte {
	if len(m.cells)+len(m.counts) == 0 {
		return dst
	}
	for _, values := range [...][]keptValue{m.cells, m.counts} {
		dst = binary.AppendUvarint(dst, uint64(len(values)))
		next := int32(0)
		for _, v := range values {
			head, value := uint64(v.number-next)<<1, v.bits<<1^uint64(int64(v.bits)>>63) // zigzag
			if turned := bits.ReverseBytes64(v.bits); turned < value {
				head, value = head|1, turned
			}
			dst = binary.AppendUvarint(binary.AppendUvarint(dst, head), value)
			next = v.number + 1
		}
	}
	return dst
}

// kept reads all of its text, which append wrote, into m.
func (u *unpacker) kept(t *tenant, m *kept) {
	m.clear()
	if len(u.text) == 0 {
		return
	}
	u.keptValues(&m.cells, len(t.cells.names))
	u.keptValues(&m.counts, len(t.points.names))
	if len(u.text) > 0 {
		u.fail()
	}
}

func (u *unpacker) keptValues(values *[]keptValue, most int) {
	next := 0
	for range u.count(u.uvarint()) {
		head, value := u.uvarint(), u.uvarint()
		if head>>1 >= uint64(most-next) {
			u.fail()
			return
		}
		next += int(head >> 1)
		v := keptValue{int32(next), value>>1 ^ -(value & 1)}
		if head&1 != 0 {
			v.bits = bits.ReverseBytes64(value)
		}
		*values = append(*values, v)
		next++
	}
}

// soundKept tells whether a text is what append wrote for the tenant.
func (t *tenant) soundKept(text []byte) bool {
	u, m := unpacker{text: text}, kept{}
	u.kept(t, &m)
	return !u.bad
}

// seeCells gives the cells of a plan their numbers. Those of one name and type are
// one cell, whatever generation names them.
func (t *tenant) seeCells(w *view) {
	for _, c := range w.plan.cells {
		w.cellOf = append(w.cellOf, t.cells.number(cellName(c)))
	}
	t.keeps = t.keeps || w.sessions != nil
}

func cellName(c abi.Cell) string { return c.Name + " " + c.Type.String() }
