package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-6a2d649b/pharos/host/dispatch"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/host/rollout"
	"github.com/seed-6a2d649b/pharos/host/session"
	"github.com/seed-6a2d649b/pharos/host/ship"
)

// bench runs the true loops against kfake. The seed chooses the input, which
// requests fail and who ends when; threads interleave as they like.
type bench struct {
	*testing.T
	*simulation
	kafka kafka.Config
	cl    *kgo.Client
	began time.Time

	mu     sync.Mutex
	faults *rand.Rand // nil: none any more
	shelf  shelf
}

// shelf is the store, for several writers.
type shelf struct {
	mu sync.Mutex
	*store
}

func (s *shelf) Write(_ context.Context, samples []metric.Sample) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.write(samples)
}

// TestLoop is the simulation with kafka.Loop and ship's stage in it.
func TestLoop(t *testing.T) {
	for seed := *firstSeed; seed < *firstSeed+min(3, *seeds); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, seed)
			b.run()
			if len(b.simulation.faults) > 0 {
				t.Error(b.report("TestLoop", *lines))
			}
		})
	}
}

func newBench(t *testing.T, seed uint64) *bench {
	c, err := kfake.NewCluster(kfake.NumBrokers(2), kfake.GroupMinSessionTimeout(100*time.Millisecond),
		kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	s := newRun(seed, "")
	s.healing = true // plugins and the store do well: their threads may not use the seed's numbers
	b := &bench{
		T: t, simulation: s, kafka: kafka.Config{Brokers: c.ListenAddrs()}, began: time.Now(),
		faults: rand.New(rand.NewPCG(seed, 2)), shelf: shelf{store: s.store},
	}
	s.now = b.clock
	if b.cl, err = kafka.NewClient(b.kafka); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.cl.Close)
	var topics []kafka.Topic
	for _, name := range slices.Sorted(keys(s.cluster.topics)) {
		topics = append(topics, kafka.Topic{Name: name, Partitions: int32(len(s.cluster.topics[name].parts))})
	}
	if err := kafka.EnsureTopics(t.Context(), b.cl, topics...); err != nil {
		t.Fatal(err)
	}
	for _, key := range []kmsg.Key{kmsg.Produce, kmsg.Fetch, kmsg.EndTxn, kmsg.TxnOffsetCommit, kmsg.InitProducerID, kmsg.AddOffsetsToTxn, kmsg.OffsetFetch} {
		c.ControlKey(int16(key), func(r kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			if b.fails(key, r) {
				return nil, errors.New("cut"), true
			}
			return nil, nil, false
		})
	}
	for _, key := range []kmsg.Key{kmsg.EndTxn, kmsg.TxnOffsetCommit} { // done, and told not
		c.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: kerr.RequestTimedOut, Count: -1, When: func(r kmsg.Request) bool { return b.fails(key, r) }})
	}
	return b
}

// clock is dispatch's: a minute lasts a second.
func (b *bench) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.world.began.Add(60 * time.Since(b.began))
}

func (b *bench) fails(key kmsg.Key, r kmsg.Request) bool {
	if p, ok := r.(*kmsg.ProduceRequest); ok && p.TransactionID == nil {
		return false // a sender's
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 40
	if key == kmsg.Fetch || key == kmsg.Produce {
		n = 200
	}
	return b.faults != nil && b.faults.IntN(n) == 0
}

// dying ends its loop in the middle of a batch.
type dying struct {
	kafka.Stage
	mu   sync.Mutex
	dead bool
}

func (d *dying) die() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
}

func (d *dying) Batch(ctx context.Context, records []*kgo.Record, tx *kafka.Tx) error {
	err := d.Stage.Batch(ctx, records, tx)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return fmt.Errorf("%w: it dies", kafka.ErrStop)
	}
	return err
}

func (d *dying) BeforeCommit(ctx context.Context, tx *kafka.Tx) error {
	return d.Stage.(kafka.Committer).BeforeCommit(ctx, tx)
}

