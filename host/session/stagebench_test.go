package session

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/experiment"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

const (
	routeTopic      = "pharos.web"
	routePartitions = 2
	metricsTopic    = "pharos.metrics"
	deadTopic       = "pharos.dead-letters"
)

var stageTopics = []kafka.Topic{
	{Name: routeTopic, Partitions: routePartitions}, {Name: metricsTopic, Partitions: 3}, {Name: deadTopic, Partitions: 1},
}

// bench is a broker, a route that is written to as dispatch does, and what the
// definition makes of what was written.
type bench struct {
	*testing.T
	kafka     kafka.Config
	cl        *kgo.Client
	config    *Config
	store     Snapshots // nil: none
	records   [routePartitions][]Record
	offset    int64 // of the source partition
	watermark int64
	random    *rand.Rand
}

// flaky is an extractor of which every third call fails once it is broken.
type flaky struct {
	listExtractor
	broken atomic.Bool
	calls  atomic.Int64
}

func (f *flaky) Extract(ctx context.Context, b *beacon.Batch, sel []int, emit func(metric.Measurement), bad func(int), fail func(int, beacon.Drop)) error {
	if n := f.calls.Add(1); f.broken.Load() && n%3 == 0 {
		return errors.New("out of order")
	}
	return f.listExtractor.Extract(ctx, b, sel, emit, bad, fail)
}

func newBench(t *testing.T, extractor Extractor) *bench {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	b := &bench{T: t, kafka: kafka.Config{Brokers: c.ListenAddrs()}, watermark: metric.NoWatermark, random: rand.New(rand.NewPCG(1, 2))}
	if b.cl, err = kafka.NewClient(b.kafka); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.cl.Close)
	if err := kafka.EnsureTopics(t.Context(), b.cl, stageTopics...); err != nil {
		t.Fatal(err)
	}
	b.config = testConfig(func(c *Config, shop *Tenant) {
		trials(plainTrial, excludeTrial2)(c, shop)
		c.Sources[0].Partitions = 0 // marks tell
		shop.AllTraffic, shop.Pairs = true, [][2]string{{"view", "order"}}
		if extractor != nil {
			shop.Extractor = extractor
		}
	})
	return b
}

var excludeTrial2 = func() experiment.Experiment { e := excludeTrial; e.ID = "x"; return e }()

// write puts a record on a partition of the route.
func (b *bench) write(partition int32, r Record) {
	b.Helper()
	r.Offset = int64(len(b.records[partition]))
	k := &kgo.Record{Topic: routeTopic, Partition: partition, Value: r.Value}
	if r.Mark != nil {
		k.Value = r.Mark.Append(nil)
		k.Headers = []kgo.RecordHeader{{Key: beacon.MarkKey}}
	} else {
		k.Headers = []kgo.RecordHeader{{Key: beacon.HeaderKey, Value: r.Header.Append(nil)}}
	}
	if err := b.cl.ProduceSync(b.Context(), k).FirstErr(); err != nil {
		b.Fatal(err)
	}
	b.records[partition] = append(b.records[partition], r)
}

// mark puts a mark on every partition.
func (b *bench) mark() {
	b.Helper()
	m := &beacon.Mark{Generation: 1, Entries: []beacon.MarkEntry{{Topic: "raw", Partitions: 1, Watermark: b.watermark}}}
	for p := range int32(routePartitions) {
		b.write(p, Record{Mark: m})
	}
}

func (b *bench) beacon(line string) {
	b.Helper()
	r := log(line)[0]
	r.Header.Offset, r.Header.Watermark = b.offset, b.watermark
	b.offset++
	b.watermark = max(b.watermark, timeOf(strings.Replace(string(r.Value), `"tenant":"shop",`, "", 1)))
	_, session, _ := strings.Cut(line, `"sid":"`)
	session, _, _ = strings.Cut(session, `"`)
	b.write(kafka.PartitionOf([]byte(session), routePartitions), r)
}

// feed writes n random beacons of some minutes from a minute on, and marks.
func (b *bench) feed(n int, from, minutes float64) {
	b.Helper()
	pick := func(of ...string) string { return of[b.random.IntN(len(of))] }
	for i := range n {
		m := from + minutes*float64(i)/float64(n) - 8*b.random.Float64()
		rest := []string{fmt.Sprintf(`"id":"%d"`, b.random.IntN(n))}
		if b.random.IntN(3) == 0 {
			rest = append(rest, fmt.Sprintf(`"exp":{"e":%q,"x":%q}`, pick("a", "b"), pick("a", "b", "z")))
		}
		rest = append(rest, fmt.Sprintf(`"m":[["view"],["order",%d]]`, b.random.IntN(100)))
		b.beacon(of(pick("s", "r", "q", "p", "o"), max(0, m), strings.Join(rest, ",")))
		if i%10 == 0 {
			b.mark()
		}
	}
	b.mark()
}

