package rollout

import (
	"fmt"
	"time"
)

// Due tells whether the plugin's phase has ended by the rules, as far as this host
// knows, and what comes next. now is of the clock that Activate is told.
func (p *Plugin) Due(now time.Time) (next Phase, reason string, due bool) {
	if p.watch == nil {
		return "", "", false
	}
	switch p.state.Phase {
	case Shadow:
		return p.shadowDue(now)
	case Canary:
		return p.canaryDue(now)
	case Fallback, Out:
		if reason := p.broken(); reason != "" && p.state.Phase == Fallback {
			return Out, "the version before " + reason, true
		}
		if wait := p.settings.Breaker.wait(p.state.Trips); p.lasted(now) >= wait && p.state.Broken != "" && p.state.Trips < maxTrips {
			return p.state.Broken, "tried again after " + wait.String(), true
		}
	default:
		if reason := p.broken(); reason != "" {
			if p.state.Phase == Live && p.state.Old != nil {
				return Fallback, reason, true
			}
			return Out, reason, true
		}
	}
	return "", "", false
}

// lasted is for how long the phase has been in force on this host, by its own clock:
// that of the host that began it may be another.
func (p *Plugin) lasted(now time.Time) time.Duration {
	if p.watch == nil {
		return 0
	}
	p.watch.mu.Lock()
	defer p.watch.mu.Unlock()
	if p.watch.began.IsZero() {
		return 0
	}
	return now.Sub(p.watch.began)
}

// broken says why what decides is to be taken out; empty: it is not.
func (p *Plugin) broken() string {
	p.watch.mu.Lock()
	defer p.watch.mu.Unlock()
	return p.watch.broken
}

// shadowDue ends a shadow badly as soon as it can not end well any more.
func (p *Plugin) shadowDue(now time.Time) (Phase, string, bool) {
	s := p.settings.Shadow
	if before, failed := p.watch.comparison.failed(); failed {
		return RolledBack, fmt.Sprintf("in the shadow it failed at a beacon that the version before answers; %d were compared before", before), true
	}
	rows, differing := p.watch.comparison.counts()
	switch {
	case s.MaxDiff.exceeded(differing, max(rows, s.MinRows)):
		return RolledBack, fmt.Sprintf("in the shadow %d of %d beacons differed (%s), and max_diff is %s", differing, rows, shareOf(differing, rows), s.MaxDiff), true
	case p.lasted(now) < s.For || rows < s.MinRows:
		return "", "", false
	}
	reason := fmt.Sprintf("in the shadow %d of %d beacons differed", differing, rows)
	if p.settings.Canary != nil {
		return Canary, reason, true
	}
	return Live, reason, true
}

// canaryDue likewise.
func (p *Plugin) canaryDue(now time.Time) (Phase, string, bool) {
	c := p.settings.Canary
	old, new := p.watch.Usage()
	worse := new.Traps*max(old.Rows, 1) > old.Traps*max(new.Rows, 1)
	switch {
	case worse && c.MaxTraps.exceeded(new.Traps, max(new.Rows, c.MinRows)):
		return RolledBack, fmt.Sprintf("as a canary it failed at %d of %d beacons (%s), and max_traps is %s", new.Traps, new.Rows, shareOf(new.Traps, new.Rows), c.MaxTraps), true
	case p.lasted(now) < c.For || new.Rows < c.MinRows:
		return "", "", false
	}
	return Live, fmt.Sprintf("as a canary it failed at %d of %d beacons", new.Traps, new.Rows), true
}

// Next is the state in the phase that is due.
func (p *Plugin) Next(phase Phase, reason string, at Moment) State {
	s := p.state
	if phase == Fallback || phase == Out {
		if s.Broken == "" {
			s.Broken = s.Phase
		}
		if long := 2 * p.settings.Breaker.MaxBackoff; s.Phase != Fallback && p.lasted(at.Time) > long {
			s.Trips = 0 // it was well for long
		}
		if s.Phase != Fallback { // from there on nothing else is tried
			s.Trips++
		}
	}
	return s.to(phase, reason, at)
}

// Promote is the state in which new decides, whatever its trial says; false: it does
// already.
func (s State) Promote(at Moment) (State, bool) {
	if s.Phase == Live {
		return s, false
	}
	s.Trips = 0
	return s.to(Live, "promoted by hand", at), true
}

// RollBack is the state in which old decides; the error says why it can not.
func (s State) RollBack(at Moment) (State, error) {
	switch {
	case s.Old == nil:
		return s, fmt.Errorf("there is no version before the one that the config names")
	case s.Phase == RolledBack:
		return s, fmt.Errorf("it is rolled back already: %s", s.Reason)
	}
	s.Trips = 0
	return s.to(RolledBack, "rolled back by hand", at), nil
}
