package abi

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// Reset empties the output and keeps its memory.
func (o *Output) Reset() {
	o.Keep, o.Reasons, o.Routes = o.Keep[:0], o.Reasons[:0], o.Routes[:0]
	o.Measurements, o.Attributes = o.Measurements[:0], o.Attributes[:0]
	o.Counters, o.BadValues = o.Counters[:0], o.BadValues[:0]
}

// Read reads what a guest answered to the batch that was written last. mem is
// the batch's memory after the call. Everything is copied and checked; an error
// is a breach of the ABI by the guest, and out then holds nothing of use.
func (l *Layout) Read(mem []byte, out *Output) error {
	if len(mem) < l.size {
		return fmt.Errorf("memory shrank: %d bytes of a batch of %d", len(mem), l.size)
	}
	mem = mem[:l.size:l.size]
	out.Reset()
	var err error
	switch l.kind {
	case Filter:
		err = l.readFilter(mem, out)
	case Split:
		err = l.readSplit(mem, out)
	case Extract:
		err = l.readExtract(mem, out)
	}
	if err != nil {
		return err
	}
	if !l.closed {
		l.readSessions(mem, out)
	}
	for i := range l.plan.Counters {
		out.Counters = append(out.Counters, binary.LittleEndian.Uint64(mem[l.counters+8*i:]))
	}
	return nil
}

func (l *Layout) readFilter(mem []byte, out *Output) error {
	n := BitmapBytes(l.rows)
	out.Keep = append(out.Keep, mem[l.keep:l.keep+n]...)
	if r := l.rows & 7; r != 0 {
		out.Keep[n-1] &= 1<<r - 1
	}
	out.Reasons = append(out.Reasons, mem[l.reasons:l.reasons+l.rows]...)
	for i, kept := range out.Keep {
		reasons := out.Reasons[8*i : min(8*i+8, l.rows)]
		if kept == 0xFF && len(reasons) == 8 { // as most are
			binary.LittleEndian.PutUint64(reasons, 0)
			continue
		}
		for j := range reasons {
			if kept&(1<<j) != 0 {
				reasons[j] = 0
			} else if int(reasons[j]) >= len(l.plan.Reasons) {
				return fmt.Errorf("row %d: reason %d, the plan has %d", 8*i+j, reasons[j], len(l.plan.Reasons))
			}
		}
	}
	return nil
}

func (l *Layout) readSplit(mem []byte, out *Output) error {
	routes := mem[l.routes : l.routes+2*l.rows]
	for i := range l.rows {
		r := binary.LittleEndian.Uint16(routes[2*i:])
		if r != NoRoute && int(r) >= len(l.plan.Routes) {
			return fmt.Errorf("row %d: route %d, the plan has %d", i, r, len(l.plan.Routes))
		}
		out.Routes = append(out.Routes, r)
	}
	return nil
}

func (l *Layout) counts(mem []byte) (measurements, tuples, text uint64) {
	u32 := func(at int) uint64 { return uint64(binary.LittleEndian.Uint32(mem[at:])) }
	return u32(HMeasurementCount), u32(HTupleCount), u32(HTextCount)
}

func (l *Layout) readExtract(mem []byte, out *Output) error {
	measurements, tuples, text := l.counts(mem)
	if measurements > uint64(l.caps.Measurements) || tuples > uint64(l.caps.Tuples) || text > uint64(l.caps.Text) {
		return fmt.Errorf("says it is done with %d measurements, %d tuples and %d bytes of text where %d, %d and %d fit",
			measurements, tuples, text, l.caps.Measurements, l.caps.Tuples, l.caps.Text)
	}
	l.owners = l.owners[:0]
	for range tuples {
		l.owners = append(l.owners, -1)
	}
	row, inRow := uint32(0), 0
	for i := range int(measurements) {
		rec := mem[l.measurements+MeasurementSize*i:][:MeasurementSize]
		m := Measurement{
			Row:        binary.LittleEndian.Uint32(rec[MRow:]),
			Point:      binary.LittleEndian.Uint32(rec[MPoint:]),
			Attributes: binary.LittleEndian.Uint32(rec[MAttributes:]),
			Value:      math.Float64frombits(binary.LittleEndian.Uint64(rec[MValue:])),
		}
		switch {
		case uint64(m.Row) >= uint64(l.rows):
			return fmt.Errorf("measurement %d: row %d of %d", i, m.Row, l.rows)
		case m.Row < row:
			return fmt.Errorf("measurement %d: row %d after row %d", i, m.Row, row)
		case uint64(m.Point) >= uint64(len(l.plan.Points)):
			return fmt.Errorf("measurement %d: point %d, the plan has %d", i, m.Point, len(l.plan.Points))
		case uint64(m.Attributes) > tuples:
			return fmt.Errorf("measurement %d: tuple %d of %d", i, m.Attributes-1, tuples)
		case binary.LittleEndian.Uint32(rec[MZero:]) != 0:
			return fmt.Errorf("measurement %d: its reserved word is not 0", i)
		}
		if m.Row != row {
			row, inRow = m.Row, 0
		}
		if inRow++; inRow > MaxMeasurementsPerRow {
			return fmt.Errorf("row %d: more than %d measurements", row, MaxMeasurementsPerRow)
		}
		if m.Attributes > 0 {
			if err := l.own(int(m.Attributes-1), int(m.Point)); err != nil {
				return fmt.Errorf("measurement %d: %w", i, err)
			}
		}
		out.Measurements = append(out.Measurements, m)
	}
	return l.readTuples(mem, out)
}

