package ship

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

const (
	topic      = "pharos.metrics"
	partitions = 3
)

// bench is a broker with the metrics topic, and what was written to it.
type bench struct {
	*testing.T
	kafka  kafka.Config
	cl     *kgo.Client
	totals metric.Totals
	clock  int64 // minutes of the watermark
}

func newBench(t *testing.T) *bench {
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	b := &bench{T: t, kafka: kafka.Config{Brokers: c.ListenAddrs(), ClientID: "test"}, clock: 10}
	if os.Getenv("PHAROS_TEST_LOG") != "" {
		b.kafka.Logger = hclog.New(&hclog.LoggerOptions{Name: t.Name(), Level: hclog.Debug})
	}
	b.cl, err = kafka.NewClient(b.kafka, kgo.TransactionalID("session"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.cl.Close)
	if err := kafka.EnsureTopics(t.Context(), b.cl, kafka.Topic{Name: topic, Partitions: partitions}); err != nil {
		t.Fatal(err)
	}
	return b
}

// transaction writes a frame as the session stage does.
func (b *bench) transaction(f *metric.Frame, end kgo.TransactionEndTry) {
	b.Helper()
	f.Host, f.Generation = "test", 1
	if err := b.cl.BeginTransaction(); err != nil {
		b.Fatal(err)
	}
	var records []*kgo.Record
	if err := f.Records(partitions, func(p int32, value []byte) {
		records = append(records, &kgo.Record{Topic: topic, Partition: p, Value: value})
	}); err != nil {
		b.Fatal(err)
	}
	if err := b.cl.ProduceSync(b.Context(), records...).FirstErr(); err != nil {
		b.Fatal(err)
	}
	if err := b.cl.EndTransaction(b.Context(), end); err != nil {
		b.Fatal(err)
	}
}

// minutes writes so many minutes of several series, moving the watermark on,
// with an aborted transaction beside each.
func (b *bench) minutes(n int) {
	b.Helper()
	for range n {
		f := &metric.Frame{}
		for i := range 5 {
			for late := range int64(lateness) { // each minute is booked in several transactions
				f.Deltas = append(f.Deltas, hits(fmt.Sprintf("p%d", i), b.clock-late, int64(i)+1))
			}
		}
		b.transaction(&metric.Frame{Deltas: f.Deltas}, kgo.TryAbort)
		for _, d := range f.Deltas {
			b.totals.Add(d)
		}
		b.clock++
		f.Progress = []metric.Progress{progress(0, 1, b.clock)}
		b.transaction(f, kgo.TryCommit)
	}
}

// shelf is a store in memory that can refuse.
type shelf struct {
	mu     sync.Mutex
	got    memory
	refuse error
	calls  int
	bad    error
}

func (s *shelf) Write(_ context.Context, samples []metric.Sample) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.refuse != nil {
		return s.refuse
	}
	if s.got == nil {
		s.got = memory{}
	}
	err := s.got.write(samples)
	if err != nil {
		s.bad = err
	}
	return err
}

func (s *shelf) set(refuse error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = refuse
}

func (s *shelf) check(totals *metric.Totals, from, before int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bad != nil {
		return s.bad
	}
	return s.got.has(totals, from, before)
}

func (b *bench) config(stores ...Store) Config {
	return Config{
		Kafka: b.kafka, Group: "pharos", Topic: topic, Lateness: lateness * time.Minute, Ahead: 5 * time.Minute, Generation: 1, Routes: []string{"web"},
		Stores: stores, MaxBatch: 4, CommitEvery: 100 * time.Millisecond, Retry: time.Millisecond, Logger: b.kafka.Logger,
	}
}

// start runs a stage; stop ends it and gives Run's error.
func (b *bench) start(cfg Config) (stage *Stage, stop func() error) {
	b.Helper()
	stage, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- stage.Run(ctx) }()
	var once sync.Once
	var result error
	stop = func() error {
		once.Do(func() { cancel(); result = <-done })
		return result
	}
	b.Cleanup(func() { stop() })
	return stage, stop
}

