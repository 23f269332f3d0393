package kafka

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
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

// TestRebalanceTearsNothing lets members come and go while the stream flows.
func TestRebalanceTearsNothing(t *testing.T) {
	t.Parallel()
	_, cfg := cluster(t, short())
	cl := newClient(t, cfg)
	copyTopics(t, cl)
	var stages []*copier
	var loops []*Loop
	start := func(name string) (stop func()) {
		s := newCopier(name)
		l := testLoop(cfg, s)
		stages, loops = append(stages, s), append(loops, l)
		return run(t, l)
	}
	fed := 0
	more := func() {
		for range 10 {
			feed(t, cl, fed, fed+40)
			fed += 40
			time.Sleep(20 * time.Millisecond)
		}
	}
	has := func(s *copier) func() bool {
		return func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.counts) > 0 }
	}
	stopA := start("a")
	more()
	stopB := start("b")
	more()
	eventually(t, "partitions for b", has(stages[1]))
	more()
	stopA()
	more()
	stopC := start("c")
	more()
	eventually(t, "partitions for c", has(stages[2]))
	stopB()
	more()
	copies(t, cfg, fed)
	stopC()
	report(t, stages...)
	for i, l := range loops {
		if st := l.Stats(); st.Aborts > 0 || st.Restarts > 0 {
			t.Errorf("%s: %+v: a rebalance cost work", stages[i].name, st)
		}
	}
}

// childBrokers, in the environment, makes the test binary a worker on those
// brokers that runs until it is killed.
const childBrokers = "PHAROS_TEST_WORKER_BROKERS"

// childBroker, in the environment, makes the test binary a broker on that
// directory and port (DIR:PORT) that runs until it is killed.
const childBroker = "PHAROS_TEST_BROKER"

func TestMain(m *testing.M) {
	if at := os.Getenv(childBroker); at != "" {
		dir, portText, _ := strings.Cut(at, "|")
		port, err := strconv.Atoi(portText)
		if err == nil {
			var c *kfake.Cluster
			if c, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(port), kfake.DataDir(dir), short()); err == nil {
				fmt.Println(c.ListenAddrs()[0])
				select {}
			}
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if brokers := os.Getenv(childBrokers); brokers != "" {
		fmt.Println("started")
		stage := newCopier("child")
		if err := testLoop(Config{Brokers: strings.Split(brokers, ",")}, stage).Run(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// child starts the test binary with a variable set and gives how to kill it
// (kill -9) and the first line that it says.
func child(t *testing.T, name, value string) (kill func(), line string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), name+"="+value)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	t.Cleanup(kill)
	if line, err = bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return kill, strings.TrimSpace(line)
}

// TestKilledWorker kills workers (kill -9) in the middle of their work.
func TestKilledWorker(t *testing.T) {
	t.Parallel()
	_, cfg := cluster(t, short())
	cl := newClient(t, cfg)
	copyTopics(t, cl)
	fed := 0
	for range 3 {
		kill, _ := child(t, childBrokers, strings.Join(cfg.Brokers, ","))
		before, err := CommittedOffsets(context.Background(), cl, "g", "in")
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "progress of the child", func() bool {
			feed(t, cl, fed, fed+40)
			fed += 40
			now, err := CommittedOffsets(context.Background(), cl, "g", "in")
			return err == nil && fmt.Sprint(now) != fmt.Sprint(before)
		})
		feed(t, cl, fed, fed+400)
		fed += 400
		kill()
	}
	stage := newCopier("last")
	run(t, testLoop(cfg, stage))
	copies(t, cfg, fed)
	report(t, stage)
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

// TestBrokerRestart takes the broker away under a loop and gives it back.
func TestBrokerRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start := func(opts ...kfake.Opt) *kfake.Cluster {
		c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.DataDir(dir), short()}, opts...)...)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := start()
	cfg := Config{Brokers: c.ListenAddrs(), Logger: testLogger(t)}
	var port int
	fmt.Sscanf(cfg.Brokers[0], "127.0.0.1:%d", &port)
	cl := newClient(t, cfg)
	copyTopics(t, cl)
	feed(t, cl, 0, 100)
	stage := newCopier("a")
	l := testLoop(cfg, stage)
	run(t, l)
	eventually(t, "the first commit", func() bool { return l.Stats().Commits > 0 })
	for round := range 2 {
		c.Close()
		time.Sleep(200 * time.Millisecond)
		c = start(kfake.Ports(port))
		feed(t, cl, 100+round*100, 200+round*100)
		copies(t, cfg, 200+round*100)
	}
	t.Cleanup(c.Close)
	report(t, stage)
}