func (d *dying) Committed(ctx context.Context) {
	if c, ok := d.Stage.(kafka.AfterCommitter); ok {
		c.Committed(ctx)
	}
}

func (d *dying) Release(ctx context.Context, parts []kafka.TopicPartition) {
	if r, ok := d.Stage.(kafka.Releaser); ok {
		r.Release(ctx, parts)
	}
}

// runner is something that runs until it is ended.
type runner struct {
	stage *dying // nil: of ship
	end   context.CancelFunc
	ended chan struct{}
}

func (b *bench) start(stage *dying, run func(context.Context) error) *runner {
	ctx, cancel := context.WithCancel(context.Background())
	r := &runner{stage: stage, end: cancel, ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		if err := run(ctx); err != nil && (stage == nil || !stage.dead) {
			b.Errorf("a worker ended: %v", err)
		}
	}()
	return r
}

func (r *runner) stop() {
	r.end()
	<-r.ended
}

func (b *bench) loop(group string, topics []string, stage kafka.Stage) *runner {
	d := &dying{Stage: stage}
	l := kafka.NewLoop(kafka.LoopConfig{
		Kafka: b.kafka, Group: group, TransactionalID: group, Topics: topics, MaxRecords: 10,
		CommitInterval: 5 * time.Millisecond, TickInterval: 30 * time.Millisecond, TransactionTimeout: 3 * time.Second, SessionTimeout: 2 * time.Second,
	}, d)
	return b.start(d, l.Run)
}

func (b *bench) dispatch() *runner {
	return b.loop("dispatch", b.world.topics(), dispatch.NewStage(dispatch.StageConfig{
		Core: b.world.core(b.world.newest(), nil), Host: "dispatch", Metrics: b.world.metrics(), DeadLetters: b.world.deadLetters(), Idle: b.world.idle, Now: b.clock,
	}))
}

func (b *bench) session() *runner {
	stage := session.NewStage(session.StageConfig{
		Config: b.world.sessionConfig(b.world.newest(), func(rollout.State) *rollout.Watch { return nil }), Host: "session", Metrics: b.world.metrics(), DeadLetters: b.world.deadLetters(), Log: kafka.LogReader{Config: b.kafka},
	})
	r := b.loop("session", b.routes(), stage)
	b.Cleanup(stage.Close) // after the loop
	return r
}

func (b *bench) routes() []string { return b.world.newest().topics() }

func (b *bench) ship() *runner {
	stage, err := ship.New(ship.Config{
		Kafka: b.kafka, Group: "ship", Topic: metricsTopic, Lateness: b.world.lateness, Ahead: b.world.ahead, Generation: b.world.newest().number, Routes: b.world.newest().routeNames(),
		Stores: []ship.Store{{Name: "store", Writer: &b.shelf}}, MaxBatch: 20, CommitEvery: 20 * time.Millisecond, Retry: time.Millisecond,
	})
	if err != nil {
		b.Fatal(err)
	}
	return b.start(nil, stage.Run)
}

