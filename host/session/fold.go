package session

import "github.com/seed-6a2d649b/pharos/host/metric"

// fold puts the next beacon, in the order of the key's beacons, on top of its
// state and books what follows: the definition of the figures, one beacon at a
// time. It looks at nothing but the state, the beacon and the key's name, and
// books into l alone; so whoever has a state can book the same again, or take
// it back. It tells whether the beacon is counted.
//
// A beacon is folded under the generation that was in force at its offset,
// whenever that is done: its dimensions where a session begins with it, whether
// experiments run, their phases, qualifying points, what a crossover does, and
// pairs. An experiment that its generation does not have stands still at it:
// nothing is booked for it and nothing taken back, no measurement is added to
// its totals, and if it is there again later it goes on from what it had.
// Phases are the same where they begin at the same time.
func (l *ledger) fold(t *tenant, k *key, s *state, b *entry, gap int64) (counted bool) {
	l.steps++
	first := s.cuts(b, gap)
	switch {
	case first:
		if s.open && b.closing != nil {
			l.close(t, s, b.closing, gap)
		}
		s.clear()
		s.open, s.since = true, b.time
		s.dims = t.dimset(b.view, b.dims, func(dimension string) { l.countFor(t.name, metric.OtherDimension, dimension) })
	case s.has(b, gap):
		l.count(t, metric.Duplicate, 1)
		return false
	}
	s.last = b.time
	b.keep(s)
	if len(b.id) > 0 {
		s.ids.add(b.name(), b.time, gap)
	}
	l.count(t, metric.Counted, 1)
	if b.rare != nil {
		l.countRare(t, b.rare)
	}
	f := folding{l: l, t: t, w: b.view, s: s, b: b, minute: metric.MinuteOf(b.time), begun: -1}
	f.assign(k, first)
	f.measureAll()
	return true
}

// cuts tells whether a session begins with a beacon that comes next.
func (s *state) cuts(b *entry, gap int64) bool { return !s.open || b.time-s.last > gap }

// has tells whether a beacon that comes next is a duplicate.
func (s *state) has(b *entry, gap int64) bool {
	return len(b.id) > 0 && !s.cuts(b, gap) && s.ids.has(b.name(), b.time, gap)
}

// keep notes what the beacon leaves with the session.
func (b *entry) keep(s *state) {
	s.closer = nil
	if b.view.sessions == nil {
		return
	}
	s.kept = b.kept
	if b.view.closes {
		s.closer = b.view
	}
}

// close books what the close function has measured of a session, at its end: as if
// a beacon without assignments came there, under the generation of its last one.
func (l *ledger) close(t *tenant, s *state, c *closing, gap int64) {
	l.steps++
	if c.bad != 0 {
		l.count(t, metric.BadValue, int64(c.bad))
	}
	if c.trap != nil {
		l.countFor(t.name, metric.PluginError, c.trap.Plugin)
	}
	b := entry{shape: &shape{view: c.view}, time: s.last + gap, outcome: outcome{measures: c.measures}}
	f := folding{l: l, t: t, w: c.view, s: s, b: &b, minute: metric.MinuteOf(b.time), begun: -1}
	f.measureAll()
}

func (l *ledger) countRare(t *tenant, r *rare) {
	if r.bad != 0 {
		l.count(t, metric.BadValue, int64(r.bad))
	}
	if r.unknown != 0 {
		l.count(t, metric.UnknownVariant, int64(r.unknown))
	}
	if r.trap != nil {
		l.countFor(t.name, metric.PluginError, r.trap.Plugin)
	}
}

// folding is one beacon being put on top of a state.
type folding struct {
	l      *ledger
	t      *tenant
	w      *view // the beacon's
	s      *state
	b      *entry
	minute int64
	begun  int32 // the epoch that begins with this beacon, or -1
	parted bool  // there are epochs that the beacon does not count for; see state.part
}

