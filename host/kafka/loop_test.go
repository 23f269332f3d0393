package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func short() kfake.Opt { return kfake.GroupMinSessionTimeout(100 * time.Millisecond) }

// TestExactlyOnceUnderFaults copies a stream through a loop while the broker
// fails requests of one kind again and again.
func TestExactlyOnceUnderFaults(t *testing.T) {
	every := func(n int64) func(kmsg.Request) bool {
		var i atomic.Int64
		return func(kmsg.Request) bool { return i.Add(1)%n == 0 }
	}
	fault := func(key kmsg.Key, err *kerr.Error, n int64) func(*kfake.Cluster) {
		return func(c *kfake.Cluster) {
			c.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: err, Count: 3, When: every(n)})
		}
	}
	cut := func(key kmsg.Key, n int64) func(*kfake.Cluster) {
		return func(c *kfake.Cluster) {
			left, hit := 3, every(n)
			c.ControlKey(int16(key), func(r kmsg.Request) (kmsg.Response, error, bool) {
				c.KeepControl()
				if left == 0 || !hit(r) {
					return nil, nil, false
				}
				left--
				return nil, errors.New("cut"), true
			})
		}
	}
	transactional := func(r kmsg.Request) bool { return r.(*kmsg.ProduceRequest).TransactionID != nil }
	for name, install := range map[string]func(*kfake.Cluster){
		"none":                      func(*kfake.Cluster) {},
		"produce not leader":        fault(kmsg.Produce, kerr.NotLeaderForPartition, 3),
		"produce applied, told not": fault(kmsg.Produce, kerr.NotEnoughReplicasAfterAppend, 3),
		"produce cut":               cut(kmsg.Produce, 4),
		"produce refused": func(c *kfake.Cluster) {
			c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.InvalidProducerEpoch, Count: 3, When: transactional})
		},
		"add partitions fails":       fault(kmsg.AddPartitionsToTxn, kerr.ConcurrentTransactions, 2),
		"add offsets fails":          fault(kmsg.AddOffsetsToTxn, kerr.CoordinatorNotAvailable, 2),
		"add offsets fenced":         fault(kmsg.AddOffsetsToTxn, kerr.ProducerFenced, 5),
		"offsets: rebalance":         fault(kmsg.TxnOffsetCommit, kerr.RebalanceInProgress, 2),
		"offsets: old generation":    fault(kmsg.TxnOffsetCommit, kerr.IllegalGeneration, 2),
		"offsets: member gone":       fault(kmsg.TxnOffsetCommit, kerr.UnknownMemberID, 5),
		"offsets: server error":      fault(kmsg.TxnOffsetCommit, kerr.UnknownServerError, 5),
		"offsets: applied, told not": fault(kmsg.TxnOffsetCommit, kerr.RequestTimedOut, 5),
		"offsets cut":                cut(kmsg.TxnOffsetCommit, 5),
		"end: concurrent":            fault(kmsg.EndTxn, kerr.ConcurrentTransactions, 2),
		"end: coordinator moves":     fault(kmsg.EndTxn, kerr.NotCoordinator, 3),
		"end: server error":          fault(kmsg.EndTxn, kerr.UnknownServerError, 5),
		"end: fenced":                fault(kmsg.EndTxn, kerr.ProducerFenced, 5),
		"end cut":                    cut(kmsg.EndTxn, 5),
		"heartbeat: member gone":     fault(kmsg.Heartbeat, kerr.UnknownMemberID, 2),
		"committed offsets fail":     fault(kmsg.OffsetFetch, kerr.UnstableOffsetCommit, 1),
		"producer ids fail":          fault(kmsg.InitProducerID, kerr.CoordinatorLoadInProgress, 1),
		"fetch cut":                  cut(kmsg.Fetch, 7),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, cfg := cluster(t, short())
			cl := newClient(t, cfg)
			copyTopics(t, cl)
			feed(t, cl, 0, 100)
			stage := newCopier("a")
			l := testLoop(cfg, stage)
			l.cfg.CommitInterval, l.care = 1, care{most: 10, records: 10} // many transactions
			install(c)
			stop := run(t, l)
			feed(t, cl, 100, 300)
			eventually(t, "some commits", func() bool { return l.Stats().Commits > 0 })
			feed(t, cl, 300, 400)
			copies(t, cfg, 400)
			stop()
			report(t, stage)
			t.Logf("%+v", l.Stats())
		})
	}
}

