package plugin

import "time"

// Stats is what a plugin has done since it was loaded.
type Stats struct {
	Rows     uint64        // beacons that it answered
	Calls    uint64        // of its code, failed ones too
	Failures uint64        // calls that failed: traps, timeouts, bad output, errors
	Guilty   uint64        // beacons at which it failed alone, in a fresh instance
	Busy     time.Duration // in its code
	Counters []Counter     // its own, in the plan's order
}

// Counter is one of a plugin's own counters.
type Counter struct {
	Name  string
	Value uint64
}

// Stats may be called at any time; its figures are of about the same moment.
func (p *Plugin) Stats() Stats {
	s := Stats{
		Rows:     p.rows.Load(),
		Calls:    p.calls.Load(),
		Failures: p.failures.Load(),
		Guilty:   p.guilty.Load(),
		Busy:     time.Duration(p.nanoseconds.Load()),
	}
	for i, name := range p.plan.Counters {
		s.Counters = append(s.Counters, Counter{name, p.counters[i].Load()})
	}
	return s
}
