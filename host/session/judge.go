package session

import "bytes"

// judge says of the beacon put at a place of the tail whether it is counted,
// and of those behind it whether they still are. It also asks for the values
// that come to be booked by it: what is within a limit must hang on the order
// of arrival alone, not on when catchUp comes. It comes to what fold would say,
// without looking at anything but times and ids.
func (k *key) judge(at int, gap int64) {
	b := &k.tail[at]
	if b.counted = len(b.id) == 0 || !k.isCopy(at, gap); !b.counted {
		return
	}
	k.ask(b, k.isFirst(at, gap))
	if len(b.id) == 0 {
		return
	}
	// Up to the horizon one with the same id can be judged otherwise now.
	original, horizon, changed := b.time, b.time+gap, at
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
		return
	}
	// A duplicate bridges no gap: sessions may begin with others, up to the
	// first beacon counted behind the last change.
	for i := at + 1; i < len(k.tail); i++ {
		if e := &k.tail[i]; e.counted {
			k.ask(e, k.isFirst(i, gap))
			if i > changed {
				return
			}
		}
	}
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
	prefix := k.prefix()
	return !prefix.open || t-prefix.last > gap
}

// ask asks for the values that fold will ask for.
func (k *key) ask(b *entry, first bool) {
	none := func(string) {} // fold counts what is beyond
	if first {
		k.tenant.dimset(b.view, b.dims, none)
	}
	for i := range b.measures {
		if m := &b.measures[i]; len(m.attributes) > 0 {
			k.tenant.tuple(b.view, m.point, m.attributes, none)
		}
	}
}
