package query

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// Follower feeds a live view from the metrics topic, which it reads without a
// group.
type Follower struct {
	Kafka  kafka.Config
	Topic  string   // the metrics topic; it exists
	Groups []string // ship's, one a store that keyspaces use (metric.ShipGroup)
	Live   *Live
	Logger hclog.Logger // nil: silent
}

// shippedEvery is how often the groups' safe points are looked at.
const shippedEvery = 5 * time.Second

// Run reads until ctx ends. It begins where the slowest group's safe point
// lies, or at the topic's start where one has none.
func (f *Follower) Run(ctx context.Context) error {
	if f.Logger == nil {
		f.Logger = hclog.NewNullLogger()
	}
	err := f.run(ctx)
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("live view of %s: %w", f.Topic, err)
}

func (f *Follower) run(ctx context.Context) error {
	asker, err := kafka.NewClient(f.Kafka)
	if err != nil {
		return err
	}
	defer asker.Close()
	points, err := f.safePoints(ctx, asker)
	if err != nil {
		return err
	}
	bounds, err := kafka.OffsetBounds(ctx, asker, f.Topic)
	if err != nil {
		return err
	}
	if len(bounds) != len(points) {
		return fmt.Errorf("the topic has %d partitions, the config says %d: the count is fixed, set topics.metrics.partitions back", len(bounds), len(points))
	}
	from := map[kafka.TopicPartition]int64{}
	whole := beforeSafe(points, bounds, f.Topic) <= maxRewind
	for p, at := range points {
		tp := kafka.TopicPartition{Topic: f.Topic, Partition: p}
		b := bounds[tp]
		cut := at.Offset < b.Start
		if cut {
			f.Logger.Error("the metrics topic no longer has what its store has not got yet: minutes that it may not hold whole are left to the store; raise the topic's retention", "partition", p, "offset", at.Offset, "start", b.Start)
		}
		at.Offset = max(at.Offset, b.Start)
		if whole {
			at.Offset = b.Start
		}
		from[tp] = at.Offset
		f.Live.Start(p, at, b.End)
		if cut {
			f.Live.Cut(p)
		}
	}
	reader, err := kafka.NewReader(f.Kafka, from, kgo.KeepControlRecords())
	if err != nil {
		return err
	}
	defer reader.Close()
	return f.follow(ctx, reader, asker)
}

// maxRewind is how many records before the safe points are read again so that the
// counts of beacons begin where the topic does.
const maxRewind = 500_000

// beforeSafe is how many records lie before the safe points.
func beforeSafe(points map[int32]metric.SafePoint, bounds map[kafka.TopicPartition]kafka.Bounds, topic string) (n int64) {
	for p, at := range points {
		n += max(0, at.Offset-bounds[kafka.TopicPartition{Topic: topic, Partition: p}].Start)
	}
	return n
}

func (f *Follower) follow(ctx context.Context, reader, asker *kgo.Client) error {
	asked := time.Now()
	for ctx.Err() == nil {
		poll, cancel := context.WithTimeout(ctx, time.Second)
		fetches := reader.PollFetches(poll)
		cancel()
		fetches.EachError(func(topic string, partition int32, err error) {
			if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
				f.Logger.Warn("reading the metrics topic: trying again", "partition", partition, "error", err)
			}
		})
		var bad error
		fetches.EachRecord(func(r *kgo.Record) {
			if bad == nil {
				bad = f.record(r)
			}
		})
		if bad != nil {
			return bad
		}
		f.Live.Expire()
		if len(f.Groups) > 0 && time.Since(asked) >= shippedEvery {
			asked = time.Now()
			f.shipped(ctx, asker)
		}
	}
	return ctx.Err()
}

// record books one record; those that only mark the end of a transaction tell
// the position.
func (f *Follower) record(r *kgo.Record) error {
	if r.Attrs.IsControl() {
		f.Live.Position(r.Partition, r.Offset+1)
		return nil
	}
	frame, err := metric.ParseFrame(r.Value)
	if err != nil {
		return fmt.Errorf("partition %d offset %d: %w", r.Partition, r.Offset, err)
	}
	f.Live.Observe(r.Partition, r.Offset, r.Timestamp, frame)
	return nil
}

// shipped tells the view what the stores have by now.
func (f *Follower) shipped(ctx context.Context, asker *kgo.Client) {
	ctx, cancel := context.WithTimeout(ctx, shippedEvery)
	defer cancel()
	points, err := f.safePoints(ctx, asker)
	if err != nil {
		f.Logger.Warn("the stores' safe points are not known: open minutes are kept longer", "error", err)
		return
	}
	for p, at := range points {
		f.Live.Shipped(p, at.Horizon)
	}
}

// safePoints returns, of each partition, what is safe for every group.
func (f *Follower) safePoints(ctx context.Context, asker *kgo.Client) (map[int32]metric.SafePoint, error) {
	points := map[int32]metric.SafePoint{}
	topics, err := kafka.Topics(ctx, asker, f.Topic)
	if err != nil {
		return nil, err
	}
	for i, group := range f.Groups {
		committed, err := kafka.CommittedOffsets(ctx, asker, group, f.Topic)
		if err != nil {
			return nil, err
		}
		for p := range f.Live.partitions() {
			at := metric.SafePoint{Horizon: metric.NoMinute}
			if c, ok := committed[kafka.TopicPartition{Topic: f.Topic, Partition: p}]; ok {
				if at, err = metric.ParseSafePoint(c.Offset, c.Metadata); err != nil {
					return nil, fmt.Errorf("group %s, partition %d: %w", group, p, err)
				}
				if at.TopicID != topics[f.Topic].ID {
					return nil, fmt.Errorf("group %s, partition %d: its offset is of a topic with the id %x, and %s has the id %x: it was made anew", group, p, at.TopicID, f.Topic, topics[f.Topic].ID)
				}
			}
			if i > 0 {
				at.Offset = min(at.Offset, points[p].Offset)
				at.Horizon = min(at.Horizon, points[p].Horizon)
			}
			points[p] = at
		}
	}
	for p := range f.Live.partitions() {
		if len(f.Groups) == 0 {
			points[p] = metric.SafePoint{Horizon: metric.NoMinute}
		}
	}
	return points, nil
}
