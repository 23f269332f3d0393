package kafka

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-6a2d649b/pharos/host/kafka/cut"
)

// TestLostRequestsAndAnswers copies a stream through a loop whose connections
// lose requests of one kind, before or after the broker has applied them.
func TestLostRequestsAndAnswers(t *testing.T) {
	for _, key := range []kmsg.Key{
		kmsg.EndTxn, kmsg.TxnOffsetCommit, kmsg.AddOffsetsToTxn, kmsg.AddPartitionsToTxn, kmsg.InitProducerID, kmsg.Produce,
		kmsg.Fetch, kmsg.OffsetFetch, kmsg.JoinGroup, kmsg.SyncGroup, kmsg.Heartbeat, kmsg.ListOffsets,
	} {
		for fate, name := range map[cut.Fate]string{cut.LoseRequest: "request", cut.LoseAnswer: "answer"} {
			t.Run(fmt.Sprintf("%s %s", key.Name(), name), func(t *testing.T) {
				t.Parallel()
				_, cfg := cluster(t, short())
				cl := newClient(t, cfg)
				copyTopics(t, cl)
				feed(t, cl, 0, 100)
				var seen atomic.Int64
				cfg.Dial = cut.Dialer(func(k kmsg.Key) cut.Fate {
					if k == key {
						if n := seen.Add(1); n%3 == 2 && n < 30 {
							return fate
						}
					}
					return cut.Pass
				})
				stage := newCopier("a")
				l := testLoop(cfg, stage)
				l.cfg.CommitInterval, l.care = 1, care{most: 10, records: 10} // many transactions
				stop := run(t, l)
				feed(t, cl, 100, 200)
				cfg.Dial = nil
				copies(t, cfg, 200)
				stop()
				report(t, stage)
				t.Logf("%+v", l.Stats())
			})
		}
	}
}

// TestUnansweredEnd: the end of a transaction gets no answer for longer than the
// client tries. The next client takes over the id, and what holds is what the
// offsets say then: where the request came through a commit, else nothing.
func TestUnansweredEnd(t *testing.T) {
	for fate, name := range map[cut.Fate]string{cut.LoseRequest: "request", cut.LoseAnswer: "answer"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, cfg := cluster(t, short())
			cl := newClient(t, cfg)
			copyTopics(t, cl)
			feed(t, cl, 0, 100)
			var down atomic.Bool
			reader := cfg
			cfg.Dial = cut.Dialer(func(k kmsg.Key) cut.Fate {
				if down.Load() && (k == kmsg.EndTxn || k == kmsg.InitProducerID) {
					return fate
				}
				return cut.Pass
			})
			stage := newCopier("a")
			l := testLoop(cfg, stage)
			run(t, l)
			eventually(t, "a commit", func() bool { return l.Stats().Commits > 0 })
			down.Store(true)
			feed(t, cl, 100, 200)
			eventually(t, "a new client", func() bool { return l.Stats().Restarts > 0 })
			if l.open.Load() == nil {
				t.Error("nobody knows that a transaction may be open")
			}
			down.Store(false)
			copies(t, reader, 200)
			eventually(t, "that nothing is open", func() bool { return l.open.Load() == nil })
			report(t, stage)
			t.Logf("%+v", l.Stats())
		})
	}
}

// TestSettle: what a former client has left open is ended before partitions are
// taken on; nothing else ends it here.
func TestSettle(t *testing.T) {
	t.Parallel()
	_, cfg := cluster(t, short())
	cl := newClient(t, cfg)
	copyTopics(t, cl)
	feed(t, cl, 0, 100)
	ctx := context.Background()
	stage := newCopier("a")
	l := testLoop(cfg, stage)
	l.cfg.TransactionTimeout = 5 * time.Minute
	stop := run(t, l)
	copies(t, cfg, 100)
	stop()

	id := l.cfg.newID()
	former := newClient(t, cfg, kgo.TransactionalID(id), kgo.TransactionTimeout(5*time.Minute), kgo.MaxVersions(protocol()))
	if err := former.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	former.Produce(ctx, &kgo.Record{Topic: "out", Value: []byte("v1000 0 0")}, nil)
	if err := former.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	l2 := testLoop(cfg, stage)
	l2.cl, l2.tx, l2.txnID = former, newTx(l2, former), id
	l2.tx.Commit("in", 0, 77, "77")
	producer, epoch, err := former.ProducerID(ctx)
	if err != nil {
		t.Fatal(err)
	}
	add := kmsg.NewPtrAddOffsetsToTxnRequest()
	add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = id, producer, epoch, "g"
	if _, err := add.RequestWith(ctx, former); err != nil {
		t.Fatal(err)
	}
	if err := l2.txnOffsetCommit(ctx, producer, epoch, "", -1); err != nil {
		t.Fatal(err)
	}
	soon, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	if got, err := committedOffsets(soon, cl, "g", []TopicPartition{{"in", 0}}); err == nil {
		t.Fatalf("%v is stable while a transaction is open", got)
	}

	l.open.Store(&id)
	feed(t, cl, 100, 200)
	run(t, l)
	copies(t, cfg, 200)
	eventually(t, "that nothing is open", func() bool { return l.open.Load() == nil })
	report(t, stage)
}

