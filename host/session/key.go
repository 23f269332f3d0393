package session

import (
	"slices"
	"sort"
)

// key is what is held of one (tenant, route, session).
//
// head is the state after all its beacons, but pending ones (see add). tail are the beacons that one out
// of order could still go before, duplicates too, for one that goes before can
// make them count; prefix is the state before tail. Beacons leave the tail for
// the prefix in passing, not the moment they could: that changes nothing that
// shows.
type key struct {
	tenant *tenant
	name   string // see nameOf
	head   state
	behind bool   // there are pending beacons in the tail
	prefix *state // nil: the state of no beacon; meaningless while tail is empty
	tail   []entry
	draws  draws
	due    int64 // see Partition.expire
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

// add puts a beacon in its place and tells whether it is counted. What that
// changes is booked at once where the beacon is the last of its key, else by
// catchUp: many out of order then cost the key's tail once together.
func (p *Partition) add(k *key, b *entry, limit int64) (counted bool) {
	if len(k.tail) == cap(k.tail) && len(k.tail) >= compactFrom {
		p.compact(k, limit)
	}
	if len(k.tail) == 0 && k.head.open {
		k.prefix = new(state)
		k.prefix.copyFrom(&k.head)
	}
	at := len(k.tail)
	if at > 0 && b.compare(&k.tail[at-1], p.ranks) < 0 {
		at = sort.Search(at, func(i int) bool { return b.compare(&k.tail[i], p.ranks) < 0 })
	}
	if at == len(k.tail) && !k.behind {
		b.counted = p.ledger.fold(k.tenant, k, &k.head, b, p.gap)
		k.tail = append(k.tail, *b)
		return b.counted
	}
	if !k.behind {
		k.behind = true
		p.behind = append(p.behind, k)
	}
	b.pending = true
	k.tail = slices.Insert(k.tail, at, *b)
	k.judge(at, p.gap)
	return k.tail[at].counted
}

// catchUp books what pending beacons change: what those behind the first of
// them booked is taken back, and all from there on are booked anew.
func (p *Partition) catchUp(k *key) {
	l, before, after := &p.ledger, &p.before, &p.after
	if k.prefix == nil {
		before.clear()
	} else {
		before.copyFrom(k.prefix)
	}
	at := slices.IndexFunc(k.tail, func(e entry) bool { return e.pending })
	mute := l.mute
	l.mute = true
	for i := range k.tail[:at] {
		l.fold(k.tenant, k, before, &k.tail[i], p.gap)
	}
	l.mute = mute
	after.copyFrom(before)
	l.back = true
	for i := at; i < len(k.tail); i++ {
		if !k.tail[i].pending {
			l.fold(k.tenant, k, before, &k.tail[i], p.gap)
		}
	}
	l.back = false
	for i := at; i < len(k.tail); i++ {
		k.tail[i].pending = false
		l.fold(k.tenant, k, after, &k.tail[i], p.gap)
	}
	k.head, p.after = p.after, k.head
	k.behind = false
}

// catchUpAll leaves no key behind.
func (p *Partition) catchUpAll() {
	for i, k := range p.behind {
		if k.behind {
			p.catchUp(k)
		}
		p.behind[i] = nil
	}
	p.behind = p.behind[:0]
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
	if k.behind {
		p.catchUp(k)
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
