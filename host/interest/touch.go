package interest

import (
	"slices"

	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/host/session"
)

// Touch is what would be otherwise without some beacons.
type Touch uint8

// What can be touched. That a session of _all begins in another minute is a bound;
// that one of an experiment does, or is lost, is an assignment.
const (
	Figure     Touch = 1 << iota // a figure of a measurement
	Assignment                   // which session is in which experiment, or since which minute
	Bounds                       // when a session begins or ends, or how many there are
)

// booked finds a figure.
type booked struct {
	series *metric.Series
	minute int64
}

// basis is what beacons come to while all of them are there.
type basis struct {
	figures  map[booked]metric.Figure
	sessions []session.Span
}

// set makes b what was booked, and keeps nothing of it.
func (b *basis) set(all session.Booked) {
	if b.figures == nil {
		b.figures = map[booked]metric.Figure{}
	}
	clear(b.figures)
	for i := range all.Figures {
		d := &all.Figures[i]
		b.figures[booked{d.Series, d.Minute}] = d.Figure
	}
	b.sessions = append(b.sessions[:0], all.Sessions...)
}

// differs says what is otherwise in what was booked without some of the beacons.
func (b *basis) differs(now session.Booked) (t Touch) {
	if !slices.Equal(b.sessions, now.Sessions) {
		t |= Bounds
	}
	kept := 0
	for i := range now.Figures {
		d := &now.Figures[i]
		was, there := b.figures[booked{d.Series, d.Minute}]
		if there {
			kept++
		}
		if !there || !was.Equal(d.Figure) {
			t |= touched(d.Series)
		}
	}
	if kept == len(b.figures) {
		return t
	}
	left := make(map[booked]bool, len(now.Figures))
	for i := range now.Figures {
		left[booked{now.Figures[i].Series, now.Figures[i].Minute}] = true
	}
	for at := range b.figures {
		if !left[at] {
			t |= touched(at.series)
		}
	}
	return t
}

// touched is what a change of a series' figure touches.
func touched(s *metric.Series) Touch {
	switch {
	case s.Point != metric.Visit && s.Point != metric.Crossover:
		return Figure
	case s.Experiment == metric.AllExperiment:
		return Bounds
	}
	return Assignment
}
