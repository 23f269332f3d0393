package session

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// ledgerTx is a transaction that is ended by hand.
type ledgerTx struct {
	open     []*kgo.Record // of the transaction in hand
	commits  map[kafka.TopicPartition]kafka.Committed
	turned   map[kafka.TopicPartition]bool // held by the stage, or not any more
	produced []*kgo.Record                 // of those that hold
	offsets  map[kafka.TopicPartition]kafka.Committed
}

var _ kafka.TxModel = (*ledgerTx)(nil)

func newLedgerTx() *ledgerTx {
	return &ledgerTx{commits: map[kafka.TopicPartition]kafka.Committed{}, offsets: map[kafka.TopicPartition]kafka.Committed{}, turned: map[kafka.TopicPartition]bool{}}
}

func (l *ledgerTx) Produce(r *kgo.Record) { l.open = append(l.open, r) }
func (l *ledgerTx) Commit(topic string, partition int32, next int64, metadata string) {
	l.commits[kafka.TopicPartition{Topic: topic, Partition: partition}] = kafka.Committed{Offset: next, Metadata: metadata}
}
func (l *ledgerTx) Hold(topic string, partition int32) {
	l.turned[kafka.TopicPartition{Topic: topic, Partition: partition}] = true
}
func (l *ledgerTx) Resume(topic string, partition int32) {
	l.turned[kafka.TopicPartition{Topic: topic, Partition: partition}] = false
}
func (l *ledgerTx) Lag(string, int32) int64 { return 0 }
func (l *ledgerTx) Partitions(string) int32 { return 0 }

// end ends the transaction.
func (l *ledgerTx) end(holds bool) {
	if holds {
		l.produced = append(l.produced, l.open...)
		for tp, c := range l.commits {
			l.offsets[tp] = c
		}
	}
	l.open = nil
	clear(l.commits)
}

// assigned is what a loop says of a partition.
func (l *ledgerTx) assigned(tp kafka.TopicPartition, logEnd int64) *kafka.Assigned {
	a := &kafka.Assigned{Topic: tp.Topic, TopicID: [16]byte{7}, Partition: tp.Partition, Partitions: routePartitions, Committed: -1, LogEnd: logEnd}
	if tp.Topic != routeTopic {
		a.TopicID, a.Partitions = [16]byte{8}, 3
	}
	if c, ok := l.offsets[tp]; ok {
		a.Committed, a.Metadata, a.Start = c.Offset, c.Metadata, c.Offset
	}
	return a
}

func (l *ledgerTx) letters() (n int) {
	for _, r := range l.produced {
		if r.Topic == deadTopic {
			n++
		}
	}
	return n
}

// memoryLog is a log that is read again.
type memoryLog struct {
	mu      sync.Mutex // of changes, and of those who read again
	records map[kafka.TopicPartition][]*kgo.Record
	starts  map[kafka.TopicPartition]int64
}

func newMemoryLog() *memoryLog {
	return &memoryLog{records: map[kafka.TopicPartition][]*kgo.Record{}, starts: map[kafka.TopicPartition]int64{}}
}

func (m *memoryLog) Read(_ context.Context, topic string, partition int32, from, to int64, each func([]*kgo.Record) error) error {
	tp := kafka.TopicPartition{Topic: topic, Partition: partition}
	m.mu.Lock()
	all, start := m.records[tp], m.starts[tp]
	m.mu.Unlock()
	if from < start {
		return kafka.ErrTrimmed
	}
	for records := range slices.Chunk(all[from:to], 13) {
		if err := each(slices.Clone(records)); err != nil {
			return err
		}
	}
	return nil
}

func (m *memoryLog) Bounds(_ context.Context, topic string, partition int32) (kafka.Bounds, error) {
	tp := kafka.TopicPartition{Topic: topic, Partition: partition}
	m.mu.Lock()
	defer m.mu.Unlock()
	return kafka.Bounds{Start: m.starts[tp], End: int64(len(m.records[tp]))}, nil
}

// add appends a beacon to the log.
func (m *memoryLog) add(partition int32, line string) *kgo.Record {
	r := log(line)[0]
	tp := kafka.TopicPartition{Topic: routeTopic, Partition: partition}
	r.Offset = int64(len(m.records[tp]))
	k := recordOf(tp, r)
	m.put(tp, k)
	return k
}

func (m *memoryLog) put(tp kafka.TopicPartition, k *kgo.Record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.records[tp] = append(m.records[tp], k)
}

// cut deletes what lies before an offset.
func (m *memoryLog) cut(tp kafka.TopicPartition, start int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.starts[tp] = start
}

// end deletes what lies from an offset on.
func (m *memoryLog) end(tp kafka.TopicPartition, end int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.records[tp] = m.records[tp][:end:end]
}

