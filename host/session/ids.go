package session

// idSet are the ids of a session's counted beacons that can still make another
// a duplicate. The zero value is empty.
type idSet struct {
	list  []idAt           // by time
	index map[string]int64 // id to its last time; only of a list beyond indexFrom
}

type idAt struct {
	id   string
	time int64
}

// indexFrom is the length from which looking through the list costs more than
// a map.
const indexFrom = 32

func (s *idSet) clear() {
	clear(s.list) // lets go of the texts
	s.list, s.index = s.list[:0], nil
}

// has tells whether a beacon at most gap before t has the id.
func (s *idSet) has(id string, t, gap int64) bool {
	if s.index != nil {
		at, ok := s.index[id]
		return ok && t-at <= gap
	}
	for i := len(s.list) - 1; i >= 0 && t-s.list[i].time <= gap; i-- {
		if s.list[i].id == id {
			return true
		}
	}
	return false
}

// add notes the id of a beacon at t, no earlier than those before.
func (s *idSet) add(id string, t, gap int64) {
	if len(s.list) == cap(s.list) {
		s.prune(t - gap)
	}
	s.list = append(s.list, idAt{id, t})
	switch {
	case s.index != nil:
		s.index[id] = t
	case len(s.list) > indexFrom:
		s.buildIndex()
	}
}

// prune lets go of ids before a time where that is at least half of them, so
// that each is moved about once.
func (s *idSet) prune(before int64) {
	n := 0
	for n < len(s.list) && s.list[n].time < before {
		n++
	}
	if n == 0 || n < len(s.list)/2 {
		return
	}
	for _, e := range s.list[:n] {
		if s.index[e.id] == e.time {
			delete(s.index, e.id)
		}
	}
	kept := copy(s.list, s.list[n:])
	clear(s.list[kept:])
	s.list = s.list[:kept]
}

func (s *idSet) buildIndex() {
	s.index = make(map[string]int64, 2*len(s.list))
	for _, e := range s.list {
		s.index[e.id] = e.time
	}
}

func (s *idSet) copyFrom(o *idSet) {
	if len(s.list) > len(o.list) {
		clear(s.list[len(o.list):])
	}
	s.list = append(s.list[:0], o.list...)
	if s.index = nil; o.index != nil {
		s.buildIndex()
	}
}
