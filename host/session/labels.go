package session

import (
	"encoding/binary"
	"slices"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// valueSet are the distinct values that a dimension or attribute has shown in
// this partition, up to a limit. What it once said of a value stays so: it
// never lets go, and once full it takes no more.
type valueSet struct {
	values  map[string]string
	limit   int
	refused *bool // set with the first value that it refuses, being full
}

// MaxValueBytes bounds the value of a dimension or attribute, so that a series
// always fits a frame of the metrics topic. A longer one is beyond the limit.
const MaxValueBytes = 4096

// admit gives the value's own text, or metric.OtherValue where it is too long
// or beyond the limit.
func (s *valueSet) admit(v []byte, long bool) (text string, ok bool) {
	if long {
		return metric.OtherValue, false
	}
	if text, ok = s.values[string(v)]; ok {
		return text, true
	}
	if string(v) == metric.OtherValue {
		return metric.OtherValue, true
	}
	if len(s.values) >= s.limit {
		*s.refused = true
		return metric.OtherValue, false
	}
	text = string(v)
	s.values[text] = text
	return text, true
}

func newValueSet(limit int, refused *bool) *valueSet {
	return &valueSet{values: map[string]string{}, limit: limit, refused: refused}
}

// dimset is one combination of dimension values and the figures booked under
// it.
type dimset struct {
	key    string
	labels []metric.Label
	blocks map[blockKey]*block
	swept  uint64 // number of the last sweep that found it in use
}

type blockKey struct{ trial, variant int32 }

// Dimension values of a beacon are kept as one text: for each dimension a mark,
// the length, the value. It is what it is of the beacon alone; whether a value
// is within the limit is asked only when a session begins with it.
const (
	asIs    = 0 // absent, default, or of the list
	limited = 1 // within the limit or beyond
)

// appendDims appends the dimension values of a row.
func (w *plan) appendDims(dst []byte, row *beacon.Row) []byte {
	for i := range w.dimensions {
		d := &w.dimensions[i]
		text := textOf(&row.Values[d.path])
		switch {
		case len(text) == 0:
			dst = appendValue(append(dst, asIs), d.def)
		case d.values == nil:
			dst = appendLimited(append(dst, limited), text)
		case d.values[string(text)]:
			dst = appendValue(append(dst, asIs), text)
		default:
			dst = appendValue(append(dst, asIs), metric.OtherValue)
		}
	}
	return dst
}

func appendValue[T string | []byte](dst []byte, v T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(v))), v...)
}

// cutValue takes one value off.
func cutValue(s []byte) (v, rest []byte) {
	n, size := binary.Uvarint(s)
	s = s[size:]
	return s[:n], s[n:]
}

// appendLimited is appendValue of a beacon's own value: of one that is too long
// only that it is.
func appendLimited(dst, v []byte) []byte {
	if len(v) > MaxValueBytes {
		return binary.AppendUvarint(dst, MaxValueBytes+1)
	}
	return appendValue(dst, v)
}

// cutLimited takes one value that appendLimited appended off.
func cutLimited(s []byte) (v, rest []byte, long bool) {
	n, size := binary.Uvarint(s)
	if s = s[size:]; n > MaxValueBytes {
		return nil, s, true
	}
	return s[:n], s[n:], false
}

// dimset finds the combination that a session beginning with these values has.
// over is called for each dimension whose value is beyond the limit.
func (t *tenant) dimset(dims string, over func(dimension string)) *dimset {
	t.text = append(t.text[:0], dims...)
	t.resolved = t.resolved[:0]
	for i, rest := 0, t.text; i < len(t.dimensions); i++ {
		mark := rest[0]
		var v []byte
		if mark == limited {
			var long bool
			v, rest, long = cutLimited(rest[1:])
			text, ok := t.admitted[i].admit(v, long)
			if !ok {
				over(t.dimensions[i].name)
			}
			t.resolved = appendValue(t.resolved, text)
			continue
		}
		v, rest = cutValue(rest[1:])
		t.resolved = appendValue(t.resolved, v)
	}
	if d := t.dimsets[string(t.resolved)]; d != nil {
		return d
	}
	d := &dimset{key: string(t.resolved), blocks: map[blockKey]*block{}}
	for i, rest := 0, t.resolved; i < len(t.dimensions); i++ {
		var v []byte
		if v, rest = cutValue(rest); len(v) > 0 {
			d.labels = append(d.labels, metric.Label{Name: t.dimensions[i].name, Value: string(v)})
		}
	}
	t.dimsets[d.key] = d
	return d
}

// tuple is a point with the values of its attributes.
type tuple struct {
	point  int32
	labels []metric.Label // sorted by name
}

// appendAttributes appends the values of a measurement's attributes, in the
// order in which its point declares them, or nothing where none has a value.
func appendAttributes(dst []byte, values [][]byte) []byte {
	if !slices.ContainsFunc(values, func(v []byte) bool { return len(v) > 0 }) {
		return dst
	}
	for _, v := range values {
		dst = appendLimited(dst, v)
	}
	return dst
}

// tuple gives the number of a point with attributes. decl is the extractor's
// index of the point; over is called for each attribute whose value is beyond
// the limit.
func (t *tenant) tuple(decl int32, attributes string, over func(attribute string)) int32 {
	t.text = append(t.text[:0], attributes...)
	t.labels = t.labels[:0]
	for i, rest := 0, t.text; len(rest) > 0; i++ {
		var v []byte
		var long bool
		if v, rest, long = cutLimited(rest); len(v) == 0 && !long {
			continue
		}
		name := t.points[decl].Attributes[i]
		text, ok := t.attribute(decl, i).admit(v, long)
		if !ok {
			over(name)
		}
		t.labels = append(t.labels, metric.Label{Name: name, Value: text})
	}
	slices.SortFunc(t.labels, func(a, b metric.Label) int { return compareText(a.Name, b.Name) })
	point := t.numbers[decl]
	t.resolved = binary.AppendUvarint(t.resolved[:0], uint64(point))
	for _, l := range t.labels {
		t.resolved = appendValue(appendValue(t.resolved, l.Name), l.Value)
	}
	if n, ok := t.tupleOf[string(t.resolved)]; ok {
		return n
	}
	n := int32(len(t.names) + len(t.tuples))
	t.tuples = append(t.tuples, tuple{point, slices.Clone(t.labels)})
	t.tupleOf[string(t.resolved)] = n
	return n
}

// attribute gives the values of a point's attribute: one set, however many
// entries of the extractor declare it.
func (t *tenant) attribute(decl int32, i int) *valueSet {
	key := attributeKey{t.numbers[decl], t.points[decl].Attributes[i]}
	s := t.attributes[key]
	if s == nil {
		s = newValueSet(t.limit, t.refused)
		t.attributes[key] = s
	}
	return s
}

type attributeKey struct {
	point int32
	name  string
}
