package rollout

import "time"

// BreakerSettings say when a plugin is taken out that keeps failing.
type BreakerSettings struct {
	Traps      Share         // of the rows of a window: so many failed rows are too many
	Rows       int64         // of a window
	Backoff    time.Duration // before it is tried again, twice as long each time
	MaxBackoff time.Duration
}

// retryShare of a window are the rows with which a plugin is tried again.
const retryShare = 10

// maxTrips bounds how often in a row a plugin is tried again: then somebody has to
// look at it.
const maxTrips = 50

// wait is how long a plugin is out that was taken out so many times in a row.
func (s *BreakerSettings) wait(trips int) time.Duration {
	d := s.Backoff
	for range trips - 1 {
		if d *= 2; d >= s.MaxBackoff {
			break
		}
	}
	return min(d, s.MaxBackoff)
}

// window counts rows, and those of them at which a plugin failed, up to a size, and
// then anew.
type window struct{ rows, traps, tried int64 }

// add counts, and tells whether too many of a window's rows have failed. The first
// window of a plugin that is tried again is a short one.
func (w *window) add(rows, traps int64, s *BreakerSettings, again bool) (broken bool) {
	size := w.size(s, again)
	broken = w.breaks(traps, s, again)
	w.rows += rows
	w.traps += traps
	w.tried += rows
	if w.rows >= size {
		w.rows, w.traps = 0, 0
	}
	return broken
}

// breaks tells whether too many rows have failed, with so many more that are not
// counted yet.
func (w *window) breaks(traps int64, s *BreakerSettings, again bool) bool {
	return w.traps+traps > 0 && s.Traps.reached(w.traps+traps, w.size(s, again))
}

func (w *window) size(s *BreakerSettings, again bool) int64 {
	if again && w.tried == w.rows {
		return max(1, s.Rows/retryShare)
	}
	return s.Rows
}
