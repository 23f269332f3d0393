package kafka

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestCare(t *testing.T) {
	c := care{most: 1000, records: 1000}
	for range 3 {
		c.committed()
	}
	if c.on {
		t.Error("care without a failure")
	}
	for i, want := range []int{1000, 500, 250, 125, 100, 100} {
		if c.failed(); !c.on || c.records != want {
			t.Errorf("failure %d: %+v, want %d records", i, c, want)
		}
	}
	for i, want := range []int{200, 400, 800, 1000} {
		for range carefulCommits {
			if !c.on {
				t.Fatalf("raise %d: no care any more: %+v", i, c)
			}
			c.committed()
		}
		if c.records != want {
			t.Errorf("raise %d: %+v, want %d records", i, c, want)
		}
	}
	if c.on {
		t.Error("care for ever")
	}
	if c = (care{most: 50, records: 50}); true {
		c.failed()
		c.failed()
	}
	if c.records != 50 {
		t.Errorf("%+v: a small batch became another", c)
	}
}

// slow is a copier with rows that take longer than a transaction may be open.
type slow struct {
	*copier
	is func(*kgo.Record) bool
}

func (s *slow) Batch(ctx context.Context, records []*kgo.Record, tx *Tx) error {
	if slices.ContainsFunc(records, s.is) {
		time.Sleep(1500 * time.Millisecond)
	}
	return s.copier.Batch(ctx, records, tx)
}

// TestSlowRow: a row that outlasts a transaction costs those before it, once,
// and no partition its progress.
func TestSlowRow(t *testing.T) {
	t.Parallel()
	_, cfg := cluster(t, short())
	cl := newClient(t, cfg)
	copyTopics(t, cl)
	feed(t, cl, 0, 40)
	stage := &slow{newCopier("a"), func(r *kgo.Record) bool { return r.Partition == 1 && r.Offset == 9 }}
	l := NewLoop(LoopConfig{
		Kafka: cfg, Group: "g", TransactionalID: "tx", Topics: []string{"in"}, MaxRecords: 10,
		CommitInterval: time.Hour, // a transaction ends in time all the same
		TickInterval:   50 * time.Millisecond, TransactionTimeout: time.Second, SessionTimeout: 3 * time.Second, Logger: cfg.Logger,
	}, stage)
	stop := run(t, l)
	copies(t, cfg, 40)
	feed(t, cl, 40, 80)
	copies(t, cfg, 80)
	stop()
	report(t, stage.copier)
	t.Logf("%+v", l.Stats())
}

// ordered notes batches and ends of transactions.
type ordered struct{ *copier }

func (o *ordered) Batch(ctx context.Context, records []*kgo.Record, tx *Tx) error {
	err := o.copier.Batch(ctx, records, tx)
	if err == nil && len(records) > 0 {
		o.mu.Lock()
		o.order = append(o.order, "batch")
		o.mu.Unlock()
	}
	return err
}

func (o *ordered) BeforeCommit(context.Context, *Tx) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.order = append(o.order, "commit")
	return nil
}

func (o *ordered) Committed(context.Context) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.order = append(o.order, "committed")
}

// TestCarefulAfterAnAbort: a transaction then holds one batch.
func TestCarefulAfterAnAbort(t *testing.T) {
	t.Parallel()
	_, cfg := cluster(t, short())
	cl := newClient(t, cfg)
	copyTopics(t, cl)
	feed(t, cl, 0, 80)
	stage := &ordered{newCopier("a")}
	failed := false
	stage.fail = func(records int) error {
		if records > 0 && !failed {
			failed = true
			return errors.New("not this time")
		}
		return nil
	}
	l := testLoop(cfg, stage)
	l.cfg.CommitInterval, l.cfg.TickInterval = time.Hour, time.Hour
	l.care = care{most: 10, records: 10}
	stop := run(t, l)
	copies(t, cfg, 80)
	stop()
	report(t, stage.copier)
	order := slices.DeleteFunc(stage.order, func(s string) bool { return s == "assign" || s == "revoke" })
	if len(order) < 24 {
		t.Fatalf("order %v", order)
	}
	for i := range order[:24] {
		if want := []string{"batch", "commit", "committed"}[i%3]; order[i] != want {
			t.Fatalf("order %v", order)
		}
	}
}

// bare produces without offsets.
type bare struct{ *copier }

func (b *bare) Batch(_ context.Context, _ []*kgo.Record, tx *Tx) error {
	tx.Produce(&kgo.Record{Topic: "out", Value: []byte("unfenced 0 0")})
	return nil
}

// TestNoOffsets: what no generation of the group stands behind is not committed.
func TestNoOffsets(t *testing.T) {
	t.Parallel()
	_, cfg := cluster(t, short())
	copyTopics(t, newClient(t, cfg))
	l := testLoop(cfg, &bare{newCopier("a")})
	stop := run(t, l)
	eventually(t, "refusals", func() bool { return l.Stats().Aborts > 1 })
	stop()
	if st := l.Stats(); st.Commits != 0 {
		t.Errorf("%+v", st)
	}
	copies(t, cfg, 0)
}