// TestStopCommitsWhatIsInHand stops loops with a long commit interval: the
// next one goes on behind what they were given.
func TestStopCommitsWhatIsInHand(t *testing.T) {
	t.Parallel()
	_, cfg := cluster(t, short())
	cl := newClient(t, cfg)
	copyTopics(t, cl)
	for round := range 3 {
		feed(t, cl, round*100, round*100+50)
		stage := newCopier(fmt.Sprint(round))
		l := testLoop(cfg, stage)
		l.cfg.CommitInterval = time.Hour
		stop := run(t, l)
		eventually(t, "the first records", func() bool { return l.Stats().Records >= 50 })
		feed(t, cl, round*100+50, round*100+100) // held in an open transaction
		eventually(t, "all records", func() bool { return l.Stats().Records >= 100 })
		stop()
		if st := l.Stats(); st.Records != 100 || st.Aborts != 0 {
			t.Errorf("round %d: %+v", round, st)
		}
		report(t, stage)
	}
	copies(t, cfg, 300)
}

// TestStageErrors aborts, assigns anew and goes on; ErrStop ends Run.
func TestStageErrors(t *testing.T) {
	t.Parallel()
	_, cfg := cluster(t, short())
	cl := newClient(t, cfg)
	copyTopics(t, cl)
	feed(t, cl, 0, 200)
	stage := newCopier("a")
	n := 0
	stage.fail = func(records int) error {
		if n++; records > 0 && n%3 == 1 && n < 12 {
			return errors.New("not this time")
		}
		return nil
	}
	l := testLoop(cfg, stage)
	stop := run(t, l)
	copies(t, cfg, 200)
	stop()
	report(t, stage)
	if st := l.Stats(); st.Aborts < 3 || st.Restarts != 0 {
		t.Errorf("%+v, want aborts without a new client", st)
	}

	broken := newCopier("b")
	broken.fail = func(int) error { return fmt.Errorf("the topic has other partitions: %w", ErrStop) }
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := testLoop(cfg, broken).Run(ctx); !errors.Is(err, ErrStop) {
		t.Errorf("Run: %v, want ErrStop", err)
	}
	if len(broken.counts) != 0 {
		t.Error("partitions are not revoked at the end")
	}
}

// refuser refuses every assignment.
type refuser struct{ copier }

func (*refuser) Assign(context.Context, []*Assigned) error { return fmt.Errorf("no: %w", ErrStop) }

func TestStopAtAssign(t *testing.T) {
	t.Parallel()
	_, cfg := cluster(t, short())
	copyTopics(t, newClient(t, cfg))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := testLoop(cfg, &refuser{*newCopier("a")}).Run(ctx); !errors.Is(err, ErrStop) {
		t.Errorf("Run: %v, want ErrStop", err)
	}
	if err := NewLoop(LoopConfig{Kafka: cfg}, newCopier("b")).Run(ctx); err == nil {
		t.Error("a loop without a group runs")
	}
}

// TestLoweredStart gives a stage records again that are committed already.
func TestLoweredStart(t *testing.T) {
	t.Parallel()
	_, cfg := cluster(t, short())
	cl := newClient(t, cfg)
	copyTopics(t, cl)
	feed(t, cl, 0, 80)
	first := newCopier("a")
	stop := run(t, testLoop(cfg, first))
	copies(t, cfg, 80)
	stop()
	second := newCopier("b")
	second.lower = 5
	l := testLoop(cfg, second)
	stop = run(t, l)
	feed(t, cl, 80, 120)
	copies(t, cfg, 120)
	stop()
	report(t, first, second)
	slices.Sort(second.given)
	if want := []int64{15, 15, 15, 15, 16, 16, 16, 16, 17, 17, 17, 17, 18, 18, 18, 18, 19, 19, 19, 19}; !slices.Equal(second.given, want) {
		t.Errorf("given again: %v, want %v", second.given, want)
	}
	for _, a := range second.assigned {
		if a.Committed != 20 || a.Partitions != inPartitions || a.TopicID == ([16]byte{}) || a.Start != 15 {
			t.Errorf("assigned %+v", a)
		}
	}
}

