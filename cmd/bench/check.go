package main

import (
	"context"
	"fmt"
	"hash/maphash"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

var (
	seed    = maphash.MakeSeed()
	discard = hclog.NewNullLogger()
)

// content tells sets of texts apart, in whatever order.
type content struct {
	n   int64
	sum uint64 // of the texts' hashes
}

func (c *content) add(text []byte) {
	c.n++
	c.sum += maphash.Bytes(seed, text)
}

// beaconHeader is the key of the header that dispatch gives a beacon, and not a
// mark.
const beaconHeader = "pharos"

// beacons tells the beacons of a route's topic.
func beacons(r *kgo.Record) bool {
	for _, h := range r.Headers {
		if h.Key == beaconHeader {
			return true
		}
	}
	return false
}

// read reads what is committed of a topic to its end: the content of the records
// that are wanted (nil: all), and the offsets behind the last record of each
// partition.
func (r *runner) read(ctx context.Context, topic string, wanted func(*kgo.Record) bool) (c content, ends map[kafka.TopicPartition]int64, err error) {
	bounds, err := kafka.OffsetBounds(ctx, r.cl, topic)
	if err != nil {
		return c, nil, err
	}
	from, left := map[kafka.TopicPartition]int64{}, 0
	for tp, b := range bounds {
		from[tp] = b.Start
		if b.Start < b.End {
			left++
		}
	}
	cl, err := kafka.NewReader(r.kafka, from, kgo.KeepControlRecords())
	if err != nil {
		return c, nil, err
	}
	defer cl.Close()
	ends = map[kafka.TopicPartition]int64{}
	for left > 0 {
		fetches := cl.PollRecords(ctx, pollRecords)
		if err := fetches.Err(); err != nil {
			return c, nil, fmt.Errorf("read %s: %w", topic, err)
		}
		fetches.EachRecord(func(k *kgo.Record) {
			tp := kafka.TopicPartition{Topic: k.Topic, Partition: k.Partition}
			if k.Offset == bounds[tp].End-1 {
				left--
			}
			if k.Attrs.IsControl() {
				return
			}
			ends[tp] = k.Offset + 1
			if wanted == nil || wanted(k) {
				c.add(k.Value)
			}
		})
	}
	return c, ends, nil
}

// figures are all figures of a run and what became of its beacons, as replay
// writes them.
type figures struct{ lines, summary string }

// checkFigures sums the frames of metrics topics and compares them with the
// replay's.
func (r *runner) checkFigures(ctx context.Context, topics []string) error {
	var totals metric.Totals
	var counts metric.Counts
	var failed error
	for i, topic := range topics {
		_, _, err := r.read(ctx, topic, func(k *kgo.Record) bool {
			frame, err := metric.ParseFrame(k.Value)
			if err != nil {
				failed = err
				return false
			}
			last := i == len(topics)-1
			for _, d := range frame.Deltas {
				if last {
					totals.Add(d)
				}
			}
			for _, n := range frame.Counts {
				if last || n.Outcome == metric.In || n.Outcome == metric.Filtered { // dispatch's
					counts.Add(n)
				}
			}
			return false
		})
		if err != nil {
			return err
		}
	}
	if failed != nil {
		return failed
	}
	var got figures
	var lines strings.Builder
	var line []byte
	totals.Each(func(s *metric.Series, minute int64, f metric.Figure) {
		line = append(metric.AppendFigureJSON(line[:0], s, minute, f), '\n')
		lines.Write(line)
	})
	summary := counts.Summary([]string{tenant})
	got.lines, got.summary = lines.String(), string(summary.JSON())
	if err := summary.Conserved(); err != nil {
		return err
	}
	switch in := summary.Tenants[tenant].In; {
	case in != r.beacons:
		return fmt.Errorf("%d beacons went in, not %d", in, r.beacons)
	case got.summary != strings.TrimSpace(r.figures.summary):
		return fmt.Errorf("what became of the beacons differs from the replay: %s, not %s", got.summary, r.figures.summary)
	case got.lines != r.figures.lines:
		return fmt.Errorf("the figures differ from the replay's: %d figures, not %d, or others", strings.Count(got.lines, "\n"), strings.Count(r.figures.lines, "\n"))
	}
	r.say("%d figures, equal to the replay's", totals.Len())
	return nil
}
