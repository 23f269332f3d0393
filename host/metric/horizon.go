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
//
// A beacon goes to a route only under a generation that has it, and a source
// partition says a generation on all routes before the first beacon that it
// dispatches under it. So what has been said of a watermark names the newest
// generation that anything older than the watermark can have come under: the
// routes of that one are those to wait for.
type Horizon struct {
	lateness    int64        // ms
	generations []generation // known, ascending
	named       uint64       // highest that a progress has named
	routes      map[string]*routeProgress
}

// generation is one that the reader knows.
type generation struct {
	number uint64
	routes []string
}

// routeProgress is what is known of a route's topics, the oldest first. There are
// several while a repartition, or a topic made anew, puts one in another's place.
type routeProgress struct{ topics []*topicProgress }

// topicProgress is what is known of one topic.
type topicProgress struct {
	id     [16]byte
	parts  []Progress // by partition; Partitions is 0 for one that is unknown
	silent int        // how many are unknown
	closed bool       // a partition is: others are to come in the topic's place
}

// maxTopics bounds the topics of a route that are kept apart.
const maxTopics = 4

// NewHorizon returns a horizon that knows neither a generation nor any progress:
// nothing is final. The lateness is session.lateness.
func NewHorizon(lateness time.Duration) *Horizon {
	return &Horizon{lateness: lateness.Milliseconds(), routes: map[string]*routeProgress{}}
}

// Generation makes a generation known, with all its routes. Generations that are
// not told count as the next higher one that is: later ones have all routes of
// earlier ones.
func (h *Horizon) Generation(number uint64, routes []string) {
	i, found := slices.BinarySearchFunc(h.generations, number, func(g generation, n uint64) int { return cmp.Compare(g.number, n) })
	g := generation{number: number, routes: slices.Clone(routes)}
	if found {
		h.generations[i] = g
		return
	}
	h.generations = slices.Insert(h.generations, i, g)
}

// Observe takes one progress, of a frame that was written under a generation, in
// the order of the log. A topic that takes another's place counts once all its
// partitions have spoken; until then the other's last progress holds.
func (h *Horizon) Observe(generation uint64, p Progress) {
	if p.Generation == 0 {
		p.Generation = generation
	}
	h.named = max(h.named, p.Generation)
	r := h.routes[p.Route]
	if r == nil {
		r = &routeProgress{}
		h.routes[p.Route] = r
	}
	r.topic(&p).observe(p)
	if i := r.inForce(); i > 0 {
		r.topics = slices.Delete(r.topics, 0, i)
	}
}

// topic finds the topic of a progress, or begins it.
func (r *routeProgress) topic(p *Progress) *topicProgress {
	for _, t := range r.topics {
		if t.id == p.TopicID && len(t.parts) == int(p.Partitions) {
			return t
		}
	}
	t := &topicProgress{id: p.TopicID, parts: make([]Progress, p.Partitions), silent: int(p.Partitions)}
	at := len(r.topics)
	if p.Closed { // what is closed is older than what is not
		for at > 0 && !r.topics[at-1].closed {
			at--
		}
	}
	r.topics = slices.Insert(r.topics, at, t)
	if len(r.topics) > maxTopics {
		r.topics = slices.Delete(r.topics, 0, 1)
	}
	return t
}

func (t *topicProgress) observe(p Progress) {
	t.closed = t.closed || p.Closed
	old := &t.parts[p.Partition]
	if old.Partitions == 0 {
		t.silent--
	} else { // none of them ever falls
		p.Watermark = max(p.Watermark, old.Watermark)
		p.Offset = max(p.Offset, old.Offset)
		p.Generation = max(p.Generation, old.Generation)
		p.Closed = p.Closed || old.Closed
	}
	*old = p
}

// inForce is the index of the newest topic of which all partitions have spoken; -1
// if none is.
func (r *routeProgress) inForce() int {
	for i := len(r.topics) - 1; i >= 0; i-- {
		if r.topics[i].silent == 0 {
			return i
		}
	}
	return -1
}

// FinalBefore returns the first minute that is not final: all minutes before
// it are. It is false while the newest generation that was named is not known
// yet, or a partition of one of its routes is unknown or has no watermark.
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
	at := slices.IndexFunc(h.generations, func(g generation) bool { return g.number >= h.named })
	if at < 0 {
		return 0, false // what the newest generation needs is not known
	}
	for _, name := range h.generations[at].routes {
		r := h.routes[name]
		if r == nil {
			return 0, false
		}
		i := r.inForce()
		if i < 0 {
			return 0, false
		}
		for j := range r.topics[i].parts {
			w := r.topics[i].parts[j].Watermark
			if w == NoWatermark {
				return 0, false
			}
			if !ok || w < ms {
				ms, ok = w, true
			}
		}
	}
	return ms, ok
}

// Named returns the highest generation that a progress has named; 0 before any.
func (h *Horizon) Named() uint64 { return h.named }

// Waits tells whether a generation was named that is not known yet.
func (h *Horizon) Waits() bool {
	n := len(h.generations)
	return h.named > 0 && (n == 0 || h.generations[n-1].number < h.named)
}

// Partitions returns the last progress of every partition known, by route and
// partition, the older topic of a route first.
func (h *Horizon) Partitions() []Progress {
	var out []Progress
	for _, r := range h.routes {
		for _, t := range r.topics {
			for _, p := range t.parts {
				if p.Partitions != 0 {
					out = append(out, p)
				}
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Progress) int { return strings.Compare(a.Route, b.Route) })
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
