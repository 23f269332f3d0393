package dispatch

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/beacon"
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
	fresh  bool // a partition was assigned and no mark has said so yet

	coreMu sync.Mutex
	core   *Core
	next   *Core // from the next batch on

	statusMu sync.Mutex
	status   []PartitionStatus
}

var (
	_ kafka.Stage     = (*Stage)(nil)
	_ kafka.Committer = (*Stage)(nil)
)

// part is a source partition that the stage owns.
type part struct {
	Source
	topicID    [16]byte
	partitions int32     // of the topic
	next       int64     // offset
	active     time.Time // when a beacon was last routed, or the partition assigned
}

// metadata is what is committed with an offset, as JSON.
type metadata struct {
	TopicID   string `json:"topic_id"` // hex: offsets of a topic that was made anew mean nothing
	Watermark int64  `json:"watermark"`
}

// NewStage returns a stage that owns no partitions yet.
func NewStage(cfg StageConfig) *Stage {
	if cfg.Idle <= 0 {
		cfg.Idle = time.Minute
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Counters == nil {
		cfg.Counters = newCounters()
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	s := &Stage{cfg: cfg, parts: map[kafka.TopicPartition]*part{}, core: cfg.Core}
	s.out.stage = s
	s.out.use(cfg.Core)
	return s
}

// Use makes core, the stage's own from then on, decide from the next batch on.
// It may be called at any time.
func (s *Stage) Use(core *Core) {
	s.coreMu.Lock()
	defer s.coreMu.Unlock()
	s.next = core
}

// swap takes the next core if there is one.
func (s *Stage) swap() *Core {
	s.coreMu.Lock()
	defer s.coreMu.Unlock()
	if s.next != nil {
		s.core, s.next = s.next, nil
		s.out.use(s.core)
	}
	return s.core
}

// Assign goes on with partitions where they were left.
func (s *Stage) Assign(_ context.Context, parts []*kafka.Assigned) error {
	for _, a := range parts {
		p := &part{
			Source:  Source{Topic: a.Topic, Partition: a.Partition, Watermark: metric.NoWatermark},
			topicID: a.TopicID, partitions: a.Partitions, active: s.cfg.Now(),
		}
		if a.Metadata != "" {
			var m metadata
			if err := json.Unmarshal([]byte(a.Metadata), &m); err != nil {
				return fmt.Errorf("dispatch: what is committed of %s/%d is not a dispatcher's: %q: take another group, or delete the group's offsets: %w: %w",
					a.Topic, a.Partition, a.Metadata, err, kafka.ErrStop)
			}
			if m.TopicID == topicID(a.TopicID) {
				p.Watermark = m.Watermark
			} else {
				s.cfg.Logger.Warn("the source topic was made anew, it is read from its start", "topic", a.Topic, "partition", a.Partition)
				a.Start = a.LogStart
			}
		}
		p.next = a.Start
		s.parts[kafka.TopicPartition{Topic: a.Topic, Partition: a.Partition}] = p
		s.cfg.Counters.partitions.Inc()
	}
	s.fresh = true
	s.report(nil)
	return nil
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
	if len(records) == 0 {
		s.marks(core, tx)
		s.report(tx)
	} else if s.fresh {
		// The routes hear of a source partition before its first beacon, or they
		// could not tell what of it is late.
		s.marks(core, tx)
	}
	now := s.cfg.Now()
	for len(records) > 0 {
		n := 1
		for n < len(records) && records[n].Partition == records[0].Partition && records[n].Topic == records[0].Topic {
			n++
		}
		tp := kafka.TopicPartition{Topic: records[0].Topic, Partition: records[0].Partition}
		p := s.parts[tp]
		if p == nil {
			return fmt.Errorf("dispatch: records of %s/%d, which is not assigned", tp.Topic, tp.Partition)
		}
		s.raw = s.raw[:0]
		for _, r := range records[:n] {
			s.raw = append(s.raw, Raw{Offset: r.Offset, Value: r.Value})
		}
		routed := s.out.routed
		err := core.Process(ctx, &p.Source, s.raw, now.UnixMilli(), &s.out)
		clear(s.raw)
		if err != nil {
			return err
		}
		if s.out.routed > routed {
			p.active = now
		}
		p.next = records[n-1].Offset + 1
		records = records[n:]
	}
	s.out.produce(tx)
	for _, p := range s.parts {
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

// marks gathers for every route partition how far all owned source partitions
// are: behind all beacons that this stage has routed to it.
func (s *Stage) marks(core *Core, tx *kafka.Tx) {
	if len(s.parts) == 0 {
		return
	}
	s.fresh = false
	now := s.cfg.Now()
	mark := beacon.Mark{Generation: core.Generation()}
	for _, p := range s.sorted() {
		// A topic can have grown since the partition was assigned.
		p.partitions = max(p.partitions, tx.Partitions(p.Topic))
		mark.Entries = append(mark.Entries, beacon.MarkEntry{
			Topic: p.Topic, Partition: p.Partition, Partitions: p.partitions, Watermark: p.Watermark,
			Idle: now.Sub(p.active) >= s.cfg.Idle && tx.Lag(p.Topic, p.Partition) == 0,
		})
	}
	value := mark.Append(nil)
	for _, r := range core.Routes() {
		for partition := range r.Partitions {
			s.out.batch = append(s.out.batch, &kgo.Record{Topic: r.Topic, Partition: partition, Value: value, Headers: markHeaders})
			s.cfg.Counters.marks.Inc()
		}
	}
}

var markHeaders = []kgo.RecordHeader{{Key: beacon.MarkKey}}

func (p *part) metadata() string {
	b, err := json.Marshal(metadata{TopicID: topicID(p.topicID), Watermark: p.Watermark})
	if err != nil {
		panic(err) // a number and hex always encode
	}
	return string(b)
}

func topicID(id [16]byte) string { return fmt.Sprintf("%x", id) }

// sorted are the partitions by topic and number.
func (s *Stage) sorted() []*part {
	return slices.SortedFunc(maps.Values(s.parts), func(a, b *part) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
}
