package session

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// packTables appends all that a partition and its tenants know beside the keys.
func (p *Partition) packTables(dst []byte) []byte {
	dst = appendValue(dst, p.route)
	dst = binary.AppendUvarint(dst, uint64(p.partition))
	dst = binary.AppendUvarint(dst, p.cfg.Generation)
	dst = binary.AppendVarint(dst, p.history)
	dst = binary.AppendUvarint(dst, uint64(p.gap))
	dst = binary.AppendUvarint(dst, uint64(p.lateness))
	dst = appendFlags(dst, p.refused, p.begun, p.cfg.OneSource)
	dst = binary.AppendVarint(dst, p.swept)
	dst = appendNames(dst, p.topics.names)
	dst = p.watermark.pack(dst)
	dst = binary.AppendUvarint(dst, uint64(len(p.tenants)))
	for _, t := range p.tenants {
		dst = t.pack(dst)
	}
	return dst
}

func appendFlags(dst []byte, flags ...bool) []byte {
	b := byte(0)
	for i, set := range flags {
		if set {
			b |= 1 << i
		}
	}
	return append(dst, b)
}

func appendNames(dst []byte, names []string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(names)))
	for _, name := range names {
		dst = appendValue(dst, name)
	}
	return dst
}

func (w *watermark) pack(dst []byte) []byte {
	dst = binary.AppendVarint(dst, w.value)
	dst = binary.AppendVarint(dst, w.oldest)
	if w.one() {
		dst = w.feeds[0].pack(dst)
	}
	dst = binary.AppendUvarint(dst, uint64(len(w.of)))
	for _, topic := range slices.Sorted(maps.Keys(w.of)) {
		dst = w.of[topic].pack(binary.AppendUvarint(dst, uint64(w.of[topic].number)))
	}
	return dst
}

// one tells whether all topics speak for one source partition.
func (w *watermark) one() bool { return len(w.feeds) > 0 && w.feeds[0].source == nil }

func (f *feed) pack(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(f.expected))
	dst = binary.AppendUvarint(dst, uint64(len(f.parts)))
	for i := range f.parts {
		s := &f.parts[i]
		dst = binary.AppendVarint(appendFlags(dst, s.spoken, s.idle, s.ended), s.value)
	}
	return dst
}

func (t *tenant) pack(dst []byte) []byte {
	dst = appendValue(dst, t.name)
	dst = appendFlags(dst, t.keeps)
	dst = appendNames(dst, t.cells.names)
	dst = appendNames(dst, t.points.names)
	dst = appendNames(dst, t.trials.names)
	for _, variants := range t.variants {
		dst = appendNames(dst, variants)
	}
	dst = appendNames(dst, t.dimensions.names)
	for _, s := range t.admitted {
		dst = s.pack(dst)
	}
	dst = binary.AppendUvarint(dst, uint64(len(t.attributes)))
	for key, s := range t.attributes {
		dst = s.pack(appendValue(binary.AppendUvarint(dst, uint64(key.point)), key.name))
	}
	dst = binary.AppendUvarint(dst, uint64(len(t.tuples)))
	for i := range t.tuples {
		dst = t.tuples[i].pack(dst)
	}
	dst = binary.AppendUvarint(dst, uint64(len(t.dimsetOf)))
	for _, d := range t.dimsetOf {
		if dst = appendFlags(dst, d != nil); d != nil {
			dst = appendValue(dst, d.key)
		}
	}
	dst = binary.AppendUvarint(dst, uint64(len(t.views)))
	for generation, w := range t.views {
		dst = binary.AppendVarint(binary.AppendUvarint(dst, generation), w.latest)
	}
	return dst
}

func (s *valueSet) pack(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s.values)))
	for text, v := range s.values {
		dst = binary.AppendUvarint(appendValue(dst, text), uint64(v.order))
	}
	return dst
}

func (y *tuple) pack(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(y.point))
	dst = binary.AppendUvarint(dst, uint64(len(y.labels)))
	for _, l := range y.labels {
		dst = appendValue(appendValue(dst, l.Name), l.Value)
	}
	return dst
}

// unpackTables makes a partition without keys of what packTables wrote, under
// the generation that was in force. It makes nothing sure of route and partition
// number.
func unpackTables(text []byte, configs func(generation uint64) (*Config, error)) (*Partition, error) {
	u := unpacker{text: text}
	route, partition := string(u.value()), int32(u.uvarint())
	cfg, err := configs(u.uvarint())
	if err != nil {
		return nil, err
	}
	p := newPartition(cfg, route, partition)
	p.history = u.varint()
	if gap, lateness := int64(u.uvarint()), int64(u.uvarint()); gap != p.gap || lateness != p.lateness {
		return nil, fmt.Errorf("%w: session.gap is %d ms and session.lateness %d ms in it, %d and %d in generation %d", ErrImage, gap, lateness, p.gap, p.lateness, cfg.Generation)
	}
	flags := u.byte()
	p.refused, p.begun = flags&1 != 0, flags&2 != 0
	if one := flags&4 != 0; one != cfg.OneSource {
		u.fail()
	}
	p.swept = u.varint()
	u.names(&p.topics)
	u.watermark(p)
	for range u.count(u.uvarint()) {
		if err := u.tenant(p, configs); err != nil {
			return nil, err
		}
	}
	if u.bad || len(u.text) > 0 {
		return nil, fmt.Errorf("%w: its tables are broken", ErrImage)
	}
	p.use(cfg)
	return p, nil
}

