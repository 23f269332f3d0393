package rollout

import (
	"context"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/host/plugin"
)

// Cells are what is kept with sessions: the cells of the versions that are called,
// those of a shadow apart from the others, and what a canary needs to know.
func (p *Plugin) Cells() []abi.Cell { return p.kept.all }

// Closes tells whether sessions that have ended are measured.
func (p *Plugin) Closes() bool {
	switch {
	case p.state.Phase == Out:
		return false
	case p.state.Phase == Shadow, p.state.Phase == Canary:
		return p.Plugin.Closes() || p.old.Closes()
	case p.state.Phase.oldDecides():
		return p.old.Closes()
	}
	return p.Plugin.Closes()
}

// ExtractSessions is Extract with cells; see plugin.Plugin.
func (p *Plugin) ExtractSessions(ctx context.Context, b *beacon.Batch, sel []int, sessions *abi.Sessions, emit func(m metric.Measurement), bad func(row int), fail func(row int, d beacon.Drop)) error {
	if n := b.New(sel); p.state.Phase == Live && (n == 0 || n == len(sel)) { // beacons come one by one here: nothing is made for each
		var t plugin.Tally
		if err := p.Plugin.ExtractSessions(plugin.WithTally(ctx, &t), b, sel, sessions, emit, bad, fail); err != nil {
			return err
		}
		p.watch.took(p, decidingSide, n, t.Guilty, &t)
		return nil
	}
	slotsOf := func(some []int) (slots []uint32) {
		at := 0
		for i, row := range sel {
			if at < len(some) && some[at] == row { // in the order of sel
				slots = append(slots, sessions.Slots[i])
				at++
			}
		}
		return slots
	}
	ask := func(ctx context.Context, v *plugin.Plugin, sel []int, a asking) error {
		if len(v.Cells()) == 0 {
			return v.Extract(ctx, b, sel, a.emit, a.bad, a.fail)
		}
		err := v.ExtractSessions(ctx, b, sel, p.kept.of(sessions, a.cells, slotsOf(sel)), a.emit, a.bad, a.fail)
		if err != nil && p.state.Phase == Shadow && v == p.Plugin {
			p.kept.forget(sessions)
		}
		return err
	}
	if p.state.Phase == Canary && p.kept.extra >= 0 {
		for i, row := range sel {
			side := uint64(oldsSession)
			if p.inCanary(b, row) {
				side = newsSession
			}
			sessions.Cells[p.kept.extra][sessions.Slots[i]] = side
		}
	}
	if p.state.Phase == Shadow {
		p.kept.seed(sessions, p.Plugin.Cells(), p.state.Generation)
	}
	return p.extract(ctx, b, sel, asking{emit: emit, bad: bad, fail: fail}, ask)
}

// CloseSessions measures sessions that have ended; see plugin.Plugin. A shadow's
// close function is told of the measurements that the version before has made.
func (p *Plugin) CloseSessions(ctx context.Context, closed *abi.Closed, emit func(m metric.Measurement), bad func(row int), fail func(row int, d beacon.Drop)) error {
	a := asking{emit: emit, bad: bad, fail: fail, cells: p.kept.new}
	ours, theirs := p.closers(closed)
	r := p.record(len(closed.First))
	if r != nil {
		defer r.done()
		a = r.old.listen(a)
		p.kept.seed(&closed.Sessions, p.Plugin.Cells(), p.state.Generation)
	}
	side := decidingSide
	if p.state.Phase == Canary {
		side = newSide
	}
	if err := p.close(ctx, closed, ours, p.Plugin, side, a, nil); err != nil {
		return err
	}
	if len(theirs) == 0 {
		return nil
	}
	if r == nil {
		return p.close(ctx, closed, theirs, p.old, decidingSide, p.ofOld(a), nil)
	}
	if err := p.close(ctx, closed, theirs, p.old, decidingSide, p.ofOld(a), r.old.fail); err != nil {
		return err
	}
	shadow := asking{r.new.measure, r.new.bad, func(int, beacon.Drop) {}, p.kept.new}
	p.shadow(ctx, r, looks{again: closed.Again}, theirs, func(ctx context.Context) error { return p.closeWith(ctx, closed, theirs, p.Plugin, shadow) })
	return nil
}

// close has a version measure some of the sessions, and takes note of what came of it.
func (p *Plugin) close(ctx context.Context, closed *abi.Closed, rows []int, v *plugin.Plugin, s side, a asking, failed func(int)) error {
	if len(rows) == 0 {
		return nil
	}
	c := &call{ctx: ctx, looks: looks{again: closed.Again}, refuse: a.fail, failed: failed, ask: func(ctx context.Context, v *plugin.Plugin, rows []int) error {
		return p.closeWith(ctx, closed, rows, v, a)
	}}
	return p.asked(c, v, s, rows)
}

// closeWith has a version measure some of the sessions.
func (p *Plugin) closeWith(ctx context.Context, closed *abi.Closed, rows []int, v *plugin.Plugin, a asking) error {
	if !v.Closes() {
		return nil
	}
	return v.CloseSessions(ctx, p.closedOf(closed, rows, v, a.cells), func(m metric.Measurement) {
		m.Row = rows[m.Row]
		a.emit(m)
	}, func(row int) { a.bad(rows[row]) }, func(row int, d beacon.Drop) { a.fail(rows[row], d) })
}

// closers are the sessions that new closes, and those that old does.
func (p *Plugin) closers(closed *abi.Closed) (ours, theirs []int) {
	for row := range closed.First {
		switch {
		case p.state.Phase == Canary && p.kept.extra >= 0 && closed.Cells[p.kept.extra][closed.Slots[row]] == newsSession:
			ours = append(ours, row)
		case p.state.Phase.oldDecides():
			theirs = append(theirs, row)
		default:
			ours = append(ours, row)
		}
	}
	return ours, theirs
}

// closedOf gives some of the sessions as a version sees them.
func (p *Plugin) closedOf(closed *abi.Closed, rows []int, v *plugin.Plugin, cells []int) *abi.Closed {
	c := &abi.Closed{Tenant: closed.Tenant}
	var slots []uint32
	for _, row := range rows {
		c.First, c.Last = append(c.First, closed.First[row]), append(c.Last, closed.Last[row])
		slots = append(slots, closed.Slots[row])
	}
	for i := range v.Points() {
		from := i
		if v == p.old {
			from = p.oldAt[i]
		}
		var counts []int64
		for _, row := range rows {
			counts = append(counts, closed.Counts[from][row])
		}
		c.Counts = append(c.Counts, counts)
	}
	c.Sessions = *p.kept.of(&closed.Sessions, cells, slots)
	return c
}
