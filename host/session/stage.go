package session

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
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
	Config      *Config           // prepared
	Host        string            // as the frames of the metrics topic name it
	Routes      map[string]string // route by topic: those that the loop consumes
	Metrics     kafka.Topic       // name and number of partitions
	DeadLetters kafka.Topic       // likewise
	Counters    *Counters         // may be shared by stages; nil: none
	Logger      hclog.Logger      // nil: silent
}

// Stage runs the partitions of a kafka.Loop. One transaction holds the deltas,
// counts, dead letters, progress and offsets of what was consumed in it.
//
// Until there are snapshots, a partition starts at the beginning of its log:
// what lies before the committed offset is processed muted, as it has been
// booked before.
type Stage struct {
	cfg   StageConfig
	log   hclog.Logger
	parts map[kafka.TopicPartition]*part
	out   Output
	muted Output // is thrown away

	statusMu sync.Mutex
	status   []PartitionStatus
}

var (
	_ kafka.Stage     = (*Stage)(nil)
	_ kafka.Committer = (*Stage)(nil)
)

// part is a partition that the stage owns.
type part struct {
	*Partition
	kafka.Assigned
	live     int64 // from this offset on it books
	is       bool  // live
	next     int64 // offset
	left     metadata
	began    time.Time // of the muted replay
	said     time.Time // when its progress was last said
	foreign  foreign
	still    still
	messages []Record // memory
}

// metadata is what is committed with an offset, as JSON.
type metadata struct {
	TopicID    string `json:"topic_id"` // hex: offsets of a topic that was made anew mean nothing
	Generation uint64 `json:"generation"`
	Watermark  int64  `json:"watermark"`
	// Within says that no dimension or attribute had more values than its limit.
	Within bool `json:"within"`
}

// NewStage returns a stage that owns no partitions yet.
func NewStage(cfg StageConfig) *Stage {
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	if cfg.Counters == nil {
		cfg.Counters = newCounters()
	}
	return &Stage{cfg: cfg, log: cfg.Logger, parts: map[kafka.TopicPartition]*part{}}
}

// Assign starts partitions at the beginning of their logs.
func (s *Stage) Assign(_ context.Context, parts []*kafka.Assigned) error {
	for _, a := range parts {
		route, ok := s.cfg.Routes[a.Topic]
		if !ok {
			return fmt.Errorf("session: %w: topic %s is of no route of the config", kafka.ErrStop, a.Topic)
		}
		p := &part{Partition: NewPartition(s.cfg.Config, route, a.Partition), Assigned: *a, next: a.LogStart, began: time.Now()}
		if err := p.from(a); err != nil {
			return fmt.Errorf("session: %w: %w", kafka.ErrStop, err)
		}
		if p.Committed < 0 && a.Committed >= 0 {
			s.log.Warn("the topic was made anew, its sessions begin anew", "topic", a.Topic, "partition", a.Partition)
		}
		if p.Committed < 0 && a.LogStart > 0 {
			s.log.Warn("the route's log has lost its first records before any was read", "topic", a.Topic, "partition", a.Partition, "first", a.LogStart)
		}
		a.Start = a.LogStart
		p.said = p.began
		p.ledger.mute = true
		if err := p.start(); err != nil {
			return err
		}
		s.parts[kafka.TopicPartition{Topic: a.Topic, Partition: a.Partition}] = p
		s.cfg.Counters.partitions.Inc()
	}
	s.report(nil)
	return nil
}

// from finds where the partition goes live.
func (p *part) from(a *kafka.Assigned) error {
	p.left.Watermark = metric.NoWatermark
	if a.Committed >= 0 && a.Metadata != "" {
		if err := json.Unmarshal([]byte(a.Metadata), &p.left); err != nil {
			return fmt.Errorf("what is committed of %s/%d is not a session's: %q: %w", a.Topic, a.Partition, a.Metadata, err)
		}
		if p.left.TopicID != fmt.Sprintf("%x", a.TopicID) {
			p.left.Watermark, p.Committed = metric.NoWatermark, -1
		}
	}
	if p.live = p.Committed; p.Committed < 0 {
		p.live = a.LogStart
	}
	if p.live < a.LogStart {
		return p.lost(fmt.Errorf("%w: records %d to %d are gone unread", errState, p.live, a.LogStart-1))
	}
	return nil
}

// lost says what to do about a log that has lost what is needed of it.
func (p *part) lost(err error) error {
	return fmt.Errorf("topic %s partition %d, left at offset %d, begins at %d: %w: give the route a new topic (dispatch.routes), whose figures begin anew, and keep the log longer (retention.ms, retention.bytes of the topic; with the embedded broker its bound)",
		p.Topic, p.Assigned.Partition, p.live, p.LogStart, err)
}

// start makes the partition live if it has come to where it was left.
func (p *part) start() error {
	if p.is || p.next < p.live {
		return nil
	}
	if p.Committed >= 0 && p.LogStart > 0 {
		if err := p.resume(p.left.Watermark, p.left.Within); err != nil {
			return fmt.Errorf("session: %w: %w", kafka.ErrStop, p.lost(err))
		}
	}
	p.is, p.ledger.mute = true, false
	return nil
}

// Revoke lets go of partitions.
func (s *Stage) Revoke(parts []kafka.TopicPartition) {
	for _, tp := range parts {
		if s.parts[tp] != nil {
			delete(s.parts, tp)
			s.cfg.Counters.partitions.Dec()
		}
	}
	s.report(nil)
}

