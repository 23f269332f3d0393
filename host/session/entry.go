package session

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/beacon"
)

// entry is a beacon as far as figures need it, kept while it is within the
// lateness, so that it can be looked at again. Its texts lie in its key's
// memory.
type entry struct {
	*shape
	time             int64
	id               []byte // packed; empty: it has none
	offset           int64
	source           int32 // number of the source topic
	part             int32
	counted, pending bool // whether it is no duplicate; not folded into the head yet
	outcome
	was      *outcome // what is booked of it, if that is not its outcome any more
	fields   []byte   // what its extractor sees, if it keeps cells: see appendFields
	kept     []byte   // what is kept with the session after it, if that is known
	known    bool     // it is
	from, to uint32   // where it lies packed in its key's text; 0, 0: it does not
}

// outcome is what extractors say when they come to a beacon.
type outcome struct {
	measures []measure
	rare     *rare
	closing  *closing // of the session before the one that begins with it; nil: there is none
}

// closing is what the close function says of a session that has ended.
type closing struct {
	view     *view // of its last beacon
	measures []measure
	bad      int32
	trap     *beacon.Drop
}

// shape is what the beacons of a session mostly have in common; they share it.
type shape struct {
	view    *view  // of the generation in force at the beacon's offset
	dims    []byte // see appendDims
	assigns []assign
	// units are the values of the view's units, appended by appendValue, where
	// any experiment of one does not run.
	units []byte
}

func (s *shape) equal(w *view, dims, units []byte, assigns []assign) bool {
	return s.view == w && bytes.Equal(s.dims, dims) && bytes.Equal(s.units, units) && slices.Equal(s.assigns, assigns)
}

// assign is a known variant of an experiment that a beacon carries or its unit
// gives.
type assign struct{ trial, variant int32 } // by number

// measure is one measurement.
type measure struct {
	value      int64  // units of 1/metric.Micro
	point      int32  // index in the extractor's points
	attributes []byte // see appendAttributes
}

// rare is what few beacons have.
type rare struct {
	name    []byte       // of a long id, packed; see nameOf
	bad     int32        // values that are no number
	unknown int32        // assignments of an unknown variant
	trap    *beacon.Drop // the extractor broke on it
}

// name is what stands for the beacon's id among those of a session, packed; see
// nameOf.
func (b *entry) name() []byte {
	if b.rare != nil && b.rare.name != nil {
		return b.rare.name
	}
	return b.id
}

// has tells whether there is a measurement of a point.
func (b *entry) has(point int32) bool {
	for i := range b.measures {
		if b.view.points[b.measures[i].point] == point {
			return true
		}
	}
	return false
}

// compare is the order of a key's beacons; ranks is that of source topics, by
// number.
func (b *entry) compare(o *entry, ranks []int32) int {
	if c := cmp.Compare(b.time, o.time); c != 0 {
		return c
	}
	if !bytes.Equal(b.id, o.id) {
		return bytes.Compare(unpackAny(b.id), unpackAny(o.id))
	}
	return cmp.Or(cmp.Compare(ranks[b.source], ranks[o.source]), cmp.Compare(b.part, o.part), cmp.Compare(b.offset, o.offset))
}

// unpackAny is unpackID of an id that may be none.
func unpackAny(packed []byte) []byte {
	if len(packed) == 0 {
		return nil
	}
	return unpackID(nil, packed)
}

// textOf is the text of a value as far as it can name something; nil where
// there is none.
func textOf(v *beacon.Value) []byte {
	switch v.Kind {
	case abi.String, abi.Untyped, abi.Number, abi.True, abi.False:
		return v.Text
	}
	return nil
}
