package session

// dueHeap orders keys by the limit (watermark minus lateness) beyond which
// something is to be done about them, earliest first.
type dueHeap []*key

func (h *dueHeap) push(k *key) {
	*h = append(*h, k)
	a := *h
	i := len(a) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if a[parent].due <= k.due {
			break
		}
		a[i] = a[parent]
		i = parent
	}
	a[i] = k
}

// fix puts the first key, whose due has grown, in its place.
func (h dueHeap) fix() {
	k, i := h[0], 0
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1].due < h[child].due {
			child++
		}
		if k.due <= h[child].due {
			break
		}
		h[i] = h[child]
		i = child
	}
	h[i] = k
}

// pop takes the first key off.
func (h *dueHeap) pop() {
	a := *h
	n := len(a) - 1
	a[0], a[n] = a[n], nil
	if *h = a[:n]; n > 0 {
		h.fix()
	}
}

// expire lets go of what no beacon at limit or later can touch any more: a
// key's tail once all of it is before limit, and the key once its session's
// last beacon lies more than the gap before limit. A key's due may lag behind
// its beacons; it is looked at again then.
func (p *Partition) expire(limit int64) {
	for len(p.due) > 0 && p.due[0].due < limit {
		k := p.due[0]
		if k.behind {
			p.catchUp(k)
		}
		if k.head.last+p.gap < limit {
			delete(k.tenant.keys, k.name)
			if len(k.tenant.keys) == 0 {
				k.tenant.shapes = shared[*shape]{}
			}
			p.held--
			p.due.pop()
			continue
		}
		if n := len(k.tail); n > 0 && k.tail[n-1].time < limit {
			k.tail, k.prefix = nil, nil
		}
		k.due = k.next(p.gap)
		p.due.fix()
	}
}

// next is when the key is to be looked at: past its last beacon the tail can
// go, past the gap behind it the key.
func (k *key) next(gap int64) int64 {
	if n := len(k.tail); n > 0 {
		return k.tail[n-1].time
	}
	return k.head.last + gap
}