// wants are the totals of all that was written.
func (b *bench) wants() *sums {
	var all sums
	for p := range int32(routePartitions) {
		part := NewPartition(b.config, "web", p)
		if err := part.Process(b.Context(), b.records[p], &all.out); err != nil {
			b.Fatal(err)
		}
		all.take()
	}
	return &all
}

// loop gives a worker and its stage; nothing is running yet.
func (b *bench) loop(change func(*StageConfig)) (*kafka.Loop, *Stage) {
	cfg := StageConfig{
		Config: b.config, Host: "test", Routes: map[string]string{routeTopic: "web"}, Metrics: stageTopics[1], DeadLetters: stageTopics[2],
		Log: kafka.LogReader{Config: b.kafka},
	}
	if b.store != nil {
		cfg.Snapshots = b.store
	}
	if change != nil {
		change(&cfg)
	}
	stage := NewStage(cfg)
	b.Cleanup(stage.Close)
	return kafka.NewLoop(kafka.LoopConfig{
		Kafka: b.kafka, Group: "pharos.session", TransactionalID: "pharos.session", Topics: []string{routeTopic}, MaxRecords: 7,
		CommitInterval: 5 * time.Millisecond, TickInterval: 20 * time.Millisecond, SessionTimeout: 6 * time.Second,
	}, stage), stage
}

// run starts a worker; stop ends it and gives Run's error.
func (b *bench) run(l *kafka.Loop) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		err := l.Run(ctx)
		if err != nil {
			b.Error(err)
		}
		done <- err
	}()
	var once sync.Once
	var result error
	stop = func() error {
		once.Do(func() { cancel(); result = <-done })
		return result
	}
	b.Cleanup(func() { stop() })
	return stop
}

// booked reads the metrics topic from its beginning to its stable end.
func (b *bench) booked() (*sums, *metric.Horizon) {
	b.Helper()
	bounds, err := kafka.OffsetBounds(b.Context(), b.cl, metricsTopic, deadTopic)
	if err != nil {
		b.Fatal(err)
	}
	from := map[kafka.TopicPartition]int64{}
	for tp := range bounds {
		from[tp] = 0
	}
	reader, err := kafka.NewReader(b.kafka, from, kgo.KeepControlRecords())
	if err != nil {
		b.Fatal(err)
	}
	defer reader.Close()
	s, h := &sums{}, metric.NewHorizon(10*time.Minute)
	h.Generation(b.config.Generation, []string{"web"})
	last := map[int32]*metric.Frame{}
	for len(bounds) > 0 {
		for tp, at := range bounds {
			if from[tp] >= at.End {
				delete(bounds, tp)
			}
		}
		if len(bounds) == 0 {
			break
		}
		reader.PollFetches(b.Context()).EachRecord(func(r *kgo.Record) {
			tp := kafka.TopicPartition{Topic: r.Topic, Partition: r.Partition}
			from[tp] = r.Offset + 1
			if r.Attrs.IsControl() {
				if last[r.Partition] != nil && r.Topic == metricsTopic && len(last[r.Partition].Progress) == 0 {
					b.Errorf("a transaction's last record on metrics partition %d says no progress", r.Partition)
				}
				return
			}
			if r.Topic == deadTopic {
				d, err := kafka.ParseDeadLetter(r)
				if err != nil {
					b.Fatal(err)
				}
				s.letters = append(s.letters, fmt.Sprintf("%s of %s: %s/%d@%d", d.Cause, d.Tenant, d.Topic, d.Partition, d.Offset))
				return
			}
			f, err := metric.ParseFrame(r.Value)
			if err != nil {
				b.Fatal(err)
			}
			last[r.Partition] = f
			for _, d := range f.Deltas {
				if p := metric.PartitionOf(d.Series, 3); p != r.Partition {
					b.Errorf("a delta of partition %d on %d", p, r.Partition)
				}
				s.totals.Add(d)
			}
			for _, c := range f.Counts {
				s.counts.Add(c)
			}
			for _, p := range f.Progress {
				h.Observe(f.Generation, p)
			}
		})
	}
	return s, h
}

// settle waits until all that was written is booked, and compares.
func (b *bench) settle(what string) {
	b.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for {
		got, h := b.booked()
		done := 0
		for _, p := range h.Partitions() {
			if p.Partitions != routePartitions || p.Offset > int64(len(b.records[p.Partition])) {
				b.Fatalf("%s: progress %+v", what, p)
			}
			if p.Offset == int64(len(b.records[p.Partition])) {
				done++
			}
		}
		if done == routePartitions {
			want := b.wants()
			check(b, what+": figures", got.figures(), want.figures())
			check(b, what+": counts", got.countLines(), want.countLines())
			check(b, what+": dead letters", got.letters, want.letters)
			return
		}
		if time.Now().After(deadline) {
			b.Fatalf("%s: not done: %+v", what, h.Partitions())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (b *bench) eventually(what string, is func() bool) {
	b.Helper()
	for deadline := time.Now().Add(60 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatal("not within a minute: " + what)
		}
	}
}