// TestFenceTheDead: an open transaction of a worker that is gone is ended by
// another worker of its group long before its timeout; a young one and those of
// others are left alone.
func TestFenceTheDead(t *testing.T) {
	t.Parallel()
	_, cfg := cluster(t, short())
	cl := newClient(t, cfg)
	copyTopics(t, cl)
	ctx := context.Background()
	open := func(id string) *kgo.Client {
		dead := newClient(t, cfg, kgo.TransactionalID(id), kgo.TransactionTimeout(time.Minute))
		if err := dead.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := dead.ProduceSync(ctx, &kgo.Record{Topic: "out", Partition: 1, Value: []byte("of the dead")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		return dead
	}
	l := testLoop(cfg, newCopier("a"))
	of := func(group string) string {
		c := l.cfg
		c.Group, c.TransactionalID = group, "tx-elsewhere"
		return c.newID()
	}
	dead, other := of("g"), of("g-2")
	open(dead)
	alive := open(other)
	begun := func(id string) bool {
		ids, err := openLongerThan(ctx, cl, 0)
		if err != nil {
			t.Fatal(err)
		}
		return slices.Contains(ids, id)
	}
	if !begun(dead) || !begun(other) {
		t.Fatal("no transaction is open")
	}
	stop := run(t, l)
	eventually(t, "the dead worker's transaction to end", func() bool { return !begun(dead) })
	if !begun(other) {
		t.Error("another group's transaction was ended")
	}
	if err := alive.EndTransaction(ctx, kgo.TryAbort); err != nil {
		t.Errorf("another group's transaction: %v", err)
	}
	bounds, err := OffsetBounds(ctx, cl, "out")
	if err != nil || bounds[TopicPartition{"out", 1}].End < 2 {
		t.Errorf("bounds %v, %v: what was open holds readers up", bounds, err)
	}
	feed(t, cl, 0, 100)
	copies(t, cfg, 100)
	stop()
}

func TestIDSaysItsGroup(t *testing.T) {
	c := LoopConfig{Group: "pharos-session", TransactionalID: "pharos-session-host-1"}
	id := c.newID()
	for group, want := range map[string]bool{"pharos-session": true, "pharos": false, "pharos-session-host": false, "": false} {
		if isOf(group, id) != want {
			t.Errorf("isOf(%q, %q) = %v", group, id, !want)
		}
	}
	for _, other := range []string{"", "x", "pharos-session-host-1", id[:len(id)-1], id + "A", id[len(id)-34:]} {
		if isOf(c.Group, other) {
			t.Errorf("%q is an id of the group", other)
		}
	}
}

// TestTopicMadeAnew: a topic that is deleted and made anew under a loop is
// assigned anew, with its new id, so that the stage can decide.
func TestTopicMadeAnew(t *testing.T) {
	t.Parallel()
	_, cfg := cluster(t, short())
	cl := newClient(t, cfg)
	copyTopics(t, cl)
	feed(t, cl, 0, 40)
	stage := newCopier("a")
	l := testLoop(cfg, stage)
	run(t, l)
	copies(t, cfg, 40)
	ctx := context.Background()
	before, err := Topics(ctx, cl, "in")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kadm.NewClient(cl).DeleteTopic(ctx, "in"); err != nil {
		t.Fatal(err)
	}
	feeder := newClient(t, cfg)
	copyTopics(t, feeder)
	feed(t, feeder, 40, 80)
	eventually(t, "the new topic to be assigned", func() bool {
		stage.mu.Lock()
		defer stage.mu.Unlock()
		return slices.ContainsFunc(stage.assigned, func(a Assigned) bool { return a.TopicID != before["in"].ID && a.TopicID != [16]byte{} })
	})
	report(t, stage)
}
