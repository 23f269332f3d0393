package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
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
	infos, err := Topics(ctx, cl, topics...)
	if err != nil {
		return nil, err
	}
	var parts []TopicPartition
	for topic, info := range infos {
		for p := range info.Partitions {
			parts = append(parts, TopicPartition{topic, p})
		}
	}
	return committedOffsets(ctx, cl, group, parts)
}

// committedOffsets is CommittedOffsets of some partitions: transactions that
// are open on others are not waited for.
func committedOffsets(ctx context.Context, cl *kgo.Client, group string, parts []TopicPartition) (map[TopicPartition]Committed, error) {
	for {
		m, err := fetchOffsets(ctx, cl, group, parts, true)
		if err == nil {
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

// CommittedOffsetsNow returns what a group has committed of partitions by now:
// transactions that may change it are not waited for. Partitions without a commit
// are missing.
func CommittedOffsetsNow(ctx context.Context, cl *kgo.Client, group string, parts []TopicPartition) (map[TopicPartition]Committed, error) {
	m, err := patiently(ctx, func() (map[TopicPartition]Committed, error) { return fetchOffsets(ctx, cl, group, parts, false) })
	if errors.Is(err, kerr.GroupIDNotFound) {
		return map[TopicPartition]Committed{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("kafka: committed offsets of group %s: %w", group, err)
	}
	return m, nil
}

// fetchOffsets asks by name for the partitions: asked for all, a broker leaves
// out those whose first commit is in a transaction that is still open.
func fetchOffsets(ctx context.Context, cl *kgo.Client, group string, parts []TopicPartition, stable bool) (map[TopicPartition]Committed, error) {
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	at := map[string]int{}
	for _, tp := range parts {
		i, ok := at[tp.Topic]
		if !ok {
			i = len(g.Topics)
			at[tp.Topic] = i
			t := kmsg.NewOffsetFetchRequestGroupTopic()
			t.Topic = tp.Topic
			g.Topics = append(g.Topics, t)
		}
		g.Topics[i].Partitions = append(g.Topics[i].Partitions, tp.Partition)
	}
	m := map[TopicPartition]Committed{}
	if len(g.Topics) == 0 {
		return m, nil // asked for none, a broker gives all
	}
	req := kmsg.NewPtrOffsetFetchRequest()
	req.RequireStable = stable
	req.Groups = append(req.Groups, g)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return nil, err
	}
	for _, g := range resp.Groups {
		if err := kerr.ErrorForCode(g.ErrorCode); err != nil {
			return nil, err
		}
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return nil, fmt.Errorf("%s/%d: %w", t.Topic, p.Partition, err)
				}
				if p.Offset < 0 {
					continue
				}
				c := Committed{Offset: p.Offset}
				if p.Metadata != nil {
					c.Metadata = *p.Metadata
				}
				m[TopicPartition{t.Topic, p.Partition}] = c
			}
		}
	}
	return m, nil
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

// OffsetBounds returns the bounds of all partitions of the topics, which must be
// there: one of which some broker does not know yet is waited for.
func OffsetBounds(ctx context.Context, cl *kgo.Client, topics ...string) (map[TopicPartition]Bounds, error) {
	return patiently(ctx, func() (map[TopicPartition]Bounds, error) { return offsetBounds(ctx, cl, topics) })
}

func offsetBounds(ctx context.Context, cl *kgo.Client, topics []string) (map[TopicPartition]Bounds, error) {
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
