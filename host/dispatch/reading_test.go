package dispatch

import (
	"fmt"
	"maps"
	"slices"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// reading is a route partition as a reader of its log must see it, by the
// definition: the lowest of the source partitions that are not idle, once all have
// spoken; it never falls.
type reading struct {
	parts    map[int32]*sourceSaid
	expected int32
	value    int64
	late     []string // beacons
	closedAt int      // behind which record all ends had come; 0: not all
	faults   []string
}

type sourceSaid struct {
	spoken, idle, ended bool
	value               int64
	marked              uint64 // generation of its last mark
	offset              int64  // of its last beacon
}

func (r *reading) part(p int32) *sourceSaid {
	if r.parts[p] == nil {
		r.parts[p] = &sourceSaid{value: metric.NoWatermark, offset: -1}
	}
	return r.parts[p]
}

func (r *reading) hear(p int32, value int64, idle bool) {
	s := r.part(p)
	s.spoken, s.idle, s.value = true, idle, max(s.value, value)
	low, some := int64(0), false
	for i := range r.expected {
		q := r.part(i)
		if !q.spoken {
			return
		}
		if !q.idle && (!some || q.value < low) {
			low, some = q.value, true
		}
	}
	if some && r.expected > 0 {
		r.value = max(r.value, low)
	}
}

// read reads a log to its end. Before, it is what the topic before it has left.
func (s *scene) read(topic string, partition int32, before *reading) *reading {
	r := &reading{parts: map[int32]*sourceSaid{}, value: metric.NoWatermark}
	if before != nil {
		r.value, r.expected = before.value, before.expected
		for p, q := range before.parts {
			*r.part(p) = sourceSaid{spoken: true, value: q.value, offset: -1}
		}
	}
	fault := func(i int, format string, args ...any) {
		r.faults = append(r.faults, fmt.Sprintf("%s/%d record %d: ", topic, partition, i)+fmt.Sprintf(format, args...))
	}
	for i, e := range s.logs[fmt.Sprintf("%s/%d", topic, partition)] {
		switch {
		case e.beacon != nil:
			q := r.part(e.beacon.Partition)
			switch {
			case r.closedAt > 0:
				fault(i, "a beacon of partition %d behind all ends", e.beacon.Partition)
			case q.ended:
				fault(i, "a beacon of partition %d behind its end", e.beacon.Partition)
			case q.marked < e.beacon.Generation:
				fault(i, "a beacon of partition %d under generation %d, and its last mark says %d", e.beacon.Partition, e.beacon.Generation, q.marked)
			case q.offset >= e.beacon.Offset:
				fault(i, "offset %d of partition %d behind %d", e.beacon.Offset, e.beacon.Partition, q.offset)
			}
			q.offset = e.beacon.Offset
			r.hear(e.beacon.Partition, e.beacon.Watermark, false)
			if r.value != metric.NoWatermark && e.time < r.value-late {
				r.late = append(r.late, fmt.Sprintf("%s/%d record %d: a beacon of partition %d is %d s late", topic, partition, i, e.beacon.Partition, (r.value-late-e.time)/second))
			}
			r.hear(e.beacon.Partition, e.time, false)
		case e.mark != nil:
			for _, m := range e.mark.Entries {
				q := r.part(m.Partition)
				if q.ended {
					fault(i, "a mark of partition %d behind its end", m.Partition)
				}
				if m.Watermark < q.value && q.spoken && before == nil {
					fault(i, "the watermark of partition %d falls from %d to %d", m.Partition, q.value, m.Watermark)
				}
				q.marked = e.mark.Generation
				r.expected = max(r.expected, m.Partitions)
				r.hear(m.Partition, m.Watermark, m.Idle)
			}
		case e.end != nil:
			r.expected = max(r.expected, e.end.Partitions)
			r.hear(e.end.Partition, e.end.Watermark, false)
			r.part(e.end.Partition).ended = true
			ended := 0
			for p := range r.expected {
				if r.part(p).ended {
					ended++
				}
			}
			if ended == int(r.expected) && r.closedAt == 0 {
				r.closedAt = i + 1
			}
		}
	}
	return r
}

// topic reads all partitions of a route's topic.
func (s *scene) topic(r Route, before *reading) []*reading {
	var all []*reading
	for p := range r.Partitions {
		all = append(all, s.read(r.Topic, p, before))
	}
	return all
}

// handOver is what the readings of a closed topic leave to the next: the lowest of
// each source partition. Nil while it is not closed.
func handOver(all []*reading) *reading {
	out := &reading{parts: map[int32]*sourceSaid{}, value: all[0].value}
	for _, r := range all {
		if r.closedAt == 0 {
			return nil
		}
		out.value, out.expected = min(out.value, r.value), max(out.expected, r.expected)
		for p, q := range r.parts {
			o := out.parts[p]
			if o == nil {
				o = &sourceSaid{value: q.value}
				out.parts[p] = o
			}
			o.value = min(o.value, q.value)
		}
	}
	return out
}

// readings reads all topics of all routes; closed tells whether every topic but the
// newest of the route web is.
func (s *scene) readings() (all []*reading, closed bool) {
	cfg, _ := testConfig()
	all = s.topic(cfg.Routes[1], nil)
	var before *reading
	closed = true
	for i, r := range s.web {
		if i > 0 && r.Topic == s.web[i-1].Topic {
			continue
		}
		if i > 0 && before == nil {
			return all, false // nobody reads it yet
		}
		parts := s.topic(r, before)
		all = append(all, parts...)
		before = handOver(parts)
	}
	return all, closed
}

// check holds what the logs say against what must be: nothing is late, nothing is
// lost or doubled, every word of a watermark is true.
func (s *scene) check() {
	s.t.Helper()
	all, _ := s.readings()
	for _, r := range all {
		for _, fault := range append(r.faults, r.late...) {
			s.t.Errorf("%s", fault)
		}
	}
	seen := map[[2]int64]*beacon.Header{}
	for _, key := range slices.Sorted(maps.Keys(s.logs)) {
		for _, e := range s.logs[key] {
			if e.beacon == nil {
				continue
			}
			at := [2]int64{int64(e.beacon.Partition), e.beacon.Offset}
			if seen[at] != nil {
				s.t.Errorf("%s: beacon %v is there twice", key, at)
			}
			seen[at] = e.beacon
		}
	}
	for p := range s.raw {
		high := metric.NoWatermark
		for at := range max(0, s.left[p].Offset) {
			h := seen[[2]int64{int64(p), at}]
			if h == nil {
				s.t.Errorf("beacon %d of partition %d is lost", at, p)
			} else if h.Watermark != high {
				s.t.Errorf("beacon %d of partition %d has watermark %d, want %d", at, p, h.Watermark, high)
			}
			high = max(high, s.raw[p][at].time)
		}
	}
	if s.t.Failed() {
		s.t.FailNow()
	}
}
