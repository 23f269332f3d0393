package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Committed is a group's committed offset of a partition.
type Committed struct {
	Offset   int64 // the next to read; -1: none
	Metadata string
}

// CommittedOffsets returns what a group has committed for the topics, once no
// transaction that may change it is open. Partitions without a commit are
// missing; a group that does not exist has none.
func CommittedOffsets(ctx context.Context, cl *kgo.Client, group string, topics ...string) (map[TopicPartition]Committed, error) {
	for {
		offsets, err := kadm.NewClient(cl).FetchOffsetsForTopics(kadm.RequireStable(ctx), group, topics...)
		if err == nil {
			err = offsets.Error()
		}
		if err == nil {
			m := map[TopicPartition]Committed{}
			offsets.Each(func(o kadm.OffsetResponse) {
				if o.At >= 0 {
					m[TopicPartition{o.Topic, o.Partition}] = Committed{o.At, o.Metadata}
				}
			})
			return m, nil
		}
		if errors.Is(err, kerr.GroupIDNotFound) {
			return map[TopicPartition]Committed{}, nil
		}
		if !kerr.IsRetriable(err) {
			return nil, fmt.Errorf("kafka: committed offsets of group %s: %w", group, err)
		}
		// The group's coordinator is not there yet (the first use of a group on a
		// new cluster), or a transaction of the partition's former owner is still
		// open: it ends by itself, at the latest when it times out.
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("kafka: committed offsets of group %s: %w", group, errors.Join(err, ctx.Err()))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// CommitOffsets commits offsets with their metadata for a group that nobody is
// a member of (a reader that keeps its own place).
func CommitOffsets(ctx context.Context, cl *kgo.Client, group string, offsets map[TopicPartition]Committed) error {
	var os kadm.Offsets
	for tp, c := range offsets {
		os.Add(kadm.Offset{Topic: tp.Topic, Partition: tp.Partition, At: c.Offset, LeaderEpoch: -1, Metadata: c.Metadata})
	}
	resps, err := kadm.NewClient(cl).CommitOffsets(ctx, group, os)
	if err == nil {
		err = resps.Error()
	}
	if err != nil {
		return fmt.Errorf("kafka: commit offsets of group %s: %w", group, err)
	}
	return nil
}

// Bounds are the first offset of a partition and its stable end: the offset
// behind the last record that read committed may see.
type Bounds struct{ Start, End int64 }

// OffsetBounds returns the bounds of all partitions of the topics.
func OffsetBounds(ctx context.Context, cl *kgo.Client, topics ...string) (map[TopicPartition]Bounds, error) {
	adm := kadm.NewClient(cl)
	starts, err := adm.ListStartOffsets(ctx, topics...)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("kafka: start offsets of %v: %w", topics, err)
	}
	ends, err := adm.ListCommittedOffsets(ctx, topics...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("kafka: end offsets of %v: %w", topics, err)
	}
	m := map[TopicPartition]Bounds{}
	ends.Each(func(o kadm.ListedOffset) {
		if s, ok := starts.Lookup(o.Topic, o.Partition); ok {
			m[TopicPartition{o.Topic, o.Partition}] = Bounds{Start: s.Offset, End: o.Offset}
		}
	})
	return m, nil
}

// NewReader returns a client that reads the given partitions from the given
// offsets on, read committed and without a group. An offset below the log's
// start reads from the start.
func NewReader(c Config, from map[TopicPartition]int64, opts ...kgo.Opt) (*kgo.Client, error) {
	parts := map[string]map[int32]kgo.Offset{}
	for tp, offset := range from {
		if parts[tp.Topic] == nil {
			parts[tp.Topic] = map[int32]kgo.Offset{}
		}
		parts[tp.Topic][tp.Partition] = kgo.NewOffset().At(offset)
	}
	return NewClient(c, append([]kgo.Opt{
		kgo.ConsumePartitions(parts),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	}, opts...)...)
}