// Batch processes records; without any, it sees to it that progress is said.
func (s *Stage) Batch(ctx context.Context, records []*kgo.Record, tx *kafka.Tx) error {
	s.out.Reset() // of a batch that failed
	for len(records) > 0 {
		n := 1
		for n < len(records) && records[n].Partition == records[0].Partition && records[n].Topic == records[0].Topic {
			n++
		}
		tp := kafka.TopicPartition{Topic: records[0].Topic, Partition: records[0].Partition}
		p := s.parts[tp]
		if p == nil {
			return fmt.Errorf("session: records of %s/%d, which is not assigned", tp.Topic, tp.Partition)
		}
		if err := s.consume(ctx, p, records[:n]); err != nil {
			return err
		}
		records = records[n:]
	}
	for i := range s.out.DeadLetters {
		tx.Produce(s.out.DeadLetters[i].Record(s.cfg.DeadLetters.Name, s.cfg.DeadLetters.Partitions))
	}
	s.cfg.Counters.deadLetters.Add(float64(len(s.out.DeadLetters)))
	s.out.Reset()
	for _, p := range s.parts {
		if p.is {
			tx.Commit(p.Topic, p.Assigned.Partition, p.next, p.metadata(s.cfg.Config.Generation))
			s.sayStill(p, time.Now())
		}
	}
	s.report(tx)
	return nil
}

// consume processes records of one partition, muted up to where it was left.
func (s *Stage) consume(ctx context.Context, p *part, records []*kgo.Record) error {
	if !p.is {
		n := 0
		for n < len(records) && records[n].Offset < p.live {
			n++
		}
		s.muted.Reset()
		if err := s.process(ctx, p, records[:n], &s.muted); err != nil {
			return err
		}
		s.cfg.Counters.replayed.Add(float64(n))
		if n < len(records) {
			p.next = max(p.next, p.live)
		}
		if err := p.start(); err != nil {
			return err
		}
		s.sayReplay(p)
		records = records[n:]
	}
	return s.process(ctx, p, records, &s.out)
}

// process hands records to the partition; its figures stay in its ledger.
func (s *Stage) process(ctx context.Context, p *part, records []*kgo.Record, out *Output) error {
	if len(records) == 0 {
		return nil
	}
	p.messages = slices.Grow(p.messages[:0], len(records))[:0]
	for _, r := range records {
		p.messages = p.messages[:len(p.messages)+1]
		m := &p.messages[len(p.messages)-1]
		ours, err := m.read(r)
		if errors.Is(err, beacon.ErrVersion) {
			return fmt.Errorf("session: %w: %s/%d offset %d: %w", kafka.ErrStop, r.Topic, r.Partition, r.Offset, err)
		}
		if !ours || err != nil {
			s.sayForeign(p, r, err, time.Now())
			p.messages = p.messages[:len(p.messages)-1]
		}
	}
	err := p.take(ctx, p.messages, out)
	for i := range p.messages {
		p.messages[i].Value, p.messages[i].Mark = nil, nil // the header's topic is kept for the next
	}
	if errors.Is(err, errLog) {
		return fmt.Errorf("session: %w: %w", kafka.ErrStop, err)
	} else if err != nil {
		return err
	}
	p.next = records[len(records)-1].Offset + 1
	s.cfg.Counters.records.Add(float64(len(records)))
	return nil
}

// read makes m of a record and tells whether it is a beacon or a mark. The
// error says that it is a broken one, or of a later version.
func (m *Record) read(r *kgo.Record) (ours bool, err error) {
	m.Offset, m.Value, m.Mark = r.Offset, r.Value, nil
	for i := range r.Headers {
		switch r.Headers[i].Key {
		case beacon.HeaderKey:
			return true, m.Header.Parse(r.Headers[i].Value)
		case beacon.MarkKey:
			mark, err := beacon.ParseMark(r.Value)
			m.Mark = &mark
			return true, err
		}
	}
	return false, nil
}

// BeforeCommit adds the figures of the transaction and, as the last record on
// every partition of the metrics topic, how far all live partitions are.
func (s *Stage) BeforeCommit(_ context.Context, tx *kafka.Tx) error {
	frame := metric.Frame{Host: s.cfg.Host, Generation: s.cfg.Config.Generation}
	for _, p := range s.sorted() {
		if !p.is {
			continue
		}
		p.flush(&s.out)
		frame.Progress = append(frame.Progress, metric.Progress{
			Route: p.route, TopicID: p.TopicID, Partition: p.Assigned.Partition, Partitions: p.Partitions,
			Offset: p.next, Watermark: p.Watermark(),
		})
	}
	frame.Deltas, frame.Counts = s.out.Deltas, s.out.Counts
	if err := frame.Records(s.cfg.Metrics.Partitions, func(partition int32, value []byte) {
		tx.Produce(&kgo.Record{Topic: s.cfg.Metrics.Name, Partition: partition, Value: value})
	}); err != nil {
		return fmt.Errorf("session: %w: %w", kafka.ErrStop, err)
	}
	s.cfg.Counters.deltas.Add(float64(len(frame.Deltas)))
	s.out.Reset()
	return nil
}

func (p *part) metadata(generation uint64) string {
	b, err := json.Marshal(metadata{TopicID: fmt.Sprintf("%x", p.TopicID), Generation: generation, Watermark: p.Watermark(), Within: !p.refused})
	if err != nil {
		panic(err) // numbers and hex always encode
	}
	return string(b)
}

// sorted are the partitions by topic and number.
func (s *Stage) sorted() []*part {
	return slices.SortedFunc(maps.Values(s.parts), func(a, b *part) int {
		return cmp.Or(compareText(a.Topic, b.Topic), cmp.Compare(a.Assigned.Partition, b.Assigned.Partition))
	})
}
