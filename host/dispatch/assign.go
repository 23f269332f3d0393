package dispatch

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// Assign goes on with partitions where they were left. Where that place is gone,
// and nobody has accepted it, it is an ErrStop that says what would be lost.
func (s *Stage) Assign(ctx context.Context, parts []*kafka.Assigned) error {
	taken := make([]*part, len(parts)) // all or none: nobody would revoke some of them
	for i, a := range parts {
		var err error
		if taken[i], err = s.take(ctx, a); err != nil {
			return fmt.Errorf("dispatch: source topic %s, partition %d: %w", a.Topic, a.Partition, err)
		}
	}
	for _, p := range taken {
		s.parts[kafka.TopicPartition{Topic: p.Topic, Partition: p.Partition}] = p
		s.cfg.Counters.partitions.Inc()
	}
	s.fresh = true
	s.close(ctx, parts)
	s.report(nil)
	return nil
}

// take makes the state of an assigned partition, and says where it is read from.
func (s *Stage) take(ctx context.Context, a *kafka.Assigned) (*part, error) {
	p := &part{
		Source:  Source{Topic: a.Topic, Partition: a.Partition, Watermark: metric.NoWatermark},
		topicID: a.TopicID, partitions: a.Partitions, active: s.cfg.Now(),
	}
	var left metadata
	if a.Metadata != "" {
		if err := json.Unmarshal([]byte(a.Metadata), &left); err != nil {
			return nil, fmt.Errorf("what is committed is not a dispatcher's: %q: take another group, or delete the group's offsets: %w: %w", a.Metadata, err, kafka.ErrStop)
		}
	}
	anew := a.Metadata != "" && left.TopicID != topicID(a.TopicID)
	lost, start := "", a.Start
	switch {
	case anew:
		lost, start = "the topic was made anew since it was dispatched: what of the old one was not dispatched is gone, and the new one would be read from its start", a.LogStart
	case a.Committed >= 0 && a.Committed < a.LogStart:
		lost, start = fmt.Sprintf("its records %d to %d are gone before they were dispatched: no figure has their beacons (keep the topic longer: retention.ms, retention.bytes)", a.Committed, a.LogStart-1), a.LogStart
	case a.Committed > a.LogEnd:
		lost, start = fmt.Sprintf("it was dispatched up to offset %d, and its log ends at %d: the cluster has lost records, and gives their offsets to others, which would be read from there", a.Committed, a.LogEnd), a.LogEnd
	case a.Committed < 0:
		started, err := s.memory.started(ctx, s.cfg.Started, p)
		if err != nil {
			return nil, err
		}
		if started {
			lost, start = fmt.Sprintf("it was dispatched before, and the group's offset of it is gone (it has expired, or the topic was made anew): it would be read from its start, offset %d, and what of it is no more than session.lateness old be counted twice", a.LogStart), a.LogStart
		}
	}
	if lost != "" {
		if s.cfg.AcceptLoss == nil || !s.cfg.AcceptLoss(a.Topic, a.Partition) {
			return nil, fmt.Errorf("%s; to go on all the same, start with --accept-loss %s/%d: %w", lost, a.Topic, a.Partition, kafka.ErrStop)
		}
		s.cfg.Logger.Error("going on with a source partition as was accepted", "topic", a.Topic, "partition", a.Partition, "start", start, "loss", lost)
	}
	if a.Metadata == "" {
		var err error
		if p.needs, err = s.newest(ctx); err != nil {
			return nil, err
		}
	} else {
		// The generation is of the routes, whose topics know of this partition.
		p.generation, p.needs = left.Generation, left.Generation
		if !anew {
			p.Watermark, p.idle = left.Watermark, left.Idle
			if left.Active > 0 {
				p.active = time.UnixMilli(left.Active)
			}
		}
	}
	a.Start, p.next = start, start
	if p.needs > s.core.Generation() {
		a.Hold, p.held, p.waits, p.since = true, true, true, s.cfg.Now()
		s.cfg.Logger.Info("a source partition waits for the generation that it was dispatched under", "topic", a.Topic, "partition", a.Partition, "generation", p.needs, "loaded", s.core.Generation())
	}
	return p, nil
}

// newest is the generation that a partition begins with that nobody has
// dispatched: under an older one it would write to topics that others have left.
func (s *Stage) newest(ctx context.Context) (uint64, error) {
	if s.cfg.Newest == nil {
		return 0, nil
	}
	n, err := s.cfg.Newest(ctx)
	if err != nil {
		return 0, fmt.Errorf("the newest generation: %w", err)
	}
	return n, nil
}
