package session

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// How much is decoded and extracted at once.
const (
	readRecords = 2048
	readBytes   = 4 << 20
)

// scratch is the memory of reading records: decoded and extracted together,
// before they are put into their sessions one by one.
type scratch struct {
	prepared *prepared
	batch    *beacon.Batch
	verdicts []verdict // by record
	rows     []rowRead // by row of the batch
	selected [][]int   // rows to extract, by tenant

	found      []found // measurements in the order in which they came
	sorted     []found // by row, of which rows say where
	attributes []byte  // of found
	text       []byte
	assigns    []assign
	units      []byte
	seen       []uint64 // by number of a trial: number of the last row that carried it
	row        uint64   // number of the row in hand
	emit       func(metric.Measurement)
	bad        func(int)
	fail       func(int, beacon.Drop)
}

// verdict is what is known of a record before it meets its session.
type verdict struct {
	watermark int64 // the partition's before the record, its header's word included
	row       int   // of a beacon
	cause     beacon.Cause
	feed      *feed // of its topic
	tenant    *tenant
}

// rowRead is what the extractor said of a row.
type rowRead struct {
	bad         int32
	count, from int32 // measurements: how many, from where in scratch.sorted
	trap        *beacon.Drop
}

type found struct {
	row int32
	measure
}

func newScratch(p *prepared) *scratch {
	s := &scratch{prepared: p, batch: beacon.NewBatch(p.fields), selected: make([][]int, len(p.tenants))}
	s.emit = s.onMeasurement
	s.bad = func(row int) { s.rows[row].bad++ }
	s.fail = func(row int, d beacon.Drop) { s.rows[row].trap = &d }
	return s
}

// reset lets go of everything that came from records.
func (s *scratch) reset() {
	s.batch.Reset()
	clear(s.verdicts)
	clear(s.rows)
	clear(s.found)
	clear(s.sorted)
	s.verdicts, s.rows, s.found, s.sorted, s.attributes = s.verdicts[:0], s.rows[:0], s.found[:0], s.sorted[:0], s.attributes[:0]
	for i := range s.selected {
		s.selected[i] = s.selected[i][:0]
	}
}

// read decodes the first records, follows the watermark along them, and has
// extractors look at those that are not late. It says how many it took.
func (s *scratch) read(ctx context.Context, p *Partition, records []Record) (n int, err error) {
	for size := 0; n < len(records) && n < readRecords && (n == 0 || size < readBytes); n++ {
		size += len(records[n].Value)
		if err := s.decode(p, &records[n]); err != nil {
			return 0, err
		}
	}
	for i, rows := range s.selected {
		extractor := s.prepared.tenants[i].extractor
		if len(rows) == 0 || extractor == nil {
			continue
		}
		if err := extractor.Extract(ctx, s.batch, rows, s.emit, s.bad, s.fail); err != nil {
			return 0, err
		}
	}
	s.sort()
	return n, nil
}

// decode reads one record and moves the watermark.
func (s *scratch) decode(p *Partition, r *Record) error {
	w := p.watermark
	if r.Mark != nil {
		w.mark(r.Mark)
		s.verdicts = append(s.verdicts, verdict{watermark: w.value})
		return nil
	}
	if r.End != nil {
		w.end(*r.End)
		s.verdicts = append(s.verdicts, verdict{watermark: w.value})
		return nil
	}
	feed, of, ok := w.feedOf(r.Header.Topic)
	if !ok {
		return p.unknownSource(r)
	}
	w.before(feed, &r.Header)
	v := verdict{watermark: w.value, feed: of}
	v.row, v.cause = s.batch.Add(of.source.projection, r.Value)
	if p.replays(r) {
		s.batch.SetAgain(v.row)
	}
	s.rows = append(s.rows, rowRead{})
	row := s.batch.Row(v.row)
	v.tenant = p.byName[string(row.Tenant)]
	if v.cause == "" {
		if row.HasTime { // also where its tenant has gone since: dispatch has routed it
			w.move(feed, r.Header.Partition, row.Time)
		}
		v.cause = incomplete(row, v.tenant)
	}
	if v.cause == "" && row.Time >= p.limit(v.watermark) && len(v.tenant.view.cellOf) == 0 { // others are looked at with their session
		order := v.tenant.order
		s.selected[order] = append(s.selected[order], v.row)
	}
	s.verdicts = append(s.verdicts, v)
	return nil
}

