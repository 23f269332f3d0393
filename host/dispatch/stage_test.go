package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// world is a broker with the topics of testConfig, and a clock.
type world struct {
	t       *testing.T
	kafka   kafka.Config
	client  *kgo.Client
	topics  []string // of the sources
	started Started
	clock   atomic.Int64 // epoch ms
	seen    *seen
}

func newWorld(t *testing.T, partitions int32) *world {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	w := &world{t: t, topics: []string{"beacons"}, kafka: kafka.Config{Brokers: c.ListenAddrs()}}
	w.clock.Store(now)
	if w.client, err = kafka.NewClient(w.kafka); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
	if err := kafka.EnsureTopics(context.Background(), w.client,
		kafka.Topic{Name: "beacons", Partitions: partitions}, kafka.Topic{Name: "pharos.web", Partitions: 4}, kafka.Topic{Name: "pharos.mobile", Partitions: 2}, kafka.Topic{Name: "pharos.web-v2", Partitions: 3},
		kafka.Topic{Name: "pharos.metrics", Partitions: 2}, kafka.Topic{Name: "pharos.dead-letters", Partitions: 1},
	); err != nil {
		t.Fatal(err)
	}
	w.read()
	return w
}

func (w *world) stage(core *Core, counters *Counters) *Stage {
	return NewStage(StageConfig{
		Core: core, Host: "host-1",
		Metrics: kafka.Topic{Name: "pharos.metrics", Partitions: 2}, DeadLetters: kafka.Topic{Name: "pharos.dead-letters", Partitions: 1},
		Idle: time.Minute, Now: func() time.Time { return time.UnixMilli(w.clock.Load()) }, Counters: counters,
		Cluster: NewCluster(w.client, "pharos-dispatch", func() []string { return w.topics }), Started: w.started,
	})
}

func (w *world) core() *Core {
	cfg, _ := testConfig()
	cfg.Sources = cfg.Sources[:1]
	return newCore(w.t, cfg)
}

func (w *world) run(s *Stage) (stop func()) { return w.runTicking(s, 20*time.Millisecond) }

func (w *world) runTicking(s *Stage, tick time.Duration) (stop func()) {
	return w.runLoop(w.loop(s, tick, 0))
}

func (w *world) loop(s *Stage, tick, timeout time.Duration) *kafka.Loop {
	return kafka.NewLoop(w.config(tick, timeout), s)
}

func (w *world) config(tick, timeout time.Duration) kafka.LoopConfig {
	return kafka.LoopConfig{
		Kafka: w.kafka, Group: "pharos-dispatch", TransactionalID: "pharos-dispatch", Topics: w.topics,
		CommitInterval: 10 * time.Millisecond, TickInterval: tick, TransactionTimeout: timeout, SessionTimeout: 3 * time.Second,
	}
}

func (w *world) runLoop(loop *kafka.Loop) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- loop.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("Run: %v", err)
		}
	})
	w.t.Cleanup(stop)
	return stop
}

func (w *world) send(partition int32, lines ...string) {
	w.t.Helper()
	for _, line := range lines {
		if err := w.client.ProduceSync(context.Background(), &kgo.Record{Topic: "beacons", Partition: partition, Value: []byte(line)}).FirstErr(); err != nil {
			w.t.Fatal(err)
		}
	}
}

// seen is all that was committed to the topics of dispatch.
type seen struct {
	mu      sync.Mutex
	beacons map[string][]*kgo.Record // by route topic and partition, in order
	marks   map[string][]beacon.Mark
	log     map[string][]any // beacon.Header, beacon.Mark and beacon.End of a route partition, in order
	counts  metric.Counts
	letters []kafka.DeadLetter
}

// read follows the topics of dispatch until the test ends.
func (w *world) read() {
	w.seen = &seen{beacons: map[string][]*kgo.Record{}, marks: map[string][]beacon.Mark{}, log: map[string][]any{}}
	from := map[kafka.TopicPartition]int64{{Topic: "pharos.dead-letters"}: 0}
	for topic, n := range map[string]int32{"pharos.web": 4, "pharos.mobile": 2, "pharos.metrics": 2, "pharos.web-v2": 3} {
		for p := range n {
			from[kafka.TopicPartition{Topic: topic, Partition: p}] = 0
		}
	}
	cl, err := kafka.NewReader(w.kafka, from)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			cl.PollFetches(ctx).EachRecord(w.seen.take)
		}
	}()
	w.t.Cleanup(func() { cancel(); <-done; cl.Close() })
}

