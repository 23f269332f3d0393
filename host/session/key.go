package session

import "slices"

// key is what is held of one (tenant, route, session).
//
// head is the state after all its beacons. tail are the beacons that one out
// of order could still go before, duplicates too, for one that goes before can
// make them count; prefix is the state before tail. Beacons leave the tail for
// the prefix in passing, not the moment they could: that changes nothing that
// shows.
type key struct {
	tenant *tenant
	name   string // the session id
	head   state
	prefix *state // nil: the state of no beacon; meaningless while tail is empty
	tail   []entry
	draws  []draw // by trial.draw; nil until needed
	due    int64  // see Partition.expire
}

// draw is the engine's own assignment of the key in one phase.
type draw struct {
	known   bool
	phase   int32
	variant int32 // -1: outside the buckets
}

// draw assigns the key's session id in the phase of t. It is remembered, being
// the same for every beacon of a phase; n is the number of trials drawn.
func (k *key) draw(x *trial, n int, t int64) (variant int32, ok bool) {
	if k.draws == nil {
		k.draws = make([]draw, n)
	}
	d := &k.draws[x.draw]
	if phase := x.phase(t); !d.known || d.phase != phase {
		*d = draw{known: true, phase: phase, variant: -1}
		if v, ok := x.Assign([]byte(k.name), t); ok {
			d.variant = int32(v)
		}
	}
	return d.variant, d.variant >= 0
}

// compactFrom is the length of a tail from which it is worth folding what is
// beyond the lateness.
const compactFrom = 16

// within is the number of the tail's beacons that are not before limit.
func (k *key) within(limit int64) int {
	lo, hi := 0, len(k.tail)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if k.tail[mid].time < limit {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return len(k.tail) - lo
}

// add puts a beacon in its place, books what that changes, and tells whether
// it is counted.
func (p *Partition) add(k *key, b *entry, limit int64) (counted bool) {
	if len(k.tail) == cap(k.tail) && len(k.tail) >= compactFrom {
		p.compact(k, limit)
	}
	if len(k.tail) == 0 && k.head.open {
		k.prefix = new(state)
		k.prefix.copyFrom(&k.head)
	}
	at := len(k.tail)
	for at > 0 && b.compare(&k.tail[at-1]) < 0 {
		at--
	}
	if at == len(k.tail) {
		counted = p.ledger.fold(k.tenant, k, &k.head, b, p.gap)
	} else {
		counted = p.again(k, b, at)
	}
	k.tail = slices.Insert(k.tail, at, *b)
	return counted
}

// again books a beacon that belongs before tail[at]: what the beacons from
// there on booked is taken back, and they are booked anew behind it.
func (p *Partition) again(k *key, b *entry, at int) (counted bool) {
	l, before, after := &p.ledger, &p.before, &p.after
	if k.prefix == nil {
		before.clear()
	} else {
		before.copyFrom(k.prefix)
	}
	mute := l.mute
	l.mute = true
	for i := range k.tail[:at] {
		l.fold(k.tenant, k, before, &k.tail[i], p.gap)
	}
	l.mute = mute
	after.copyFrom(before)
	l.back = true
	for i := at; i < len(k.tail); i++ {
		l.fold(k.tenant, k, before, &k.tail[i], p.gap)
	}
	l.back = false
	counted = l.fold(k.tenant, k, after, b, p.gap)
	for i := at; i < len(k.tail); i++ {
		l.fold(k.tenant, k, after, &k.tail[i], p.gap)
	}
	k.head, p.after = p.after, k.head
	return counted
}

// compact settles the tail if the beacons before limit are half of it.
func (p *Partition) compact(k *key, limit int64) {
	if k.within(limit) <= len(k.tail)/2 {
		p.settle(k, limit)
	}
}

// settle folds the beacons before limit into the prefix.
func (p *Partition) settle(k *key, limit int64) {
	n := len(k.tail) - k.within(limit)
	if n == 0 {
		return
	}
	if k.prefix == nil {
		k.prefix = new(state)
	}
	mute := p.ledger.mute
	p.ledger.mute = true
	for i := range k.tail[:n] {
		p.ledger.fold(k.tenant, k, k.prefix, &k.tail[i], p.gap)
	}
	p.ledger.mute = mute
	k.tail = slices.Delete(k.tail, 0, n)
}
