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
	For   time.Duration // how long
	Since time.Time     // from there on; zero: from now on
}

// readSlack is how many records may be fetched beyond those that a sample takes.
const readSlack = 4096

// read reads beacons as they come to the topics, beside the hosts that dispatch them
// and without a group. They are put in the order of the records' times: the sample is
// one source partition.
func (l *LiveSample) read(ctx context.Context, g *Generation, k kafka.Config, s *sample, p *pace) error {
	from, err := l.begin(ctx, g, k)
	if err != nil {
		return err
	}
	reader, err := kafka.NewReader(k, from)
	if err != nil {
		return err
	}
	defer reader.Close()
	numbers := map[string]int32{}
	for i, source := range g.sources {
		numbers[source.Topic] = int32(i)
	}
	end, stop := context.WithTimeout(ctx, l.For)
	defer stop()
	var records []*kgo.Record
	for read := (sample{max: s.max}); read.full == "" && end.Err() == nil; {
		fetches := reader.PollRecords(end, readSlack)
		for _, f := range fetches.Errors() {
			if end.Err() == nil {
				return fmt.Errorf("read %s/%d: %w", f.Topic, f.Partition, f.Err)
			}
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if read.full == "" {
				records = append(records, r)
				read.size += int64(len(r.Value))
				read.bound(len(records))
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
	if len(records) == 0 {
		return fmt.Errorf("no beacon came to the topics of the sources in %s: wait longer with --for, or begin earlier with --since", l.For)
	}
	return nil
}

// begin says where reading begins.
func (l *LiveSample) begin(ctx context.Context, g *Generation, k kafka.Config) (_ map[kafka.TopicPartition]int64, err error) {
	cl, err := kafka.NewClient(k)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	var topics []string
	for _, s := range g.sources {
		topics = append(topics, s.Topic)
	}
	if _, err := kafka.Topics(ctx, cl, topics...); err != nil {
		return nil, fmt.Errorf("the topics of the sources: %w", err)
	}
	from := map[kafka.TopicPartition]int64{}
	if !l.Since.IsZero() {
		offsets, err := kadm.NewClient(cl).ListOffsetsAfterMilli(ctx, l.Since.UnixMilli(), topics...)
		if err = errors.Join(err, offsets.Error()); err != nil {
			return nil, fmt.Errorf("offsets of %v at %s: %w", topics, l.Since.Format(time.RFC3339), err)
		}
		offsets.Each(func(o kadm.ListedOffset) {
			from[kafka.TopicPartition{Topic: o.Topic, Partition: o.Partition}] = o.Offset
		})
		return from, nil
	}
	bounds, err := kafka.OffsetBounds(ctx, cl, topics...)
	if err != nil {
		return nil, err
	}
	for tp, b := range bounds {
		from[tp] = b.End
	}
	return from, nil
}