func (s *seen) take(r *kgo.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := fmt.Sprintf("%s/%d", r.Topic, r.Partition)
	switch r.Topic {
	case "pharos.metrics":
		f, err := metric.ParseFrame(r.Value)
		if err != nil {
			panic(err)
		}
		for _, c := range f.Counts {
			s.counts.Add(c)
		}
	case "pharos.dead-letters":
		d, err := kafka.ParseDeadLetter(r)
		if err != nil {
			panic(err)
		}
		s.letters = append(s.letters, d)
	default:
		if r.Headers[0].Key == beacon.EndKey {
			e, err := beacon.ParseEnd(r.Value)
			if err != nil {
				panic(err)
			}
			s.log[key] = append(s.log[key], e)
			return
		}
		if r.Headers[0].Key == beacon.MarkKey {
			m, err := beacon.ParseMark(r.Value)
			if err != nil {
				panic(err)
			}
			s.marks[key] = append(s.marks[key], m)
			s.log[key] = append(s.log[key], m)
			return
		}
		h, err := beacon.ParseHeader(r.Headers[0].Value)
		if err != nil {
			panic(err)
		}
		s.beacons[key] = append(s.beacons[key], r)
		s.log[key] = append(s.log[key], h)
	}
}

// eventually waits until ok holds of what is seen.
func (w *world) eventually(what string, ok func(s *seen) bool) {
	w.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		w.seen.mu.Lock()
		done := ok(w.seen)
		w.seen.mu.Unlock()
		if done {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("never came: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (s *seen) total() (n int) {
	for _, rs := range s.beacons {
		n += len(rs)
	}
	return n
}

// marked says whether the last mark on every route partition has these entries.
func marked(entries ...beacon.MarkEntry) func(*seen) bool {
	return func(s *seen) bool {
		if len(s.marks) < 6 {
			return false
		}
		for key, ms := range s.marks {
			if strings.HasPrefix(key, "pharos.web/") && len(s.marks) > 6 {
				continue // it was left
			}
			if !slices.Equal(ms[len(ms)-1].Entries, entries) {
				return false
			}
		}
		return true
	}
}

func line(ts int64, sid, more string) string {
	return fmt.Sprintf(`{"ts":%d,"tenant":"shop","sid":%q%s}`, ts, sid, more)
}

// TestStage: what leaves, and that a restart goes on with the watermark.
func TestStage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	counters, err := NewCounters(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	s := w.stage(w.core(), counters)
	stop := w.run(s)
	w.send(0, line(1000, "a", ""), line(3000, "b", `,"do":"split:route:mobile"`), line(2000, "a", ""), line(9000, "a", `,"do":"f:drop:bot"`), `{"ts`, line(1, "", ""))
	w.send(1, line(500, "c", ""))
	w.eventually("4 beacons and 2 dead letters", func(s *seen) bool { return s.total() == 4 && len(s.letters) == 2 })
	w.eventually("marks of both", marked(
		beacon.MarkEntry{Topic: "beacons", Partition: 0, Partitions: 2, Watermark: 3000},
		beacon.MarkEntry{Topic: "beacons", Partition: 1, Partitions: 2, Watermark: 500},
	))
	w.eventually("counts", func(s *seen) bool {
		return s.counts.Get("shop", metric.In, "") == 6 && s.counts.Get("shop", metric.Filtered, "bot") == 1 &&
			s.counts.Get("", metric.Undecodable, "not JSON") == 1 && s.counts.Get("shop", metric.DeadLettered, "no session") == 1
	})
	if got := testutil.ToFloat64(counters.in); got != 6 {
		t.Errorf("the counter says %v in", got)
	}
	status := s.Status()
	if len(status) != 2 || status[0].Offset != 6 || status[0].Watermark != 3000 || status[1].Offset != 1 {
		t.Errorf("status %+v", status)
	}
	stop()
	if testutil.ToFloat64(counters.partitions) != 0 || len(s.Status()) != 0 {
		t.Errorf("partitions are left behind: %+v", s.Status())
	}

	w.run(w.stage(w.core(), nil))
	w.send(0, line(2500, "a", ""))
	w.eventually("the next beacon", func(s *seen) bool { return s.total() == 5 })
	w.seen.mu.Lock()
	defer w.seen.mu.Unlock()
	key := fmt.Sprintf("pharos.web/%d", kafka.PartitionOf([]byte("a"), 4))
	rs := w.seen.beacons[key]
	var headers []beacon.Header
	for _, r := range rs {
		if h, _ := beacon.ParseHeader(r.Headers[0].Value); string(r.Key) == "a" {
			headers = append(headers, h)
		}
	}
	want := []beacon.Header{
		{Topic: "beacons", Offset: 0, Generation: 7, Watermark: metric.NoWatermark},
		{Topic: "beacons", Offset: 2, Generation: 7, Watermark: 3000},
		{Topic: "beacons", Offset: 6, Generation: 7, Watermark: 3000},
	}
	if !slices.Equal(headers, want) {
		t.Errorf("headers %+v, want %+v", headers, want)
	}
	// A mark never runs ahead of the beacons that its watermark comes from.
	for key, log := range w.seen.log {
		high := map[int32]int64{}
		for _, e := range log {
			switch e := e.(type) {
			case beacon.Mark:
				for _, entry := range e.Entries {
					high[entry.Partition] = max(high[entry.Partition], entry.Watermark)
				}
			case beacon.Header:
				if high[e.Partition] > e.Watermark && e.Watermark != metric.NoWatermark {
					t.Errorf("%s: a beacon with watermark %d behind a mark of %d", key, e.Watermark, high[e.Partition])
				}
			}
		}
	}
}

// TestIdle: a source partition without beacons is idle after a minute, until
// the next one; the clock is dispatch's.
func TestIdle(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	w.run(w.stage(w.core(), nil))
	w.send(0, line(1000, "a", ""))
	entry := func(partition int32, watermark int64, idle bool) beacon.MarkEntry {
		return beacon.MarkEntry{Topic: "beacons", Partition: partition, Partitions: 2, Watermark: watermark, Idle: idle}
	}
	w.eventually("marks", marked(entry(0, 1000, false), entry(1, metric.NoWatermark, false)))
	w.clock.Add(59_999)
	w.send(0, line(2000, "a", ""))
	w.eventually("not idle yet", marked(entry(0, 2000, false), entry(1, metric.NoWatermark, false)))
	w.clock.Add(1)
	w.eventually("one is idle", marked(entry(0, 2000, false), entry(1, metric.NoWatermark, true)))
	w.clock.Add(60_000)
	w.eventually("both are idle", marked(entry(0, 2000, true), entry(1, metric.NoWatermark, true)))
	w.send(1, line(1500, "b", ""), line(1, "b", `,"do":"f:drop:bot"`))
	w.eventually("one is back", marked(entry(0, 2000, true), entry(1, 1500, false)))
}

// TestHostWithoutPartitions writes no marks.
func TestHostWithoutPartitions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	a, b := w.stage(w.core(), nil), w.stage(w.core(), nil)
	w.run(a)
	w.run(b)
	w.send(0, line(1000, "a", ""))
	w.eventually("the beacon", func(s *seen) bool { return s.total() == 1 })
	w.eventually("marks", marked(beacon.MarkEntry{Topic: "beacons", Partitions: 1, Watermark: 1000}))
	if n := len(a.Status()) + len(b.Status()); n != 1 {
		t.Errorf("%d partitions are owned", n)
	}
	w.seen.mu.Lock()
	defer w.seen.mu.Unlock()
	for key, ms := range w.seen.marks {
		for _, m := range ms {
			if len(m.Entries) != 1 {
				t.Errorf("%s: mark %+v", key, m)
			}
		}
	}
}

// TestUse swaps the core between batches.
func TestUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	s := w.stage(w.core(), nil)
	w.run(s)
	w.send(0, line(1000, "a", ""))
	w.eventually("the first", func(s *seen) bool { return s.total() == 1 })
	cfg, _ := testConfig()
	cfg.Generation, cfg.Default = 8, "mobile"
	s.Use(newCore(t, cfg))
	w.eventually("marks of the new generation", func(s *seen) bool {
		ms := s.marks["pharos.mobile/0"]
		return len(ms) > 0 && ms[len(ms)-1].Generation == 8
	})
	w.send(0, line(2000, "a", ""))
	w.eventually("the second", func(s *seen) bool { return s.total() == 2 })
	w.seen.mu.Lock()
	defer w.seen.mu.Unlock()
	key := fmt.Sprintf("pharos.mobile/%d", kafka.PartitionOf([]byte("a"), 2))
	if rs := w.seen.beacons[key]; len(rs) != 1 {
		t.Errorf("the new default route got %d beacons", len(rs))
	} else if h, _ := beacon.ParseHeader(rs[0].Headers[0].Value); h.Generation != 8 || h.Watermark != 1000 {
		t.Errorf("header %+v", h)
	}
}

