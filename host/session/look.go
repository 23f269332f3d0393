package session

import (
	"context"
	"slices"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// looker is the memory of extractors that look at single sessions: at beacons
// together with the cells before them, or at a session that has ended.
type looker struct {
	sel      []int
	saw      []saw // by row
	measures []measure
	text     []byte // attributes of measures
	sessions abi.Sessions
	closed   abi.Closed
	emit     func(metric.Measurement)
	bad      func(int)
	fail     func(int, beacon.Drop)
	kept     kept     // with the session in hand
	rows     []int    // memory of rework
	entries  []*entry // likewise
}

// saw is what an extractor said of a row.
type saw struct {
	from, to int // in measures
	bad      int32
	trap     *beacon.Drop
}

func newLooker() *looker {
	l := &looker{}
	l.emit = l.onMeasurement
	l.bad = func(row int) { l.saw[row].bad++ }
	l.fail = func(row int, d beacon.Drop) { l.saw[row].trap = &d }
	return l
}

// reset makes room for what is said of n rows.
func (l *looker) reset(n int) {
	l.measures, l.text = l.measures[:0], l.text[:0]
	l.saw = slices.Grow(l.saw[:0], n)[:n]
	clear(l.saw)
	for len(l.sel) < n {
		l.sel = append(l.sel, len(l.sel))
	}
	l.sessions.Slots = slices.Grow(l.sessions.Slots[:0], n)[:n]
	clear(l.sessions.Slots)
}

// onMeasurement takes one measurement; those of a row come together.
func (l *looker) onMeasurement(m metric.Measurement) {
	s := &l.saw[m.Row]
	v, ok := metric.Micros(m.Value)
	if !ok {
		s.bad++
		return
	}
	if s.to == 0 {
		s.from = len(l.measures)
	}
	f := measure{value: v, point: int32(m.Point)}
	from := len(l.text)
	if l.text = appendAttributes(l.text, m.Attributes); len(l.text) > from {
		f.attributes = l.text[from:len(l.text):len(l.text)]
	}
	l.measures = append(l.measures, f)
	s.to = len(l.measures)
}

// slots are the values of some cells, for one session or more.
func (l *looker) slots(cells, sessions int) {
	c := l.sessions.Cells
	for len(c) < cells {
		c = append(c, nil)
	}
	c = c[:cells]
	for i := range c {
		c[i] = slices.Grow(c[i][:0], sessions)[:sessions]
	}
	l.sessions.Cells = c
}

// load puts what is kept with a session where the extractor of a view finds it,
// and store takes it back.
func (l *looker) load(w *view, m *kept, slot int) {
	for i, n := range w.cellOf {
		l.sessions.Cells[i][slot] = get(m.cells, n)
	}
}

func (l *looker) store(w *view, m *kept, slot int) {
	for i, n := range w.cellOf {
		put(&m.cells, n, l.sessions.Cells[i][slot])
	}
}

// extract has beacons of one session and one view looked at, which counts behind
// what is kept in l.kept: all but new, if that is one of them, again. What is said is
// in l.saw, by row.
func (l *looker) extract(ctx context.Context, w *view, rows []*entry, new *entry) error {
	l.reset(len(rows))
	if w.again == nil {
		w.again = beacon.NewBatch(w.fields)
	}
	w.again.Reset()
	for i, b := range rows {
		row := w.again.AddEmpty(b.time)
		if b != new {
			w.again.SetAgain(i)
		}
		row.Tenant = w.tenant
		b.restore(w, row)
	}
	l.slots(len(w.cellOf), 1)
	l.load(w, &l.kept, 0)
	err := w.sessions.ExtractSessions(ctx, w.again, l.sel[:len(rows)], &l.sessions, l.emit, l.bad, l.fail)
	if err == nil {
		l.store(w, &l.kept, 0)
	}
	return err
}

// endedSession is a session that has ended.
type endedSession struct {
	since, last int64
	kept        kept
}

// close has sessions measured by the close function of a view, maybe again. What is
// said is in l.saw, by row.
func (l *looker) close(ctx context.Context, w *view, all []endedSession, again bool) error {
	n := len(all)
	l.reset(n)
	l.slots(len(w.cellOf), n)
	c := &l.closed
	c.First, c.Last = c.First[:0], c.Last[:0]
	for len(c.Counts) < len(w.points) {
		c.Counts = append(c.Counts, nil)
	}
	c.Counts = c.Counts[:len(w.points)]
	for i := range c.Counts {
		c.Counts[i] = c.Counts[i][:0]
	}
	for row := range all {
		s := &all[row]
		c.First, c.Last = append(c.First, s.since), append(c.Last, s.last)
		for i, point := range w.points {
			c.Counts[i] = append(c.Counts[i], int64(get(s.kept.counts, point)))
		}
		l.sessions.Slots[row] = uint32(row)
		l.load(w, &s.kept, row)
	}
	c.Sessions, c.Tenant, c.Again = l.sessions, w.tenant, again
	return w.sessions.CloseSessions(ctx, c, l.emit, l.bad, l.fail)
}

// appendFields appends what the extractor of a view sees of a row, so that it can
// see it again: for each field its kind and text.
func (w *plan) appendFields(dst []byte, row *beacon.Row) []byte {
	for _, at := range w.fieldAt {
		v := &row.Values[at]
		dst = append(dst, byte(v.Kind))
		if v.Kind > abi.True {
			dst = appendValue(dst, v.Text)
		}
	}
	return dst
}

// restore fills a row with what appendFields appended.
func (b *entry) restore(w *view, row *beacon.Row) {
	rest := b.fields
	for i := range w.fieldAt {
		v := &row.Values[i]
		v.Kind, rest = abi.ValueKind(rest[0]), rest[1:]
		switch {
		case v.Kind > abi.True:
			v.Text, rest = cutValue(rest)
		case v.Kind == abi.True:
			v.Text = trueText
		case v.Kind == abi.False:
			v.Text = falseText
		}
	}
}

var trueText, falseText = []byte("true"), []byte("false")

// soundFields tells whether a text is one of appendFields.
func (w *plan) soundFields(text []byte) bool {
	for range w.fieldAt {
		if len(text) == 0 || text[0] > byte(abi.Object) {
			return false
		}
		kind := abi.ValueKind(text[0])
		if text = text[1:]; kind > abi.True {
			var ok bool
			if text, ok = skipValue(text); !ok {
				return false
			}
		}
	}
	return len(text) == 0
}
