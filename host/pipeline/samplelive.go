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
	end, stop := ctx, context.CancelFunc(func() {})
	if l.For > 0 {
		end, stop = context.WithTimeout(ctx, l.For)
	}
	defer stop()
	t := taken{to: to, last: map[kafka.TopicPartition]time.Time{}, room: sample{max: s.max}}
	for t.room.full == "" && end.Err() == nil && (l.For > 0 || len(to) > 0) {
		fetches := reader.PollRecords(end, readAtOnce)
		for _, f := range fetches.Errors() {
			if end.Err() == nil {
				return fmt.Errorf("read %s/%d: %w", f.Topic, f.Partition, f.Err)
			}
		}
		fetches.EachPartition(t.take)
		p.say("read %d beacons", len(t.records))
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := t.sort(); err != nil {
		return err
	}
	s.full = t.room.full
	numbers := map[string]int32{}
	for i, source := range g.sources {
		numbers[source.Topic] = int32(i)
	}
	for i, r := range t.records {
		s.values, s.sources = append(s.values, bytes.Clone(r.Value)), append(s.sources, numbers[r.Topic])
		t.records[i] = nil // its batch goes with the last of its records
	}
	return nil
}

// taken are records of several partitions, each of which is read on its own.
type taken struct {
	records []*kgo.Record
	room    sample
	to      map[kafka.TopicPartition]int64     // of partitions that are not read to the end that they had
	last    map[kafka.TopicPartition]time.Time // of these: the time of the last record
}

// take takes what came of a partition.
func (t *taken) take(p kgo.FetchTopicPartition) {
	tp := kafka.TopicPartition{Topic: p.Topic, Partition: p.Partition}
	for _, r := range p.Records {
		if t.room.full != "" {
			return
		}
		if !r.Attrs.IsControl() {
			t.records = append(t.records, r)
			t.room.size += int64(len(r.Value))
			t.room.bound(len(t.records))
			t.last[tp] = r.Timestamp
		}
		if r.Offset+1 >= t.to[tp] {
			delete(t.to, tp)
		}
	}
}

// sort puts records in the order of their times. Where reading ended before all
// partitions were read, what is later than one was read to goes: of a session that is
// in both, the other half would be missing.
func (t *taken) sort() error {
	slices.SortStableFunc(t.records, func(a, b *kgo.Record) int {
		return cmp.Or(a.Timestamp.Compare(b.Timestamp), cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	for tp := range t.to {
		last, some := t.last[tp]
		if !some {
			return fmt.Errorf("the sample ended before anything of %s/%d was read: raise --max or --for, or begin later with --since", tp.Topic, tp.Partition)
		}
		n, _ := slices.BinarySearchFunc(t.records, last, func(r *kgo.Record, last time.Time) int {
			if r.Timestamp.After(last) {
				return 1
			}
			return -1
		})
		t.records = t.records[:n]
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
