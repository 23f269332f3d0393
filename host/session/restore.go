package session

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/host/session/table"
)

// Restore makes the partition of an image, under the generation that was in
// force. configs gives the generations that the image names; its errors are
// handed on. Others are ErrImage, ErrImageVersion, or of reading.
func Restore(r io.Reader, route string, partition int32, configs func(generation uint64) (*Config, error)) (*Partition, error) {
	p, err := restore(r, configs)
	if err == nil && (p.route != route || p.partition != partition) {
		err = fmt.Errorf("%w: it is of route %s partition %d, not of %s %d", ErrImage, p.route, p.partition, route, partition)
	}
	if err != nil {
		if p != nil {
			_ = p.Close()
		}
		return nil, err
	}
	return p, nil
}

func restore(r io.Reader, configs func(generation uint64) (*Config, error)) (*Partition, error) {
	p, blocks, err := openImage(r, configs)
	if err != nil {
		return nil, err
	}
	return p, blocks.entries(p, func(k *key, record []byte) error {
		if !p.table.Put(k.shard, k.at, record) {
			return fmt.Errorf("%w: a session stands in it twice", ErrImage)
		}
		p.hold(k)
		return nil
	})
}

// hold notes a key that was put into the table.
func (p *Partition) hold(k *key) {
	k.tenant.held++
	p.held++
	if k.expected {
		p.due.add(metric.MinuteOf(k.last+p.gap), k.at)
	}
}

// openImage makes a partition of the first block of an image.
func openImage(r io.Reader, configs func(generation uint64) (*Config, error)) (*Partition, *imageBlocks, error) {
	i := &imageBlocks{r: r}
	if err := i.head(); err != nil {
		return nil, nil, err
	}
	tables, err := i.next()
	if err != nil {
		return nil, nil, err
	}
	p, err := unpackTables(tables, configs)
	return p, i, err
}

// entries reads the other blocks of the image of p, and shows each key, unpacked
// but for its head, and its record.
func (i *imageBlocks) entries(p *Partition, show func(k *key, record []byte) error) error {
	k := &p.blank
	for {
		rest, err := i.next()
		if err != nil {
			return err
		}
		if len(rest) == 0 {
			return nil
		}
		for len(rest) > 0 {
			var at, record []byte
			var ok bool
			if at, record, rest, ok = table.CutEntry(rest); !ok || !p.check(k, at, record) {
				return fmt.Errorf("%w: a session in it is broken", ErrImage)
			}
			if err := show(k, record); err != nil {
				return err
			}
		}
	}
}

// check unpacks an entry that somebody else wrote into a key, and tells whether
// it is one that can be worked with.
func (p *Partition) check(k *key, at, record []byte) bool {
	u := unpacker{text: at}
	number := u.below(len(p.tenants))
	name, rest, _, length, ok := cutID(u.text)
	if u.bad || !ok || len(rest) > 0 || length == 0 && name[0]>>5 != formUUID {
		return false
	}
	k.clear()
	k.tenant, k.at, k.name, k.shard = p.tenants[number], at, name, shardOf(name)
	if !p.tryUnpack(k, record) {
		return false
	}
	for i := range k.tail {
		if b := &k.tail[i]; !b.sound() || !k.tenant.soundKept(b.kept) {
			return false
		}
	}
	return k.tenant.soundKept(k.keptBefore) && k.soundKeeping()
}

// soundKeeping tells whether what is kept is known where it must be.
func (k *key) soundKeeping() bool {
	if !k.tenant.keeps {
		return true
	}
	last := len(k.tail) - 1
	for last >= 0 && !k.tail[last].counted {
		last--
	}
	return last < 0 || k.tail[last].known || k.tail[last].view.sessions == nil
}

// sound tells whether a beacon fits the generation that it is of.
func (b *entry) sound() bool {
	w := b.view
	for _, a := range b.assigns {
		if x := w.trial(a.trial); x == nil || x.Compiled == nil {
			return false
		}
	}
	if c := b.closing; c != nil && (!c.view.closes || !c.view.soundMeasures(c.measures)) {
		return false
	}
	if !w.soundMeasures(b.measures) || w.sessions != nil && len(w.plan.cells) > 0 && !w.soundFields(b.fields) {
		return false
	}
	return w.soundDims(b.dims) && soundUnits(b.units, len(w.byUnit))
}

// soundMeasures tells whether measurements are of the view's extractor.
func (w *view) soundMeasures(measures []measure) bool {
	for i := range measures {
		m := &measures[i]
		if m.point < 0 || int(m.point) >= len(w.declared) {
			return false
		}
		values := 0
		for rest := m.attributes; len(rest) > 0; values++ {
			var ok bool
			if rest, ok = skipLimited(rest); !ok {
				return false
			}
		}
		if values != 0 && values != len(w.declared[m.point].Attributes) {
			return false
		}
	}
	return true
}

// soundDims tells whether a text is one of appendDims.
func (w *view) soundDims(dims []byte) bool {
	for range w.dimensions {
		var ok bool
		switch {
		case len(dims) == 0:
			return false
		case dims[0] == limited:
			dims, ok = skipLimited(dims[1:])
		case dims[0] == asIs:
			dims, ok = skipValue(dims[1:])
		}
		if !ok {
			return false
		}
	}
	return len(dims) == 0
}

// soundUnits tells whether a text is that of the units of a shape: none or all.
func soundUnits(units []byte, n int) bool {
	ok := true
	for i := 0; ok && len(units) > 0; i++ {
		if units, ok = skipValue(units); i >= n {
			return false
		}
	}
	return ok
}

// skipValue takes what appendValue appended off, and tells whether it is there.
func skipValue(text []byte) (rest []byte, ok bool) {
	n, size := binary.Uvarint(text)
	if size <= 0 || n > uint64(len(text)-size) {
		return nil, false
	}
	return text[size+int(n):], true
}

// skipLimited does so with what appendLimited appended.
func skipLimited(text []byte) (rest []byte, ok bool) {
	if n, size := binary.Uvarint(text); size > 0 && n > MaxValueBytes {
		return text[size:], true
	}
	return skipValue(text)
}
