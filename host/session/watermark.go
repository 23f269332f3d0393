package session

import (
	"fmt"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// watermark is a route partition's: the lowest of the source partitions that
// feed it and are not idle, as far as its log has said.
type watermark struct {
	feeds []*feed
	of    map[string]*feed // by topic
	value int64            // never falls; metric.NoWatermark before all have spoken
	// oldest is the highest that headers and marks said until all had spoken:
	// no beacon from before this log's first record is later.
	oldest int64
}

// feed are the partitions of a raw topic.
type feed struct {
	source   *source
	number   int32 // of the topic
	expected int32 // partitions there are; 0: not known yet
	parts    []sourcePart
	silent   int // of the expected ones, how many have not spoken
}

type sourcePart struct {
	spoken, idle bool
	ended        bool // it has gone on to another topic of the route
	value        int64
}

func newWatermark() *watermark {
	return &watermark{of: map[string]*feed{}, value: metric.NoWatermark, oldest: metric.NoWatermark}
}

// follow makes the sources of a generation those that feed the partition. A
// new one is waited for until it has spoken, one that is gone no longer.
func (w *watermark) follow(p *prepared, one bool, number func(topic string) int32) {
	before := w.of
	w.of = make(map[string]*feed, len(p.sources))
	switch {
	case !one:
		w.feeds = nil
	case len(w.feeds) == 0:
		// All topics speak for the one source partition.
		w.feeds = []*feed{{}}
		w.feeds[0].expect(1)
	}
	for _, s := range p.sources {
		f := before[s.Topic]
		if f == nil {
			f = &feed{number: number(s.Topic)}
		}
		f.source = s
		w.of[s.Topic] = f
		if !one {
			f.expect(s.Partitions)
			w.feeds = append(w.feeds, f)
		}
	}
	w.recompute()
}

// expect notes that there are at least n partitions.
func (f *feed) expect(n int32) {
	f.expected = max(f.expected, n)
	for int32(len(f.parts)) < f.expected {
		f.parts = append(f.parts, sourcePart{value: metric.NoWatermark})
		f.silent++
	}
}

// part finds a source partition; one that was not expected makes it so only
// where it is known how many there are.
func (f *feed) part(partition int32) *sourcePart {
	known := f.expected
	f.expect(partition + 1)
	if known == 0 {
		f.expected = 0
	}
	return &f.parts[partition]
}

// hear notes what the log says of a source partition and tells whether the
// lowest may have changed.
func (f *feed) hear(partition int32, value int64, idle bool, low int64) bool {
	s := f.part(partition)
	if !s.spoken {
		s.spoken = true
		f.silent--
		s.value, s.idle = value, idle
		return true
	}
	if value <= s.value && idle == s.idle {
		return false
	}
	changed := s.value <= low || idle != s.idle
	s.value, s.idle = max(s.value, value), idle
	return changed
}

// feedOf gives the feed that a topic speaks for, and its own.
func (w *watermark) feedOf(topic string) (speaks, of *feed, ok bool) {
	f, ok := w.of[topic]
	if !ok {
		return nil, nil, false
	}
	if w.feeds[0].source == nil {
		return w.feeds[0], f, true
	}
	return f, f, true
}

// before notes what the header of a beacon says: its source partition's
// watermark before it. The partition's own is then the one to judge it by.
func (w *watermark) before(f *feed, h *beacon.Header) {
	if w.value == metric.NoWatermark {
		w.oldest = max(w.oldest, h.Watermark)
	}
	w.move(f, h.Partition, h.Watermark)
}

// move notes the watermark of a source partition that a beacon has come from.
func (w *watermark) move(f *feed, partition int32, value int64) {
	if f.source == nil {
		partition = 0
	}
	if f.hear(partition, value, false, w.value) {
		w.recompute()
	}
}

// mark takes what a dispatch host says of all its source partitions. Topics
// that no longer feed the routes are passed over.
func (w *watermark) mark(m *beacon.Mark) {
	changed := false
	for _, e := range m.Entries {
		f, _, ok := w.feedOf(e.Topic)
		if !ok {
			continue
		}
		if f.source == nil {
			e.Partition, e.Partitions = 0, 1
		}
		if w.value == metric.NoWatermark {
			w.oldest = max(w.oldest, e.Watermark)
		}
		if e.Partitions > f.expected {
			f.expect(e.Partitions)
			changed = true
		}
		if f.hear(e.Partition, e.Watermark, e.Idle, w.value) {
			changed = true
		}
	}
	if changed {
		w.recompute()
	}
}

// end takes the last word of a source partition on this topic. It still holds
// the watermark, as its beacons go on elsewhere.
func (w *watermark) end(e beacon.End) {
	f, _, ok := w.feedOf(e.Topic)
	if !ok {
		return
	}
	if f.source == nil {
		e.Partition, e.Partitions = 0, 1
	}
	if w.value == metric.NoWatermark {
		w.oldest = max(w.oldest, e.Watermark)
	}
	changed := e.Partitions > f.expected
	f.expect(e.Partitions)
	s := f.part(e.Partition)
	s.ended = true
	if f.hear(e.Partition, e.Watermark, s.idle, w.value) || changed {
		w.recompute()
	}
}

// ended tells whether all source partitions have said their last word.
func (w *watermark) ended() bool {
	for _, f := range w.feeds {
		if f.expected == 0 {
			return false
		}
		for i := range f.parts {
			if !f.parts[i].ended {
				return false
			}
		}
	}
	return true
}

// recompute brings the value to the lowest that is said.
func (w *watermark) recompute() {
	low, active := metric.NoWatermark, false
	for _, f := range w.feeds {
		if f.expected == 0 || f.silent > 0 {
			return
		}
		for i := range f.parts {
			s := &f.parts[i]
			if s.idle {
				continue
			}
			if !active || s.value < low {
				low, active = s.value, true
			}
		}
	}
	if active {
		w.value = max(w.value, low)
	}
}

// absorb takes over what another partition of the route has heard, the first or
// one more: see Partition.Absorb.
func (w *watermark) absorb(o *watermark, first bool) {
	if w.one() {
		w.feeds[0].absorb(o.feeds[0], first)
	} else {
		for topic, f := range w.of {
			if heard := o.of[topic]; heard != nil {
				f.absorb(heard, first)
			}
		}
	}
	w.value, w.oldest = max(w.value, o.value), max(w.oldest, o.oldest)
	w.recompute()
}

func (f *feed) absorb(o *feed, first bool) {
	f.expected = max(f.expected, o.expected)
	for len(f.parts) < max(int(f.expected), len(o.parts)) {
		f.parts = append(f.parts, sourcePart{value: metric.NoWatermark})
	}
	f.silent = 0
	for i := range f.parts {
		s, heard := &f.parts[i], sourcePart{value: metric.NoWatermark}
		if i < len(o.parts) {
			heard = o.parts[i]
		}
		if first {
			*s = sourcePart{spoken: heard.spoken, idle: heard.idle, value: heard.value}
		} else {
			*s = sourcePart{spoken: s.spoken && heard.spoken, idle: s.idle && heard.idle, value: min(s.value, heard.value)}
		}
		if !s.spoken {
			f.silent++
		}
	}
}

// holder is the source partition that holds the watermark, as topic/number:
// see PartitionStatus.
func (w *watermark) holder() string {
	var lowest *feed
	var at int
	for _, f := range w.feeds {
		for i := range f.parts {
			s := &f.parts[i]
			if !s.spoken {
				return f.name(i)
			}
			if !s.idle && (lowest == nil || s.value < lowest.parts[at].value) {
				lowest, at = f, i
			}
		}
	}
	if lowest == nil {
		return ""
	}
	return lowest.name(at)
}

func (f *feed) name(partition int) string {
	topic := ""
	if f.source != nil {
		topic = f.source.Topic
	}
	return fmt.Sprintf("%s/%d", topic, partition)
}