// measureAll books the beacon's measurements.
func (f *folding) measureAll() {
	if f.s.pending > 0 {
		f.qualify()
	}
	if len(f.b.measures) > 0 {
		f.parted = f.s.part(f.w)
	}
	for i := range f.b.measures {
		f.measure(&f.b.measures[i])
	}
}

// assign looks at the beacon's assignments, carried ones and the engine's own.
func (f *folding) assign(k *key, first bool) {
	if all := f.w.trials[allTrial]; all != nil && first {
		f.enrol(0, all, 0)
	}
	if f.b.shape != f.s.met {
		done := true
		for _, a := range f.b.assigns {
			done = f.meet(f.w.trials[a.trial], a.variant) && done
		}
		if done {
			f.s.met = f.b.shape
		}
	}
	if len(f.b.units) > 0 {
		f.meetIdle()
	}
	if len(f.w.drawn.trials) == 0 || k.long() {
		return
	}
	// A unit that is the session id gives another variant only in another
	// phase, where crossovers are not looked for: assigned once is enough.
	slot := f.w.drawn.at(f.b.time).number
	if slot == f.s.slot {
		return
	}
	f.s.slot = slot
	drawn := k.drawn(f.w, f.b.time)
	for i := range drawn {
		d := &drawn[i]
		if at, there := f.s.search(d.trial); !there {
			x := f.w.trials[d.trial]
			f.enrol(at, x, k.draw(d, x, f.b.time))
		}
	}
}

// meet is what an assignment does: it is the first, or one more, or makes the
// session a crossover. It tells whether the same would do nothing any more.
func (f *folding) meet(x *trial, variant int32) (done bool) {
	i, there := f.s.search(x.number)
	if !there {
		if !x.running(f.b.time) {
			return false
		}
		f.enrol(i, x, variant)
		return true
	}
	e := &f.s.tries[i]
	switch {
	case e.crossed || e.variant == variant:
		return true
	case e.phase != x.phase(f.b.time):
		return false
	}
	e.crossed = true
	if x.Exclude() {
		f.takeOut(e)
	}
	f.one(e, crossoverPoint, assigned)
	return true
}

// meetIdle is meet for what the beacon's units give in experiments that do not
// run: of these only those that the session is in matter.
func (f *folding) meetIdle() {
	for i := range f.s.tries {
		e := &f.s.tries[i]
		x := f.w.trial(e.trial)
		if x == nil || x.unit < 0 || e.crossed || x.running(f.b.time) {
			continue
		}
		if variant, ok := x.Assign(unitOf(f.b.units, x.unit), f.b.time); ok {
			f.meet(x, int32(variant))
		}
	}
}

// enrol begins an assignment with this beacon, at place i of the enrolments.
func (f *folding) enrol(i int, x *trial, variant int32) {
	f.s.tries = append(f.s.tries, enrolment{})
	copy(f.s.tries[i+1:], f.s.tries[i:])
	e := &f.s.tries[i]
	*e = enrolment{
		trial: x.number, variant: variant, phase: x.phase(f.b.time), assigned: f.begin(), qualified: -1,
	}
	f.one(e, visitPoint, assigned)
	if x.qualify < 0 {
		f.qualifyNow(e)
	} else {
		f.s.pending++
	}
}

// begin gives the epoch that begins with this beacon, and counts a user of it.
func (f *folding) begin() int32 {
	if f.begun < 0 {
		f.begun = f.s.newEpoch()
	}
	f.s.epochs[f.begun].users++
	return f.begun
}

// qualify looks for the measurements that qualify enrolments.
func (f *folding) qualify() {
	for i := range f.s.tries {
		e := &f.s.tries[i]
		if e.qualified >= 0 || e.assigned < 0 {
			continue
		}
		if x := f.w.trial(e.trial); x != nil && (x.qualify < 0 || f.b.has(x.qualify)) {
			f.s.pending--
			f.qualifyNow(e)
		}
	}
}

func (f *folding) qualifyNow(e *enrolment) {
	e.qualified = f.begin()
	f.one(e, visitPoint, qualified)
}

