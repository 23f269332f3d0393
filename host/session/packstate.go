package session

import (
	"encoding/binary"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// An enrolment is packed as the distance of its trial's number to the one
// before; a byte of variant and flags; a byte of the epochs + 1, assigned in its
// lower half. What does not fit its bits follows as a varint.
const (
	variantBits  = 0x0f
	crossedFlag  = 0x10
	phaseFlag    = 0x20 // its phase is not the base
	epochBits    = 0x0f
	plainTallies = 1 // of a tally's hits: its sum is that of as many values 1
)

// packState appends a session's state, with what is kept with it, but for the time of its last beacon, and
// for ids before a time.
func packState(dst []byte, s *state, before int64) []byte {
	keeps := len(s.kept) > 0 || s.closer != nil
	length := uint64(s.last-s.since) << 1
	if keeps {
		length |= 1
	}
	dst = binary.AppendUvarint(dst, length)
	dst = binary.AppendUvarint(dst, uint64(s.dims.number))
	dst = packIDs(dst, &s.ids, s.last, s.ids.before(before))
	dst = binary.AppendUvarint(dst, uint64(len(s.epochs)))
	for i := range s.epochs {
		dst = packEpoch(dst, &s.epochs[i])
	}
	dst = binary.AppendUvarint(dst, uint64(len(s.tries)))
	next := int32(0)
	for i := range s.tries {
		e := &s.tries[i]
		dst = packEnrolment(binary.AppendUvarint(dst, uint64(e.trial-next)), e)
		next = e.trial + 1
	}
	if keeps {
		dst = appendValue(appendView(dst, s.closer), s.kept)
	}
	return dst
}

// appendView appends the generation of a view that may be nil: 0.
func appendView(dst []byte, w *view) []byte {
	if w == nil {
		return append(dst, 0)
	}
	return binary.AppendUvarint(dst, w.generation+1)
}

// view reads what appendView wrote.
func (u *unpacker) view(t *tenant) *view {
	n := u.uvarint()
	if n == 0 {
		return nil
	}
	w := t.views[n-1]
	if w == nil {
		u.fail()
	}
	return w
}

// packIDs appends the ids from the n-th on: each with the time since the one
// before, the first with that until last. The first byte of an id that is of
// the same form and length as the one before is left out.
func packIDs(dst []byte, ids *idSet, last int64, n int) []byte {
	list := ids.list[n:]
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	form, time := byte(0), int64(0)
	for i, at := range list {
		id := ids.id(at)
		delta := uint64(at.time - time)
		if i == 0 {
			delta = uint64(last - at.time)
		}
		time = at.time
		if i > 0 && id[0] == form && form&longLength != longLength {
			dst = append(binary.AppendUvarint(dst, delta<<1|1), id[1:]...)
			continue
		}
		dst = append(binary.AppendUvarint(dst, delta<<1), id...)
		form = id[0]
	}
	return dst
}

func packEpoch(dst []byte, e *epoch) []byte {
	if e.users == 0 {
		return append(dst, 0) // it is never looked at again
	}
	dst = binary.AppendUvarint(dst, uint64(len(e.tallies)))
	for i := range e.tallies {
		y := &e.tallies[i]
		if i == 0 {
			dst = binary.AppendVarint(dst, int64(y.point))
		} else {
			dst = binary.AppendUvarint(dst, uint64(int64(y.point)-int64(e.tallies[i-1].point)-1))
		}
		if y.x.Equal(metric.NewInt(y.hits).Mul(metric.NewInt(metric.Micro))) {
			dst = binary.AppendUvarint(dst, uint64(y.hits)<<1|plainTallies)
			continue
		}
		dst = y.x.Append(binary.AppendUvarint(dst, uint64(y.hits)<<1))
	}
	return dst
}

func packEnrolment(dst []byte, e *enrolment) []byte {
	flags := byte(min(e.variant, variantBits))
	if e.crossed {
		flags |= crossedFlag
	}
	if e.phase != base {
		flags |= phaseFlag
	}
	a, q := min(e.assigned+1, epochBits), min(e.qualified+1, epochBits)
	dst = append(dst, flags, byte(a|q<<4))
	for _, v := range [...]int32{e.variant, e.assigned + 1, e.qualified + 1} {
		if v >= 0x0f {
			dst = binary.AppendUvarint(dst, uint64(v))
		}
	}
	if e.phase != base {
		dst = binary.AppendVarint(dst, e.phase)
	}
	return dst
}

// state reads what packState wrote, into a state without anything, whose last
// beacon was at last.
func (u *unpacker) state(t *tenant, s *state, last int64) {
	s.open, s.last = true, last
	length := u.uvarint()
	if length>>1 > maxSpan {
		u.fail()
	}
	s.since = last - int64(length>>1)
	if n := u.uvarint(); n < uint64(len(t.dimsetOf)) {
		s.dims = t.dimsetOf[n]
	}
	if s.dims == nil {
		u.fail()
	}
	u.ids(&s.ids, last)
	for range u.count(u.uvarint()) {
		u.epoch(t, &s.epochs[s.newEpoch()])
	}
	next := 0
	for range u.count(u.uvarint()) {
		next += int(u.below(len(t.variants) - next))
		if u.bad {
			break
		}
		s.tries = append(s.tries, enrolment{trial: int32(next)})
		u.enrolment(t, s, &s.tries[len(s.tries)-1])
		next++
	}
	if length&1 != 0 {
		s.closer = u.view(t)
		s.kept = u.value()
	}
	if u.bad {
		s.clear()
	}
}

func (u *unpacker) ids(ids *idSet, last int64) {
	head := byte(formRaw) // of the id before
	time := last
	for i := range u.count(u.uvarint()) {
		delta := u.uvarint()
		if delta>>1 > maxSpan {
			u.fail()
		}
		if i == 0 {
			time -= int64(delta >> 1)
		} else {
			time += int64(delta >> 1)
		}
		if delta&1 == 0 {
			id := u.id()
			if u.bad {
				return
			}
			head = id[0]
			ids.append(id, time)
			continue
		}
		rest := u.take(packedBehind(head))
		if u.bad {
			return
		}
		from := uint32(len(ids.text))
		ids.text = append(append(ids.text, head), rest...)
		ids.list = append(ids.list, idAt{time, from, uint32(len(ids.text))})
	}
	if time > last {
		u.fail()
	}
}

func (u *unpacker) epoch(t *tenant, e *epoch) {
	n := u.count(u.uvarint())
	point := int64(0)
	for i := range n {
		if i == 0 {
			point = u.varint()
		} else {
			point += 1 + u.span()
		}
		if point < -int64(len(t.tuples)) || point >= int64(len(t.points.names)) {
			u.fail()
			return
		}
		y := tally{point: int32(point)}
		hits := u.uvarint()
		if y.hits = int64(hits >> 1); hits&plainTallies != 0 {
			y.x = metric.NewInt(y.hits).Mul(metric.NewInt(metric.Micro))
		} else {
			var ok bool
			if y.x, u.text, ok = metric.CutInt(u.text); !ok {
				u.fail()
				return
			}
		}
		e.tallies = append(e.tallies, y)
	}
}

func (u *unpacker) enrolment(t *tenant, s *state, e *enrolment) {
	flags, epochs := u.byte(), u.byte()
	values := [...]int32{int32(flags & variantBits), int32(epochs & epochBits), int32(epochs >> 4)}
	for i, most := range [...]int{len(t.variants[e.trial]), len(s.epochs) + 1, len(s.epochs) + 1} {
		if values[i] == 0x0f {
			values[i] = u.below(most)
		} else if int(values[i]) >= most {
			u.fail()
			return
		}
	}
	e.variant, e.assigned, e.qualified = values[0], values[1]-1, values[2]-1
	e.crossed, e.phase = flags&crossedFlag != 0, base
	if flags&phaseFlag != 0 {
		e.phase = u.varint()
	}
	switch {
	case u.bad:
		return
	case e.assigned < 0:
		if e.qualified >= 0 {
			u.fail()
		}
		return
	case e.qualified < 0:
		s.pending++
	default:
		s.epochs[e.qualified].users++
	}
	s.epochs[e.assigned].users++
}