// summer is a copier that writes only at a transaction's end.
type summer struct {
	copier
	records int
	lag     int64
	parts   int32
	befores int
	batches int
}

func (s *summer) Batch(_ context.Context, records []*kgo.Record, tx *Tx) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches++
	s.records += len(records)
	for _, r := range records {
		tx.Commit(r.Topic, r.Partition, r.Offset+1, "0")
	}
	s.lag, s.parts = tx.Lag("in", 0), tx.Partitions("in")
	return nil
}

func (s *summer) BeforeCommit(_ context.Context, tx *Tx) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.befores++
	if s.records > 10 { // the first few give nothing
		tx.Produce(&kgo.Record{Topic: "out", Value: fmt.Appendf(nil, "sum%d 0 0", s.records)})
	}
	return nil
}

// TestBeforeCommit: a commit that produces nothing waits for one that does,
// and an idle stage commits nothing.
func TestBeforeCommit(t *testing.T) {
	t.Parallel()
	_, cfg := cluster(t, short())
	cl := newClient(t, cfg)
	copyTopics(t, cl)
	feed(t, cl, 0, 4)
	stage := &summer{copier: *newCopier("a")}
	l := testLoop(cfg, stage)
	run(t, l)
	look := func(f func() bool) func() bool {
		return func() bool { stage.mu.Lock(); defer stage.mu.Unlock(); return f() }
	}
	eventually(t, "4 records", look(func() bool { return stage.records == 4 && stage.befores > 0 }))
	if st := l.Stats(); st.Commits != 0 {
		t.Errorf("%+v: a transaction without a record", st)
	}
	if got, err := CommittedOffsets(context.Background(), cl, "g", "in"); err != nil || len(got) != 0 {
		t.Errorf("committed %v, %v", got, err)
	}
	feed(t, cl, 4, 20)
	eventually(t, "20 records", look(func() bool { return stage.records == 20 }))
	eventually(t, "a commit of all", func() bool {
		got, err := CommittedOffsets(context.Background(), cl, "g", "in")
		return err == nil && len(got) == 4 && got[TopicPartition{"in", 0}].Offset == 5
	})
	// The cluster has the commit a moment before the loop hears so and counts it.
	var batches int
	look(func() bool { batches = stage.batches; return true })()
	eventually(t, "the loop goes on", look(func() bool { return stage.batches > batches }))
	commits := l.Stats().Commits
	ticks := 0
	eventually(t, "no lag at idleness", look(func() bool { ticks++; return stage.lag == 0 && stage.parts == 4 && ticks > 20 }))
	if now := l.Stats().Commits; now != commits {
		t.Errorf("%d commits at idleness", now-commits)
	}
}

// TestRetentionBeforeCommitted: what was committed is gone; the stage decides,
// and where it does not the loop stops.
func TestRetentionBeforeCommitted(t *testing.T) {
	t.Parallel()
	c, cfg := cluster(t, short())
	cl := newClient(t, cfg)
	copyTopics(t, cl)
	if err := CommitOffsets(context.Background(), cl, "g", map[TopicPartition]Committed{{"in", 0}: {2, "0"}}); err != nil {
		t.Fatal(err)
	}
	feed(t, cl, 0, 40)
	if err := c.DeleteRecords("in", 0, 6); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	err := testLoop(cfg, newCopier("undecided")).Run(ctx)
	if !errors.Is(err, ErrStop) || !strings.Contains(err.Error(), "in/0 is to be read from offset 2, and its log begins at 6: 4 records were deleted") {
		t.Errorf("Run: %v", err)
	}
	stage := newCopier("a")
	stage.accept = true
	run(t, testLoop(cfg, stage))
	copies(t, cfg, 34)
	report(t, stage)
	for _, a := range stage.assigned {
		if a.Partition == 0 && (a.Committed != 2 || a.LogStart != 6 || a.Start != 6) {
			t.Errorf("assigned %+v", a)
		}
	}
}
