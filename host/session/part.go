package session

// part sees to it that the measurements of a beacon of w are added to no totals
// of an enrolment whose experiment w does not have: where others have the same
// totals, those away get a copy of their own, and it stands still. It tells
// whether there are any; then epoch.away says which totals stand still.
func (s *state) part(w *view) bool {
	parted := false
	for i := range s.tries {
		e := &s.tries[i]
		if e.assigned < 0 || w.trial(e.trial) != nil {
			continue
		}
		if !parted {
			parted = true
			for ep := range s.epochs {
				s.epochs[ep].away = 0
			}
		}
		s.epochs[e.assigned].away++
		if e.qualified >= 0 {
			s.epochs[e.qualified].away++
		}
	}
	if !parted {
		return false
	}
	for ep := range int32(len(s.epochs)) {
		if e := &s.epochs[ep]; e.away > 0 && e.away < e.users {
			s.split(ep, w)
		}
	}
	return true
}

// split gives those users of an epoch who are away one of their own.
func (s *state) split(ep int32, w *view) {
	to := s.newEpoch()
	from, still := &s.epochs[ep], &s.epochs[to]
	still.users, still.away = from.away, from.away
	still.tallies = append(still.tallies, from.tallies...)
	from.users, from.away = from.users-from.away, 0
	for i := range s.tries {
		e := &s.tries[i]
		if e.assigned < 0 || w.trial(e.trial) != nil {
			continue
		}
		if e.assigned == ep {
			e.assigned = to
		}
		if e.qualified == ep {
			e.qualified = to
		}
	}
}