func (u *unpacker) names(n *numbering) {
	for range u.count(u.uvarint()) {
		before := len(n.names)
		if n.number(string(u.value())); len(n.names) == before {
			u.fail() // it stands there twice
		}
	}
}

func (u *unpacker) watermark(p *Partition) {
	w := p.watermark
	w.value, w.oldest = u.varint(), u.varint()
	if p.cfg.OneSource {
		w.feeds = []*feed{{}}
		u.feed(w.feeds[0])
	}
	for range u.count(u.uvarint()) {
		f := &feed{number: u.below(len(p.topics.names))}
		u.feed(f)
		if !u.bad {
			w.of[p.topics.names[f.number]] = f
		}
	}
}

func (u *unpacker) feed(f *feed) {
	f.expected = int32(u.uvarint())
	for range u.count(u.uvarint()) {
		flags := u.byte()
		s := sourcePart{spoken: flags&1 != 0, idle: flags&2 != 0, ended: flags&4 != 0, value: u.varint()}
		if f.parts = append(f.parts, s); !s.spoken {
			f.silent++
		}
	}
	if f.expected != 0 && int(f.expected) != len(f.parts) {
		u.fail()
	}
}

// tenant reads a tenant and adds it to the partition's. The error is one of
// configs, or says what does not fit a generation.
func (u *unpacker) tenant(p *Partition, configs func(generation uint64) (*Config, error)) error {
	t := p.addTenant(string(u.value()))
	t.points, t.trials, t.variants = numbering{}, numbering{}, nil
	t.keeps = u.byte() != 0
	u.names(&t.cells)
	u.names(&t.points)
	u.names(&t.trials)
	for range t.trials.names {
		var variants numbering
		u.names(&variants)
		t.variants = append(t.variants, variants.names)
	}
	if u.bad || len(t.points.names) <= int(crossoverPoint) || t.points.names[visitPoint] != metric.Visit ||
		len(t.trials.names) == 0 || t.trials.names[allTrial] != metric.AllExperiment || !slices.Equal(t.variants[allTrial], []string{metric.AllVariant}) {
		u.fail()
		return nil
	}
	u.names(&t.dimensions)
	for range t.dimensions.names {
		s := newValueSet(t.refused)
		u.valueSet(s)
		t.admitted = append(t.admitted, s)
	}
	for range u.count(u.uvarint()) {
		point := u.below(len(t.points.names))
		u.valueSet(t.attribute(point, string(u.value())))
	}
	for range u.count(u.uvarint()) {
		y := tuple{point: u.below(len(t.points.names))}
		for range u.count(u.uvarint()) {
			y.labels = append(y.labels, metric.Label{Name: string(u.value()), Value: string(u.value())})
		}
		t.addTuple(y)
	}
	u.dimsets(t)
	return u.views(t, configs)
}

func (u *unpacker) valueSet(s *valueSet) {
	for range u.count(u.uvarint()) {
		text := string(u.value())
		s.values[text] = value{text, int(u.uvarint())}
	}
}

func (u *unpacker) dimsets(t *tenant) {
	var unused []int32
	for i := range u.count(u.uvarint()) {
		if u.byte() == 0 {
			t.dimsetOf = append(t.dimsetOf, nil)
			unused = append(unused, int32(i))
			continue
		}
		key := u.value()
		for rest := (unpacker{text: key}); len(rest.text) > 0; {
			rest.below(len(t.dimensions.names))
			if rest.value(); rest.bad {
				u.fail()
				return
			}
		}
		t.newDimset(string(key))
	}
	t.unused = unused
}

// views reads the generations that beacons of a tenant's tails are of.
func (u *unpacker) views(t *tenant, configs func(generation uint64) (*Config, error)) error {
	for range u.count(u.uvarint()) {
		generation, latest := u.uvarint(), u.varint()
		if u.bad {
			return nil
		}
		if err := t.viewOf(generation, configs); err != nil {
			return err
		}
		t.views[generation].latest = latest
	}
	return nil
}

// viewOf sees to it that the tenant has a view of a generation.
func (t *tenant) viewOf(generation uint64, configs func(generation uint64) (*Config, error)) error {
	if t.views[generation] != nil {
		return nil
	}
	cfg, err := configs(generation)
	if err != nil {
		return err
	}
	if cfg.prepared == nil {
		panic("session: Config.Prepare was not called")
	}
	for _, plan := range cfg.prepared.tenants {
		if plan.name != t.name {
			continue
		}
		if err := t.fits(plan); err != nil {
			return fmt.Errorf("%w: %w", ErrImage, err)
		}
		t.views[generation] = t.see(plan)
		return nil
	}
	return fmt.Errorf("%w: generation %d has no tenant %s", ErrImage, generation, t.name)
}
