package session

import (
	"encoding/binary"
	"slices"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// A beacon of the tail is packed as a byte of flags; its time behind that of the
// one before; its id, without its first byte where that is the same as of the
// one before; where it comes from; its shape, unless it is that of the one
// before; its measurements.
const (
	sameShape  = 1 << iota
	sameSource // source topic and partition are those of the beacon before
	isCounted
	hasID
	sameForm
	oneMeasure // without attributes, and nothing rare
	hasMore    // measurements, or what is rare
	hasKept    // what only extractors that keep something with sessions need
)

const (
	sameAssigns = 1
	hasUnits    = 2
)

// plainValue, of a measurement's point, says that its value is 1.
const plainValue = 1

// packTail appends the tail of a key. What is as it was unpacked, behind what was
// before it then, is taken from there.
func (k *key) packTail(dst []byte) []byte {
	var before *entry
	behind := k.begins // where what was behind before begins
	for i := 0; i < len(k.tail); i++ {
		b := &k.tail[i]
		if k.begins == 0 || b.from != behind || b.to == 0 {
			dst = k.packEntry(dst, before, b)
			before, behind = b, b.to
			continue
		}
		from := b.from
		for i+1 < len(k.tail) && k.tail[i+1].from == k.tail[i].to {
			i++
		}
		before, behind = &k.tail[i], k.tail[i].to
		dst = append(dst, k.text[from:behind]...)
	}
	return dst
}

func (k *key) packEntry(dst []byte, before, b *entry) []byte {
	flags := byte(0)
	set := func(flag byte, is bool) {
		if is {
			flags |= flag
		}
	}
	set(sameShape, before != nil && (b.shape == before.shape || b.shape.equal(before.view, before.dims, before.units, before.assigns)))
	set(sameSource, before != nil && b.source == before.source && b.part == before.part)
	set(isCounted, b.counted)
	set(hasID, len(b.id) > 0)
	set(sameForm, before != nil && len(b.id) > 0 && len(before.id) > 0 && b.id[0] == before.id[0] && b.id[0]&longLength != longLength)
	set(oneMeasure, b.rare == nil && len(b.measures) == 1 && len(b.measures[0].attributes) == 0)
	set(hasMore, flags&oneMeasure == 0 && (b.rare != nil || len(b.measures) > 0))
	set(hasKept, b.known || b.fields != nil || b.closing != nil)
	dst = append(dst, flags)
	if before != nil {
		dst = binary.AppendUvarint(dst, uint64(b.time-before.time))
	}
	if flags&sameForm != 0 {
		dst = append(dst, b.id[1:]...)
	} else {
		dst = append(dst, b.id...)
	}
	if flags&sameSource != 0 {
		dst = binary.AppendVarint(dst, b.offset-before.offset)
	} else {
		dst = binary.AppendUvarint(dst, uint64(b.source))
		dst = binary.AppendUvarint(dst, uint64(b.part))
		dst = binary.AppendUvarint(dst, uint64(b.offset))
	}
	if flags&sameShape == 0 {
		dst = k.packShape(dst, b.shape)
	}
	switch {
	case flags&hasMore != 0:
		dst = b.packMore(dst)
	case flags&oneMeasure == 0:
	case b.measures[0].value == metric.Micro:
		dst = binary.AppendUvarint(dst, uint64(b.measures[0].point)<<1|plainValue)
	default:
		dst = binary.AppendVarint(binary.AppendUvarint(dst, uint64(b.measures[0].point)<<1), b.measures[0].value)
	}
	if flags&hasKept != 0 {
		dst = b.packKept(dst)
	}
	return dst
}

// packKept appends the fields; what is kept with the session after the beacon, its
// length + 1, 0 where that is not known; and what was measured of the session
// before: the generation + 1, 0 where there is nothing.
func (b *entry) packKept(dst []byte) []byte {
	dst = appendValue(dst, b.fields)
	if b.known {
		dst = append(binary.AppendUvarint(dst, uint64(len(b.kept))+1), b.kept...)
	} else {
		dst = append(dst, 0)
	}
	c := b.closing
	if c == nil {
		return append(dst, 0)
	}
	dst = packMeasures(appendView(dst, c.view), c.measures)
	dst = binary.AppendUvarint(dst, uint64(c.bad))
	return packTrap(dst, c.trap)
}

// packShape appends a shape: its generation, the length of its dimensions << 2
// | whether it has units << 1 | whether its assignments are just those of the
// session before the tail; the dimensions, the units, and the assignments if
// they are others.
func (k *key) packShape(dst []byte, s *shape) []byte {
	same := len(s.assigns) == len(k.enrolled)
	for i := 0; same && i < len(s.assigns); i++ {
		same = slices.Contains(k.enrolled, s.assigns[i])
	}
	dst = binary.AppendUvarint(dst, s.view.generation)
	head := uint64(len(s.dims)) << 2
	if same {
		head |= sameAssigns
	}
	if len(s.units) > 0 {
		head |= hasUnits
	}
	dst = append(binary.AppendUvarint(dst, head), s.dims...)
	if len(s.units) > 0 {
		dst = appendValue(dst, s.units)
	}
	if same {
		return dst
	}
	dst = binary.AppendUvarint(dst, uint64(len(s.assigns)))
	for _, a := range s.assigns {
		dst = binary.AppendUvarint(dst, uint64(a.trial))
		dst = binary.AppendUvarint(dst, uint64(a.variant))
	}
	return dst
}

// packMore appends any measurements and what is rare: values that are no
// number, unknown variants, the name of a long id, the plugin that broke.
func (b *entry) packMore(dst []byte) []byte {
	dst = packMeasures(dst, b.measures)
	r := b.rare
	if r == nil {
		return append(dst, 0)
	}
	dst = append(dst, 1)
	dst = binary.AppendUvarint(dst, uint64(r.bad))
	dst = binary.AppendUvarint(dst, uint64(r.unknown))
	dst = appendValue(dst, r.name)
	return packTrap(dst, r.trap)
}

func packMeasures(dst []byte, measures []measure) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(measures)))
	for i := range measures {
		m := &measures[i]
		dst = binary.AppendUvarint(dst, uint64(m.point))
		dst = binary.AppendVarint(dst, m.value)
		dst = appendValue(dst, m.attributes)
	}
	return dst
}

