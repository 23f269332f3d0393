package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"github.com/seed-6a2d649b/pharos/host/kafka"
)

// heal ends all trouble, sends a last beacon of each source partition, and lets
// everything that was sent come through.
func (s *simulation) heal() {
	s.lasted = time.Since(s.world.began)
	s.healing, s.before = true, len(s.store.samples)
	s.pass(30 * time.Second)
	s.pass(s.world.gap + 2*s.world.lateness + 10*time.Minute)
	s.sendLast()
	s.loadAll()
	for _, name := range slices.Sorted(maps.Keys(s.cluster.groups)) {
		s.rebalance(name) // of source partitions that have been added
	}
	s.settle("dispatch", s.world.topics())
	s.settle("session", s.world.newest().topics())
	s.settleShip()
}

// sendLast writes a beacon of the present to each source partition, which makes
// all before it final.
func (s *simulation) sendLast() {
	now := s.now().UnixMilli()
	s.world.lastSent.Store(now)
	for _, tp := range s.cluster.partitions(s.world.topics()...) {
		s.raw(tp, fmt.Sprintf(`{"tenant":"shop","sid":"last","ts":%d}`, now))
	}
}

// settle runs the workers of a group until all is committed, and a while more.
func (s *simulation) settle(group string, topics []string) {
	after := 0
	for range 3000 {
		if len(s.faults) > 0 {
			return
		}
		for _, h := range s.hosts {
			for _, w := range h.workers {
				if w, ok := w.(*worker); ok && w.group.name == group {
					w.step()
					synctest.Wait()
				}
			}
			h.beside.step()
			synctest.Wait()
			if h.up() && s.chance(20) {
				h.look()
				synctest.Wait()
			}
		}
		s.pass(100 * time.Millisecond)
		if s.consumed(group, topics) {
			if after++; after > 40 && !s.isOpen(group) {
				return
			}
		}
	}
	s.fault("%s does not come to rest", group)
	for _, tp := range s.cluster.partitions(topics...) {
		if c := s.cluster.group(group).offsets[tp]; !closed(c) && c.Offset <= s.cluster.log(tp).last() {
			s.fault("%v: is committed up to %d of %d: %s", tp, c.Offset, s.cluster.log(tp).last()+1, c.Metadata)
		}
	}
}

func (s *simulation) isOpen(group string) bool {
	for _, h := range s.hosts {
		for _, w := range h.workers {
			if w, ok := w.(*worker); ok && w.group.name == group && w.tx != nil {
				return true
			}
		}
	}
	return false
}

// consumed tells whether a group has committed all records of topics.
func (s *simulation) consumed(group string, topics []string) bool {
	g := s.cluster.group(group)
	for _, tp := range s.cluster.partitions(topics...) {
		if c, ok := g.offsets[tp]; !ok || c.Offset <= s.cluster.log(tp).last() && !closed(c) {
			return false
		}
	}
	return true
}

// closed tells whether a partition is handed over: what comes to it then, as the
// end of a source partition that is new, concerns nobody.
func closed(c kafka.Committed) bool { return strings.Contains(c.Metadata, `"closed":true`) }

// settleShip ships until all partitions of the metrics topic are read.
func (s *simulation) settleShip() {
	for range 3000 {
		if len(s.faults) > 0 {
			return
		}
		read := map[int32]bool{}
		for _, h := range s.hosts {
			for _, w := range h.workers {
				w, ok := w.(*shipping)
				if !ok {
					continue
				}
				w.step()
				for p, part := range w.parts {
					if part.next == s.cluster.log(kafka.TopicPartition{Topic: metricsTopic, Partition: p}).stable() {
						read[p] = true
					}
				}
			}
		}
		s.pass(100 * time.Millisecond)
		if len(read) == int(s.world.metricsPartitions) {
			for _, h := range s.hosts {
				for _, w := range h.workers {
					if w, ok := w.(*shipping); ok {
						w.ship()
					}
				}
			}
			return
		}
	}
	s.fault("ship does not come to rest")
}
