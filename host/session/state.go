package session

import "github.com/seed-6a2d649b/pharos/host/metric"

// state is what the beacons of a key so far, in their order, come to: the
// running session. An older session of the key cannot change any more. It
// refers to trials and points by the tenant's numbers, and to no generation.
type state struct {
	open   bool  // there is a session
	since  int64 // time of its first beacon
	last   int64 // time of its last beacon
	ids    idSet
	dims   *dimset
	tries  []enrolment // by trial
	epochs []epoch
	// pending counts the enrolments that are still to qualify.
	pending int

	kept   []byte // what is kept with the session; of no use where it is not known, see entry.known
	closer *view  // of the last beacon, if its extractor closes sessions

	// What has no more to say: a shape whose assignments it has all met, and the
	// slot of the engine's own assignments, see schedule.
	met  *shape
	slot uint64
}

// enrolment is the session's part in an experiment.
type enrolment struct {
	figures   *block // where it is booked; nil: not looked up yet
	trial     int32
	variant   int32
	phase     int64 // at A; see trial.phase
	assigned  int32 // the epoch that began at A; -1: taken out
	qualified int32 // the epoch that began at Q; -1: not, or taken out
	crossed   bool
}

// epoch holds the running totals since one beacon of the session: just what is
// booked for each of its users. All that began at that beacon, assigned or
// qualified, of whatever experiment, has the same totals, until a beacon's
// generation has not all of these experiments: see part.
type epoch struct {
	users   int32   // enrolments' statuses that it counts for
	away    int32   // how many of them the beacon in hand does not count for; see part
	tallies []tally // by point
}

// tally is a session's running total of a point, or of a point with its
// attributes, or what is booked of a pair.
type tally struct {
	point int32
	hits  int64      // 0: a pair
	x     metric.Int // units of 1/metric.Micro; of a pair of their squares
}

// search finds a trial's enrolment, or the place for it.
func (s *state) search(trial int32) (int, bool) {
	lo, hi := 0, len(s.tries)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if s.tries[mid].trial < trial {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, lo < len(s.tries) && s.tries[lo].trial == trial
}

// clear makes s the state of no beacon, keeping memory for the next session.
func (s *state) clear() {
	s.open = false
	s.ids.clear()
	s.tries, s.epochs = s.tries[:0], s.epochs[:0]
	s.pending, s.kept, s.closer, s.met, s.slot = 0, nil, nil, nil, 0
}

// newEpoch starts totals and gives their index.
func (s *state) newEpoch() int32 {
	n := len(s.epochs)
	if n < cap(s.epochs) {
		s.epochs = s.epochs[:n+1] // with the memory of one that was
		s.epochs[n] = epoch{tallies: s.epochs[n].tallies[:0]}
	} else {
		s.epochs = append(s.epochs, epoch{})
	}
	return int32(n)
}

// copyFrom makes s equal to o without sharing memory with it.
func (s *state) copyFrom(o *state) {
	s.open, s.since, s.last, s.dims, s.pending = o.open, o.since, o.last, o.dims, o.pending
	s.kept, s.closer, s.met, s.slot = o.kept, o.closer, o.met, o.slot
	s.ids.copyFrom(&o.ids)
	s.tries = append(s.tries[:0], o.tries...)
	s.epochs = s.epochs[:0]
	for i := range o.epochs {
		e := &s.epochs[s.newEpoch()]
		e.users = o.epochs[i].users
		e.tallies = append(e.tallies, o.epochs[i].tallies...)
	}
}

// find gives the total of a point, or the place for it.
func (e *epoch) find(point int32) (int, bool) {
	lo, hi := 0, len(e.tallies)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if e.tallies[mid].point < point {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, lo < len(e.tallies) && e.tallies[lo].point == point
}

// total is the running total of a point, 0 if it has none.
func (e *epoch) total(point int32) metric.Int {
	if i, ok := e.find(point); ok {
		return e.tallies[i].x
	}
	return metric.Int{}
}

// tally finds or makes the total of a point.
func (e *epoch) tally(point int32) *tally {
	i, ok := e.find(point)
	if !ok {
		e.tallies = append(e.tallies, tally{})
		copy(e.tallies[i+1:], e.tallies[i:])
		e.tallies[i] = tally{point: point}
	}
	return &e.tallies[i]
}

// add counts one measurement of v and gives what it changes.
func (e *epoch) add(point int32, v int64) metric.Figure {
	t := e.tally(point)
	value := metric.NewInt(v)
	before := t.x
	t.x = before.Add(value)
	f := metric.Figure{Hits: 1, Sum: value, SumSq: value.Mul(before.Add(t.x))} // x_after^2 - x_before^2
	if t.hits++; t.hits == 1 {
		f.Sessions = 1
	}
	return f
}

// count counts one measurement of v, where nobody asks for what it changes.
func (e *epoch) count(point int32, v int64) {
	t := e.tally(point)
	t.hits++
	t.x = t.x.Add(metric.NewInt(v))
}

// addPair counts a change of a pair's product.
func (e *epoch) addPair(pair int32, product metric.Int) {
	if !product.IsZero() {
		t := e.tally(pair)
		t.x = t.x.Add(product)
	}
}
