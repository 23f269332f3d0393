package session

import (
	"context"
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
	// Of the prefix too: what is kept with the session, and the view of its last
	// beacon if that closes sessions.
	keptBefore []byte
	closer     *view
	expected   bool // the end of its session is noted, see dueKeys
	gone       bool // its session is closed

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

// add puts a beacon in its place, and gives it there. What that
// changes is booked at once where the beacon is the last of its key, else by
// catchUp: many out of order then cost the key's tail once together. When that is
// depends on the beacons alone, not on how much memory a key happens to have: the
// order of what is booked is then a function of the log, too.
func (p *Partition) add(ctx context.Context, k *key, b *entry, limit int64) (*entry, error) {
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
		return p.append(ctx, k, b)
	}
	k.behind = true
	b.pending = true
	k.tail = slices.Insert(k.tail, at, *b)
	last := k.judge(at, p.gap)
	e := &k.tail[at]
	if k.tenant.keeps && e.counted {
		return e, p.rework(ctx, k, at, last)
	}
	return e, nil
}

// append is add of a beacon that comes behind all others.
func (p *Partition) append(ctx context.Context, k *key, b *entry) (*entry, error) {
	k.tail = append(k.tail, *b)
	at := len(k.tail) - 1
	e := &k.tail[at]
	if k.tenant.keeps {
		if e.counted = !k.head.has(e, p.gap); e.counted {
			e.pending = true
			if err := p.rework(ctx, k, at, at); err != nil {
				return nil, err
			}
			e.pending = false
		}
	}
	e.counted = p.ledger.fold(k.tenant, k, &k.head, e, p.gap)
	return e, nil
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
		e := &k.tail[i]
		if e.pending {
			continue
		}
		now := e.outcome
		if e.was != nil {
			e.outcome, e.was = *e.was, nil
		}
		l.fold(k.tenant, k, before, e, p.gap)
		e.outcome = now
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
	n := k.settled(limit, p.gap)
	if n == 0 {
		return
	}
	if k.behind {
		p.catchUp(k)
	}
	p.foldTail(k, k.prefix(), n, limit)
}

// foldTail puts the first n beacons of the tail on top of s, which becomes the
// prefix. The others may lie before limit.
func (p *Partition) foldTail(k *key, s *state, n int, limit int64) {
	p.foldMuted(k, s, k.tail[:n])
	k.tail = slices.Delete(k.tail, 0, n)
	if len(k.tail) > 0 {
		limit = min(limit, k.tail[0].time)
	}
	k.packPrefix(s, limit-p.gap)
}
