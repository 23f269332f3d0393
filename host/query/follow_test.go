package query

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

const testTopic = "pharos.metrics"

// cluster starts a broker in this process with a metrics topic.
func cluster(t *testing.T) (kafka.Config, *kgo.Client) {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, testTopic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	config := kafka.Config{Brokers: c.ListenAddrs()}
	cl, err := kafka.NewClient(config, kgo.TransactionalID("session"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return config, cl
}

// transact writes frames to all partitions, in one transaction.
func transact(t *testing.T, cl *kgo.Client, end kgo.TransactionEndTry, f *metric.Frame) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := f.Records(2, func(p int32, value []byte) {
		cl.Produce(ctx, &kgo.Record{Topic: testTopic, Partition: p, Value: value}, nil)
	}); err != nil {
		t.Fatal(err)
	}
	if err := cl.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if err := cl.EndTransaction(ctx, end); err != nil {
		t.Fatal(err)
	}
}

// follow runs a follower until the test ends.
func follow(t *testing.T, config kafka.Config, groups ...string) *Live {
	t.Helper()
	live := NewLive(LiveOptions{Partitions: 2, Lateness: 10 * time.Minute, Generation: 1, Routes: []string{testRoute}})
	f := &Follower{Kafka: config, Topic: testTopic, Groups: groups, Live: live}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the follower ended: %v", err)
		}
	})
	return live
}

// until waits for what must come.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it does not come: %s", what)
		}
	}
}

func orders(t *testing.T, live *Live, from, to int64) float64 {
	a := ask(t, mustCompile(t, testKeyspace(&fakeStore{})), live, Request{From: at(from), To: at(to), Formulas: []string{"order_count"}})
	return *a.find(t, "order_count", "variant", "blue").Total
}

func TestFollowerReadsWhatIsCommitted(t *testing.T) {
	config, cl := cluster(t)
	frame := func(m int64) *metric.Frame {
		f := &metric.Frame{Host: "h", Generation: 1, Progress: progress(m * minute)}
		for _, dc := range []string{"a", "b", "c", "d"} {
			f.Deltas = append(f.Deltas, metric.Delta{Series: series("blue", "order", metric.Label{Name: "dc", Value: dc}), Minute: m, Figure: metric.Figure{Hits: 1}})
		}
		f.Counts = []metric.Count{{Tenant: "shop", Outcome: metric.In, N: 4}}
		return f
	}
	transact(t, cl, kgo.TryCommit, frame(1000))
	transact(t, cl, kgo.TryAbort, frame(1001))
	live := follow(t, config, metric.ShipGroup("pharos", "local"))
	until(t, "the end of the topic, which is the mark of an aborted transaction", live.Ready)
	if got := orders(t, live, 990, 1010); got != 4 {
		t.Errorf("%v orders are served, want 4", got)
	}
	transact(t, cl, kgo.TryCommit, frame(1012))
	until(t, "what is written later", func() bool { final, ok := live.FinalBefore(); return ok && final == 1002 })
	if s, since := live.Beacons(nil); s.Tenants["shop"].In != 8 || since.IsZero() {
		t.Errorf("beacons %+v since %v", s.Tenants["shop"], since)
	}
}

func TestFollowerStartsAtTheSlowestSafePoint(t *testing.T) {
	config, cl := cluster(t)
	for m := int64(1000); m < 1005; m++ {
		transact(t, cl, kgo.TryCommit, &metric.Frame{Host: "h", Generation: 1, Progress: progress(m * minute), Deltas: []metric.Delta{
			{Series: series("blue", "order", metric.Label{Name: "dc", Value: "a"}), Minute: m, Figure: metric.Figure{Hits: 1}},
			{Series: series("blue", "order", metric.Label{Name: "dc", Value: "c"}), Minute: m, Figure: metric.Figure{Hits: 1}},
		}})
	}
	topics, err := kafka.Topics(t.Context(), cl, testTopic)
	if err != nil {
		t.Fatal(err)
	}
	commit := func(group string, at metric.SafePoint) {
		at.TopicID = topics[testTopic].ID
		offsets := map[kafka.TopicPartition]kafka.Committed{}
		for p := range int32(2) {
			offsets[kafka.TopicPartition{Topic: testTopic, Partition: p}] = kafka.Committed{Offset: at.Offset, Metadata: at.Metadata()}
		}
		if err := kafka.CommitOffsets(context.Background(), cl, group, offsets); err != nil {
			t.Fatal(err)
		}
	}
	commit("pharos-ship-fast", metric.SafePoint{Offset: 3, Horizon: 1003})
	commit("pharos-ship-slow", metric.SafePoint{Offset: 1, Horizon: 1001})
	live := follow(t, config, "pharos-ship-fast", "pharos-ship-slow")
	until(t, "the end", live.Ready)
	if final, ok := live.FinalBefore(); !ok || final != 1002 {
		t.Errorf("what the slow store has is final: before %d, %v", final, ok)
	}
	if got := orders(t, live, 990, 1010); got != 6 {
		t.Errorf("%v orders of the minutes after the horizon, want 6", got)
	}
}

// A topic whose beginning retention has deleted, and a store that never said what it
// has: its figures stay those that it has.
func TestFollowerOfACutTopic(t *testing.T) {
	config, cl := cluster(t)
	for m := int64(100); m < 104; m++ {
		transact(t, cl, kgo.TryCommit, &metric.Frame{Host: "h", Generation: 1, Progress: progress(m * minute), Deltas: []metric.Delta{
			{Series: series("blue", "order", metric.Label{Name: "dc", Value: "a"}), Minute: m, Figure: metric.Figure{Hits: 1}},
			{Series: series("blue", "order", metric.Label{Name: "dc", Value: "c"}), Minute: m, Figure: metric.Figure{Hits: 1}},
		}})
	}
	offsets := kadm.Offsets{}
	for p := range int32(2) {
		offsets.AddOffset(testTopic, p, 2, -1)
	}
	if _, err := kadm.NewClient(cl).DeleteRecords(context.Background(), offsets); err != nil {
		t.Fatal(err)
	}
	live := follow(t, config, metric.ShipGroup("pharos", "local"))
	until(t, "the end", live.Ready)
	a := ask(t, mustCompile(t, testKeyspace(demoStore(t))), live, Request{From: at(100), To: at(105), Step: &Step{1}, Formulas: []string{"order_count"}})
	if got := a.find(t, "order_count", "variant", "blue").numbers(); !slices.Equal(got, []float64{2, 2, 2, 2, 2}) {
		t.Errorf("the view replaces what the store has: %v", got)
	}
}

func TestFollowerRefusesAnotherPartitionCount(t *testing.T) {
	config, _ := cluster(t)
	f := &Follower{Kafka: config, Topic: testTopic, Live: newTestLive(3, &clockAt{})}
	if err := f.Run(context.Background()); err == nil {
		t.Error("taken")
	}
}