// recordOf is a record as dispatch writes it.
func recordOf(tp kafka.TopicPartition, r Record) *kgo.Record {
	k := &kgo.Record{Topic: tp.Topic, Partition: tp.Partition, Offset: r.Offset, Value: r.Value}
	switch {
	case r.Mark != nil:
		k.Value, k.Headers = r.Mark.Append(nil), []kgo.RecordHeader{{Key: beacon.MarkKey}}
	case r.End != nil:
		k.Value, k.Headers = r.End.Append(nil), []kgo.RecordHeader{{Key: beacon.EndKey}}
	default:
		k.Headers = []kgo.RecordHeader{{Key: beacon.HeaderKey, Value: r.Header.Append(nil)}}
	}
	return k
}

// What was sent in vain is sent again, once, wherever the transaction failed, and
// nothing is read again for it.
func TestStageSaysAgain(t *testing.T) {
	refused := fmt.Sprintf(`{"ts":%d,"tenant":"nobody","sid":"s"}`, minute) // gives a dead letter
	tps := []kafka.TopicPartition{{Topic: routeTopic, Partition: 0}, {Topic: routeTopic, Partition: 1}}
	for _, c := range []struct {
		name   string
		before bool // the stage's last words were not asked for
		holds  bool // the transaction was committed, but nobody said so
		other  bool // somebody else had the partitions
		start  int64
		want   int // letters in the end
	}{
		{name: "abort before the commit", before: true, start: 2, want: 6},
		{name: "abort of the commit", start: 2, want: 6},
		{name: "commit without an answer", holds: true, start: 2, want: 6},
		{name: "another worker in between", other: true, start: 1, want: 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, tx := newMemoryLog(), newLedgerTx()
			hand := kafka.NewTx(tx)
			s := NewStage(StageConfig{Config: testConfig(nil), Routes: map[string]string{routeTopic: "web"}, Log: l, Metrics: stageTopics[1], DeadLetters: stageTopics[2]})
			defer s.Close()
			assign := func() (starts []int64) {
				t.Helper()
				parts := []*kafka.Assigned{tx.assigned(survivalParts[0], 9), tx.assigned(survivalParts[1], 9)}
				if err := s.Assign(t.Context(), parts); err != nil || parts[0].Hold || parts[1].Hold {
					t.Fatal(err, parts[0].Hold)
				}
				return []int64{parts[0].Start, parts[1].Start}
			}
			batch := func() {
				t.Helper()
				if err := s.Batch(t.Context(), []*kgo.Record{l.add(0, refused), l.add(1, refused)}, hand); err != nil {
					t.Fatal(err)
				}
			}
			commit := func() {
				t.Helper()
				if err := s.BeforeCommit(t.Context(), hand); err != nil {
					t.Fatal(err)
				}
			}
			assign()
			batch()
			commit()
			tx.end(true)
			s.Committed(t.Context())

			batch()
			if !c.before {
				commit()
			}
			tx.end(c.holds)
			s.Revoke(tps)
			if c.other {
				for _, tp := range tps {
					o := tx.offsets[tp]
					o.Metadata = metadata{TopicID: topicID([16]byte{7}), Generation: 1, Watermark: minute, Switches: switches{{0, 1, metric.NoWatermark}}}.String()
					tx.offsets[tp] = o
				}
			}
			if starts := assign(); starts[0] != c.start || starts[1] != c.start {
				t.Fatalf("goes on at %v, want %d", starts, c.start)
			}
			batch()
			commit()
			tx.end(true)
			s.Committed(t.Context())
			if n := tx.letters(); n != c.want {
				t.Errorf("%d dead letters, want %d", n, c.want)
			}
		})
	}
}

// A partition whose batch fails is made anew, the others go on as they are.
func TestStageFailedBatch(t *testing.T) {
	l, tx := newMemoryLog(), newLedgerTx()
	hand := kafka.NewTx(tx)
	extractor := &flaky{listExtractor: testPoints("view")}
	s := NewStage(StageConfig{Config: testConfig(func(_ *Config, shop *Tenant) { shop.Extractor = extractor }), Routes: map[string]string{routeTopic: "web"}, Log: l, Metrics: stageTopics[1], DeadLetters: stageTopics[2]})
	defer s.Close()
	parts := func() []*kafka.Assigned {
		return []*kafka.Assigned{tx.assigned(survivalParts[0], 9), tx.assigned(survivalParts[1], 9)}
	}
	if err := s.Assign(t.Context(), parts()); err != nil {
		t.Fatal(err)
	}
	extractor.calls.Store(1)
	extractor.broken.Store(true) // at the second call from here
	beacon := at(1, "")
	if err := s.Batch(t.Context(), []*kgo.Record{l.add(0, beacon), l.add(1, beacon)}, hand); err == nil {
		t.Fatal("no error")
	}
	extractor.broken.Store(false)
	tx.end(false)
	s.Revoke([]kafka.TopicPartition{{Topic: routeTopic, Partition: 0}, {Topic: routeTopic, Partition: 1}})
	again := parts()
	if err := s.Assign(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	if again[0].Start != 1 || again[1].Start != 0 {
		t.Errorf("they go on at %d and %d", again[0].Start, again[1].Start)
	}
}
