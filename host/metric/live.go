package metric

import (
	"slices"
	"sync"
	"time"
)

// Live is the view of the open minutes, and of final ones for a while, that a
// reader of the whole metrics topic keeps beside a store. For the minutes that
// it holds it replaces what the store says. It holds no more than Totals of the
// minutes that are open or became final within keep. Safe for concurrent use.
type Live struct {
	keep, lateness time.Duration
	routes         []string
	mu             sync.RWMutex
	parts          []livePart
}

// livePart is one partition of the metrics topic.
type livePart struct {
	started bool
	next    int64 // offset
	from    int64 // minutes from here on are held, all of them; NoMinute: every one
	totals  Totals
	horizon *Horizon
	final   int64 // minutes before it are known to be final; NoMinute: none
	became  []finalMark
}

// finalMark says when minutes before a minute became final.
type finalMark struct {
	before int64
	at     time.Time
}

// NewLive returns a view of a metrics topic with so many partitions. Minutes
// stay for keep (live_keep) after they became final.
func NewLive(partitions int32, keep, lateness time.Duration, routes []string) *Live {
	return &Live{keep: keep, lateness: lateness, routes: slices.Clone(routes), parts: make([]livePart, partitions)}
}

// Start says from which safe point the partition is read: minutes after its
// horizon are held from now on. Starting again drops what was held.
func (l *Live) Start(partition int32, at SafePoint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.parts[partition] = livePart{
		started: true, next: at.Offset, from: after(at.Horizon),
		horizon: NewHorizon(l.lateness, l.routes), final: NoMinute,
	}
}

// after returns the minute after a horizon.
func after(horizon int64) int64 {
	if horizon == NoMinute {
		return NoMinute
	}
	return horizon + 1
}

// Observe books a frame of the partition, which must have been started; now is
// the wall clock.
func (l *Live) Observe(partition int32, offset int64, f *Frame, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := &l.parts[partition]
	for _, d := range f.Deltas {
		if d.Minute >= p.from {
			p.totals.Add(d)
		}
	}
	for _, g := range f.Progress {
		p.horizon.Observe(f.Generation, g)
	}
	p.next = offset + 1
	if m, ok := p.horizon.FinalBefore(); ok && m > p.final {
		p.final = m
		p.became = append(p.became, finalMark{m, now})
	}
	p.expire(now.Add(-l.keep))
}

// Expire lets go of minutes that are final for longer than keep; Observe does
// so too.
func (l *Live) Expire(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.parts {
		l.parts[i].expire(now.Add(-l.keep))
	}
}

func (p *livePart) expire(before time.Time) {
	n := 0
	for n < len(p.became) && !p.became[n].at.After(before) {
		n++
	}
	if n == 0 {
		return
	}
	p.from = max(p.from, p.became[n-1].before)
	p.totals.Drop(p.from)
	p.became = append(p.became[:0], p.became[n:]...)
}

// From returns the minute from which on the view holds every figure of the
// series, also those that are zero: the store is asked for earlier ones only.
// It is false before the series' partition has been started.
func (l *Live) From(s *Series) (minute int64, ok bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	p := &l.parts[PartitionOf(s, int32(len(l.parts)))]
	return p.from, p.started
}

// Read is one consistent look at the view. It calls each for the figures that
// are not zero and that the selector takes, in no order, and returns the
// minute from which on each partition (as of PartitionOf) holds everything; a
// partition that is not started yet holds nothing: its entry is the highest
// int64. A minute is open from FinalBefore on.
func (l *Live) Read(sel *Selector, each func(s *Series, minute int64, f Figure)) (from []int64) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	from = make([]int64, len(l.parts))
	for i := range l.parts {
		p := &l.parts[i]
		from[i] = p.from
		if !p.started {
			from[i] = 1<<63 - 1
		}
		for minute := range p.totals.minutes {
			if !sel.Holds(minute) {
				continue
			}
			p.totals.EachOf(minute, func(s *Series, f Figure) {
				if sel.Matches(s) && !f.IsZero() {
					each(s, minute, f)
				}
			})
		}
	}
	return from
}

// FinalBefore returns the first minute that is not known to be final in every
// partition; false while nothing is known to be final in one of them.
func (l *Live) FinalBefore() (minute int64, ok bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for i := range l.parts {
		p := &l.parts[i]
		known := max(p.final, p.from) // what the store has is final
		if !p.started || known == NoMinute {
			return 0, false
		}
		if i == 0 || known < minute {
			minute = known
		}
	}
	return minute, len(l.parts) > 0
}

// Next returns the offset behind the last record seen, by partition.
func (l *Live) Next() []int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	out := make([]int64, len(l.parts))
	for i := range l.parts {
		out[i] = l.parts[i].next
	}
	return out
}