func packTrap(dst []byte, trap *beacon.Drop) []byte {
	if trap == nil {
		return append(dst, 0)
	}
	return appendValue(append(dst, 1), trap.Plugin)
}

// tail reads n beacons, the first at a time, into the tail of k, whose state
// before it has been read. The key's texts are those of u.
func (u *unpacker) tail(p *Partition, k *key, n int, first int64) {
	k.tail = slices.Grow(k.tail[:0], n+1)
	k.shapes = slices.Grow(k.shapes[:0], n) // entries point to its elements
	size := len(u.text)
	before := &noEntry
	time := first
	for i := range n {
		from := k.begins + uint32(size-len(u.text))
		flags := u.byte()
		if i == 0 && flags&(sameShape|sameSource|sameForm) != 0 {
			u.fail()
			return
		}
		if i > 0 {
			time += u.span()
		}
		b := entry{
			shape: before.shape, time: time, source: before.source, part: before.part, offset: before.offset,
			counted: flags&isCounted != 0, from: from,
		}
		if flags&hasID != 0 {
			b.id = u.entryID(k, before, flags)
		}
		if flags&sameSource != 0 {
			b.offset += u.varint()
		} else {
			b.source, b.part, b.offset = u.below(len(p.topics.names)), int32(u.uvarint()), int64(u.uvarint())
		}
		if flags&sameShape == 0 {
			b.shape = u.shape(k)
		}
		if flags&oneMeasure != 0 {
			at := len(k.measures)
			k.measures = append(k.measures, u.one())
			b.measures = k.measures[at : at+1 : at+1]
		} else if flags&hasMore != 0 {
			u.more(p, k, &b)
		}
		if flags&hasKept != 0 {
			u.keptWith(p, k, &b)
		}
		if u.bad {
			return
		}
		b.to = k.begins + uint32(size-len(u.text))
		k.tail = append(k.tail, b)
		before = &k.tail[i]
	}
}

var noEntry entry // before the first; it is not written to

func (u *unpacker) entryID(k *key, before *entry, flags byte) []byte {
	if flags&sameForm == 0 {
		return u.id()
	}
	if len(before.id) == 0 {
		u.fail()
		return nil
	}
	from := len(k.text)
	k.text = append(append(k.text, before.id[0]), u.take(packedBehind(before.id[0]))...)
	return k.text[from:len(k.text):len(k.text)]
}

func (u *unpacker) shape(k *key) *shape {
	generation := u.uvarint()
	head := u.uvarint()
	dims, units := u.take(u.count(head>>2)), []byte(nil)
	if head&hasUnits != 0 {
		units = u.value()
	}
	from := len(k.assigns)
	if head&sameAssigns != 0 {
		k.assigns = append(k.assigns, k.enrolled...)
	} else {
		for range u.count(u.uvarint()) {
			trial := u.below(len(k.tenant.variants))
			k.assigns = append(k.assigns, assign{trial, u.below(len(k.tenant.variants[trial]))})
		}
	}
	view := k.tenant.view // mostly
	if view == nil || view.generation != generation {
		view = k.tenant.views[generation]
	}
	if view == nil {
		u.fail()
	}
	if u.bad {
		return nil
	}
	k.shapes = append(k.shapes, shape{view: view, dims: dims, units: units, assigns: k.assigns[from:len(k.assigns):len(k.assigns)]})
	return &k.shapes[len(k.shapes)-1]
}

func (u *unpacker) one() (m measure) {
	head := u.uvarint()
	m.point, m.value = int32(head>>1), metric.Micro
	if head&plainValue == 0 {
		m.value = u.varint()
	}
	return m
}

func (u *unpacker) more(p *Partition, k *key, b *entry) {
	b.measures = u.measures(k)
	if u.byte() == 0 {
		return
	}
	b.rare = &rare{bad: int32(u.uvarint()), unknown: int32(u.uvarint()), name: u.value()}
	if len(b.rare.name) == 0 {
		b.rare.name = nil
	}
	b.rare.trap = u.trap(p)
}

func (u *unpacker) measures(k *key) []measure {
	from := len(k.measures)
	for range u.count(u.uvarint()) {
		m := measure{point: int32(u.uvarint()), value: u.varint()}
		m.attributes = u.value()
		k.measures = append(k.measures, m)
	}
	return k.measures[from:len(k.measures):len(k.measures)]
}

func (u *unpacker) trap(p *Partition) *beacon.Drop {
	if u.byte() == 0 {
		return nil
	}
	name := u.value()
	return &beacon.Drop{Plugin: p.plugins.get(name, func() string { return string(name) })}
}

// keptWith reads what packKept wrote.
func (u *unpacker) keptWith(p *Partition, k *key, b *entry) {
	b.fields = u.value()
	if n := u.uvarint(); n > 0 {
		b.kept, b.known = u.take(u.count(n-1)), true
	}
	if w := u.view(k.tenant); w != nil {
		b.closing = &closing{view: w, measures: u.measures(k), bad: int32(u.uvarint()), trap: u.trap(p)}
	}
}
