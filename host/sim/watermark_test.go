package sim

import (
	"slices"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// watermark is a route partition's by the words of the definition: the lowest
// of the source partitions that are not idle, once all have spoken; it never
// falls.
type watermark struct {
	topics []string
	count  map[string]int32
	said   map[kafka.TopicPartition]*saying
	value  int64
	known  bool
	floor  bool                          // it is what other routes had; not all have spoken
	slept  map[kafka.TopicPartition]bool // idle on any route before
}

type saying struct {
	value        int64
	idle         bool
	heard, slept bool // it spoke before there was a watermark; it was idle
}

func newWatermark(topics []string) *watermark {
	return &watermark{topics: topics, count: map[string]int32{}, said: map[kafka.TopicPartition]*saying{}}
}

// follow is of the generation in force from a record on: its sources are those
// that are waited for.
func (w *watermark) follow(topics []string) {
	w.topics = topics
	w.recompute()
}

func (w *watermark) mark(m beacon.Mark) {
	m.Entries = slices.DeleteFunc(m.Entries, func(e beacon.MarkEntry) bool { return !slices.Contains(w.topics, e.Topic) })
	for _, e := range m.Entries {
		w.count[e.Topic] = max(w.count[e.Topic], e.Partitions)
	}
	for _, e := range m.Entries {
		w.note(kafka.TopicPartition{Topic: e.Topic, Partition: e.Partition}, e.Watermark, e.Idle)
	}
	w.recompute()
}

// end is a mark of one source partition, the last there: it is idle or not as it
// was.
func (w *watermark) end(from kafka.TopicPartition, e beacon.End) {
	w.count[e.Topic] = max(w.count[e.Topic], e.Partitions)
	w.note(from, e.Watermark, w.said[from] != nil && w.said[from].idle)
	w.recompute()
}

// begin is the watermark with which the partitions of a topic begin, from those of
// the topic that it took the place of: of each source partition the lowest, and of
// themselves the highest, for it falls for no session.
func (o *oracle) begin(t *routeTopic) *watermark {
	w := newWatermark(nil)
	if t.replaces == nil {
		return w
	}
	for p := range t.replaces.partitions {
		old := o.watermarks[kafka.TopicPartition{Topic: t.replaces.topic, Partition: p}]
		if old == nil {
			continue
		}
		for topic, n := range old.count {
			w.count[topic] = max(w.count[topic], n)
		}
		for from, s := range old.said {
			kept := *s
			if have := w.said[from]; have != nil {
				kept.value, kept.idle = min(kept.value, have.value), kept.idle && have.idle
				kept.slept = kept.slept || have.slept
			}
			w.said[from] = &kept
		}
		if old.known && (!w.known || old.value > w.value) {
			w.value, w.known = old.value, true
		}
	}
	w.recompute()
	return w
}

func (w *watermark) say(tp kafka.TopicPartition, value int64, idle bool) {
	w.note(tp, value, idle)
	w.recompute()
}

func (w *watermark) note(tp kafka.TopicPartition, value int64, idle bool) {
	if n := w.count[tp.Topic]; n > 0 {
		w.count[tp.Topic] = max(n, tp.Partition+1)
	}
	s := w.said[tp]
	if s == nil {
		s = &saying{value: value, heard: !w.known || w.floor, slept: w.floor && w.slept[tp]}
		w.said[tp] = s
	}
	s.value, s.idle, s.slept = max(s.value, value), idle, s.slept || idle
}

func (w *watermark) recompute() {
	low, active := int64(0), false
	for _, topic := range w.topics {
		n := w.count[topic]
		if n == 0 {
			return
		}
		for p := range n {
			s := w.said[kafka.TopicPartition{Topic: topic, Partition: p}]
			if s == nil {
				return
			}
			if !s.idle && (!active || s.value < low) {
				low, active = s.value, true
			}
		}
	}
	w.floor = w.floor && (!active || low == metric.NoWatermark)
	if active && low != metric.NoWatermark && (!w.known || low > w.value) {
		w.value, w.known = low, true
	}
}
