package session

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// Absorb takes over the keys of another partition of the route, of whose image r
// is, that keep says: with all that it knows of their labels, and what the
// source partitions have said to it. keep is given a session id or, in the place
// of a long one, one that is placed on partitions as it is. configs is as with
// Restore, and so are the errors; after one the partition is of no use.
//
// The watermark of each source partition is then the lowest that any of the
// absorbed partitions had heard; one that has not spoken to all has not spoken.
// The partition's own is the highest of theirs: it never falls for a session. A
// value that was within a limit in any of them is so here.
func (p *Partition) Absorb(r io.Reader, configs func(generation uint64) (*Config, error), keep func(session []byte) bool) error {
	from, blocks, err := openImage(r, configs)
	if err != nil {
		return err
	}
	defer from.Close()
	if from.route != p.route || from.cfg.OneSource != p.cfg.OneSource || from.gap != p.gap || from.lateness != p.lateness {
		return fmt.Errorf("%w: it is of route %s with gap %d ms and lateness %d ms, not of %s with %d and %d",
			ErrImage, from.route, from.gap, from.lateness, p.route, p.gap, p.lateness)
	}
	a := absorption{to: p, from: from}
	if err := a.tables(configs); err != nil {
		return err
	}
	var id []byte
	err = blocks.entries(from, func(k *key, _ []byte) error {
		if id = unpackID(id[:0], k.name); !keep(id) {
			return nil
		}
		return a.take(k)
	})
	if err != nil {
		return err
	}
	// What was refused there is noted in its beacons by now.
	for i, t := range from.tenants {
		a.tenants[i].unite(t)
	}
	p.absorbed = true
	return nil
}

// absorption turns the numbers of one partition into those of another.
type absorption struct {
	to, from *Partition
	topics   []int32
	tenants  []*mapped // by number
}

// mapped is a tenant's part of it.
type mapped struct {
	*tenant // absorbing
	points  []int32
	trials  []int32
	dims    []int32
	cells   []int32
	tuples  []int32
	dimsets []*dimset
}

// tables takes over what the other partition and its tenants know, but for which
// values are within a limit.
func (a *absorption) tables(configs func(generation uint64) (*Config, error)) error {
	p, from := a.to, a.from
	p.refused = p.refused || from.refused
	for _, topic := range from.topics.names {
		a.topics = append(a.topics, p.topics.number(topic))
	}
	p.rank()
	p.watermark.absorb(from.watermark, !p.absorbed)
	for _, t := range from.tenants {
		into := p.byName[t.name]
		if into == nil {
			into = p.addTenant(t.name)
		}
		m, err := into.follow(t, configs)
		if err != nil {
			return err
		}
		a.tenants = append(a.tenants, m)
	}
	return nil
}

// follow gives all that another partition's tenant has numbers for numbers here.
func (t *tenant) follow(o *tenant, configs func(generation uint64) (*Config, error)) (*mapped, error) {
	m := &mapped{tenant: t}
	for _, name := range o.points.names {
		m.points = append(m.points, t.points.number(name))
	}
	for i, id := range o.trials.names {
		n := t.trial(id, o.variants[i])
		if !slices.Equal(t.variants[n], o.variants[i]) {
			return nil, fmt.Errorf("%w: tenant %s: experiment %s: the variants are %q in it and %q here", ErrImage, t.name, id, o.variants[i], t.variants[n])
		}
		m.trials = append(m.trials, n)
	}
	t.keeps = t.keeps || o.keeps
	for _, name := range o.cells.names {
		m.cells = append(m.cells, t.cells.number(name))
	}
	for _, name := range o.dimensions.names {
		m.dims = append(m.dims, t.dimension(name))
	}
	for _, y := range o.tuples {
		y.point = m.points[y.point]
		n, ok := t.tupleOf[string(t.tupleKey(&y))]
		if !ok {
			n = t.addTuple(y)
		}
		m.tuples = append(m.tuples, n)
	}
	m.dimsets = make([]*dimset, len(o.dimsetOf))
	for generation, w := range o.views {
		if err := t.viewOf(generation, configs); err != nil {
			return nil, err
		}
		own := t.views[generation]
		own.latest, own.until = max(own.latest, w.latest), 0 // what comes has not been swept here
	}
	return m, nil
}

// unite takes over which values are within a limit.
func (m *mapped) unite(o *tenant) {
	for i, s := range o.admitted {
		m.admitted[m.dims[i]].unite(s)
	}
	for at, s := range o.attributes {
		m.attribute(m.points[at.point], at.name).unite(s)
	}
}

func (s *valueSet) unite(o *valueSet) {
	for text, v := range o.values {
		if own, ok := s.values[text]; ok {
			v.order = min(v.order, own.order)
		}
		s.values[text] = v
	}
}

// take takes over a key, whose head is the state before its tail.
func (a *absorption) take(k *key) error {
	p, m := a.to, a.tenants[k.tenant.number]
	k.tenant.notice(k)
	m.keep(k)
	k.begins = 0
	open := k.head.open
	if open {
		m.state(&k.head)
	}
	for i := range k.tail {
		k.tail[i].source = a.topics[k.tail[i].source]
	}
	for i := range k.shapes {
		s := &k.shapes[i]
		s.view = m.views[s.view.generation]
		for j := range s.assigns {
			s.assigns[j].trial = m.trials[s.assigns[j].trial]
		}
	}
	if open {
		k.packPrefix(&k.head, math.MinInt64)
	}
	p.open.at = append(binary.AppendUvarint(p.open.at[:0], uint64(m.number)), k.name...)
	p.record = k.pack(p.record[:0], k.last)
	if !p.table.Put(k.shard, p.open.at, p.record) {
		return fmt.Errorf("%w: a session of it is in another one too", ErrImage)
	}
	k.tenant, k.at = m.tenant, p.open.at
	p.hold(k)
	return nil
}

