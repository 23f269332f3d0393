package dispatch

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-6a2d649b/pharos/host/kafka"
)

// Started keeps marks over restarts, and longer than the group's offsets live.
type Started interface {
	// Mark sets a mark; to set it again changes nothing.
	Mark(ctx context.Context, name string) error
	// Marked tells whether a mark is set.
	Marked(ctx context.Context, name string) (bool, error)
}

// memory is which partitions are known to be marked as begun, and when to try
// again where that failed.
type memory struct {
	marked map[kafka.TopicPartition]bool
	again  time.Time
}

const (
	markFor   = 2 * time.Second // after one commit: the next batch waits
	markAgain = time.Minute
)

func markName(topic string, partition int32) string {
	return fmt.Sprintf("dispatched/%s/%d", topic, partition)
}

// started tells whether a partition without an offset was begun before.
func (m *memory) started(ctx context.Context, marks Started, p *part) (bool, error) {
	if marks == nil {
		return false, nil
	}
	ok, err := marks.Marked(ctx, markName(p.Topic, p.Partition))
	if err != nil {
		return false, fmt.Errorf("whether it was dispatched before: %w", err)
	}
	return ok, nil
}

// Committed marks the partitions whose first offsets are committed by now.
func (s *Stage) Committed(ctx context.Context) {
	if s.cfg.Started == nil || time.Now().Before(s.memory.again) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, markFor)
	defer cancel()
	for _, p := range s.sorted() {
		tp := kafka.TopicPartition{Topic: p.Topic, Partition: p.Partition}
		if !p.given || s.memory.marked[tp] {
			continue
		}
		if err := s.cfg.Started.Mark(ctx, markName(p.Topic, p.Partition)); err != nil {
			s.memory.again = time.Now().Add(markAgain)
			s.cfg.Logger.Warn("that a source partition was begun could not be noted: if its offset expired now, nobody would tell", "topic", p.Topic, "partition", p.Partition, "error", err)
			return
		}
		if s.memory.marked == nil {
			s.memory.marked = map[kafka.TopicPartition]bool{}
		}
		s.memory.marked[tp] = true
	}
}
