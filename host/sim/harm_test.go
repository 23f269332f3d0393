package sim

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/seed-6a2d649b/pharos/host/snapshot"
)

// retain lets go of what nobody needs any more at the beginning of a log: of a
// source what is dispatched, of a route what its second snapshot holds, of the
// metrics what is shipped.
func (s *simulation) retain() {
	all := s.cluster.partitions(slices.Collect(maps.Keys(s.cluster.topics))...)
	tp := all[s.IntN(len(all))]
	l := s.cluster.log(tp)
	switch group := s.cluster.groups[s.reader(tp.Topic)]; {
	case group == nil:
		return
	case group.name == "session":
		for _, r := range s.world.newest().routes {
			for _, t := range r.all() {
				if t.topic != tp.Topic {
					continue
				}
				list, err := s.snapshots.List(context.Background(), snapshot.Key{Route: r.name, Topic: t.topic, TopicID: s.cluster.topics[t.topic].id, Partition: tp.Partition})
				if err != nil {
					panic(err)
				}
				if len(list) < 2 {
					return
				}
				l.start = max(l.start, list[1].Offset)
			}
		}
	default:
		c, ok := group.offsets[tp]
		if !ok {
			return
		}
		for _, h := range s.hosts { // a commit may still be under way
			if late, ok := h.shipping.late[tp]; h.up() && ok {
				c.Offset = min(c.Offset, late.Offset)
			}
		}
		l.start = max(l.start, c.Offset)
	}
	s.said("%v begins at %d", tp, l.start)
}

// reader is the group that reads a topic; empty: none.
func (s *simulation) reader(topic string) string {
	switch {
	case topic == metricsTopic:
		return "ship"
	case topic == deadTopic:
		return ""
	case s.world.sources[topic] > 0:
		return "dispatch"
	}
	return "session"
}

// spoil loses or breaks a partition's newest snapshot, if there is another.
func (s *simulation) spoil() {
	all, err := s.snapshots.All(context.Background())
	if err != nil || len(all) == 0 {
		return
	}
	info := all[s.IntN(len(all))]
	if list, err := s.snapshots.List(context.Background(), info.Key); err != nil || info.Handover || len(list) < 2 || list[0].Offset != info.Offset || s.spoilt[info.Key] {
		return
	}
	s.spoilt[info.Key] = true // once: what the log has lost, the others must have
	entries, err := s.bucket.List(context.Background(), "")
	if err != nil {
		panic(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name, fmt.Sprintf("/%x/%05d/%019d-g%d", info.TopicID, info.Partition, info.Offset, info.Generation)) {
			continue
		}
		s.said("%s is spoilt", e.Name)
		if s.chance(2) {
			s.must(s.bucket.Delete(context.Background(), e.Name))
			return
		}
		r, err := s.bucket.Read(context.Background(), e.Name)
		s.must(err)
		content, err := io.ReadAll(r)
		s.must(err)
		content[s.IntN(len(content))] ^= 1 << s.IntN(8)
		if s.chance(3) {
			content = content[:s.IntN(len(content))]
		}
		s.must(s.bucket.Write(context.Background(), e.Name, func(w io.Writer) error {
			_, err := w.Write(content)
			return err
		}))
		return
	}
}

func (s *simulation) must(err error) {
	if err != nil {
		panic(err)
	}
}
