package metric

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Horizon gathers the progress of all session partitions, as one partition of
// the metrics topic says it, into the last minute that is final for that
// partition. Not for concurrent use.
type Horizon struct {
	lateness   int64 // ms
	needed     []string
	generation uint64 // newest seen
	routes     map[string]*routeProgress
}

// routeProgress is what is known of one route's topic.
type routeProgress struct {
	generation uint64 // newest that spoke of it
	topicID    [16]byte
	parts      []Progress // by partition; Partitions is 0 for one that is unknown
}

// NewHorizon returns a horizon that knows nothing yet. The lateness is
// session.lateness, the routes are all routes of the generation.
func NewHorizon(lateness time.Duration, routes []string) *Horizon {
	return &Horizon{lateness: lateness.Milliseconds(), needed: slices.Clone(routes), routes: map[string]*routeProgress{}}
}

// Observe takes one progress, in the order of the log. A topic that was made
// anew, or with another number of partitions, is unknown until all its
// partitions have spoken.
func (h *Horizon) Observe(generation uint64, p Progress) {
	h.generation = max(h.generation, generation)
	r := h.routes[p.Route]
	if r == nil || r.topicID != p.TopicID || len(r.parts) != int(p.Partitions) {
		r = &routeProgress{topicID: p.TopicID, parts: make([]Progress, p.Partitions)}
		h.routes[p.Route] = r
	}
	r.generation = max(r.generation, generation)
	old := r.parts[p.Partition]
	if old.Partitions != 0 { // neither ever falls
		p.Watermark = max(p.Watermark, old.Watermark)
		p.Offset = max(p.Offset, old.Offset)
	}
	r.parts[p.Partition] = p
}

// FinalBefore returns the first minute that is not final: all minutes before
// it are. It is false while a partition of a route is unknown or has no
// watermark; a route counts if the generation has it, or if the newest
// generation seen speaks of it.
func (h *Horizon) FinalBefore() (minute int64, ok bool) {
	low, ok := h.Watermark()
	if !ok {
		return 0, false
	}
	return MinuteOf(low - h.lateness), true
}

// Watermark returns the lowest watermark of all partitions, epoch ms; false
// where FinalBefore is.
func (h *Horizon) Watermark() (ms int64, ok bool) {
	for _, name := range h.needed {
		if h.routes[name] == nil {
			return 0, false
		}
	}
	for name, r := range h.routes {
		if r.generation < h.generation && !slices.Contains(h.needed, name) {
			continue // a route that was removed
		}
		for _, p := range r.parts {
			if p.Partitions == 0 || p.Watermark == NoWatermark {
				return 0, false
			}
			if !ok || p.Watermark < ms {
				ms, ok = p.Watermark, true
			}
		}
	}
	return ms, ok
}

// Partitions returns the last progress of every partition known, by route and
// partition.
func (h *Horizon) Partitions() []Progress {
	var out []Progress
	for _, r := range h.routes {
		for _, p := range r.parts {
			if p.Partitions != 0 {
				out = append(out, p)
			}
		}
	}
	slices.SortFunc(out, func(a, b Progress) int {
		return cmp.Or(strings.Compare(a.Route, b.Route), cmp.Compare(a.Partition, b.Partition))
	})
	return out
}

// minuteMs is the length of a minute in ms.
const minuteMs = 60_000

// MinuteOf returns the minute of an event time in ms since 1970.
func MinuteOf(ms int64) int64 {
	m := ms / minuteMs
	if ms%minuteMs < 0 {
		m--
	}
	return m
}

// NoMinute is before every minute: the horizon of a store without any.
const NoMinute int64 = -1 << 63