// own notes whose attributes a tuple holds, so that its length is known.
func (l *Layout) own(tuple, point int) error {
	n := len(l.plan.Points[point].Attributes)
	if n == 0 {
		return fmt.Errorf("attributes for the point %q, which has none", l.plan.Points[point].Name)
	}
	if o := l.owners[tuple]; o >= 0 {
		if other := &l.plan.Points[o]; len(other.Attributes) != n {
			return fmt.Errorf("tuple %d is shared by the points %q and %q, which differ in the number of attributes", tuple, other.Name, l.plan.Points[point].Name)
		}
	}
	l.owners[tuple] = int32(point)
	return nil
}

func (l *Layout) readTuples(mem []byte, out *Output) error {
	values, total := 0, uint64(0)
	for i, o := range l.owners {
		if o < 0 {
			continue
		}
		for j := range l.plan.Points[o].Attributes {
			text, err := l.value(mem, i, j)
			if err != nil {
				return fmt.Errorf("tuple %d, attribute %d: %w", i, j, err)
			}
			values, total = values+1, total+uint64(len(text))
		}
		if total > MaxValueBytes {
			return fmt.Errorf("the attributes have more than %d bytes", MaxValueBytes)
		}
	}
	// Room for all is made first: the tuples are slices of the two.
	out.values = grow(out.values[:0], values)
	out.text = grow(out.text[:0], int(total))
	for i, o := range l.owners {
		if o < 0 {
			out.Attributes = append(out.Attributes, nil)
			continue
		}
		first := len(out.values)
		for j := range l.plan.Points[o].Attributes {
			text, err := l.value(mem, i, j)
			if err != nil {
				return err
			}
			if len(text) == 0 {
				out.values = append(out.values, nil)
				continue
			}
			at := len(out.text)
			out.text = append(out.text, text...)
			out.values = append(out.values, out.text[at:len(out.text):len(out.text)])
		}
		out.Attributes = append(out.Attributes, out.values[first:len(out.values):len(out.values)])
	}
	return nil
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, 0, n)
	}
	return s
}

var errNotUTF8 = errors.New("its text is not UTF-8")

func (l *Layout) value(mem []byte, tuple, j int) ([]byte, error) {
	v := mem[l.tuples+ValueSize*(l.width*tuple+j):][:ValueSize]
	at, n := uint64(binary.LittleEndian.Uint32(v[VAt:])), uint64(binary.LittleEndian.Uint32(v[VLen:]))
	if n == 0 {
		return nil, nil
	}
	if at+n > uint64(len(mem)) {
		return nil, fmt.Errorf("its text at %d with %d bytes is outside of the batch of %d bytes", at, n, len(mem))
	}
	text := mem[at : at+n]
	if !utf8.Valid(text) {
		return nil, errNotUTF8
	}
	return text, nil
}

// Needed reads what the guest says it needs, after it returned TooSmall, and
// returns the capacity to call it again with: at least double where it was too
// small, and never beyond what the rows may have. An error is a breach.
func (l *Layout) Needed(mem []byte) (Capacity, error) {
	if l.kind != Extract {
		return Capacity{}, fmt.Errorf("says that an output is too small, which a plugin of the kind %s never has", l.kind)
	}
	if len(mem) < l.size {
		return Capacity{}, fmt.Errorf("memory shrank: %d bytes of a batch of %d", len(mem), l.size)
	}
	measurements, tuples, text := l.counts(mem)
	most := MostCapacity(l.rows)
	next := l.caps
	grew := false
	for _, c := range []struct {
		what   string
		needed uint64
		have   *int
		most   int
	}{
		{"measurements", measurements, &next.Measurements, most.Measurements},
		{"tuples", tuples, &next.Tuples, most.Tuples},
		{"bytes of text", text, &next.Text, most.Text},
	} {
		if c.needed > uint64(c.most) {
			return Capacity{}, fmt.Errorf("needs %d %s for a batch of %d rows, at most %d are allowed", c.needed, c.what, l.rows, c.most)
		}
		if c.needed > uint64(*c.have) {
			*c.have = max(int(c.needed), min(2**c.have, c.most))
			grew = true
		}
	}
	if !grew {
		return Capacity{}, errors.New("says that an output is too small, but no count is beyond its capacity")
	}
	return next, nil
}

// MostCapacity is the largest capacity that a batch of that many rows may need.
func MostCapacity(rows int) Capacity {
	return Capacity{
		Measurements: MaxMeasurementsPerRow * rows,
		Tuples:       MaxTuples,
		Text:         MaxTextBytes,
	}
}
