package session

import (
	"slices"
	"sort"
)

// key is what is held of one (tenant, route, session), unpacked while a batch is
// at work on it.
//
// head is the state after all its beacons, but pending ones (see add). tail are
// the beacons that one out of order could still go before, duplicates too, for
// one that goes before can make them count; prefix is the state before tail.
// Beacons leave the tail for the prefix in passing, not the moment they could:
// that changes nothing that shows.
type key struct {
	tenant *tenant
	at     []byte // its key in the table
	name   []byte // packed, part of at; see nameOf
	shard  int    // of the table
	hash   uint64 // of at
	next   *key   // another open one of the same hash

	last   int64 // time of the session's last beacon, when it was unpacked
	head   state
	behind bool // there are pending beacons in the tail
	tail   []entry
	full   int // length of the tail at which add looks whether to fold some of it; 0: see compactFrom
	draws  draws

	packed   []byte   // the prefix, packed; empty: the state of no beacon
	base     int64    // of it, the time of its last beacon
	enrolled []assign // likewise, its enrolments but all_traffic
	begins   uint32   // where the tail begins in the text that was unpacked; 0: it must be packed anew
	before   state    // the prefix itself, once it was asked for
	unpacked bool     // it was

	// Memory for what the tail refers to.
	text     []byte
	measures []measure
	assigns  []assign
	shapes   []shape
	id       []byte // the name, unpacked; empty: not yet
}

// keep copies a text to the key's memory.
func (k *key) keep(text []byte) []byte {
	if len(text) == 0 {
		return nil
	}
	from := len(k.text)
	k.text = append(k.text, text...)
	return k.text[from:len(k.text):len(k.text)]
}

// keepID packs an id into the key's memory.
func (k *key) keepID(id []byte) []byte {
	from := len(k.text)
	k.text = packID(k.text, id)
	return k.text[from:len(k.text):len(k.text)]
}

// prefix is the state before the tail. It is to be looked at only.
func (k *key) prefix() *state {
	if !k.unpacked {
		k.unpackPrefix()
	}
	return &k.before
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
// catchUp: many out of order then cost the key's tail once together. When that is
// depends on the beacons alone, not on how much memory a key happens to have: the
// order of what is booked is then a function of the log, too.
func (p *Partition) add(k *key, b *entry, limit int64) (counted bool) {
	if len(k.tail) >= max(k.full, compactFrom) {
		if k.within(limit) <= len(k.tail)/2 {
			p.settle(k, limit)
		}
		k.full = 2 * len(k.tail)
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
	k.behind = true
	b.pending = true
	k.tail = slices.Insert(k.tail, at, *b)
	k.judge(at, p.gap)
	return k.tail[at].counted
}

// catchUp books what pending beacons change: what those behind the first of
// them booked is taken back, and all from there on are booked anew.
func (p *Partition) catchUp(k *key) {
	l, before, after := &p.ledger, &p.before, &p.after
	before.copyFrom(k.prefix())
	at := slices.IndexFunc(k.tail, func(e entry) bool { return e.pending })
	p.foldMuted(k, before, k.tail[:at])
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

// foldMuted puts beacons on top of a state without booking anything.
func (p *Partition) foldMuted(k *key, s *state, beacons []entry) {
	mute := p.ledger.mute
	p.ledger.mute = true
	for i := range beacons {
		p.ledger.fold(k.tenant, k, s, &beacons[i], p.gap)
	}
	p.ledger.mute = mute
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
	p.foldMuted(k, k.prefix(), k.tail[:n])
	k.packPrefix(&k.before, limit-p.gap)
	k.tail = slices.Delete(k.tail, 0, n)
}