// oneMeasurement is the figure of a session's only measurement of value 1.
var oneMeasurement = metric.Figure{
	Hits: 1, Sum: metric.NewInt(metric.Micro), Sessions: 1, SumSq: metric.NewInt(metric.Micro * metric.Micro),
}

// one books a point of the engine's own: value 1, once a session.
func (f *folding) one(e *enrolment, point int32, st status) {
	f.book(e, point, st, oneMeasurement)
}

// book books a figure for an enrolment.
func (f *folding) book(e *enrolment, point int32, st status, g metric.Figure) {
	if !f.l.mute {
		f.l.book(f.t, f.figures(e), point, st, f.minute, g)
	}
}

// figures is where an enrolment's figures are booked.
func (f *folding) figures(e *enrolment) *block {
	if e.figures == nil {
		e.figures = f.s.dims.block(f.t, e.trial, e.variant)
	}
	return e.figures
}

// takeOut takes back all that the enrolment has booked and ends it.
func (f *folding) takeOut(e *enrolment) {
	if e.qualified < 0 {
		f.s.pending--
	} else {
		f.takeBack(e, e.qualified, qualified)
	}
	f.takeBack(e, e.assigned, assigned)
	e.assigned, e.qualified = -1, -1
}

// takeBack books the opposite of an epoch's totals in this beacon's minute.
func (f *folding) takeBack(e *enrolment, ep int32, st status) {
	totals := &f.s.epochs[ep]
	totals.users--
	book := func(point int32, g metric.Figure) { f.book(e, point, st, g.Neg()) }
	book(visitPoint, oneMeasurement)
	for _, y := range totals.tallies {
		if y.hits == 0 {
			book(y.point, metric.Figure{Sum: y.x})
			continue
		}
		book(y.point, metric.Figure{Hits: y.hits, Sum: y.x, Sessions: 1, SumSq: y.x.Mul(y.x)})
	}
}

// measure books one measurement for every enrolment that it counts for.
func (f *folding) measure(m *measure) {
	point := f.w.points[m.point]
	tuple := visitPoint // no tuple's number
	if len(m.attributes) > 0 {
		tuple = f.t.tuple(f.w, m.point, m.attributes, func(attribute string) {
			f.l.countFor(f.t.name, metric.OtherDimension, attribute)
		})
	}
	pairs := f.w.pairs(point)
	for ep := range f.s.epochs {
		totals := &f.s.epochs[ep]
		if totals.users == 0 || f.parted && totals.away > 0 {
			continue
		}
		if f.l.mute && len(pairs) == 0 {
			if totals.count(point, m.value); tuple < 0 {
				totals.count(tuple, m.value)
			}
			continue
		}
		change := totals.add(point, m.value)
		f.spread(int32(ep), point, change)
		for _, p := range pairs {
			product := change.SumSq // of a point with itself
			if p.other != point {
				product = change.Sum.Mul(totals.total(p.other))
			}
			totals.addPair(p.pair, product)
			f.spread(int32(ep), p.pair, metric.Figure{Sum: product})
		}
		if tuple < 0 {
			f.spread(int32(ep), tuple, totals.add(tuple, m.value))
		}
	}
}

// spread books a change of an epoch's totals for all that use it.
func (f *folding) spread(ep, point int32, g metric.Figure) {
	l := f.l
	if l.mute || g.IsZero() {
		return
	}
	if l.back {
		g = g.Neg()
	}
	// First all cells are looked up, then all are added to: so the processor
	// fetches those of many experiments at once.
	l.spread = l.spread[:0]
	for i := range f.s.tries {
		e := &f.s.tries[i]
		if e.assigned == ep {
			l.spread = append(l.spread, f.figures(e).cell(f.t, point, assigned))
		}
		if e.qualified == ep {
			l.spread = append(l.spread, f.figures(e).cell(f.t, point, qualified))
		}
	}
	for _, c := range l.spread {
		l.add(c, f.minute, &g)
	}
}