// incomplete says what a decoded beacon lacks. Dispatch routes none such; but
// the config may have changed since.
func incomplete(row *beacon.Row, t *tenant) beacon.Cause {
	switch {
	case len(row.Tenant) == 0:
		return beacon.NoTenant
	case t == nil || t.view == nil:
		return beacon.UnknownTenant
	case !row.HasTime:
		return beacon.NoTime
	case len(row.Session) == 0:
		return beacon.NoSession
	}
	return ""
}

// onMeasurement takes one measurement of an extractor.
func (s *scratch) onMeasurement(m metric.Measurement) {
	v, ok := metric.Micros(m.Value)
	if !ok {
		s.rows[m.Row].bad++
		return
	}
	f := found{row: int32(m.Row), measure: measure{value: v, point: int32(m.Point)}}
	if len(m.Attributes) > 0 {
		from := len(s.attributes)
		s.attributes = appendAttributes(s.attributes, m.Attributes)
		f.attributes = s.attributes[from:len(s.attributes):len(s.attributes)]
	}
	s.rows[m.Row].count++
	s.found = append(s.found, f)
}

// sort brings measurements together by row; those of a row stay in order.
func (s *scratch) sort() {
	from := int32(0)
	for i := range s.rows {
		s.rows[i].from = from
		from += s.rows[i].count
		s.rows[i].count = 0
	}
	if int(from) > cap(s.sorted) {
		s.sorted = make([]found, from)
	}
	s.sorted = s.sorted[:from]
	for _, f := range s.found {
		r := &s.rows[f.row]
		s.sorted[r.from+r.count] = f
		r.count++
	}
}

// entry makes of a row what its key keeps.
func (s *scratch) entry(p *Partition, k *key, v *verdict, row *beacon.Row, r *Record) entry {
	t := v.tenant
	b := entry{time: row.Time, offset: r.Header.Offset, source: v.feed.number, part: r.Header.Partition}
	if p.cfg.OneSource {
		b.part = 0
	}
	if len(row.ID) > 0 {
		b.id = k.keepID(row.ID)
	}
	last := &noShape // of the session's beacon before: mostly this one's too
	if n := len(k.tail); n > 0 && k.tail[n-1].view == t.view {
		last = k.tail[n-1].shape
	}
	if len(t.view.cellOf) > 0 {
		from := len(k.text)
		k.text = t.view.appendFields(k.text, row)
		b.fields = k.text[from:len(k.text):len(k.text)]
	}
	unknown := s.assign(t.view, row, last.assigns)
	s.text = t.view.appendDims(s.text[:0], row)
	b.shape = s.shape(t, last)
	read := &s.rows[v.row]
	if read.bad > 0 || unknown > 0 || read.trap != nil || len(row.ID) > maxName {
		b.rare = &rare{bad: read.bad, unknown: unknown, trap: read.trap}
		if len(row.ID) > maxName {
			b.rare.name = k.keepID(nameOf(row.ID))
		}
	}
	if read.trap != nil {
		return b // whatever it said before it broke
	}
	from := len(k.measures)
	for _, f := range s.sorted[read.from : read.from+read.count] {
		f.attributes = k.keep(f.attributes)
		k.measures = append(k.measures, f.measure)
	}
	b.measures = k.measures[from:len(k.measures):len(k.measures)]
	return b
}

var noShape shape // of no beacon; it is not written to

