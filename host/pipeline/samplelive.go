package pipeline

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/kafka"
)

// LiveSample says what to read of the sources' topics.
type LiveSample struct {
	For   time.Duration // how long it is read; 0: what is there now
	Since time.Time     // from there on; zero: from now on
}

// readAtOnce is how many records are taken at once.
const readAtOnce = 4096

// read reads beacons as they come to the topics, beside the hosts that dispatch them
// and without a group. They are put in the order of the records' times: the sample is
// one source partition.
func (l *LiveSample) read(ctx context.Context, g *Generation, k kafka.Config, s *sample, p *pace) error {
	from, to, err := l.bounds(ctx, g, k)
	if err != nil {
		return err
	}
	reader, err := kafka.NewReader(k, from, kgo.KeepControlRecords()) // the last record may be a marker
	if err != nil {
		return err
	}
	defer reader.Close()
	numbers := map[string]int32{}
	for i, source := range g.sources {
		numbers[source.Topic] = int32(i)
	}
	end, stop := ctx, context.CancelFunc(func() {})
	if l.For > 0 {
		end, stop = context.WithTimeout(ctx, l.For)
	}
	defer stop()
	var records []*kgo.Record
	for read := (&sample{max: s.max}); read.full == "" && end.Err() == nil && (l.For > 0 || len(to) > 0); {
		fetches := reader.PollRecords(end, readAtOnce)
		for _, f := range fetches.Errors() {
			if end.Err() == nil {
				return fmt.Errorf("read %s/%d: %w", f.Topic, f.Partition, f.Err)
			}
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if read.full != "" || r.Attrs.IsControl() {
				return
			}
			records = append(records, r)
			read.size += int64(len(r.Value))
			read.bound(len(records))
		})
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			tp := kafka.TopicPartition{Topic: p.Topic, Partition: p.Partition}
			if n := len(p.Records); n > 0 && p.Records[n-1].Offset+1 >= to[tp] {
				delete(to, tp)
			}
		})
		s.full = read.full
		p.say("read %d beacons", len(records))
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	slices.SortStableFunc(records, func(a, b *kgo.Record) int {
		return cmp.Or(a.Timestamp.Compare(b.Timestamp), cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	for i, r := range records {
		s.values, s.sources = append(s.values, bytes.Clone(r.Value)), append(s.sources, numbers[r.Topic])
		records[i] = nil // its batch goes with the last of its records
	}
	return nil
}

// bounds says where reading begins, and of partitions that have anything from there on
// where they end now.
func (l *LiveSample) bounds(ctx context.Context, g *Generation, k kafka.Config) (from, to map[kafka.TopicPartition]int64, err error) {
	cl, err := kafka.NewClient(k)
	if err != nil {
		return nil, nil, err
	}
	defer cl.Close()
	var topics []string
	for _, s := range g.sources {
		topics = append(topics, s.Topic)
	}
	if _, err := kafka.Topics(ctx, cl, topics...); err != nil {
		return nil, nil, fmt.Errorf("the topics of the sources: %w", err)
	}
	all, err := kafka.OffsetBounds(ctx, cl, topics...)
	if err != nil {
		return nil, nil, err
	}
	from, to = map[kafka.TopicPartition]int64{}, map[kafka.TopicPartition]int64{}
	for tp, b := range all {
		from[tp] = b.End
	}
	if l.Since.IsZero() {
		return from, to, nil
	}
	offsets, err := kadm.NewClient(cl).ListOffsetsAfterMilli(ctx, l.Since.UnixMilli(), topics...)
	if err = errors.Join(err, offsets.Error()); err != nil {
		return nil, nil, fmt.Errorf("offsets of %v at %s: %w", topics, l.Since.Format(time.RFC3339), err)
	}
	offsets.Each(func(o kadm.ListedOffset) {
		tp := kafka.TopicPartition{Topic: o.Topic, Partition: o.Partition}
		if end := from[tp]; o.Offset < end {
			from[tp], to[tp] = o.Offset, end
		}
	})
	return from, to, nil
}
