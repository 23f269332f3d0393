package session

import (
	"encoding/binary"
	"math"
)

// Keys that no batch is at work on lie packed in a table (see package table):
// text without pointers, as short as it can be. The table's key is the number
// of the tenant and the packed name, its value a record:
//
//	base    the time that others are counted from: of the last beacon of the
//	        session before the tail or, if there is none, of the tail's first
//	last    the time of the session's last beacon, behind base
//	head    the length of the tail << 2 | the end of its session is noted << 1 | open
//	first   the time of the tail's first beacon, behind base; if there is a tail
//	state   the session before the tail, if it is open: see packState
//	tail    see packTail
//
// All numbers are varints, those that may be below 0 zigzag. The head of a key
// is not packed: it follows from state and tail. Records name what the tenant
// has a number for by that.
const (
	packedOpen     = 1
	packedExpected = 2
	tailShift      = 2
)

// summary is what a record begins with.
type summary struct {
	base, last int64
	flags      byte
	tail       int
	first      int64 // of a tail that is not empty
}

func (m *summary) append(dst []byte) []byte {
	dst = binary.AppendVarint(dst, m.base)
	dst = binary.AppendUvarint(dst, uint64(m.last-m.base))
	dst = binary.AppendUvarint(dst, uint64(m.tail)<<tailShift|uint64(m.flags))
	if m.tail > 0 {
		dst = binary.AppendUvarint(dst, uint64(m.first-m.base))
	}
	return dst
}

func (u *unpacker) summary() (m summary) {
	if m.base = u.varint(); m.base > maxSpan || m.base < -maxSpan {
		u.fail()
	}
	m.last = m.base + u.span()
	head := u.uvarint()
	m.flags, m.tail = byte(head&(1<<tailShift-1)), u.count(head>>tailShift)
	if m.tail > 0 {
		m.first = m.base + u.span()
	}
	return m
}

// pack appends the record of a key without pending beacons, whose session's last
// beacon was at last.
func (k *key) pack(dst []byte, last int64) []byte {
	m := summary{base: k.base, last: last, flags: packedOpen, tail: len(k.tail)}
	if len(k.packed) == 0 {
		m.base, m.flags = k.tail[0].time, 0
	}
	if k.expected {
		m.flags |= packedExpected
	}
	if m.tail > 0 {
		m.first = k.tail[0].time
	}
	return k.packTail(append(m.append(dst), k.packed...))
}

// unpack reads a record into a blank key and folds beacons before limit into the
// prefix. The head is then the prefix; all the tail is to be put on top of it.
func (p *Partition) unpack(k *key, record []byte, limit int64) {
	if !p.tryUnpack(k, record) {
		panic("session: a record is broken")
	}
	if n := k.settled(limit, p.gap); n > 0 {
		p.foldTail(k, &k.head, n, limit)
	}
}

// tryUnpack reads a record into a blank key, the prefix as its head, and tells
// whether it is one.
func (p *Partition) tryUnpack(k *key, record []byte) bool {
	k.text = append(k.text, record...)
	u := unpacker{text: k.text}
	m := u.summary()
	if m.flags&packedOpen != 0 {
		text := u.text
		u.state(k.tenant, &k.head, m.base)
		k.base, k.packed = m.base, text[:len(text)-len(u.text)]
	}
	k.enrol(&k.head)
	k.keptBefore, k.closer, k.expected = k.head.kept, k.head.closer, m.flags&packedExpected != 0
	if len(k.text) <= math.MaxUint32 {
		k.begins = uint32(len(k.text) - len(u.text))
	}
	u.tail(p, k, m.tail, m.first)
	k.last = m.last
	return !u.bad && len(u.text) == 0 && (m.tail > 0 || m.flags&packedOpen != 0)
}

// packPrefix makes s the prefix, but for ids before a time.
func (k *key) packPrefix(s *state, before int64) {
	from := len(k.text)
	k.text = packState(k.text, s, before)
	k.base, k.packed = s.last, k.text[from:len(k.text):len(k.text)]
	k.keptBefore, k.closer = s.kept, s.closer
	if k.enrol(s) {
		k.begins = 0 // shapes are packed by them
	}
}

// enrol notes the enrolments of the prefix, and tells whether they are others
// than before.
func (k *key) enrol(s *state) (changed bool) {
	n := 0
	for i := range s.tries {
		e := &s.tries[i]
		if e.trial == allTrial {
			continue
		}
		a := assign{e.trial, e.variant}
		if n == len(k.enrolled) {
			k.enrolled, changed = append(k.enrolled, a), true
		} else if k.enrolled[n] != a {
			k.enrolled[n], changed = a, true
		}
		n++
	}
	changed = changed || n < len(k.enrolled)
	k.enrolled = k.enrolled[:n]
	return changed
}

// unpackPrefix reads the prefix.
func (k *key) unpackPrefix() {
	k.before.clear()
	if k.unpacked = true; len(k.packed) == 0 {
		return
	}
	u := unpacker{text: k.packed}
	if u.state(k.tenant, &k.before, k.base); u.bad {
		panic("session: a packed prefix is broken")
	}
}

// unpacker reads packed text. After what it cannot be it gives zeros, and is
// bad.
type unpacker struct {
	text []byte
	bad  bool
}

func (u *unpacker) fail() {
	u.bad, u.text = true, nil
}

func (u *unpacker) uvarint() uint64 {
	if len(u.text) > 0 && u.text[0] < 0x80 {
		v := u.text[0]
		u.text = u.text[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(u.text)
	if n <= 0 {
		u.fail()
		return 0
	}
	u.text = u.text[n:]
	return v
}

func (u *unpacker) varint() int64 {
	v := u.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

// maxSpan bounds times, and how far they are apart, ms: far beyond the year
// 9999, the last that beacons have, and far from what overflows.
const maxSpan = 1 << 53

// span is a time behind another.
func (u *unpacker) span() int64 {
	v := u.uvarint()
	if v > maxSpan {
		u.fail()
		return 0
	}
	return int64(v)
}

// below is a number from 0 to n-1.
func (u *unpacker) below(n int) int32 {
	v := u.uvarint()
	if v >= uint64(n) {
		u.fail()
		return 0
	}
	return int32(v)
}

// count is v, if as many things, of a byte at least, can still follow.
func (u *unpacker) count(v uint64) int {
	if v > uint64(len(u.text)) {
		u.fail()
		return 0
	}
	return int(v)
}

func (u *unpacker) byte() byte {
	if len(u.text) == 0 {
		u.fail()
		return 0
	}
	v := u.text[0]
	u.text = u.text[1:]
	return v
}

// take takes n bytes off.
func (u *unpacker) take(n int) []byte {
	if n < 0 || n > len(u.text) {
		u.fail()
		return nil
	}
	b := u.text[:n:n]
	u.text = u.text[n:]
	return b
}

// value takes a length and as many bytes off.
func (u *unpacker) value() []byte { return u.take(u.count(u.uvarint())) }

// id takes a packed id off.
func (u *unpacker) id() []byte {
	packed, rest, _, _, ok := cutID(u.text)
	if !ok {
		u.fail()
		return nil
	}
	u.text = rest
	return packed
}
