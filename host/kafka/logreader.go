package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// LogReader reads partitions again, without a group and beside a Loop.
type LogReader struct{ Config }

// ErrTrimmed says that a log has lost the first of the records asked for.
var ErrTrimmed = errors.New("the log has lost its first records")

// readPatience is how long a LogReader waits for the next records.
const readPatience = 30 * time.Second

// Read gives each the committed records of a partition with offsets from `from`
// up to, not including, `to`, which must be there, in order. The records are
// each's to keep. The error is each's own, ErrTrimmed, or the cluster's.
func (l LogReader) Read(ctx context.Context, topic string, partition int32, from, to int64, each func([]*kgo.Record) error) error {
	if from >= to {
		return nil
	}
	cl, err := NewReader(l.Config, map[TopicPartition]int64{{topic, partition}: from},
		kgo.KeepControlRecords(), // the last of the offsets may be a marker's
		kgo.ConsumeResetOffset(kgo.NoResetOffset().AtStart()),
		kgo.FetchMaxPartitionBytes(8<<20))
	if err != nil {
		return err
	}
	defer cl.Close()
	for next := from; next < to; {
		wait, cancel := context.WithTimeout(ctx, readPatience)
		fetches := cl.PollRecords(wait, 10_000)
		cancel()
		if err := readError(ctx, fetches); err != nil {
			return fmt.Errorf("kafka: read %s/%d from offset %d to %d, at %d: %w", topic, partition, from, to, next, err)
		}
		records := fetches.Records()
		kept := records[:0]
		for _, r := range records {
			next = r.Offset + 1
			if !r.Attrs.IsControl() && r.Offset < to {
				kept = append(kept, r)
			}
		}
		if len(kept) > 0 {
			if err := each(kept); err != nil {
				return err
			}
		}
	}
	return nil
}

// readError is the first error of a poll that stops a reader.
func readError(ctx context.Context, fetches kgo.Fetches) error {
	for _, f := range fetches.Errors() {
		var loss *kgo.ErrDataLoss
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(f.Err, context.DeadlineExceeded):
			return fmt.Errorf("nothing came for %v: %w", readPatience, f.Err)
		case errors.As(f.Err, &loss), errors.Is(f.Err, kerr.OffsetOutOfRange):
			return fmt.Errorf("%w: %w", ErrTrimmed, f.Err)
		default:
			return f.Err
		}
	}
	return nil
}

// Bounds gives a partition's first offset and its stable end.
func (l LogReader) Bounds(ctx context.Context, topic string, partition int32) (Bounds, error) {
	cl, err := NewClient(l.Config)
	if err != nil {
		return Bounds{}, err
	}
	defer cl.Close()
	all, err := OffsetBounds(ctx, cl, topic)
	if err != nil {
		return Bounds{}, err
	}
	b, ok := all[TopicPartition{topic, partition}]
	if !ok {
		return Bounds{}, fmt.Errorf("kafka: %s has no partition %d", topic, partition)
	}
	return b, nil
}
