package ship

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

const (
	pollFor       = time.Second     // so that a look comes without records too
	finishTimeout = 5 * time.Second // of a commit and of leaving the group
)

// session is the life of one member of the store's group.
type session struct {
	*runner
	cl    *kgo.Client
	asker *kgo.Client // for what is asked from within cl's callbacks
	at    time.Time   // of the last commit
}

// session runs until ctx ends, then commits a last time, or until a failure.
func (r *runner) session(ctx context.Context) error {
	asker, err := kafka.NewClient(r.cfg.Kafka)
	if err != nil {
		return &stopError{err}
	}
	defer asker.Close()
	s := &session{runner: r, asker: asker}
	s.cl, err = kafka.NewClient(r.cfg.Kafka,
		kgo.ConsumerGroup(r.group),
		kgo.ConsumeTopics(r.cfg.Topic),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // so that a safe point passes them
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(), // what is polled belongs to a partition that is still ours
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.SessionTimeout(10*time.Second),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), // a gap in the log must not pass unseen
		kgo.FetchMaxBytes(8<<20),
		kgo.MaxConcurrentFetches(2),
		kgo.AdjustFetchOffsetsFn(func(asking context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
			return s.assign(ctx, asking, offsets)
		}),
		kgo.OnPartitionsRevoked(r.taken),
		kgo.OnPartitionsLost(r.taken),
	)
	if err != nil {
		return &stopError{err}
	}
	defer s.cl.CloseAllowingRebalance()
	err = s.loop(ctx)
	if ctx.Err() != nil {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
		defer cancel()
		s.commit(last)
		if err := s.cl.LeaveGroupContext(last); err != nil {
			r.log.Warn("the group was not left: its other members wait for the session's timeout", "error", err)
		}
	}
	return err
}

func (s *session) loop(ctx context.Context) error {
	for ctx.Err() == nil {
		polling, cancel := context.WithTimeout(ctx, pollFor)
		fetches := s.cl.PollRecords(polling, s.cfg.MaxRecords)
		cancel()
		err := s.observe(fetches)
		s.readAgain()
		s.cl.AllowRebalance() // writing may take long; what is taken away meanwhile is noticed
		if err != nil {
			return err
		}
		moved, err := s.ship()
		if err != nil {
			return err
		}
		s.shed()
		s.measure()
		if moved || time.Since(s.at) >= s.cfg.CommitEvery {
			s.commit(ctx)
		}
	}
	return nil
}

// observe gives the records to their partitions.
func (s *session) observe(fetches kgo.Fetches) error {
	s.mu.Lock()
	stop := s.stop
	s.mu.Unlock()
	if stop != nil {
		return stop
	}
	for _, e := range fetches.Errors() {
		if !errors.Is(e.Err, context.DeadlineExceeded) && !errors.Is(e.Err, context.Canceled) {
			return fmt.Errorf("read %s, partition %d: %w", e.Topic, e.Partition, e.Err)
		}
	}
	var err error
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		s.mu.Lock()
		p := s.parts[f.Partition]
		s.mu.Unlock()
		if p == nil || err != nil {
			return
		}
		p.end = max(p.end, f.LastStableOffset)
		for _, record := range f.Records {
			if err = s.record(p, record); err != nil {
				return
			}
		}
	})
	return err
}

func (s *session) record(p *part, record *kgo.Record) error {
	if p.shipper == nil {
		at := p.at
		at.Horizon = max(at.Horizon, metric.WholeAfter(record.Timestamp, s.cfg.Ahead))
		s.log.Error("the metrics topic's beginning is gone: minutes that it may not hold whole are not written",
			"partition", p.partition, "from", minuteText(p.at.Horizon), "through", minuteText(at.Horizon))
		p.shipper = s.newShipper(at)
	}
	if record.Attrs.IsControl() {
		p.shipper.Passed(record.Offset)
		return nil
	}
	frame, err := metric.ParseFrame(record.Value)
	if err != nil {
		return stopf("topic %s, partition %d, offset %d: %w", record.Topic, p.partition, record.Offset, err)
	}
	if n := p.shipper.Observe(record.Offset, frame); n > 0 {
		s.m.afterFinal.WithLabelValues(s.store.Name).Add(float64(n))
		s.log.Error("deltas of final minutes are left out", "deltas", n, "host", frame.Host, "partition", p.partition, "offset", record.Offset)
	}
	return nil
}

func minuteText(minute int64) string {
	if minute == metric.NoMinute {
		return "the beginning"
	}
	return time.Unix(minute*60, 0).UTC().Format(time.RFC3339)
}

// ship writes what is due, of all partitions, and tells whether a horizon moved.
func (s *session) ship() (moved bool, err error) {
	for _, p := range s.owned() {
		if p.shipper == nil {
			continue
		}
		s.use(p)
		err := p.shipper.Due(s.batch(), func(samples []metric.Sample) error { return s.write(p, samples) })
		if p.ctx.Err() != nil {
			continue // taken away, or everything ends
		}
		if err != nil {
			return moved, err
		}
		moved = p.shipper.Wrote() || moved
	}
	return moved, nil
}

// commit commits the safe points that moved. A failure is no loss: the next
// commit, or reading the records once more, makes up for it. So is a commit
// that comes after the partition was taken away (see shipper).
func (s *session) commit(ctx context.Context) {
	s.at = time.Now()
	offsets := map[int32]kgo.EpochOffset{}
	points := map[*part]metric.SafePoint{}
	metadata := map[int32]string{}
	for _, p := range s.owned() {
		if p.shipper == nil {
			continue
		}
		if safe := p.shipper.Safe(); safe != p.committed {
			points[p] = safe
			offsets[p.partition] = kgo.EpochOffset{Epoch: -1, Offset: safe.Offset}
			metadata[p.partition] = safe.Metadata()
		}
	}
	if len(points) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, finishTimeout)
	defer cancel()
	ctx = kgo.PreCommitFnContext(ctx, func(req *kmsg.OffsetCommitRequest) error {
		for i := range req.Topics {
			for j := range req.Topics[i].Partitions {
				p := &req.Topics[i].Partitions[j]
				text := metadata[p.Partition]
				p.Metadata = &text
			}
		}
		return nil
	})
	s.cl.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{s.cfg.Topic: offsets}, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		if err == nil {
			err = commitError(resp)
		}
		if err != nil {
			s.log.Debug("safe points were not committed: tried again", "error", err)
			return
		}
		for p, safe := range points {
			p.committed = safe
		}
	})
}

func commitError(resp *kmsg.OffsetCommitResponse) error {
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return fmt.Errorf("partition %d: %w", p.Partition, err)
			}
		}
	}
	return nil
}
