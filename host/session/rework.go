package session

import (
	"bytes"
	"context"
	"slices"

	"github.com/seed-6a2d649b/pharos/host/beacon"
)

// An extractor with cells looks at a beacon when it comes: what it says hangs on
// the beacons before. Where one comes out of order, or another is counted now that
// was not, or no more, those behind it are looked at again. What is said then takes
// the place of what was said when catchUp books it.
//
// What is kept with the session after a beacon is noted with the beacon, so that
// looking again can begin there. Where several are looked at together it is known
// after the last of them only. A prefix ends where it is known.

// mostTogether bounds how many beacons are looked at again in one call.
const mostTogether = 64

// course is where a walk along a key's counted beacons has come to.
type course struct {
	open bool  // there was one
	last int64 // its time
	view *view // its own; nil: it stands in the prefix, and its extractor does not close sessions
}

// looker is the partition's, made where it is needed.
func (p *Partition) looker() *looker {
	if p.looks == nil {
		p.looks = newLooker()
	}
	return p.looks
}

// rework has tail[at] looked at, which is new, and those behind it as far as what
// is said of them can change. last is the last one that is counted otherwise than
// before, or at.
func (p *Partition) rework(ctx context.Context, k *key, at, last int) error {
	l := p.looker()
	from, text := k.resume(at, p.gap)
	(&unpacker{text: text}).kept(k.tenant, &l.kept)
	c := k.courseTo(from)
	settled := k.counted(last + 1) // up to here sessions may begin with others
	together := 1
	defer func() { p.open.grown = p.open.grown || k.large() }()
	for i := k.counted(from); i < len(k.tail); together = min(2*together, mostTogether) {
		closing, err := p.cut(ctx, k, i, &c, p.again || i != at)
		if err != nil {
			return err
		}
		rows := k.together(l.rows[:0], i, together, p.gap)
		l.rows = rows
		end := rows[len(rows)-1]
		kept, known := k.tail[end].kept, k.tail[end].known
		if err := p.look(ctx, k, rows, at, closing); err != nil {
			return err
		}
		e := &k.tail[end]
		c = course{true, e.time, e.view}
		if end >= settled && known && bytes.Equal(kept, e.kept) && !k.cutBehind(end, p.gap) {
			return nil
		}
		i = k.counted(end + 1)
	}
	return nil
}

// cut gives what is measured of the session that ends before tail[i], if one does,
// and begins the next. again tells whether it was measured before.
func (p *Partition) cut(ctx context.Context, k *key, i int, c *course, again bool) (*closing, error) {
	if !c.open || k.tail[i].time-c.last <= p.gap {
		return nil, nil
	}
	m := &p.looker().kept
	defer m.clear()
	if c.view == nil || !c.view.closes {
		return nil, nil
	}
	c.view.latest = max(c.view.latest, k.tail[i].time) // it is needed as long as this beacon
	all, err := p.measureEnds(ctx, c.view, []endedSession{{since: k.since(i, p.gap), last: c.last, kept: *m}}, again)
	if err != nil {
		return nil, err
	}
	return &all[0], nil
}

// look has rows of the tail looked at, of one session and one view, and notes what
// is said of those from at on, and what is then kept with the session. closing is
// what is said of the session before the first of them.
func (p *Partition) look(ctx context.Context, k *key, rows []int, at int, closing *closing) error {
	l := p.looker()
	w := k.tail[rows[0]].view
	cells := len(w.cellOf) > 0
	if cells {
		l.entries = l.entries[:0]
		for _, i := range rows {
			l.entries = append(l.entries, &k.tail[i])
		}
		new := &k.tail[at]
		if p.again {
			new = nil
		}
		if err := l.extract(ctx, w, l.entries, new); err != nil {
			return err
		}
	}
	for row, i := range rows {
		e := &k.tail[i]
		if cells && i >= at {
			s := &l.saw[row]
			k.change(e, l.measures[s.from:s.to], s.bad, s.trap, closing)
		} else if i >= at {
			k.change(e, e.measures, e.bad(), e.trap(), closing)
		}
		if closing = nil; w.closes {
			l.kept.count(w, e.measures)
		}
		if known := !cells || row == len(rows)-1; known {
			k.note(e, &l.kept)
		} else if e.known {
			e.kept, e.known, e.from, e.to = nil, false, 0, 0
		}
	}
	return nil
}

// change notes what is said of a beacon now, and asks for the values that this
// needs in the order of arrival, as judge does.
func (k *key) change(e *entry, measures []measure, bad int32, trap *beacon.Drop, c *closing) {
	if slices.EqualFunc(e.measures, measures, measure.equal) && e.bad() == bad && sameTrap(e.trap(), trap) && e.closing.equal(c) {
		return
	}
	if !e.pending && e.was == nil {
		was := e.outcome
		e.was = &was
	}
	r := rare{bad: bad, trap: trap}
	if e.rare != nil {
		r.unknown, r.name = e.rare.unknown, e.rare.name
	}
	if trap != nil {
		measures = nil // whatever it said before it broke
	}
	e.outcome = outcome{measures: k.keepMeasures(measures), closing: c}
	if r.bad != 0 || r.unknown != 0 || r.trap != nil || r.name != nil {
		e.rare = &r
	}
	e.from, e.to = 0, 0
	if c != nil {
		c.measures = k.keepMeasures(c.measures)
		k.askFor(c.view, c.measures)
	}
	k.askFor(e.view, e.measures)
}