// TestMarkedFirst: a route's log says how many source partitions there are before
// it has a beacon, also where no tick comes first.
func TestMarkedFirst(t *testing.T) {
	w := newWorld(t, 2)
	w.send(0, line(now, "a", ""), line(now, "b", ""), line(now, "c", ""))
	w.runTicking(w.stage(w.core(), nil), time.Hour)
	w.eventually("the beacons", func(s *seen) bool { return s.total() == 3 })
	w.seen.mu.Lock()
	defer w.seen.mu.Unlock()
	for key := range w.seen.beacons {
		m, ok := w.seen.log[key][0].(beacon.Mark)
		if !ok || len(m.Entries) == 0 || m.Entries[0].Partitions != 2 || m.Entries[0].Watermark != metric.NoWatermark || m.Entries[0].Idle {
			t.Errorf("%s begins with %+v", key, w.seen.log[key][0])
		}
	}
}

// TestAssign: what is committed is read back, or refused by name; what is lost is
// gone on from only where that was accepted.
func TestAssign(t *testing.T) {
	w := &world{t: t}
	w.clock.Store(now)
	id := [16]byte{1}
	left := (&part{topicID: id, Source: Source{Watermark: 77}, generation: 7, active: time.UnixMilli(now - 5), idle: true}).metadata()
	const watermarkOnly = `{"topic_id":"01000000000000000000000000000000","watermark":77}`
	for name, c := range map[string]struct {
		a          kafka.Assigned
		watermark  int64
		start      int64
		generation uint64
		active     int64  // before now
		err        string // kafka.ErrStop, whose way out is --accept-loss
		never      bool   // there is no way out
	}{
		"new":                    {a: kafka.Assigned{Committed: -1, Start: 3, LogStart: 3}, watermark: metric.NoWatermark, start: 3},
		"left":                   {a: kafka.Assigned{Committed: 9, Start: 9, LogEnd: 12, Metadata: left}, watermark: 77, start: 9, generation: 7, active: 5},
		"left at both ends":      {a: kafka.Assigned{Committed: 9, Start: 9, LogStart: 9, LogEnd: 9, Metadata: left}, watermark: 77, start: 9, generation: 7, active: 5},
		"left by an older host":  {a: kafka.Assigned{Committed: 9, Start: 9, LogEnd: 12, Metadata: watermarkOnly}, watermark: 77, start: 9},
		"offset by hand":         {a: kafka.Assigned{Committed: 9, Start: 9, LogEnd: 12}, watermark: metric.NoWatermark, start: 9},
		"topic made anew":        {a: kafka.Assigned{Committed: 9, Start: 9, LogEnd: 12, Metadata: strings.ReplaceAll(left, "01", "02")}, watermark: metric.NoWatermark, start: 0, generation: 7, err: "made anew"},
		"gone unread":            {a: kafka.Assigned{Committed: 9, Start: 9, LogStart: 15, LogEnd: 20, Metadata: left}, watermark: 77, start: 15, generation: 7, active: 5, err: "records 9 to 14 are gone"},
		"the log lost its end":   {a: kafka.Assigned{Committed: 9, Start: 9, LogEnd: 6, Metadata: left}, watermark: 77, start: 6, generation: 7, active: 5, err: "its log ends at 6"},
		"the offset has expired": {a: kafka.Assigned{Committed: -1, Start: 3, LogStart: 3, LogEnd: 9, Partition: 1}, watermark: metric.NoWatermark, start: 3, err: "has expired"},
		"somebody else's":        {a: kafka.Assigned{Committed: 9, Start: 9, LogEnd: 12, Metadata: "member-1"}, err: "member-1", never: true},
	} {
		t.Run(name, func(t *testing.T) {
			c.a.Topic, c.a.TopicID, c.a.Partitions = "beacons", id, 2
			cfg := StageConfig{Core: w.core(), Now: func() time.Time { return time.UnixMilli(w.clock.Load()) }, Started: &shelf{"dispatched/beacons/1": true}}
			if c.err != "" {
				a := c.a
				err := NewStage(cfg).Assign(context.Background(), []*kafka.Assigned{&a})
				if !errors.Is(err, kafka.ErrStop) || !strings.Contains(err.Error(), c.err) || !c.never && !strings.Contains(err.Error(), fmt.Sprintf("--accept-loss beacons/%d", a.Partition)) {
					t.Errorf("error %v", err)
				}
				cfg.AcceptLoss = func(topic string, partition int32) bool { return topic == "beacons" && partition == c.a.Partition }
			}
			s := NewStage(cfg)
			err := s.Assign(context.Background(), []*kafka.Assigned{&c.a})
			if c.never {
				if !errors.Is(err, kafka.ErrStop) {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			p := s.sorted()[0]
			if st := s.Status()[0]; st.Watermark != c.watermark || st.Offset != c.start || c.a.Start != c.start || c.a.Hold || st.Generation != c.generation || st.Waits != 0 {
				t.Errorf("status %+v, start %d, held %v", st, c.a.Start, c.a.Hold)
			}
			if p.active.UnixMilli() != now-c.active || p.idle != (c.active > 0) {
				t.Errorf("active %v, idle %v", p.active, p.idle)
			}
		})
	}
}

// shelf keeps marks in memory.
type shelf map[string]bool

func (s *shelf) Mark(_ context.Context, name string) error {
	if (*s)["broken"] {
		return errors.New("the store is away")
	}
	(*s)[name] = true
	return nil
}

func (s *shelf) Marked(_ context.Context, name string) (bool, error) { return (*s)[name], nil }

// sleeper is a filter that takes longer over one beacon than a transaction may
// be open.
type sleeper struct{ ran atomic.Int64 }

func (f *sleeper) Filter(_ context.Context, b *beacon.Batch, sel []int, _ func(int, beacon.Drop)) error {
	for _, i := range sel {
		if string(b.Row(i).Session) == "slow" {
			f.ran.Add(1)
			time.Sleep(1500 * time.Millisecond)
		}
	}
	return nil
}

// TestSlowPlugin: no transaction is open while plugins run, or the partition
// would never get past the beacon.
func TestSlowPlugin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	cfg, _ := testConfig()
	cfg.Sources = cfg.Sources[:1]
	f := &sleeper{}
	cfg.Filters = append(cfg.Filters, f)
	w.send(0, line(1000, "a", ""), line(2000, "slow", ""), line(3000, "b", ""))
	w.send(1, line(1000, "c", ""))
	loop := w.loop(w.stage(newCore(t, cfg), nil), 20*time.Millisecond, time.Second)
	w.runLoop(loop)
	w.eventually("the beacons", func(s *seen) bool { return s.total() == 4 })
	w.eventually("counts", func(s *seen) bool { return s.counts.Get("shop", metric.In, "") == 4 })
	// At the first try: the marks of the new partitions opened no transaction.
	if st := loop.Stats(); f.ran.Load() != 1 || st.Restarts != 0 || st.Aborts != 0 {
		t.Errorf("%d runs, %+v", f.ran.Load(), st)
	}
}

// TestMarksCarryOffsets: a transaction of marks is refused of a worker that the
// group has removed, since it commits offsets of all partitions too.
func TestMarksCarryOffsets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	w.run(w.stage(w.core(), nil))
	w.eventually("marks", marked(
		beacon.MarkEntry{Topic: "beacons", Partition: 0, Partitions: 2, Watermark: metric.NoWatermark},
		beacon.MarkEntry{Topic: "beacons", Partition: 1, Partitions: 2, Watermark: metric.NoWatermark},
	))
	got, err := kafka.CommittedOffsets(context.Background(), w.client, "pharos-dispatch", "beacons")
	if err != nil || len(got) != 2 {
		t.Errorf("committed %v, %v", got, err)
	}
	for tp, c := range got {
		if c.Offset != 0 || !strings.Contains(c.Metadata, "watermark") {
			t.Errorf("%v: %+v", tp, c)
		}
	}
}