// keep turns the numbers of what is kept with a key's sessions.
func (m *mapped) keep(k *key) {
	turn := func(text []byte) []byte {
		if len(text) == 0 {
			return nil
		}
		var own kept
		(&unpacker{text: text}).kept(k.tenant, &own)
		for i := range own.cells {
			own.cells[i].number = m.cells[own.cells[i].number]
		}
		for i := range own.counts {
			own.counts[i].number = m.points[own.counts[i].number]
		}
		for _, values := range [...][]keptValue{own.cells, own.counts} {
			slices.SortFunc(values, func(a, b keptValue) int { return cmp.Compare(a.number, b.number) })
		}
		from := len(k.text)
		k.text = own.append(k.text)
		return k.text[from:len(k.text):len(k.text)]
	}
	if s := &k.head; s.open {
		s.kept = turn(s.kept)
		if s.closer != nil {
			s.closer = m.views[s.closer.generation]
		}
	}
	for i := range k.tail {
		b := &k.tail[i]
		b.kept = turn(b.kept)
		if c := b.closing; c != nil {
			c.view = m.views[c.view.generation]
		}
	}
}

// notice writes down in a key's beacons which of their values are beyond their
// limit in the partition that they came to: so they stay, also where there is
// room for them here.
func (t *tenant) notice(k *key) {
	for i := range k.shapes {
		s := &k.shapes[i]
		from := len(k.text)
		if k.text = s.view.appendNoticed(k.text, s.dims); len(k.text) > from {
			s.dims = k.text[from:len(k.text):len(k.text)]
		}
	}
	for i := range k.tail {
		b := &k.tail[i]
		t.noticeMeasures(k, b.view, b.measures)
		if c := b.closing; c != nil {
			t.noticeMeasures(k, c.view, c.measures)
		}
	}
}

func (t *tenant) noticeMeasures(k *key, w *view, measures []measure) {
	for i := range measures {
		m := &measures[i]
		from := len(k.text)
		if k.text = t.appendNoticed(k.text, w, m); len(k.text) > from {
			m.attributes = k.text[from:len(k.text):len(k.text)]
		}
	}
}

// appendNoticed appends the dimensions of a beacon if there are any; those
// beyond their limit as if they were too long.
func (w *view) appendNoticed(dst, dims []byte) []byte {
	for i := range w.dimensions {
		mark := dims[0]
		var v []byte
		if dst = append(dst, mark); mark != limited {
			v, dims = cutValue(dims[1:])
			dst = appendValue(dst, v)
			continue
		}
		var long bool
		v, dims, long = cutLimited(dims[1:])
		dst = w.values[i].appendNoticed(dst, v, long, w.dimensions[i].limit)
	}
	return dst
}

// appendNoticed does so with the attributes of a measurement.
func (t *tenant) appendNoticed(dst []byte, w *view, m *measure) []byte {
	for i, rest := 0, m.attributes; len(rest) > 0; i++ {
		var v []byte
		var long bool
		v, rest, long = cutLimited(rest)
		dst = t.attribute(w.points[m.point], w.declared[m.point].Attributes[i]).appendNoticed(dst, v, long, w.limit)
	}
	return dst
}

func (s *valueSet) appendNoticed(dst, v []byte, long bool, limit int) []byte {
	known, ok := s.values[string(v)]
	if !ok {
		known.order = len(s.values)
	}
	if long || known.order >= limit && len(v) > 0 && string(v) != metric.OtherValue {
		return binary.AppendUvarint(dst, MaxValueBytes+1)
	}
	return appendValue(dst, v)
}

// state turns the numbers of a state.
func (m *mapped) state(s *state) {
	s.dims = m.dimset(s.dims)
	for i := range s.tries {
		s.tries[i].trial = m.trials[s.tries[i].trial]
	}
	slices.SortFunc(s.tries, func(a, b enrolment) int { return cmp.Compare(a.trial, b.trial) })
	for i := range s.epochs {
		tallies := s.epochs[i].tallies
		for j := range tallies {
			if point := tallies[j].point; point < 0 {
				tallies[j].point = m.tuples[^point]
			} else {
				tallies[j].point = m.points[point]
			}
		}
		slices.SortFunc(tallies, func(a, b tally) int { return cmp.Compare(a.point, b.point) })
	}
}

// dimset is the same combination here.
func (m *mapped) dimset(d *dimset) *dimset {
	if here := m.dimsets[d.number]; here != nil {
		return here
	}
	var key []byte
	for rest := []byte(d.key); len(rest) > 0; {
		number, size := binary.Uvarint(rest)
		var v []byte
		v, rest = cutValue(rest[size:])
		key = appendValue(binary.AppendUvarint(key, uint64(m.dims[number])), v)
	}
	here := m.tenant.dimsets[string(key)]
	if here == nil {
		here = m.newDimset(string(key))
	}
	m.dimsets[d.number] = here
	return here
}
