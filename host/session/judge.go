package session

import "bytes"

// judge says of the beacon put at a place of the tail whether it is counted,
// and of those behind it whether they still are. It also asks for the values
// that come to be booked by it: what is within a limit must hang on the order
// of arrival alone, not on when catchUp comes. It comes to what fold would say,
// without looking at anything but times and ids. It gives the last beacon that is
// counted otherwise than before, or at.
func (k *key) judge(at int, gap int64) (changed int) {
	b := &k.tail[at]
	if b.counted = len(b.id) == 0 || !k.isCopy(at, gap); !b.counted {
		return at
	}
	k.ask(b, k.isFirst(at, gap))
	if len(b.id) == 0 {
		return at
	}
	// Up to the horizon one with the same id can be judged otherwise now.
	original, horizon := b.time, b.time+gap
	changed = at
	for i := at + 1; i < len(k.tail) && k.tail[i].time <= horizon; i++ {
		e := &k.tail[i]
		if !bytes.Equal(e.id, b.id) {
			continue
		}
		counted := e.time-original > gap
		if counted && e.counted {
			break
		}
		if counted != e.counted {
			e.counted, changed, horizon = counted, i, e.time+gap
			e.from, e.to = 0, 0
		}
		if counted {
			original = e.time
		}
	}
	if changed == at {
		return at
	}
	// A duplicate bridges no gap: sessions may begin with others, up to the
	// first beacon counted behind the last change.
	for i := at + 1; i < len(k.tail); i++ {
		if e := &k.tail[i]; e.counted {
			k.ask(e, k.isFirst(i, gap))
			if i > changed {
				break
			}
		}
	}
	return changed
}

// isCopy tells whether a counted beacon before tail[at], at most the gap
// earlier, has the same id.
func (k *key) isCopy(at int, gap int64) bool {
	b := &k.tail[at]
	for i := at - 1; i >= 0 && b.time-k.tail[i].time <= gap; i-- {
		if e := &k.tail[i]; e.counted && bytes.Equal(e.id, b.id) {
			return true
		}
	}
	prefix := k.prefix()
	return prefix.open && prefix.ids.has(b.name(), b.time, gap)
}

// isFirst tells whether a session begins with tail[at], a counted beacon.
func (k *key) isFirst(at int, gap int64) bool {
	t := k.tail[at].time
	for i := at - 1; i >= 0; i-- {
		if e := &k.tail[i]; e.counted {
			return t-e.time > gap
		}
	}
	return len(k.packed) == 0 || t-k.base > gap
}

// ask asks for the values that fold will ask for.
func (k *key) ask(b *entry, first bool) {
	none := func(string) {} // fold counts what is beyond
	if first {
		k.tenant.dimset(b.view, b.dims, none)
	}
	k.askFor(b.view, b.measures)
}

// askFor asks for the values of measurements' attributes.
func (k *key) askFor(w *view, measures []measure) {
	for i := range measures {
		if m := &measures[i]; len(m.attributes) > 0 {
			k.tenant.tuple(w, m.point, m.attributes, func(string) {})
		}
	}
}
