//go:build linux

package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/kafka/cut"
)

// numberer copies each record of "in" to "out" with its number within its
// partition, which is its state: a transaction that was torn, lost or done twice
// shows.
type numberer struct {
	next map[kafka.TopicPartition]int64
}

// Assign implements kafka.Stage.
func (n *numberer) Assign(_ context.Context, parts []*kafka.Assigned) error {
	for _, a := range parts {
		var next int64
		if a.Committed >= 0 {
			var err error
			if next, err = strconv.ParseInt(a.Metadata, 10, 64); err != nil {
				return fmt.Errorf("%w: metadata of %s/%d: %w", kafka.ErrStop, a.Topic, a.Partition, err)
			}
		}
		n.next[kafka.TopicPartition{Topic: a.Topic, Partition: a.Partition}] = next
	}
	return nil
}

// Revoke implements kafka.Stage.
func (n *numberer) Revoke(parts []kafka.TopicPartition) {
	for _, tp := range parts {
		delete(n.next, tp)
	}
}

// Batch implements kafka.Stage.
func (n *numberer) Batch(_ context.Context, records []*kgo.Record, tx *kafka.Tx) error {
	for _, r := range records {
		tp := kafka.TopicPartition{Topic: r.Topic, Partition: r.Partition}
		number, owned := n.next[tp]
		if !owned {
			return fmt.Errorf("%w: a record of %v, which is not assigned", kafka.ErrStop, tp)
		}
		n.next[tp]++
		tx.Produce(&kgo.Record{Topic: "out", Partition: r.Partition % 2, Value: fmt.Appendf(nil, "%s %d %d", r.Value, r.Partition, number)})
		tx.Commit(r.Topic, r.Partition, r.Offset+1, strconv.FormatInt(number+1, 10))
	}
	return nil
}

// TestLostRequests runs three workers of a group whose connections lose one
// request in thirty, and the answer to one in thirty, at random.
func TestLostRequests(t *testing.T) {
	const partitions, rounds, perRound = 6, 40, 300
	c := startKafka(t, 1)
	plain := kafka.Config{Brokers: c.brokers}
	cl, err := kafka.NewClient(plain)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := kafka.EnsureTopics(ctx, cl, kafka.Topic{Name: "in", Partitions: partitions}, kafka.Topic{Name: "out", Partitions: 2}); err != nil {
		t.Fatal(err)
	}
	lost := map[kmsg.Key]int{}
	var lostMu sync.Mutex
	decide := func(key kmsg.Key) cut.Fate {
		n := rand.IntN(30)
		if n > 1 {
			return cut.Pass
		}
		lostMu.Lock()
		defer lostMu.Unlock()
		lost[key]++
		return [...]cut.Fate{cut.LoseRequest, cut.LoseAnswer}[n]
	}

	runCtx, stop := context.WithCancel(context.Background())
	defer stop()
	var running sync.WaitGroup
	var loops []*kafka.Loop
	for range 3 {
		cfg := plain
		cfg.Dial = cut.Dialer(decide)
		l := kafka.NewLoop(kafka.LoopConfig{
			Kafka: cfg, Group: "numbers", TransactionalID: "numbers", Topics: []string{"in"}, MaxRecords: 20,
			CommitInterval: time.Millisecond, TickInterval: 100 * time.Millisecond,
		}, &numberer{next: map[kafka.TopicPartition]int64{}})
		loops = append(loops, l)
		running.Go(func() {
			if err := l.Run(runCtx); err != nil {
				t.Error(err)
			}
		})
	}
	for round := range rounds {
		for i := range perRound {
			n := round*perRound + i
			cl.Produce(ctx, &kgo.Record{Topic: "in", Partition: int32(n % partitions), Value: []byte(strconv.Itoa(n))}, nil)
		}
		if err := cl.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "what was given a round before", func() error {
			bounds, err := kafka.OffsetBounds(ctx, cl, "out")
			var copied int64 // and markers of transactions
			for _, b := range bounds {
				copied += b.End
			}
			if err == nil && copied < int64(round*perRound) {
				err = fmt.Errorf("%d were copied", copied)
			}
			return err
		})
	}
	checkNumbers(t, plain, partitions, rounds*perRound)
	stop()
	running.Wait()
	for _, l := range loops {
		t.Logf("%+v", l.Stats())
	}
	for key, n := range lost {
		t.Logf("lost %d %s", n, key.Name())
	}
}

// checkNumbers waits for all n records of "out" and checks that each is there
// once with its number.
func checkNumbers(t *testing.T, cfg kafka.Config, partitions, n int) {
	t.Helper()
	cl, err := kafka.NewReader(cfg, map[kafka.TopicPartition]int64{{Topic: "out"}: 0, {Topic: "out", Partition: 1}: 0})
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	seen := map[[2]int]int{} // value by partition and number
	for len(seen) < n {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%d of %d records were copied", len(seen), n)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			var value, partition, number int
			if _, err := fmt.Sscan(string(r.Value), &value, &partition, &number); err != nil {
				t.Fatalf("%q: %v", r.Value, err)
			}
			if before, twice := seen[[2]int{partition, number}]; twice {
				t.Errorf("number %d of partition %d is %d and %d", number, partition, before, value)
			}
			seen[[2]int{partition, number}] = value
			if value != number*partitions+partition {
				t.Errorf("number %d of partition %d is %d", number, partition, value)
			}
		})
		if t.Failed() {
			t.FailNow()
		}
	}
}