// eventually waits until check gives nil.
func (b *bench) eventually(check func() error) {
	b.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			b.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// complete waits until the store has all final minutes.
func (b *bench) complete(s *shelf) {
	b.Helper()
	b.eventually(func() error { return s.check(&b.totals, 0, b.clock-lateness) })
}

// A store that is down delays no other; when it comes back it gets everything.
// Restarts, clean or not, lose and double nothing.
func TestStoresAreOnTheirOwn(t *testing.T) {
	b := newBench(t)
	var fast, slow shelf
	slow.set(errors.New("down for maintenance"))
	stores := []Store{{Name: "fast", Writer: &fast}, {Name: "slow", Writer: &slow}}
	reg := prometheus.NewRegistry()
	cfg := b.config(stores...)
	cfg.Registerer = reg
	stage, stop := b.start(cfg)
	b.minutes(20)
	b.complete(&fast)
	b.eventually(func() error {
		if s := stage.Status(); s[1].Error == nil || s[1].Stopped || s[0].Error != nil || s[0].FinalBefore != b.clock-lateness {
			return fmt.Errorf("status %+v", s)
		}
		return nil
	})
	if err := stop(); err != nil {
		t.Error(err)
	}
	_, stop = b.start(b.config(stores...))
	b.minutes(10)
	b.complete(&fast)
	slow.set(nil)
	b.complete(&slow)
	if err := stop(); err != nil {
		t.Error(err)
	}

	// The safe points are there for query, and are where the next life begins.
	committed, err := kafka.CommittedOffsets(t.Context(), b.cl, metric.ShipGroup("pharos", "fast"), topic)
	if err != nil || len(committed) != partitions {
		t.Fatalf("committed %+v, %v", committed, err)
	}
	for tp, c := range committed {
		at, err := metric.ParseSafePoint(c.Offset, c.Metadata)
		if err != nil || at.Horizon != b.clock-lateness-1 || at.Offset == 0 {
			t.Errorf("%v: safe point %+v, %v", tp, at, err)
		}
	}
	fast.mu.Lock()
	fast.got = memory{}
	fast.mu.Unlock()
	before := b.clock - lateness
	_, stop = b.start(b.config(stores...))
	b.minutes(5)
	b.eventually(func() error { return fast.check(&b.totals, before, b.clock-lateness) })
	b.complete(&slow)
	if err := stop(); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(reg, "pharos_ship_samples_total", "pharos_ship_write_failures_total", "pharos_ship_lag_records", "pharos_ship_complete_through_seconds"); err != nil || n < 5 {
		t.Errorf("%d metrics, %v", n, err)
	}
}

// Members come and go while minutes are written: partitions move, no minute is
// lost, each has one value.
func TestMembersComeAndGo(t *testing.T) {
	b := newBench(t)
	var s shelf
	cfg := b.config(Store{Name: "tsdb", Writer: &s})
	one, stopOne := b.start(cfg)
	b.minutes(5)
	b.complete(&s)
	two, stopTwo := b.start(cfg)
	b.eventually(func() error {
		b.minutes(1)
		if n, m := one.Status()[0].Partitions, two.Status()[0].Partitions; n == 0 || m == 0 || n+m != partitions {
			return fmt.Errorf("%d and %d partitions", n, m)
		}
		return nil
	})
	b.minutes(5)
	b.complete(&s)
	if err := stopOne(); err != nil {
		t.Error(err)
	}
	b.minutes(5)
	b.complete(&s)
	if err := stopTwo(); err != nil {
		t.Error(err)
	}
}

// refusal is a store's permanent error.
type refusal struct{}

func (refusal) Error() string   { return "401: the token is not valid" }
func (refusal) Permanent() bool { return true }

func TestPermanentErrorStopsOneStore(t *testing.T) {
	b := newBench(t)
	var good, bad shelf
	bad.set(fmt.Errorf("m3: %w", refusal{}))
	stage, stop := b.start(b.config(Store{Name: "bad", Writer: &bad}, Store{Name: "good", Writer: &good}))
	b.minutes(8)
	b.complete(&good)
	b.eventually(func() error {
		if s := stage.Status()[0]; !s.Stopped {
			return fmt.Errorf("status %+v", s)
		}
		return nil
	})
	b.minutes(3)
	b.complete(&good)
	if bad.calls != 1 {
		t.Errorf("%d writes to a store that refuses for good", bad.calls)
	}
	if err := stop(); err == nil || !errors.Is(err, refusal{}) || !strings.Contains(err.Error(), "store bad") {
		t.Errorf("error %v", err)
	}
}

// ends runs a stage that must stop by itself.
func (b *bench) ends(cfg Config) error {
	b.Helper()
	stage, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	err = stage.Run(ctx)
	if ctx.Err() != nil {
		b.Fatal("the stage did not stop")
	}
	return err
}

// topicID is that of the metrics topic.
func topicID(t testing.TB, cl *kgo.Client) [16]byte {
	t.Helper()
	topics, err := kafka.Topics(t.Context(), cl, topic)
	if err != nil {
		t.Fatal(err)
	}
	return topics[topic].ID
}

func TestWhatStopsAStore(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(b *bench)
		want    string
	}{
		"a record that is no frame": {func(b *bench) {
			b.cl.BeginTransaction()
			if err := b.cl.ProduceSync(b.Context(), &kgo.Record{Topic: topic, Partition: 1, Value: []byte("x")}).FirstErr(); err != nil {
				b.Fatal(err)
			}
			b.cl.EndTransaction(b.Context(), kgo.TryCommit)
		}, "partition 1, offset "},
		"an offset set by hand": {func(b *bench) {
			b.commit(map[int32]kafka.Committed{2: {Offset: 1, Metadata: "by hand"}})
		}, "set by hand"},
		"an offset of another topic": {func(b *bench) {
			b.commit(map[int32]kafka.Committed{0: {Offset: 1, Metadata: metric.SafePoint{TopicID: [16]byte{9}, Horizon: 5}.Metadata()}})
		}, "it was made anew"},
		"an offset behind the end": {func(b *bench) {
			b.commit(map[int32]kafka.Committed{0: {Offset: 1000, Metadata: metric.SafePoint{TopicID: topicID(b.T, b.cl), Horizon: 5}.Metadata()}})
		}, "which ends at"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.minutes(1)
			c.prepare(b)
			if err := b.ends(b.config(Store{Name: "tsdb", Writer: &shelf{}})); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func (b *bench) commit(offsets map[int32]kafka.Committed) {
	b.Helper()
	m := map[kafka.TopicPartition]kafka.Committed{}
	for p, c := range offsets {
		m[kafka.TopicPartition{Topic: topic, Partition: p}] = c
	}
	if err := kafka.CommitOffsets(b.Context(), b.cl, metric.ShipGroup("pharos", "tsdb"), m); err != nil {
		b.Fatal(err)
	}
}

// Where the log's beginning is gone, minutes that it may not hold whole are
// left out, and those after them are written.
func TestBeginningIsGone(t *testing.T) {
	b := newBench(t)
	now := time.Now().Unix() / 60
	b.clock = now
	b.minutes(4)
	bounds, err := kafka.OffsetBounds(t.Context(), b.cl, topic)
	if err != nil {
		t.Fatal(err)
	}
	var cut kadm.Offsets
	for tp, at := range bounds {
		cut.Add(kadm.Offset{Topic: tp.Topic, Partition: tp.Partition, At: at.End - 3})
	}
	if _, err := kadm.NewClient(b.cl).DeleteRecords(t.Context(), cut); err != nil {
		t.Fatal(err)
	}
	b.clock = now + 100 // beacons of times that were not possible at the cut
	b.minutes(10)
	var s shelf
	_, stop := b.start(b.config(Store{Name: "tsdb", Writer: &s}))
	b.eventually(func() error { return s.check(&b.totals, now+50, b.clock-lateness) })
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// With a watermark that stands still more figures are open than may be held: they
// are written when it moves, all of them, in several passes.
func TestLittleRoom(t *testing.T) {
	b := newBench(t)
	var s shelf
	cfg := b.config(Store{Name: "tsdb", Writer: &s})
	cfg.MaxFigures, cfg.Registerer = 30, prometheus.NewRegistry()
	stage, stop := b.start(cfg)
	b.minutes(2)
	for range 20 {
		f := &metric.Frame{}
		for i := range 15 {
			f.Deltas = append(f.Deltas, hits(fmt.Sprintf("p%d", i), b.clock, 1))
		}
		for _, d := range f.Deltas {
			b.totals.Add(d)
		}
		b.transaction(f, kgo.TryCommit)
		b.clock++
	}
	b.eventually(func() error {
		if st := stage.Status()[0]; !st.Crowded || st.Lag != 0 || st.Figures > 60 {
			return fmt.Errorf("status %+v", st)
		}
		return nil
	})
	b.minutes(10)
	b.complete(&s)
	b.eventually(func() error {
		if st := stage.Status()[0]; st.Crowded {
			return fmt.Errorf("status %+v", st)
		}
		return nil
	})
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// What names a generation that is not known waits for it.
func TestUnknownGeneration(t *testing.T) {
	b := newBench(t)
	var s shelf
	stage, stop := b.start(b.config(Store{Name: "tsdb", Writer: &s}))
	b.minutes(8)
	b.complete(&s)
	before := b.clock - lateness
	next := progress(0, 1, b.clock)
	next.Generation = 2
	b.transaction(&metric.Frame{Progress: []metric.Progress{next}}, kgo.TryCommit)
	b.minutes(8)
	b.eventually(func() error {
		if st := stage.Status()[0]; st.Waits != 2 || st.Lag != 0 {
			return fmt.Errorf("status %+v", st)
		}
		return nil
	})
	if err := s.check(&b.totals, 0, before); err != nil {
		t.Error(err)
	}
	stage.Use(2, []string{"web"})
	b.complete(&s)
	b.eventually(func() error {
		if st := stage.Status()[0]; st.Waits != 0 {
			return fmt.Errorf("status %+v", st)
		}
		return nil
	})
	if err := stop(); err != nil {
		t.Error(err)
	}
}
