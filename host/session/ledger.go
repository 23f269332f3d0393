package session

import "github.com/seed-6a2d649b/pharos/host/metric"

// ledger sums what is booked until it is flushed. What a run takes back and
// the next books again cancels here.
type ledger struct {
	mute    bool // books nothing
	back    bool // books the opposite
	touched []*cell
	spread  []*cell   // memory of folding.spread
	tenants []*tenant // whose counts changed
	rare    metric.Counts
	steps   int64 // beacons folded, muted and back too: the work done
}

// block holds the cells of one trial's variant and one combination of
// dimensions.
type block struct {
	near   [nearCells]*cell // the first of the points without attributes, by 2*number + status
	far    []*cell          // the others
	tuples map[int32]*cell  // the points with attributes, by 2*^number + status
	series metric.Series    // without status and point
}

// nearCells are found with one access to memory less.
const nearCells = 16

// status is a figure's, as part of a cell's place.
type status int32

const (
	assigned  status = 0
	qualified status = 1
)

var statusNames = [...]string{assigned: metric.Assigned, qualified: metric.Qualified}

// cell gathers the changes of one series by minute, in the order of booking.
// Mostly there is one: it stands where the cell is, for among many experiments
// looking for it costs more than the booking.
type cell struct {
	touched bool // there is first
	first   change
	more    []change
	series  metric.Series
}

type change struct {
	minute int64
	figure metric.Figure
}

// book adds a figure to a point of a block.
func (l *ledger) book(t *tenant, b *block, point int32, st status, minute int64, f metric.Figure) {
	if l.mute || f.IsZero() {
		return
	}
	if l.back {
		f = f.Neg()
	}
	l.add(b.cell(t, point, st), minute, &f)
}

// add adds a figure, which is not zero, to a cell.
func (l *ledger) add(c *cell, minute int64, f *metric.Figure) {
	switch {
	case !c.touched:
		l.touched = append(l.touched, c)
		c.touched, c.first = true, change{minute, *f}
		return
	case c.first.minute == minute:
		c.first.figure.Add(*f)
		return
	}
	for i := len(c.more) - 1; i >= 0; i-- {
		if c.more[i].minute == minute {
			c.more[i].figure.Add(*f)
			return
		}
	}
	c.more = append(c.more, change{minute, *f})
}

// cell finds or makes the cell of a point.
func (b *block) cell(t *tenant, point int32, st status) *cell {
	if i := 2*int(point) + int(st); point >= 0 && i < nearCells {
		if b.near[i] == nil {
			b.near[i] = b.newCell(t, point, st)
		}
		return b.near[i]
	}
	if point >= 0 {
		i := 2*int(point) + int(st) - nearCells
		if i >= len(b.far) { // a later generation may have more
			b.far = append(b.far, make([]*cell, 2*len(t.points.names)-nearCells-len(b.far))...)
		}
		if b.far[i] == nil {
			b.far[i] = b.newCell(t, point, st)
		}
		return b.far[i]
	}
	i := 2*^point + int32(st)
	c := b.tuples[i]
	if c == nil {
		if b.tuples == nil {
			b.tuples = map[int32]*cell{}
		}
		c = b.newCell(t, point, st)
		b.tuples[i] = c
	}
	return c
}

func (b *block) newCell(t *tenant, point int32, st status) *cell {
	c := &cell{series: b.series}
	c.series.Status = statusNames[st]
	if point < 0 {
		tuple := &t.tuples[^point]
		c.series.Attributes, point = tuple.labels, tuple.point
	}
	c.series.Point = t.points.names[point]
	return c
}

// count books n beacons of a tenant for an outcome without a reason.
func (l *ledger) count(t *tenant, o metric.Outcome, n int64) {
	if l.mute {
		return
	}
	if l.back {
		n = -n
	}
	if !t.counted {
		t.counted = true
		l.tenants = append(l.tenants, t)
	}
	t.counts[o] += n
}

// countFor books one for an outcome with a reason, or of an unknown tenant.
func (l *ledger) countFor(tenant string, o metric.Outcome, reason string) {
	if l.mute {
		return
	}
	n := int64(1)
	if l.back {
		n = -1
	}
	l.rare.Add(metric.Count{Tenant: tenant, Outcome: o, Reason: reason, N: n})
}

// flush moves all that is booked to out: figures in the order in which they
// were first touched, nothing that is zero.
func (l *ledger) flush(out *Output) {
	for i, c := range l.touched {
		c.first.flush(c, out)
		for j := range c.more {
			c.more[j].flush(c, out)
		}
		c.touched, c.more = false, c.more[:0]
		l.touched[i] = nil
	}
	l.touched = l.touched[:0]
	for _, t := range l.tenants {
		for o, n := range t.counts {
			if n != 0 {
				out.Counts = append(out.Counts, metric.Count{Tenant: t.name, Outcome: metric.Outcome(o), N: n})
			}
			t.counts[o] = 0
		}
		t.counted = false
	}
	l.tenants = l.tenants[:0]
	out.Counts = append(out.Counts, l.rare.All()...)
	l.rare = metric.Counts{}
}

func (ch *change) flush(c *cell, out *Output) {
	if !ch.figure.IsZero() {
		out.Deltas = append(out.Deltas, metric.Delta{Series: &c.series, Minute: ch.minute, Figure: ch.figure})
	}
}
