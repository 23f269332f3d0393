package plugin

import (
	"strings"
	"time"
)

// Stats is what a plugin has done since it was loaded.
type Stats struct {
	Rows     uint64        // beacons that it answered
	Sessions uint64        // that have ended and that its close function measured
	Calls    uint64        // of its code, failed ones too
	Failures uint64        // calls that failed: traps, too much work, bad output, errors
	Guilty   uint64        // beacons, and sessions that have ended, at which it failed alone, in a fresh instance
	Busy     time.Duration // in its code
	Fuel     uint64        // that it has used, of all calls; rules use none
	Tenants  []Use         // Fuel and Busy by tenant, to the last unit: a call's are shared out by its rows
	Counters []Counter     // its own, in the plan's order
	Last     *Failure      // the last call that failed; nil: none did
}

// Failure is a call that failed, the plugin's or the beacon's fault.
type Failure struct {
	At   time.Time
	Text string // one line: the cause and what is known of it
}

// maxFailureText bounds what is kept of a failure, in bytes.
const maxFailureText = 512

// failed takes note of a call that failed.
func (p *Plugin) failed(failure error) {
	cause, detail := describe(failure)
	detail, _, _ = strings.Cut(detail, "\n")
	text := cause + ": " + detail
	p.failures.Add(1)
	p.last.Store(&Failure{At: time.Now(), Text: strings.ToValidUTF8(text[:min(len(text), maxFailureText)], "")})
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
		Sessions: p.sessions.Load(),
		Calls:    p.calls.Load(),
		Failures: p.failures.Load(),
		Guilty:   p.guilty.Load(),
		Busy:     time.Duration(p.nanoseconds.Load()),
		Fuel:     p.fuel.Load(),
		Last:     p.last.Load(),
		Tenants:  p.uses.all(),
	}
	for i, name := range p.plan.Counters {
		s.Counters = append(s.Counters, Counter{name, p.counters[i].Load()})
	}
	return s
}