// TestKilledBroker kills an embedded broker (kill -9) under a loop whose
// transaction is open: what is left of it without an end is never seen, and
// hides nothing of what comes after. The transactions are long, since a broker
// killed within the writing of a commit does tear it (see package broker).
func TestKilledBroker(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kill, addr := child(t, childBroker, dir+"|0")
	_, port, _ := strings.Cut(addr, ":")
	cfg := Config{Brokers: []string{addr}, Logger: testLogger(t)}
	cl := newClient(t, cfg)
	copyTopics(t, cl)
	stage := newCopier("a")
	l := testLoop(cfg, stage)
	l.cfg.CommitInterval = 500 * time.Millisecond
	run(t, l)
	fed := 0
	for range 3 {
		before := l.Stats()
		eventually(t, "a commit, and work beyond it", func() bool {
			feed(t, cl, fed, fed+4)
			fed += 4
			now := l.Stats()
			return now.Commits > before.Commits && now.Produced > before.Produced+40
		})
		time.Sleep(100 * time.Millisecond) // some of it is written
		kill()
		kill, _ = child(t, childBroker, dir+"|"+port)
	}
	copies(t, cfg, fed)
	report(t, stage)
	t.Logf("%+v", l.Stats())
}

// TestTopicComesLater starts before its topic is there.
func TestTopicComesLater(t *testing.T) {
	t.Parallel()
	_, cfg := cluster(t, short())
	stage := newCopier("a")
	l := testLoop(cfg, stage)
	run(t, l)
	time.Sleep(300 * time.Millisecond)
	cl := newClient(t, cfg)
	copyTopics(t, cl)
	feed(t, cl, 0, 40)
	copies(t, cfg, 40)
	report(t, stage)
	t.Logf("%+v", l.Stats())
}

// TestRead lets loops read another topic, and then no more of the first: what
// stays is never taken away.
func TestRead(t *testing.T) {
	t.Parallel()
	_, cfg := cluster(t, short())
	cl := newClient(t, cfg)
	copyTopics(t, cl)
	stages := []*copier{newCopier("a"), newCopier("b")}
	var loops []*Loop
	for _, s := range stages {
		l := testLoop(cfg, s)
		l.Read([]string{"in"}) // before it runs
		loops = append(loops, l)
		run(t, l)
	}
	owned := func(topic string) (n int) {
		for _, s := range stages {
			s.mu.Lock()
			for tp := range s.counts {
				if tp.Topic == topic {
					n++
				}
			}
			s.mu.Unlock()
		}
		return n
	}
	both := func() bool {
		for _, s := range stages {
			s.mu.Lock()
			n := len(s.counts)
			s.mu.Unlock()
			if n == 0 {
				return false
			}
		}
		return owned("in") == inPartitions
	}
	eventually(t, "all partitions, for both", both)
	feed(t, cl, 0, 40)
	time.Sleep(200 * time.Millisecond)
	taken := func() (n int) {
		for _, s := range stages {
			s.mu.Lock()
			n += s.revoked["in"]
			s.mu.Unlock()
		}
		return n
	}
	before := taken()

	if err := EnsureTopics(t.Context(), cl, Topic{Name: "in-v2", Partitions: 3}); err != nil {
		t.Fatal(err)
	}
	for _, l := range loops {
		l.Read([]string{"in", "in-v2"})
	}
	eventually(t, "the partitions of the other topic", func() bool { return owned("in-v2") == 3 })
	feed(t, cl, 40, 80)
	copies(t, cfg, 80)
	if n := taken() - before; n != 0 {
		t.Errorf("%d partitions were taken away for a topic that came", n)
	}

	for _, l := range loops {
		l.Read([]string{"in-v2"})
	}
	eventually(t, "the first topic let go", func() bool { return owned("in") == 0 && owned("in-v2") == 3 })
	report(t, stages...)
	for i, l := range loops {
		if st := l.Stats(); st.Aborts > 0 || st.Restarts > 0 {
			t.Errorf("%s: %+v: it cost work", stages[i].name, st)
		}
	}
}

// TestRemovedMember: a worker that the group has removed joins again as another
// member. What it had may have been another's meanwhile, also where it is given the
// same again: it goes on from what is committed, not from where it was.
func TestRemovedMember(t *testing.T) {
	t.Parallel()
	c, cfg := cluster(t, short())
	cl := newClient(t, cfg)
	copyTopics(t, cl)
	stage := newCopier("a")
	l := testLoop(cfg, stage)
	run(t, l)
	feed(t, cl, 0, 40)
	copies(t, cfg, 40)
	stage.mu.Lock()
	before := stage.revoked["in"]
	stage.mu.Unlock()
	client := func() *kgo.Client {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.cl
	}
	member, _ := client().GroupMetadata()
	c.ControlKey(int16(kmsg.JoinGroup), func(r kmsg.Request) (kmsg.Response, error, bool) {
		resp := r.ResponseKind().(*kmsg.JoinGroupResponse)
		resp.ErrorCode = kerr.UnknownMemberID.Code
		return resp, nil, true
	})
	client().ForceRebalance()
	eventually(t, "another member", func() bool { now, _ := client().GroupMetadata(); return now != "" && now != member })
	feed(t, cl, 40, 80)
	eventually(t, "partitions taken on anew", func() bool {
		stage.mu.Lock()
		defer stage.mu.Unlock()
		return stage.revoked["in"] > before && len(stage.counts) == inPartitions
	})
	copies(t, cfg, 80)
	report(t, stage)
	t.Logf("%+v", l.Stats())
}
