package rollout

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/beacon"
)

// Change is in what an answer differs from that of the version before.
type Change string

// The changes. A row at which only the version before fails does not count as one
// that differs: there is nothing to compare with.
const (
	NowDropped      Change = "now dropped"
	NowKept         Change = "now kept"
	OtherReason     Change = "other reason"
	OtherRoute      Change = "other route"
	NewMeasurement  Change = "new measurement"
	LostMeasurement Change = "lost measurement"
	OtherValue      Change = "other value"
	OtherAttributes Change = "other attributes"
	NowFails        Change = "now fails"
	FailsNoMore     Change = "fails no more"
)

// How much is kept to look at.
const (
	maxSamples     = 10      // of a change
	maxSampleBytes = 4 << 10 // of a beacon
	maxAnswerBytes = 512     // of an answer
)

// Sample is a beacon of which the versions say different things.
type Sample struct {
	Beacon string `json:"beacon"` // as it came, cut off where it is long
	Old    string `json:"old"`
	New    string `json:"new"`
}

// Comparison is what a shadow has answered beside the version that decided, on this
// host. It may be used by several goroutines.
type Comparison struct {
	mu        sync.Mutex
	rows      int64
	differing int64
	before    int64 // rows before the one at which only new failed
	changes   map[Change]*changed
}

type changed struct {
	rows    int64
	samples []Sample
}

func newComparison() *Comparison { return &Comparison{changes: map[Change]*changed{}} }

// add compares what was said of rows, of each the first time.
func (c *Comparison) add(p *Plugin, r *recording, l looks, sel []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	inOrder(&r.old, sel)
	inOrder(&r.new, sel)
	var found []Change
	for _, row := range sel {
		old, new := r.old.next(row), r.new.next(row)
		if l.isAgain(row) {
			continue
		}
		found = changes(found[:0], p.Kind(), &r.old.verdicts[row], &r.new.verdicts[row], old, new)
		c.rows++
		if len(found) == 0 {
			continue
		}
		if found[0] != FailsNoMore {
			c.differing++
		}
		for _, change := range found {
			c.note(change, func() Sample {
				return Sample{
					Beacon: textOf(l.batch, row),
					Old:    p.describe(&r.old.verdicts[row], old), New: p.describe(&r.new.verdicts[row], new),
				}
			})
		}
	}
}

// fails notes the row at which only new fails, whenever it was looked at.
func (c *Comparison) fails(p *Plugin, r *recording, l looks, row int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.before = c.rows; !l.isAgain(row) {
		c.rows++
	}
	c.differing++
	c.note(NowFails, func() Sample {
		var old []measured
		for _, m := range r.old.measured {
			if m.row == row {
				old = append(old, m)
			}
		}
		return Sample{textOf(l.batch, row), p.describe(&r.old.verdicts[row], old), p.describe(&r.new.verdicts[row], nil)}
	})
}

// note counts a change, and keeps the first ones to look at.
func (c *Comparison) note(change Change, sample func() Sample) {
	of := c.changes[change]
	if of == nil {
		of = new(changed)
		c.changes[change] = of
	}
	of.rows++
	if len(of.samples) < maxSamples {
		of.samples = append(of.samples, sample())
	}
}

// counts are the rows compared, and those that differ.
func (c *Comparison) counts() (rows, differing int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rows, c.differing
}

// failed tells whether there was a row at which only new fails, and how many were
// compared before it.
func (c *Comparison) failed() (before int64, yes bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.before, c.changes[NowFails] != nil
}

// inOrder sorts measurements by row as sel has them; those of a row stay in order.
func inOrder(a *answers, sel []int) {
	if len(a.measured) == 0 {
		return
	}
	byRow := func(x, y measured) int { return cmp.Compare(x.row, y.row) }
	if slices.IsSorted(sel) && !slices.IsSortedFunc(a.measured, byRow) {
		slices.SortStableFunc(a.measured, byRow)
	}
}

// changes appends in what the answers for a row differ.
func changes(all []Change, kind abi.Kind, was, is *verdict, old, new []measured) []Change {
	switch {
	case was.failed && is.failed:
		return all
	case is.failed:
		return append(all, NowFails)
	case was.failed:
		return append(all, FailsNoMore)
	case kind == abi.Extract:
		return measurementChanges(all, old, new)
	case is.dropped && !was.dropped:
		return append(all, NowDropped)
	case was.dropped && !is.dropped:
		return append(all, NowKept)
	case was.word == is.word:
		return all
	case kind == abi.Split:
		return append(all, OtherRoute)
	}
	return append(all, OtherReason)
}

// measurementChanges compares measurements point by point, those of a point in their
// order.
func measurementChanges(all []Change, old, new []measured) []Change {
	byPoint := func(a, b measured) int { return cmp.Compare(a.point, b.point) }
	if !slices.IsSortedFunc(old, byPoint) {
		slices.SortStableFunc(old, byPoint)
	}
	if !slices.IsSortedFunc(new, byPoint) {
		slices.SortStableFunc(new, byPoint)
	}
	add := func(c Change) {
		if !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	for len(old) > 0 || len(new) > 0 {
		switch {
		case len(old) == 0 || len(new) > 0 && new[0].point < old[0].point:
			add(NewMeasurement)
			new = new[1:]
			continue
		case len(new) == 0 || old[0].point < new[0].point:
			add(LostMeasurement)
			old = old[1:]
			continue
		case old[0].value != new[0].value:
			add(OtherValue)
		case !bytes.Equal(old[0].attributes, new[0].attributes):
			add(OtherAttributes)
		}
		old, new = old[1:], new[1:]
	}
	return all
}

// cut is text as valid UTF-8, cut off where it is long.
func cut(text []byte, most int) string {
	if len(text) <= most {
		return strings.ToValidUTF8(string(text), "?")
	}
	return strings.ToValidUTF8(string(text[:most]), "") + "…"
}

// textOf is a beacon as it came; of one that is looked at again what the versions see
// of it, and of a session that has ended nothing.
func textOf(b *beacon.Batch, row int) string {
	if b == nil {
		return "(the end of a session)"
	}
	r := b.Row(row)
	if len(r.Raw) > 0 {
		return cut(r.Raw, maxSampleBytes)
	}
	var text []byte
	for i, name := range b.Fields().Names() {
		if r.Values[i].Kind != abi.Missing && len(text) < maxSampleBytes {
			text = append(append(append(append(text, name...), ": "...), r.Values[i].Text...), ' ')
		}
	}
	return cut(bytes.TrimSpace(text), maxSampleBytes)
}
