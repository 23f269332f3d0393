package session

import (
	"cmp"
	"strings"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/beacon"
)

// entry is a beacon as far as figures need it, kept while it is within the
// lateness, so that it can be looked at again.
type entry struct {
	*shape
	time             int64
	id               string
	offset           int64
	source           int32 // number of the source topic
	part             int32
	count            int32   // of measurements
	counted, pending bool    // whether it is no duplicate; not folded into the head yet
	only             measure // the measurement where there is one
	rare             *rare
}

// shape is what the beacons of a session mostly have in common; they share it.
type shape struct {
	view    *view  // of the generation in force at the beacon's offset
	dims    string // see appendDims
	assigns []assign
	// units are the values of the view's units, appended by appendValue, where
	// any experiment of one does not run.
	units string
}

// assign is a known variant of an experiment that a beacon carries or its unit
// gives.
type assign struct{ trial, variant int32 } // by number

// measure is one measurement.
type measure struct {
	value      int64  // units of 1/metric.Micro
	point      int32  // index in the extractor's points
	attributes string // see appendAttributes
}

// rare is what few beacons have.
type rare struct {
	name    string       // of a long id; see nameOf
	more    []measure    // the measurements where there are several
	bad     int32        // values that are no number
	unknown int32        // assignments of an unknown variant
	trap    *beacon.Drop // the extractor broke on it
}

// name is what stands for the beacon's id among those of a session; see nameOf.
func (b *entry) name() string {
	if len(b.id) > maxName {
		return b.rare.name
	}
	return b.id
}

// measure gives the i-th measurement.
func (b *entry) measure(i int32) *measure {
	if b.count == 1 {
		return &b.only
	}
	return &b.rare.more[i]
}

// has tells whether there is a measurement of a point.
func (b *entry) has(point int32) bool {
	for i := range b.count {
		if b.view.points[b.measure(i).point] == point {
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
	if c := strings.Compare(b.id, o.id); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(ranks[b.source], ranks[o.source]), cmp.Compare(b.part, o.part), cmp.Compare(b.offset, o.offset))
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
