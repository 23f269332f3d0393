package kafka

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// copier is a stage with state: it copies each record of "in" to "out" with
// the number that it has within its input partition. The number is kept in the
// commit's metadata, so that a torn, lost or doubled transaction shows.
type copier struct {
	name string

	mu       sync.Mutex
	counts   map[TopicPartition]int64
	next     map[TopicPartition]int64
	wrong    []string // what should never have happened
	ticks    int
	assigned []Assigned
	revoked  map[string]int          // partitions, by topic
	fail     func(records int) error // of Batch
	lower    int64                   // how far Start is lowered
	accept   bool                    // that records are gone
	given    []int64                 // offsets of records below Committed
	from     map[TopicPartition]int64
	order    []string // calls
}

func newCopier(name string) *copier {
	return &copier{name: name, counts: map[TopicPartition]int64{}, next: map[TopicPartition]int64{}, from: map[TopicPartition]int64{}, revoked: map[string]int{}}
}

func (c *copier) failed(format string, args ...any) {
	c.wrong = append(c.wrong, c.name+": "+fmt.Sprintf(format, args...))
}

func (c *copier) Assign(_ context.Context, parts []*Assigned) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range parts {
		tp := TopicPartition{a.Topic, a.Partition}
		if _, ok := c.counts[tp]; ok {
			c.failed("%v is assigned twice", tp)
		}
		var n int64
		if a.Committed >= 0 {
			var err error
			if n, err = strconv.ParseInt(a.Metadata, 10, 64); err != nil {
				c.failed("%v: metadata %q", tp, a.Metadata)
			}
		} else if a.Metadata != "" {
			c.failed("%v: metadata %q without a commit", tp, a.Metadata)
		}
		c.counts[tp] = n
		c.from[tp] = max(a.Committed, 0)
		a.Start = max(0, a.Start-c.lower)
		if c.accept {
			a.Start = min(max(a.Start, a.LogStart), a.LogEnd)
		}
		c.next[tp] = a.Start
		c.assigned = append(c.assigned, *a)
	}
	c.order = append(c.order, "assign")
	return nil
}

func (c *copier) Revoke(parts []TopicPartition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, tp := range parts {
		if _, ok := c.counts[tp]; !ok {
			c.failed("%v is revoked and not ours", tp)
		}
		delete(c.counts, tp)
		delete(c.next, tp)
		c.revoked[tp.Topic]++
	}
	c.order = append(c.order, "revoke")
}

func (c *copier) Batch(_ context.Context, records []*kgo.Record, tx *Tx) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(records) == 0 {
		c.ticks++
	}
	if c.fail != nil {
		if err := c.fail(len(records)); err != nil {
			return err
		}
	}
	for _, r := range records {
		tp := TopicPartition{r.Topic, r.Partition}
		n, ok := c.counts[tp]
		if !ok {
			c.failed("a record of %v, which is not ours", tp)
			continue
		}
		if r.Offset < c.next[tp] {
			c.failed("%v@%d comes after %d", tp, r.Offset, c.next[tp])
		}
		c.next[tp] = r.Offset + 1
		if r.Offset < c.from[tp] { // read again for the state only
			c.given = append(c.given, r.Offset)
			continue
		}
		c.counts[tp] = n + 1
		tx.Produce(&kgo.Record{
			Topic: "out", Partition: PartitionOf(r.Value, outPartitions),
			Value: fmt.Appendf(nil, "%s %d %d", r.Value, r.Partition, n),
		})
		tx.Commit(r.Topic, r.Partition, r.Offset+1, strconv.FormatInt(n+1, 10))
	}
	return nil
}

// report fails the test for all that went wrong in the stages.
func report(t *testing.T, copiers ...*copier) {
	t.Helper()
	for _, c := range copiers {
		c.mu.Lock()
		for _, w := range c.wrong {
			t.Error(w)
		}
		c.mu.Unlock()
	}
}

const (
	inPartitions  = 4
	outPartitions = 3
)

func copyTopics(t *testing.T, cl *kgo.Client) {
	t.Helper()
	if err := EnsureTopics(context.Background(), cl, Topic{Name: "in", Partitions: inPartitions}, Topic{Name: "out", Partitions: outPartitions}); err != nil {
		t.Fatal(err)
	}
}

// feed produces the values from..to-1 to "in".
func feed(t *testing.T, cl *kgo.Client, from, to int) {
	t.Helper()
	var rs []*kgo.Record
	for i := from; i < to; i++ {
		rs = append(rs, &kgo.Record{Topic: "in", Partition: int32(i % inPartitions), Value: fmt.Appendf(nil, "v%d", i)})
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for _, r := range rs { // faults may hit it: a record is sent until it is there, in order
		for cl.ProduceSync(ctx, r).FirstErr() != nil {
			if ctx.Err() != nil {
				t.Fatal(ctx.Err())
			}
		}
	}
}

// copies reads "out", committed records only, until each of the n values was
// there, and fails on any that is there twice or with a wrong number.
func copies(t *testing.T, c Config, n int) {
	t.Helper()
	from := map[TopicPartition]int64{}
	for p := range int32(outPartitions) {
		from[TopicPartition{"out", p}] = 0
	}
	cl, err := NewReader(c, from)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	numbers := map[int][]int{} // of an input partition
	seen := map[string]bool{}
	for settled := false; !settled; {
		pollCtx := ctx
		if len(seen) >= n { // is there more than there should be?
			var cancel context.CancelFunc
			pollCtx, cancel = context.WithTimeout(ctx, 300*time.Millisecond)
			defer cancel()
		}
		fetches := cl.PollFetches(pollCtx)
		if ctx.Err() != nil {
			t.Fatalf("%d of %d values are there", len(seen), n)
		}
		settled = pollCtx.Err() != nil
		fetches.EachRecord(func(r *kgo.Record) {
			var value string
			var partition, number int
			if _, err := fmt.Sscan(string(r.Value), &value, &partition, &number); err != nil {
				t.Fatalf("%q: %v", r.Value, err)
			}
			if seen[value] {
				t.Errorf("%s is there twice", value)
			}
			seen[value] = true
			numbers[partition] = append(numbers[partition], number)
		})
	}
	if len(seen) != n {
		t.Errorf("%d values, want %d", len(seen), n)
	}
	for _, p := range slices.Sorted(maps.Keys(numbers)) {
		slices.Sort(numbers[p])
		for i, number := range numbers[p] {
			if i != number {
				t.Errorf("partition %d: number %d at %d: the state was not that of what is committed", p, number, i)
				break
			}
		}
	}
}

// run starts a loop and returns how to stop it and wait for it.
func run(t *testing.T, l *Loop) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// testLoop is a loop with short times.
func testLoop(c Config, stage Stage) *Loop {
	return NewLoop(LoopConfig{
		Kafka: c, Group: "g", TransactionalID: "tx", Topics: []string{"in"}, MaxRecords: 50,
		CommitInterval: 20 * time.Millisecond, TickInterval: 50 * time.Millisecond,
		TransactionTimeout: 3 * time.Second, SessionTimeout: 3 * time.Second, Logger: c.Logger,
	}, stage)
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never came: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