// TestOthersUnstable: a transaction that is open on one partition holds up
// nobody who is assigned another, and whoever is assigned it.
func TestOthersUnstable(t *testing.T) {
	t.Parallel()
	c, cfg := cluster(t, short())
	ctx := context.Background()
	cl := newClient(t, cfg)
	copyTopics(t, cl)
	mine, theirs := TopicPartition{"in", 0}, TopicPartition{"in", 1}
	if err := CommitOffsets(ctx, cl, "g", map[TopicPartition]Committed{mine: {7, "mine"}, theirs: {3, "theirs"}}); err != nil {
		t.Fatal(err)
	}
	fault := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Topic: "in", Partitions: []int32{1}, Err: kerr.UnstableOffsetCommit, Count: -1})
	got, err := committedOffsets(ctx, cl, "g", []TopicPartition{mine, {"in", 2}})
	if err != nil || len(got) != 1 || got[mine] != (Committed{7, "mine"}) {
		t.Errorf("%v, %v", got, err)
	}
	soon, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	if got, err := committedOffsets(soon, cl, "g", []TopicPartition{theirs}); err == nil {
		t.Errorf("%v: what is unstable is taken", got)
	}
	fault.Remove()
	if got, err := committedOffsets(ctx, cl, "g", []TopicPartition{theirs}); err != nil || got[theirs] != (Committed{3, "theirs"}) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := committedOffsets(ctx, cl, "g", nil); err != nil || len(got) != 0 {
		t.Errorf("of none: %v, %v", got, err)
	}
}

// TestRetentionWhileReading: a partition whose log loses records before they
// are read is assigned anew, so that the stage knows.
func TestRetentionWhileReading(t *testing.T) {
	t.Parallel()
	c, cfg := cluster(t, short())
	cl := newClient(t, cfg)
	copyTopics(t, cl)
	const n = 16 // of 1 MiB: more than a client reads ahead
	random := rand.NewChaCha8([32]byte{})
	for range n {
		r := &kgo.Record{Topic: "in", Value: make([]byte, 1<<20)}
		random.Read(r.Value)
		if err := cl.ProduceSync(context.Background(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	stage := &overtaken{copier: newCopier("a"), overtake: func() {
		if err := c.DeleteRecords("in", 0, n-1); err != nil {
			t.Error(err)
		}
	}}
	stage.accept = true
	stop := run(t, testLoop(cfg, stage))
	eventually(t, "the last record", func() bool {
		stage.mu.Lock()
		defer stage.mu.Unlock()
		return stage.next[TopicPartition{"in", 0}] == n
	})
	stop()
	report(t, stage.copier)
	last := stage.assigned[len(stage.assigned)-1]
	for _, a := range stage.assigned {
		if a.Partition == 0 {
			last = a
		}
	}
	if last.LogStart != n-1 || last.Start != n-1 || last.Committed >= n-1 {
		t.Errorf("assigned at last %+v", last)
	}
}

// overtaken is a copier (of numbers only) whose first batch takes until
// retention has gone past it.
type overtaken struct {
	*copier
	overtake func()
}

func (o *overtaken) Batch(_ context.Context, records []*kgo.Record, tx *Tx) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range records {
		if o.overtake != nil {
			o.overtake()
			o.overtake = nil
		}
		tp := TopicPartition{r.Topic, r.Partition}
		if r.Offset != o.next[tp] {
			o.failed("%v@%d comes after %d, and nobody has said so", tp, r.Offset, o.next[tp])
		}
		o.next[tp] = r.Offset + 1
		tx.Produce(&kgo.Record{Topic: "out", Value: fmt.Appendf(nil, "%d 0 0", r.Offset)})
		tx.Commit(r.Topic, r.Partition, r.Offset+1, "0")
	}
	return nil
}

// TestLogCutShort: what is committed lies behind the log's end, which lost it.
func TestLogCutShort(t *testing.T) {
	t.Parallel()
	_, cfg := cluster(t, short())
	cl := newClient(t, cfg)
	copyTopics(t, cl)
	feed(t, cl, 0, 40)
	if err := CommitOffsets(context.Background(), cl, "g", map[TopicPartition]Committed{
		{"in", 0}: {1000, "0"}, {"in", 1}: {10, "0"}, {"in", 2}: {10, "0"}, {"in", 3}: {10, "0"},
	}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	err := testLoop(cfg, newCopier("undecided")).Run(ctx)
	if !errors.Is(err, ErrStop) || !strings.Contains(err.Error(), "in/0 is to be read from offset 1000, and its log ends at 10") {
		t.Errorf("Run: %v", err)
	}
	stage := newCopier("a")
	stage.accept = true
	l := testLoop(cfg, stage)
	run(t, l)
	eventually(t, "partitions", func() bool { stage.mu.Lock(); defer stage.mu.Unlock(); return len(stage.assigned) == 4 })
	for _, a := range stage.assigned {
		if a.Start != 10 || a.LogEnd != 10 {
			t.Errorf("assigned %+v", a)
		}
	}
	feed(t, cl, 41, 44) // of the other partitions
	copies(t, cfg, 3)
	if st := l.Stats(); st.Aborts != 0 || st.Restarts != 0 {
		t.Errorf("%+v", st)
	}
}