// note notes what is kept with the session after a beacon.
func (k *key) note(e *entry, m *kept) {
	from := len(k.text)
	k.text = m.append(k.text)
	if e.known && bytes.Equal(e.kept, k.text[from:]) {
		k.text = k.text[:from]
		return
	}
	e.kept, e.known, e.from, e.to = k.text[from:len(k.text):len(k.text)], true, 0, 0
}

// keepMeasures copies measurements to the key's memory.
func (k *key) keepMeasures(measures []measure) []measure {
	from := len(k.measures)
	for _, m := range measures {
		m.attributes = k.keep(m.attributes)
		k.measures = append(k.measures, m)
	}
	return k.measures[from:len(k.measures):len(k.measures)]
}

// resume gives the first beacon, not behind tail[at], from which looking can begin,
// and what is kept with the session before it.
func (k *key) resume(at int, gap int64) (from int, kept []byte) {
	for from = at; ; {
		text, unknown := k.keptBehind(from-1, gap)
		if unknown < 0 {
			return from, text
		}
		from = unknown
	}
}

// keptBehind is what is kept with the session after tail[i], or the beacon, counted
// and not behind tail[i], after which it is not known; -1: it is.
func (k *key) keptBehind(i int, gap int64) (kept []byte, unknown int) {
	for ; i >= 0; i-- {
		e := &k.tail[i]
		switch {
		case !e.counted:
		case e.known:
			return e.kept, -1
		case e.view.sessions != nil:
			return nil, i
		case k.isFirst(i, gap):
			return nil, -1
		}
	}
	return k.keptBefore, -1
}

// settled is how many of the tail's beacons before limit can be folded into the
// prefix.
func (k *key) settled(limit, gap int64) int {
	n := len(k.tail) - k.within(limit)
	for k.tenant.keeps && n > 0 {
		_, unknown := k.keptBehind(n-1, gap)
		if unknown < 0 {
			break
		}
		n = unknown
	}
	return n
}

// counted is the first counted beacon from tail[i] on.
func (k *key) counted(i int) int {
	for i < len(k.tail) && !k.tail[i].counted {
		i++
	}
	return i
}

// courseTo is the course up to tail[i].
func (k *key) courseTo(i int) course {
	for i--; i >= 0; i-- {
		if e := &k.tail[i]; e.counted {
			return course{true, e.time, e.view}
		}
	}
	return course{len(k.packed) > 0, k.base, k.closer}
}

// together appends the places of up to n counted beacons, from tail[i] on, of one
// session and one view.
func (k *key) together(rows []int, i, n int, gap int64) []int {
	first := &k.tail[i]
	rows = append(rows, i)
	for last := first.time; len(rows) < n; {
		if i = k.counted(i + 1); i == len(k.tail) {
			break
		}
		e := &k.tail[i]
		if e.view != first.view || e.time-last > gap {
			break
		}
		last = e.time
		rows = append(rows, i)
	}
	return rows
}

// since is when the session began that ends before tail[i], with which another
// begins.
func (k *key) since(i int, gap int64) int64 {
	c := k.courseTo(i)
	since := c.last
	for i--; i >= 0; i-- {
		e := &k.tail[i]
		if !e.counted {
			continue
		}
		if since-e.time > gap {
			return since
		}
		since = e.time
	}
	if len(k.packed) > 0 && since-k.base <= gap {
		return k.prefix().since
	}
	return since
}

// cutBehind tells whether a session begins behind tail[i], a counted beacon.
func (k *key) cutBehind(i int, gap int64) bool {
	last := k.tail[i].time
	for i = k.counted(i + 1); i < len(k.tail); i = k.counted(i + 1) {
		if k.tail[i].time-last > gap {
			return true
		}
		last = k.tail[i].time
	}
	return false
}

func (m measure) equal(o measure) bool {
	return m.point == o.point && m.value == o.value && bytes.Equal(m.attributes, o.attributes)
}

func (c *closing) equal(o *closing) bool {
	if c == nil || o == nil {
		return c == o
	}
	return c.view == o.view && c.bad == o.bad && sameTrap(c.trap, o.trap) && slices.EqualFunc(c.measures, o.measures, measure.equal)
}

func sameTrap(a, b *beacon.Drop) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Plugin == b.Plugin
}

// bad is how many values of the beacon were no numbers, and trap how its extractor
// broke on it; nil: it did not.
func (o *outcome) bad() int32 {
	if o.rare == nil {
		return 0
	}
	return o.rare.bad
}

func (o *outcome) trap() *beacon.Drop {
	if o.rare == nil {
		return nil
	}
	return o.rare.trap
}
