package plugin

import (
	"context"
	"time"

	"github.com/seed-6a2d649b/pharos/host/beacon"
)

// Tally is what one caller's calls of plugins came to: other callers of the same
// plugin have tallies of their own.
type Tally struct {
	Guilty int           // rows at which the plugin failed alone, whatever on_error made of them
	Fuel   uint64        // of all calls
	Busy   time.Duration // in the plugin's code
	Failed func(row int) // is told of each guilty row; nil: nobody is
}

type tallyKey struct{}

// WithTally has the calls under ctx counted, one after the other.
func WithTally(ctx context.Context, t *Tally) context.Context {
	return context.WithValue(ctx, tallyKey{}, t)
}

// tallyOf is what WithTally was given; nil: nobody counts.
func tallyOf(ctx context.Context) *Tally {
	t, _ := ctx.Value(tallyKey{}).(*Tally)
	return t
}

// call counts a call.
func (t *Tally) call(busy time.Duration, fuel uint64) {
	if t != nil {
		t.Busy += busy
		t.Fuel += fuel
	}
}

// fail counts a guilty row.
func (t *Tally) fail(row int) {
	if t == nil {
		return
	}
	t.Guilty++
	if t.Failed != nil {
		t.Failed(row)
	}
}

// Refuse does to rows what on_error says, without asking the plugin: it is taken
// out, and why is what dead letters say of that.
func (p *Plugin) Refuse(sel []int, why string, refuse func(row int, d beacon.Drop)) {
	for _, row := range sel {
		p.refuse(row, "taken out", why, refuse)
	}
}
