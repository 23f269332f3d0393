package query

import (
	"math"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// waits returns the newest generation that the metrics topic names and nobody has
// made known, so that nothing becomes final; 0: none.
func (l *Live) waits() (generation uint64) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for i := range l.parts {
		if h := l.parts[i].horizon; h.Waits() {
			generation = max(generation, h.Named())
		}
	}
	return generation
}

// lowest is the lowest final minute of all partitions; false while one is unknown.
func (l *Live) lowest() (minute int64, ok bool) {
	minute = math.MaxInt64
	for i := range l.parts {
		minute = min(minute, l.parts[i].final)
	}
	return minute, minute != metric.NoMinute
}
