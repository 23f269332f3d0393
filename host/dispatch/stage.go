package dispatch

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// StageConfig configures a Stage.
type StageConfig struct {
	Core        *Core            // the stage's own
	Host        string           // as the frames of the metrics topic name it
	Metrics     kafka.Topic      // name and number of partitions
	DeadLetters kafka.Topic      // likewise
	Idle        time.Duration    // after so long without a routed beacon, and without lag, a source partition is idle; default 1m
	Now         func() time.Time // the clock of dispatch; default time.Now
	Counters    *Counters        // may be shared by stages; nil: none
	Logger      hclog.Logger     // nil: silent

	// Started remembers which source partitions the group has begun; nil: nothing
	// does, and one whose committed offset has expired is taken for a new one.
	Started Started
	// AcceptLoss tells whether an operator has said to go on with a source partition
	// although beacons of it are lost; nil: never.
	AcceptLoss func(topic string, partition int32) bool
	// Newest returns the newest generation that is published: a source partition
	// that nobody has dispatched yet begins with it. nil: with the core's.
	Newest func(ctx context.Context) (uint64, error)
	// Cluster is asked what the loop does not know; nil: nothing is (see Cluster).
	Cluster Cluster
	// Patience is how long a source partition waits for the generation that it was
	// last dispatched under, before that is an ErrStop; default 1m.
	Patience time.Duration
}

// Stage dispatches the partitions of a kafka.Loop. One transaction holds the
// routed beacons, marks, dead letters, counts and source offsets, these with
// the watermark, so that it goes on where it was.
type Stage struct {
	cfg    StageConfig
	parts  map[kafka.TopicPartition]*part
	counts metric.Counts // of the transaction in hand
	out    output
	raw    []Raw
	taken  kafka.Taken
	fresh  bool // a partition is new here, or has changed its generation, and no mark has said so yet
	memory memory
	gate   gate

	coreMu sync.Mutex
	core   *Core
	next   *Core // from the next batch on

	statusMu sync.Mutex
	status   []PartitionStatus
}

var (
	_ kafka.Stage          = (*Stage)(nil)
	_ kafka.Committer      = (*Stage)(nil)
	_ kafka.AfterCommitter = (*Stage)(nil)
)

// NewStage returns a stage that owns no partitions yet.
func NewStage(cfg StageConfig) *Stage {
	if cfg.Idle <= 0 {
		cfg.Idle = time.Minute
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Patience <= 0 {
		cfg.Patience = time.Minute
	}
	if cfg.Counters == nil {
		cfg.Counters = newCounters()
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	s := &Stage{cfg: cfg, parts: map[kafka.TopicPartition]*part{}, core: cfg.Core}
	s.cfg.Core = nil // let go of once another is in use
	s.out.stage = s
	s.out.use(cfg.Core)
	return s
}

// Revoke lets partitions go.
func (s *Stage) Revoke(parts []kafka.TopicPartition) {
	for _, tp := range parts {
		if s.parts[tp] != nil {
			delete(s.parts, tp)
			s.cfg.Counters.forget(tp)
		}
	}
	if len(s.parts) == 0 {
		s.counts = metric.Counts{} // of a transaction that was aborted
	}
	s.report(nil)
}

// Batch dispatches records, or, without any, writes the marks; those of newly
// assigned partitions go before their records. All plugins have run before
// anything is produced. The offsets of all owned partitions go with it, so that
// the group refuses it, marks too, where they have become another's.
func (s *Stage) Batch(ctx context.Context, records []*kgo.Record, tx *kafka.Tx) error {
	core := s.swap()
	s.out.drop() // of a batch that failed
	if err := s.resume(ctx, core, tx, len(records) == 0); err != nil {
		return err
	}
	if err := s.advance(ctx, core, tx); err != nil {
		return err
	}
	if len(records) == 0 {
		s.marks(core, tx, nil)
		s.report(tx)
	} else if s.fresh || s.back(records) {
		// The routes hear of a source partition before its first beacon, or they
		// could not tell what of it is late, nor what generations have come.
		s.marks(core, tx, records)
	}
	now := s.cfg.Now()
	for len(records) > 0 {
		n := 1
		for n < len(records) && records[n].Partition == records[0].Partition && records[n].Topic == records[0].Topic {
			n++
		}
		tp := kafka.TopicPartition{Topic: records[0].Topic, Partition: records[0].Partition}
		p := s.parts[tp]
		if p == nil || p.held {
			return fmt.Errorf("dispatch: records of %s/%d, which is not assigned, or is held", tp.Topic, tp.Partition)
		}
		s.raw = s.raw[:0]
		taken := s.taken.To(tp, p.topicID)
		for _, r := range records[:n] {
			s.raw = append(s.raw, Raw{Offset: r.Offset, Value: r.Value, Again: r.Offset < taken})
		}
		routed := s.out.routed
		err := core.Process(ctx, &p.Source, s.raw, now.UnixMilli(), &s.out)
		clear(s.raw)
		if err != nil {
			return err
		}
		if s.out.routed > routed {
			p.active, p.unsaid = now, true
		}
		p.next = records[n-1].Offset + 1
		s.taken.Note(tp, p.topicID, p.next)
		records = records[n:]
	}
	s.out.produce(tx)
	for _, p := range s.parts {
		if p.waits {
			continue // as it was left
		}
		p.given = true
		tx.Commit(p.Topic, p.Partition, p.next, p.metadata())
	}
	return nil
}

// BeforeCommit adds what the transaction has counted.
func (s *Stage) BeforeCommit(_ context.Context, tx *kafka.Tx) error {
	counts := s.counts.All()
	if len(counts) == 0 {
		return nil
	}
	frame := metric.Frame{Host: s.cfg.Host, Generation: s.core.Generation(), Counts: counts}
	err := frame.Records(s.cfg.Metrics.Partitions, func(partition int32, value []byte) {
		tx.Produce(&kgo.Record{Topic: s.cfg.Metrics.Name, Partition: partition, Value: value})
	})
	if err != nil {
		return fmt.Errorf("dispatch: counts: %w: %w", err, kafka.ErrStop)
	}
	s.cfg.Counters.count(counts)
	s.counts = metric.Counts{}
	return nil
}