// run lets workers come and go while beacons come, then everything come to rest,
// and compares.
func (b *bench) run() {
	roles := map[string]func() *runner{"dispatch": b.dispatch, "session": b.session, "ship": b.ship}
	workers := map[string][]*runner{}
	defer func() {
		for _, all := range workers {
			for _, w := range all {
				w.stop()
			}
		}
	}()
	for name, start := range roles {
		workers[name] = []*runner{start(), start()}
	}
	for range 40 {
		for range 1 + b.IntN(4) {
			b.send()
		}
		b.flush()
		time.Sleep(time.Duration(b.Int64N(int64(100 * time.Millisecond))))
		if b.chance(8) {
			name := pick(b.Rand, "dispatch", "session", "ship")
			w := workers[name][0]
			if w.stage != nil && b.chance(2) {
				w.stage.die()
				<-w.ended
			}
			w.stop()
			workers[name] = append(workers[name][1:], roles[name]())
		}
	}
	b.mu.Lock()
	b.faults = nil
	b.world.began = b.world.began.Add(b.world.gap + 2*b.world.lateness + 10*time.Minute) // of the clock
	b.mu.Unlock()
	b.sendLast()
	b.flush()

	b.rest("dispatch", b.world.topics())
	b.eventually("the log says that all is final", func() bool { // marks do it
		b.dump(metricsTopic)
		_, _, finals := (&oracle{s: b.simulation}).metrics()
		for _, final := range finals {
			if final < b.due() {
				return false
			}
		}
		return true
	})
	for _, w := range workers["dispatch"] {
		w.stop()
	}
	b.rest("session", b.routes())
	for _, w := range workers["session"] {
		w.stop()
	}
	b.dump()
	o := b.oracle()
	b.eventually("the store has all final minutes", func() bool {
		b.shelf.mu.Lock()
		defer b.shelf.mu.Unlock()
		b.simulation.faults = nil
		o.stored()
		return len(b.simulation.faults) == 0
	})
	for _, w := range workers["ship"] {
		w.stop()
	}
	b.simulation.faults = nil
	b.check()
}

// flush writes what send has put into the model's raw topics.
func (b *bench) flush() {
	b.Helper()
	for _, tp := range b.cluster.partitions(b.world.topics()...) {
		l := b.cluster.log(tp)
		for ; l.settled < len(l.entries); l.settled++ {
			r := &kgo.Record{Topic: tp.Topic, Partition: tp.Partition, Value: l.entries[l.settled].record.Value}
			if err := b.cl.ProduceSync(b.Context(), r).FirstErr(); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// rest waits until a group has committed all records of topics.
func (b *bench) rest(group string, topics []string) {
	b.Helper()
	b.eventually(group+" has everything", func() bool {
		b.dump(topics...)
		committed, err := kafka.CommittedOffsets(b.Context(), b.cl, group, topics...)
		if err != nil {
			b.Fatal(err)
		}
		for _, tp := range b.cluster.partitions(topics...) {
			if c, ok := committed[tp]; !ok || c.Offset <= b.cluster.log(tp).last() {
				return false
			}
		}
		for tp, c := range committed {
			b.cluster.group(group).commit(tp, c)
		}
		return true
	})
}

func (b *bench) eventually(what string, is func() bool) {
	b.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatalf("not within two minutes: %s\n%s", what, b.report("TestLoop", *lines))
		}
	}
}

// dump copies topics, all if none is named, into the model: what was aborted is
// an empty place there.
func (b *bench) dump(topics ...string) {
	b.Helper()
	if topics == nil {
		topics = slices.Sorted(keys(b.cluster.topics))
	}
	bounds, err := kafka.OffsetBounds(b.Context(), b.cl, topics...)
	if err != nil {
		b.Fatal(err)
	}
	from := map[kafka.TopicPartition]int64{}
	for tp, at := range bounds {
		l := b.cluster.log(tp)
		if from[tp] = 0; slices.Contains(b.world.topics(), tp.Topic) || at.End == 0 {
			delete(from, tp)
			continue
		}
		l.entries = slices.Repeat([]entry{{}}, int(at.End))
		l.settled = int(at.End)
	}
	if len(from) == 0 {
		return
	}
	reader, err := kafka.NewReader(b.kafka, from, kgo.KeepControlRecords())
	if err != nil {
		b.Fatal(err)
	}
	defer reader.Close()
	for len(from) > 0 {
		reader.PollFetches(b.Context()).EachRecord(func(r *kgo.Record) {
			tp := kafka.TopicPartition{Topic: r.Topic, Partition: r.Partition}
			if r.Offset >= bounds[tp].End-1 {
				delete(from, tp)
			}
			if l := b.cluster.log(tp); r.Offset < int64(len(l.entries)) && !r.Attrs.IsControl() {
				l.entries[r.Offset].record = r
			}
		})
	}
}
