package session

import (
	"bytes"
	"hash/maphash"
)

// idSet are the ids, packed, of a session's counted beacons that can still make
// another a duplicate. The zero value is empty.
type idSet struct {
	text  []byte // the ids one behind the other
	list  []idAt // by time
	index []uint32
	asked int // how often the list was looked through for want of an index
}

type idAt struct {
	time     int64
	from, to uint32 // in text
}

// indexFrom is the length from which looking through the list, more than a few
// times, costs more than an index: the place + 1 of each id's last time in the
// list, where its hash says or behind.
const indexFrom = 32

var idSeed = maphash.MakeSeed()

func (s *idSet) clear() {
	s.text, s.list, s.index, s.asked = s.text[:0], s.list[:0], s.index[:0], 0
}

func (s *idSet) id(at idAt) []byte { return s.text[at.from:at.to] }

// has tells whether a beacon at most gap before t has the id.
func (s *idSet) has(id []byte, t, gap int64) bool {
	if len(s.index) > 0 {
		i := s.index[s.slot(id)]
		return i > 0 && t-s.list[i-1].time <= gap
	}
	if len(s.list) > indexFrom {
		if s.asked++; s.asked > 2 {
			s.buildIndex()
			return s.has(id, t, gap)
		}
	}
	for i := len(s.list) - 1; i >= 0 && t-s.list[i].time <= gap; i-- {
		if bytes.Equal(s.id(s.list[i]), id) {
			return true
		}
	}
	return false
}

// add notes the id of a beacon at t, no earlier than those before.
func (s *idSet) add(id []byte, t, gap int64) {
	if n := len(s.list); n&(n-1) == 0 { // now and then, and not when memory happens to run out: see Partition.add
		s.prune(t - gap)
	}
	s.append(id, t)
	switch {
	case len(s.index) == 0:
	case 2*len(s.list) > len(s.index):
		s.buildIndex()
	default:
		s.index[s.slot(id)] = uint32(len(s.list))
	}
}

func (s *idSet) append(id []byte, t int64) {
	from := uint32(len(s.text))
	s.text = append(s.text, id...)
	s.list = append(s.list, idAt{t, from, uint32(len(s.text))})
}

// prune lets go of ids before a time where that is at least half of them, so
// that each is moved about once.
func (s *idSet) prune(before int64) {
	if n := s.before(before); n > 0 && n >= len(s.list)/2 {
		s.drop(n)
	}
}

// before is the number of ids before a time.
func (s *idSet) before(t int64) int {
	n := 0
	for n < len(s.list) && s.list[n].time < t {
		n++
	}
	return n
}

// drop lets go of the first n ids.
func (s *idSet) drop(n int) {
	if n == 0 {
		return
	}
	gone := s.list[n-1].to
	s.text = s.text[:copy(s.text, s.text[gone:])]
	s.list = s.list[:copy(s.list, s.list[n:])]
	for i := range s.list {
		s.list[i].from -= gone
		s.list[i].to -= gone
	}
	if len(s.index) > 0 {
		s.buildIndex()
	}
}

// slot is where an id is in the index, or would be.
func (s *idSet) slot(id []byte) int {
	for i := int(maphash.Bytes(idSeed, id)); ; i++ {
		i &= len(s.index) - 1
		if at := s.index[i]; at == 0 || bytes.Equal(s.id(s.list[at-1]), id) {
			return i
		}
	}
}

func (s *idSet) buildIndex() {
	size := 4 * indexFrom
	for size < 4*len(s.list) {
		size *= 2
	}
	if cap(s.index) < size {
		s.index = make([]uint32, size)
	}
	s.index = s.index[:size]
	clear(s.index)
	for i := range s.list {
		s.index[s.slot(s.id(s.list[i]))] = uint32(i + 1)
	}
}

func (s *idSet) copyFrom(o *idSet) {
	s.clear()
	s.text, s.list = append(s.text, o.text...), append(s.list, o.list...)
}
