package dispatch

import (
	"context"
	"fmt"
	"iter"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/kafka"
)

// Use makes core, the stage's own from then on, decide from the next batch on. One
// of an older generation than the stage's is passed over. It may be called at any
// time.
func (s *Stage) Use(core *Core) {
	s.coreMu.Lock()
	defer s.coreMu.Unlock()
	now := s.core
	if s.next != nil {
		now = s.next
	}
	if core.Generation() < now.Generation() {
		s.cfg.Logger.Warn("passed over a generation older than the one in use", "generation", core.Generation(), "in_use", now.Generation())
		return
	}
	s.next = core
}

// swap takes the next core if there is one.
func (s *Stage) swap() *Core {
	s.coreMu.Lock()
	defer s.coreMu.Unlock()
	if s.next != nil {
		s.core, s.next = s.next, nil
		s.out.use(s.core)
	}
	return s.core
}

// resume goes on with partitions whose generation has come. One for which it does
// not come is an ErrStop in the end: another host may have what this one cannot load.
func (s *Stage) resume(ctx context.Context, core *Core, tx *kafka.Tx, tick bool) error {
	now := s.cfg.Now()
	open := s.gate.open(ctx, s, tick, now)
	for _, p := range s.sorted() {
		if p.waits && p.needs <= core.Generation() {
			p.waits, s.fresh = false, true
		}
		switch {
		case !p.held:
		case !p.waits && open:
			p.held = false
			tx.Resume(p.Topic, p.Partition)
		case p.waits && now.Sub(p.since) > s.cfg.Patience:
			return fmt.Errorf("dispatch: source topic %s, partition %d goes on under generation %d, and this host has not loaded it within %s: it has generation %d: %w",
				p.Topic, p.Partition, p.needs, s.cfg.Patience, core.Generation(), kafka.ErrStop)
		}
	}
	return nil
}

// advance brings partitions to the core's generation. Where that has another topic
// for a route, the topic that the partition leaves gets its end: on every
// partition, behind all its beacons there, and before anything of it is on the new
// topic. A partition that nobody has dispatched ends there too: what knows of it by
// its number waits for that.
func (s *Stage) advance(ctx context.Context, core *Core, tx *kafka.Tx) error {
	counts := map[string]int32{}
	for _, p := range s.sorted() {
		if p.waits || p.generation >= core.Generation() {
			continue
		}
		for _, r := range core.Routes() {
			if r.Replaces == nil || p.generation >= r.Replaces.Generation {
				continue
			}
			n, err := s.count(ctx, p.Topic, counts)
			if err != nil {
				return err
			}
			p.partitions = max(p.partitions, n, tx.Partitions(p.Topic))
			s.end(p, core.Generation(), r.Replaces)
		}
		p.generation, s.fresh = core.Generation(), true
	}
	return nil
}

// end gathers the ends of a source partition on a topic that it leaves.
func (s *Stage) end(p *part, generation uint64, old *Replaced) {
	value := beacon.End{
		Generation: generation, Topic: p.Topic, Partition: p.Partition, Partitions: p.partitions, Watermark: p.Watermark,
	}.Append(nil)
	for partition := range old.Partitions {
		s.out.batch = append(s.out.batch, &kgo.Record{Topic: old.Topic, Partition: partition, Value: value, Headers: endHeaders})
	}
	s.cfg.Logger.Info("a source partition leaves a route's topic", "topic", p.Topic, "partition", p.Partition, "left", old.Topic, "generation", generation)
}

// count is how many partitions a source's topic has now, asked once a batch. What
// the loop has learnt may be seconds old: a partition that it does not know would
// not be waited for.
func (s *Stage) count(ctx context.Context, topic string, known map[string]int32) (int32, error) {
	if n, ok := known[topic]; ok || s.cfg.Cluster == nil {
		return n, nil
	}
	n, err := s.cfg.Cluster.Partitions(ctx, topic)
	if err != nil {
		return 0, fmt.Errorf("dispatch: partitions of %s: %w", topic, err)
	}
	known[topic] = n
	return n, nil
}

// marks gathers for every route partition how far all owned source partitions
// are: behind all beacons that this stage has routed to it. The records are those
// in hand, which are lag that the loop does not count any more.
func (s *Stage) marks(core *Core, tx *kafka.Tx, records []*kgo.Record) {
	now := s.cfg.Now()
	for p := range s.having(records) {
		p.idle, p.busy = false, true
	}
	mark := beacon.Mark{Generation: core.Generation()}
	for _, p := range s.sorted() {
		if p.waits {
			continue
		}
		// A topic can have grown since the partition was assigned.
		p.partitions = max(p.partitions, tx.Partitions(p.Topic))
		// How far it is counts only where it is not idle: that is said first, also by a
		// host that has stood still for longer than it takes to be idle.
		p.idle = !p.busy && !p.unsaid && now.Sub(p.active) >= s.cfg.Idle && tx.Lag(p.Topic, p.Partition) == 0
		p.busy, p.unsaid = false, false
		mark.Entries = append(mark.Entries, beacon.MarkEntry{
			Topic: p.Topic, Partition: p.Partition, Partitions: p.partitions, Watermark: p.Watermark,
			Idle: p.idle,
		})
	}
	s.fresh = false
	if len(mark.Entries) == 0 {
		return
	}
	value := mark.Append(nil)
	for _, r := range core.Routes() {
		for partition := range r.Partitions {
			s.out.batch = append(s.out.batch, &kgo.Record{Topic: r.Topic, Partition: partition, Value: value, Headers: markHeaders})
			s.cfg.Counters.marks.Inc()
		}
	}
}

// back tells whether a partition that was idle has records again: the routes hear
// of that before its first beacon, and before others move on.
func (s *Stage) back(records []*kgo.Record) bool {
	for p := range s.having(records) {
		if p.idle {
			return true
		}
	}
	return false
}

// having gives the partitions that records are of.
func (s *Stage) having(records []*kgo.Record) iter.Seq[*part] {
	return func(yield func(*part) bool) {
		for i, r := range records {
			if i > 0 && r.Partition == records[i-1].Partition && r.Topic == records[i-1].Topic {
				continue
			}
			if p := s.parts[kafka.TopicPartition{Topic: r.Topic, Partition: r.Partition}]; p != nil && !yield(p) {
				return
			}
		}
	}
}

var (
	markHeaders = []kgo.RecordHeader{{Key: beacon.MarkKey}}
	endHeaders  = []kgo.RecordHeader{{Key: beacon.EndKey}}
)
