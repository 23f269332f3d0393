package plugin

import (
	"context"
	"fmt"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// Cells are the values that the extractor keeps with each session.
func (p *Plugin) Cells() []abi.Cell { return p.plan.Cells }

// Closes reports whether the extractor measures sessions that have ended.
func (p *Plugin) Closes() bool { return p.module.Closes() }

// ExtractSessions is Extract of an extractor with cells. Slots of sessions are by
// index in sel; the rows of one session come in event order there. On return Cells
// hold the values after the rows; a row at which the plugin fails leaves those of
// its session as they were before it. After an error they are of no use.
func (p *Plugin) ExtractSessions(ctx context.Context, b *beacon.Batch, sel []int, sessions *abi.Sessions, emit func(m metric.Measurement), bad func(row int), fail func(row int, d beacon.Drop)) error {
	if err := p.mustBe(abi.Extract); err != nil {
		return err
	}
	if err := sessions.Check(p.plan, len(sel)); err != nil {
		return fmt.Errorf("plugin %s: %w", p.name, err)
	}
	return p.run(ctx, run{beacons: b, sel: sel, sessions: sessions, emit: emit, bad: bad, refuse: fail})
}

// CloseSessions measures sessions that have ended. The rows that emit, bad and fail
// are given are those of closed; fail is called for each at which the plugin failed.
// Errors are those of Filter.
func (p *Plugin) CloseSessions(ctx context.Context, closed *abi.Closed, emit func(m metric.Measurement), bad func(row int), fail func(row int, d beacon.Drop)) error {
	if !p.Closes() {
		return fmt.Errorf("plugin %s has no close function, and is asked about closed sessions", p.name)
	}
	if err := closed.Sessions.Check(p.plan, len(closed.First)); err != nil {
		return fmt.Errorf("plugin %s: %w", p.name, err)
	}
	return p.run(ctx, run{closed: closed, sessions: &closed.Sessions, emit: emit, bad: bad, refuse: fail})
}

// cells are those of the sessions that the rows of one call belong to: no others
// are laid out for it.
type cells struct {
	abi.Sessions
	slots []uint32 // the caller's slot, by slot of the call
	index []uint32 // 1 + the call's slot, by the caller's; 0 between calls
}

// load takes the cells of the slots over.
func (c *cells) load(from *abi.Sessions, slots []uint32) {
	c.Slots, c.slots = c.Slots[:0], c.slots[:0]
	n := len(from.Cells[0])
	for len(c.index) < n {
		c.index = append(c.index, 0)
	}
	for _, slot := range slots {
		if c.index[slot] == 0 {
			c.slots = append(c.slots, slot)
			c.index[slot] = uint32(len(c.slots))
		}
		c.Slots = append(c.Slots, c.index[slot]-1)
	}
	for len(c.Cells) < len(from.Cells) {
		c.Cells = append(c.Cells, nil)
	}
	for i, values := range from.Cells {
		c.Cells[i] = c.Cells[i][:0]
		for _, slot := range c.slots {
			c.Cells[i] = append(c.Cells[i], values[slot])
		}
	}
	for _, slot := range c.slots {
		c.index[slot] = 0
	}
}

// store gives the values after a call back.
func (c *cells) store(values [][]uint64, to *abi.Sessions) {
	for i := range values {
		for j, slot := range c.slots {
			to.Cells[i][slot] = values[i][j]
		}
	}
}
