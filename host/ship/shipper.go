package ship

import (
	"math"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// Shipper is what one store knows of one partition of the metrics topic: a
// state machine without Kafka, a store or a clock.
//
// What makes it right: the partition's log holds every delta of a minute before
// the progress that makes the minute final, so at that progress the totals of
// the minute are those of the definition and never change again. A safe point
// says that every delta of the minutes after its horizon lies at its offset or
// behind it; that stays true for ever, so any safe point ever committed is a
// right place to begin at, also an old one that overwrites a newer one. What is
// written between a safe point and a crash is written again with the same
// values, because it is summed again from the same deltas.
//
// What is held is bounded by letting the newest minutes go (Shed). Their deltas
// are read again, from Behind, once the minutes before them are in the store.
type Shipper struct {
	horizon *metric.Horizon
	totals  metric.Totals   // of minutes from stored on
	first   map[int64]int64 // offset of the first record with a delta of a minute in totals
	stored  int64           // minutes before it are in the store; NoMinute: none
	final   int64           // minutes before it are final, as the records since the start say; NoMinute: none
	next    int64           // offset behind the last record seen
	topicID [16]byte
	cut     int64 // minutes from it on are not held; allHeld: there is room for all
	behind  int64 // offset of the first record with a delta of a minute from cut on, or one before it
}

// allHeld is a cut that no minute reaches.
const allHeld = math.MaxInt64

// NewShipper begins at a safe point. The horizon knows nothing yet.
func NewShipper(at metric.SafePoint, horizon *metric.Horizon) *Shipper {
	s := &Shipper{horizon: horizon, first: map[int64]int64{}, stored: metric.NoMinute, final: metric.NoMinute, next: at.Offset, topicID: at.TopicID, cut: allHeld, behind: math.MaxInt64}
	if at.Horizon != metric.NoMinute {
		s.stored = at.Horizon + 1
	}
	return s
}

// Use makes a generation known to the horizon, with all its routes.
func (s *Shipper) Use(generation uint64, routes []string) {
	s.horizon.Generation(generation, routes)
	s.advance()
}

// advance takes note of what has become final.
func (s *Shipper) advance() {
	if m, ok := s.horizon.FinalBefore(); ok {
		s.final = max(s.final, m)
	}
}

// Observe takes the record at an offset, in the order of the log; one that it
// has had is skipped. It returns how many deltas came after the progress that
// made their minute final, which no right writer sends: they are left out.
func (s *Shipper) Observe(offset int64, f *metric.Frame) (afterFinal int) {
	if offset < s.next {
		return 0
	}
	for _, d := range f.Deltas {
		if d.Minute < s.final {
			afterFinal++
		}
		if d.Minute < max(s.final, s.stored) {
			continue
		}
		if d.Minute >= s.cut {
			continue // it lies behind s.behind
		}
		s.totals.Add(d)
		if _, ok := s.first[d.Minute]; !ok {
			s.first[d.Minute] = offset
		}
	}
	for _, p := range f.Progress {
		s.horizon.Observe(f.Generation, p)
	}
	s.advance()
	s.next = offset + 1
	return afterFinal
}

// Passed takes note of a record that carries nothing: the end of a transaction.
func (s *Shipper) Passed(offset int64) { s.next = max(s.next, offset+1) }

// Due calls write with the samples of all final minutes that are not in the
// store, minute by minute, at most batch at a time (the slice is reused). It
// ends at the first error. Where it gives nil, Wrote must follow.
func (s *Shipper) Due(batch int, write func([]metric.Sample) error) error {
	var pending []metric.Sample
	for _, minute := range s.totals.Minutes() {
		if minute >= s.final {
			break
		}
		samples := s.totals.Samples(minute)
		for len(samples) > 0 {
			n := min(batch-len(pending), len(samples))
			pending = append(pending, samples[:n]...)
			samples = samples[n:]
			if len(pending) == batch {
				if err := write(pending); err != nil {
					return err
				}
				pending = pending[:0]
			}
		}
	}
	if len(pending) == 0 {
		return nil
	}
	return write(pending)
}

// Wrote says that everything due is in the store. It tells whether the horizon
// moved.
func (s *Shipper) Wrote() bool {
	stored := min(s.final, s.cut)
	if stored <= s.stored {
		return false
	}
	s.stored = stored
	s.totals.Drop(s.stored)
	for minute := range s.first {
		if minute < s.stored {
			delete(s.first, minute)
		}
	}
	return true
}

// Safe returns the newest safe point.
func (s *Shipper) Safe() metric.SafePoint {
	p := metric.SafePoint{TopicID: s.topicID, Offset: min(s.next, s.behind), Horizon: metric.NoMinute}
	for _, offset := range s.first {
		p.Offset = min(p.Offset, offset)
	}
	if s.stored != metric.NoMinute {
		p.Horizon = s.stored - 1
	}
	return p
}

// Len returns how many figures are held.
func (s *Shipper) Len() int { return s.totals.Len() }

// Shed lets the newest open minutes go until no more than most figures are held.
// The oldest one stays, and what is final: both are on their way to the store.
func (s *Shipper) Shed(most int) {
	minutes := s.totals.Minutes()
	for n := len(minutes); n > 1 && s.totals.Len() > most && minutes[n-1] >= s.final; n-- {
		s.cut = minutes[n-1]
		s.behind = min(s.behind, s.first[s.cut])
		delete(s.first, s.cut)
		s.totals.DropFrom(s.cut)
	}
}

// Behind returns where to begin again where minutes were let go and all before them
// are in the store.
func (s *Shipper) Behind() (at metric.SafePoint, ok bool) {
	if s.cut == allHeld || s.stored < s.cut {
		return at, false
	}
	return s.Safe(), true
}
