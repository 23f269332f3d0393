package session

import (
	"encoding/binary"
	"slices"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// valueSet are the distinct values that a dimension or attribute has shown in
// this partition, up to a limit, which is the generation's. What it once said
// of a value under a limit stays so: it never lets go, and takes more only at
// the end, beyond what has been full.
type valueSet struct {
	values  map[string]value
	refused *bool // set with the first value that it refuses, being full
}

// value is one of a set.
type value struct {
	text  string
	order int // of admission, from 0
}

// MaxValueBytes bounds the value of a dimension or attribute, so that a series
// always fits a frame of the metrics topic. A longer one is beyond the limit.
const MaxValueBytes = 4096

// admit gives the value's own text, or metric.OtherValue where it is too long
// or beyond the limit.
func (s *valueSet) admit(v []byte, long bool, limit int) (text string, ok bool) {
	if long {
		return metric.OtherValue, false
	}
	if string(v) == metric.OtherValue {
		return metric.OtherValue, true
	}
	known, ok := s.values[string(v)]
	if !ok && len(s.values) < limit {
		known = value{string(v), len(s.values)}
		s.values[known.text] = known
		return known.text, true
	}
	if !ok || known.order >= limit {
		*s.refused = true
		return metric.OtherValue, false
	}
	return known.text, true
}

func newValueSet(refused *bool) *valueSet {
	return &valueSet{values: map[string]value{}, refused: refused}
}

// dimset is one combination of dimension values and the figures booked under
// it.
type dimset struct {
	key    string // the number and the value of each dimension that has one, by name
	number int32  // what records call it; another's once it is let go
	labels []metric.Label
	blocks [][]*block // by trial and variant; nil: not booked under yet
	swept  uint64     // number of the last sweep that found it in use
}

// Dimension values of a beacon are kept as one text: for each dimension a mark,
// the length, the value. It is what it is of the beacon alone; whether a value
// is within the limit is asked only when a session begins with it.
const (
	asIs    = 0 // absent, default, or of the list
	limited = 1 // within the limit or beyond
)

// appendDims appends the dimension values of a row, in the plan's order.
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
func (t *tenant) dimset(w *view, dims []byte, over func(dimension string)) *dimset {
	t.resolved = t.resolved[:0]
	for i, rest := 0, dims; i < len(w.dimensions); i++ {
		mark := rest[0]
		var v []byte
		if mark == limited {
			var long bool
			v, rest, long = cutLimited(rest[1:])
			text, ok := w.values[i].admit(v, long, w.dimensions[i].limit)
			if !ok {
				over(w.dimensions[i].name)
			}
			t.resolved = appendValue(binary.AppendUvarint(t.resolved, uint64(w.dims[i])), text)
			continue
		}
		if v, rest = cutValue(rest[1:]); len(v) > 0 {
			t.resolved = appendValue(binary.AppendUvarint(t.resolved, uint64(w.dims[i])), v)
		}
	}
	if d := t.dimsets[string(t.resolved)]; d != nil {
		return d
	}
	return t.newDimset(string(t.resolved))
}

// newDimset makes the combination of a key, which is not there yet.
func (t *tenant) newDimset(key string) *dimset {
	d := &dimset{key: key}
	for rest := []byte(key); len(rest) > 0; {
		number, size := binary.Uvarint(rest)
		var v []byte
		v, rest = cutValue(rest[size:])
		d.labels = append(d.labels, metric.Label{Name: t.dimensions.names[number], Value: string(v)})
	}
	if n := len(t.unused); n > 0 {
		d.number = t.unused[n-1]
		t.unused = t.unused[:n-1]
	} else {
		d.number = int32(len(t.dimsetOf))
		t.dimsetOf = append(t.dimsetOf, nil)
	}
	t.dimsetOf[d.number] = d
	t.dimsets[d.key] = d
	return d
}

// tuple is a point with the values of its attributes. Where points are asked
// for by number, ^i is the tenant's i-th tuple.
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

// tuple gives the number, below 0, of a point with attributes. decl is the
// extractor's index of the point; over is called for each attribute whose value
// is beyond the limit.
func (t *tenant) tuple(w *view, decl int32, attributes []byte, over func(attribute string)) int32 {
	t.labels = t.labels[:0]
	for i, rest := 0, attributes; len(rest) > 0; i++ {
		var v []byte
		var long bool
		if v, rest, long = cutLimited(rest); len(v) == 0 && !long {
			continue
		}
		name := w.declared[decl].Attributes[i]
		text, ok := t.attribute(w.points[decl], name).admit(v, long, w.limit)
		if !ok {
			over(name)
		}
		t.labels = append(t.labels, metric.Label{Name: name, Value: text})
	}
	slices.SortFunc(t.labels, func(a, b metric.Label) int { return compareText(a.Name, b.Name) })
	y := tuple{w.points[decl], t.labels}
	if n, ok := t.tupleOf[string(t.tupleKey(&y))]; ok {
		return n
	}
	y.labels = slices.Clone(y.labels)
	return t.addTuple(y)
}

// addTuple gives a tuple, which has none, a number.
func (t *tenant) addTuple(y tuple) int32 {
	n := ^int32(len(t.tuples))
	t.tuples = append(t.tuples, y)
	t.tupleOf[string(t.tupleKey(&y))] = n
	return n
}

// tupleKey is what a tuple is found by, until the memory is used otherwise.
func (t *tenant) tupleKey(y *tuple) []byte {
	t.resolved = binary.AppendUvarint(t.resolved[:0], uint64(y.point))
	for _, l := range y.labels {
		t.resolved = appendValue(appendValue(t.resolved, l.Name), l.Value)
	}
	return t.resolved
}

// attribute gives the values of a point's attribute: one set, however many
// entries of the extractor declare it.
func (t *tenant) attribute(point int32, name string) *valueSet {
	key := attributeKey{point, name}
	s := t.attributes[key]
	if s == nil {
		s = newValueSet(t.refused)
		t.attributes[key] = s
	}
	return s
}

type attributeKey struct {
	point int32
	name  string
}