// shape finds or makes the shape of the row whose dimensions are in text,
// variants in assigns, and units in units: that of its session's last beacon, or
// of another session's.
func (s *scratch) shape(t *tenant, last *shape) *shape {
	if last.equal(t.view, s.text, s.units, s.assigns) {
		return last
	}
	dims := len(s.text)
	s.text = appendValue(s.text, s.units)
	for _, a := range s.assigns {
		s.text = binary.LittleEndian.AppendUint32(s.text, uint32(a.trial))
		s.text = binary.LittleEndian.AppendUint32(s.text, uint32(a.variant))
	}
	return t.shapes.get(s.text, func() *shape {
		return &shape{view: t.view, dims: bytes.Clone(s.text[:dims]), assigns: slices.Clone(s.assigns), units: bytes.Clone(s.units)}
	})
}

// assign gathers the variants that a row carries or its units give, one an
// experiment, and counts the unknown ones. guess are those of a beacon that
// probably carries the same: where it does, nothing is looked up.
func (s *scratch) assign(w *view, row *beacon.Row, guess []assign) (unknown int32) {
	s.assigns = s.assigns[:0]
	s.row++
	for len(s.seen) < len(w.trials) {
		s.seen = append(s.seen, 0)
	}
	for i := range row.Assignments {
		a := &row.Assignments[i]
		if n := len(s.assigns); n < len(guess) {
			g := guess[n]
			x := w.trials[g.trial]
			if x.ID() == string(a.Experiment) && x.Names()[g.variant] == string(a.Variant) && s.seen[x.number] != s.row && !x.Hash() {
				s.seen[x.number] = s.row
				s.assigns = append(s.assigns, g)
				continue
			}
		}
		x := w.carried[string(a.Experiment)]
		if x == nil {
			continue
		}
		variant, known := x.VariantIndex(a.Variant)
		switch {
		case !known:
			unknown++
		case s.seen[x.number] != s.row:
			s.seen[x.number] = s.row
			s.assigns = append(s.assigns, assign{x.number, int32(variant)})
		}
	}
	s.units = s.units[:0]
	all := true
	for i := range w.byUnit {
		u := &w.byUnit[i]
		unit, slot := textOf(&row.Values[u.unit]), u.at(row.Time)
		s.draw(w, slot, unit, row.Time)
		all = all && slot.all
		if len(unit) > maxName { // too long to be kept: what it gives is
			s.drawIdle(u, unit, row.Time)
			unit = nil
		}
		s.units = appendValue(s.units, unit)
	}
	if all {
		s.units = s.units[:0]
	}
	if len(row.Session) > maxName && len(w.drawn.trials) > 0 { // its key does not keep it
		s.draw(w, w.drawn.at(row.Time), row.Session, row.Time)
	}
	return unknown
}

// draw adds the variants that a unit gives in the experiments of a slot.
func (s *scratch) draw(w *view, slot *slot, unit []byte, t int64) {
	from := len(s.assigns)
	s.assigns = slot.candidates(s.assigns, unit)
	for i := from; i < len(s.assigns); i++ {
		a := &s.assigns[i]
		variant, _ := w.trials[a.trial].Variant(unit, t)
		a.variant = int32(variant)
	}
}

// drawIdle adds the variants that a unit gives in experiments that do not run.
func (s *scratch) drawIdle(u *unitSchedule, unit []byte, t int64) {
	for _, x := range u.trials {
		if x.running(t) {
			continue
		}
		if variant, ok := x.Assign(unit, t); ok {
			s.assigns = append(s.assigns, assign{x.number, int32(variant)})
		}
	}
}

// shared keeps one copy of values that many beacons have. The zero value is
// empty.
type shared[V any] struct {
	of   map[string]V
	size int // of the texts, in bytes
}

// How many values are kept, and bytes of their texts, before all are forgotten.
const (
	sharedValues = 4096
	sharedBytes  = 1 << 20
)

// get gives the value of a text, made where it is new.
func (s *shared[V]) get(text []byte, create func() V) V {
	if v, ok := s.of[string(text)]; ok {
		return v
	}
	if s.of == nil || len(s.of) >= sharedValues || s.size >= sharedBytes {
		s.of, s.size = map[string]V{}, 0
	}
	s.size += len(text)
	v := create()
	s.of[string(text)] = v
	return v
}
