package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// Loop is one consume-transform-produce worker: a member of a group that reads
// committed records, gives them to its stage, and makes what the stage
// produces, and the offsets with their metadata, one Kafka transaction.
//
// No rebalance happens while a transaction is open: one that is wanted makes
// the loop commit at once, and partitions are given up after that. So a batch
// is never torn, and a rebalance costs no work.
type Loop struct {
	cfg   LoopConfig
	stage Stage
	log   hclog.Logger
	care  care

	records, produced, commits, aborts, restarts atomic.Int64

	// open is the transactional id of a former client whose last transaction
	// may still be open; nil: none.
	open atomic.Pointer[string]

	mu    sync.Mutex // held while the stage or tx is used
	ended *sync.Cond // no transaction is open; of mu
	cl    *kgo.Client
	txnID string   // of cl
	reads []string // topics, those of cl
	tx    *Tx
	owned map[TopicPartition]*Assigned
	taken map[TopicPartition]string // as which member of the group each was

	placesMu sync.Mutex // of what Lag and Partitions answer from
	places   map[TopicPartition]*place
	counts   map[string]int32

	wakeMu  sync.Mutex
	wake    context.CancelFunc // ends the poll in hand
	waiting bool               // a rebalance waits for the transaction
	stop    error              // a stage's ErrStop at Assign; guarded by mu
}

// place is how far a partition is read and how far it can be.
type place struct {
	next  int64
	end   int64
	known time.Time // when end was learnt
}

// leaveTimeout bounds how long leaving the group may take.
const leaveTimeout = 5 * time.Second

// fatalError is a failure that a new client may mend and this one can not.
type fatalError struct{ err error }

func (e *fatalError) Error() string { return e.err.Error() }
func (e *fatalError) Unwrap() error { return e.err }

// NewLoop returns a worker for the stage; Run starts it.
func NewLoop(cfg LoopConfig, stage Stage) *Loop {
	cfg = cfg.withDefaults()
	if cfg.Kafka.Logger == nil {
		cfg.Kafka.Logger = cfg.Logger
	}
	l := &Loop{
		cfg: cfg, stage: stage, log: cfg.Logger, care: care{most: cfg.MaxRecords, records: cfg.MaxRecords},
		reads: slices.Clone(cfg.Topics), owned: map[TopicPartition]*Assigned{}, taken: map[TopicPartition]string{}, places: map[TopicPartition]*place{}, counts: map[string]int32{},
	}
	l.ended = sync.NewCond(&l.mu)
	return l
}

// Stats returns what the loop has done so far. It may be called at any time.
func (l *Loop) Stats() Stats {
	return Stats{l.records.Load(), l.produced.Load(), l.commits.Load(), l.aborts.Load(), l.restarts.Load()}
}

// Read makes topics those that the loop reads. Partitions of topics that it reads
// already stay; those of others are given up as at any rebalance. It may be called
// at any time.
func (l *Loop) Read(topics []string) {
	l.mu.Lock()
	cl, before := l.cl, l.reads
	l.reads = slices.Clone(topics)
	l.mu.Unlock()
	if cl == nil { // the first is still to come
		return
	}
	without := func(all, some []string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(t string) bool { return slices.Contains(some, t) })
	}
	if more := without(topics, before); len(more) > 0 {
		cl.AddConsumeTopics(more...)
	}
	if fewer := without(before, topics); len(fewer) > 0 {
		cl.PurgeTopicsFromConsuming(fewer...)
	}
}

func (l *Loop) topics() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reads
}

// Run works until ctx ends: then it commits what it has in hand, leaves the
// group and returns nil. Failures of the cluster are waited out with a new
// client each; only a configuration that can not work, or an error of the
// stage that wraps ErrStop, is returned.
func (l *Loop) Run(ctx context.Context) error {
	if l.cfg.Group == "" || l.cfg.TransactionalID == "" || len(l.cfg.Topics) == 0 {
		return errors.New("kafka: a loop needs a group, a transactional id and topics")
	}
	const most = 10 * time.Second
	wait := 250 * time.Millisecond
	for {
		commits := l.commits.Load()
		err := l.session(ctx)
		if errors.Is(err, ErrStop) {
			return err
		}
		if ctx.Err() != nil {
			if err != nil {
				l.log.Warn("left with work in hand; it will be done again", "error", err)
			}
			return nil
		}
		if err == nil {
			continue
		}
		if l.commits.Load() > commits {
			wait = 250 * time.Millisecond
		}
		l.restarts.Add(1)
		l.care.failed()
		l.log.Error("worker failed, starting it anew", "group", l.cfg.Group, "error", err, "in", wait)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		wait = min(2*wait, most)
	}
}

// session works with one client until ctx ends or the client can go on no more.
func (l *Loop) session(ctx context.Context) error {
	clientCtx, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	l.mu.Lock() // the client joins the group at once, and may assign at once
	l.txnID = l.cfg.newID()
	cl, err := NewClient(l.cfg.Kafka, append(l.options(), kgo.WithContext(clientCtx))...)
	if err != nil {
		l.mu.Unlock()
		return fmt.Errorf("%w: %w", ErrStop, err)
	}
	l.cl, l.tx, l.stop = cl, newTx(l, cl), nil
	own := l.txnID
	l.mu.Unlock()

	besideCtx, cancel := context.WithCancel(ctx)
	var beside sync.WaitGroup
	beside.Go(func() { l.refresh(besideCtx, cl) })
	beside.Go(func() { l.fenceDead(besideCtx, cl, own) })
	err = l.work(ctx, cl)
	cancel()
	beside.Wait()
	if err == nil {
		l.mu.Lock()
		l.release(clientCtx, l.ownedParts())
		l.mu.Unlock()
	}

	// Leaving the group revokes what is still assigned; where the client is
	// beyond that, it is taken from the stage here. A cluster that does not
	// answer is not waited for.
	defer time.AfterFunc(leaveTimeout, kill).Stop()
	cl.CloseAllowingRebalance()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.revoke(l.ownedParts())
	l.tx.reset()
	return err
}

// options are those of the group member and transactional producer. l.mu is held.
func (l *Loop) options() []kgo.Opt {
	return []kgo.Opt{
		kgo.MaxVersions(protocol()),
		kgo.ConsumerGroup(l.cfg.Group),
		kgo.ConsumeTopics(l.reads...),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.SessionTimeout(l.cfg.SessionTimeout),
		kgo.HeartbeatInterval(min(time.Second, l.cfg.SessionTimeout/3)),
		kgo.RebalanceTimeout(3 * l.cfg.TransactionTimeout),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsCallbackBlocked(func(context.Context, *kgo.Client) { l.rebalanceWaits() }),
		kgo.AdjustFetchOffsetsFn(l.onAssign),
		kgo.OnPartitionsRevoked(l.onRevoke),
		kgo.OnPartitionsLost(l.onLost),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),                              // a transaction's markers take offsets: without them lag never falls to 0
		kgo.ConsumeResetOffset(kgo.NoResetOffset().AtStart()), // no jumps: what is gone, the stage hears of at Assign
		kgo.FetchMaxPartitionBytes(4 << 20),
		// Every client has an id of its own: it is the group's generation that
		// fences, and an id that is never used again stays right where a
		// broker's crash leaves a transaction without its end.
		kgo.TransactionalID(l.txnID),
		kgo.TransactionTimeout(l.cfg.TransactionTimeout),
		kgo.MaxBufferedRecords(100_000),
		kgo.MaxBufferedBytes(128 << 20),
	}
}

// protocol is what a loop's client speaks. Offsets are committed by hand, since
// their metadata is ours. The protocol of transactions that adds the group to
// them explicitly is the one that every broker since 2.5 speaks and that kgo
// lets us take part in.
func protocol() *kversion.Versions {
	v := kversion.Stable()
	v.SetMaxKeyVersion(int16(kmsg.TxnOffsetCommit), 4)
	return v
}

// work polls, gives batches to the stage and ends transactions.
func (l *Loop) work(ctx context.Context, cl *kgo.Client) error {
	// What is in hand is finished and committed after ctx has ended, but not
	// for ever.
	stageCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(l.cfg.TransactionTimeout, cancel) })()

	t := turns{lastTick: time.Now()}
	for {
		due := t.lastTick.Add(l.cfg.TickInterval)
		if l.tx.wanted() {
			if c := l.commitDue(t.lastCommit); c.Before(due) {
				due = c
			}
		}
		fetches := l.poll(ctx, cl, due)
		if fetches.IsClientClosed() {
			return errors.New("client closed")
		}
		ended, err := l.turn(ctx, stageCtx, fetches, &t)
		if err != nil {
			return err
		}
		if ended {
			l.allowRebalance(cl)
		}
		if ctx.Err() != nil {
			return nil
		}
		if t.pause > 0 {
			l.sleep(ctx, t.pause)
			t.pause = 0
		}
	}
}

// turns is what one turn of work leaves to the next.
type turns struct {
	lastCommit, lastTick time.Time
	failures             int           // transactions aborted since the last that was committed
	pause                time.Duration // before the next turn
	batch                []*kgo.Record
}

// turn gives the stage what was polled, ticks if it is time, and ends the
// transaction if it is time. It says whether no transaction is open any more;
// an error ends the client.
func (l *Loop) turn(ctx, stageCtx context.Context, fetches kgo.Fetches, t *turns) (ended bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.ended.Broadcast() // whoever waits looks whether it has
	now := time.Now()
	err = l.process(stageCtx, fetches, now, t)
	if err == nil && l.tx.wanted() {
		if !l.care.on && time.Now().Before(l.commitDue(t.lastCommit)) && !l.rebalanceIsWaiting() && ctx.Err() == nil {
			return false, nil
		}
		err = l.commit(stageCtx)
		t.lastCommit = time.Now()
		if err == nil {
			t.failures = 0
		}
	}
	var fatal *fatalError
	switch {
	case err == nil:
		return true, nil
	case errors.As(err, &fatal), errors.Is(err, ErrStop), ctx.Err() != nil:
		return true, errors.Join(err, l.abort(err))
	}
	l.care.failed()
	t.failures++
	t.pause = min(5*time.Second, 25*time.Millisecond<<min(t.failures, 10))
	if err := l.abort(err); err != nil {
		return true, err
	}
	return true, l.assignAgain()
}

// commitDue is when the transaction in hand is to end: a batch may have taken
// long, and the next may, so it is not left open for most of its timeout.
func (l *Loop) commitDue(last time.Time) time.Time {
	due := last.Add(l.cfg.CommitInterval)
	if l.tx.ctx == nil {
		return due
	}
	if c := l.tx.began.Add(l.cfg.TransactionTimeout / 3); c.Before(due) {
		due = c
	}
	return due
}

// process calls the stage with the fetched records and, once a tick interval,
// without.
func (l *Loop) process(ctx context.Context, fetches kgo.Fetches, now time.Time, t *turns) error {
	if l.stop != nil {
		return l.stop
	}
	batch, err := l.gather(fetches, t.batch[:0])
	if err != nil {
		return err
	}
	t.batch = batch
	if len(batch) > 0 {
		l.records.Add(int64(len(batch)))
		err := l.stage.Batch(ctx, batch, l.tx)
		clear(batch) // the records are the stage's and the producer's now
		if err != nil {
			return err
		}
	}
	if now.Sub(t.lastTick) < l.cfg.TickInterval {
		return nil
	}
	t.lastTick = now
	if len(l.owned) == 0 {
		return nil
	}
	return l.stage.Batch(ctx, nil, l.tx)
}

// poll waits for records until due, until ctx ends or until a rebalance wants
// the transaction to end. The client lets no rebalance happen after it until
// allowRebalance.
func (l *Loop) poll(ctx context.Context, cl *kgo.Client, due time.Time) kgo.Fetches {
	if soon := time.Now().Add(time.Millisecond); due.Before(soon) {
		due = soon // a poll without any time would not even give what is there
	}
	ctx, cancel := context.WithDeadline(ctx, due)
	defer cancel()
	l.wakeMu.Lock()
	l.wake = cancel
	if l.waiting {
		cancel()
	}
	l.wakeMu.Unlock()
	return cl.PollRecords(ctx, l.care.records)
}

func (l *Loop) rebalanceWaits() {
	l.wakeMu.Lock()
	defer l.wakeMu.Unlock()
	l.waiting = true
	if l.wake != nil {
		l.wake()
	}
}

func (l *Loop) rebalanceIsWaiting() bool {
	l.wakeMu.Lock()
	defer l.wakeMu.Unlock()
	return l.waiting
}

func (l *Loop) allowRebalance(cl *kgo.Client) {
	l.wakeMu.Lock()
	l.waiting = false
	l.wakeMu.Unlock()
	cl.AllowRebalance()
}

func (l *Loop) sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// gather takes the records out of the fetches, partition by partition, and
// notes how far they reach. l.mu is held.
func (l *Loop) gather(fetches kgo.Fetches, batch []*kgo.Record) ([]*kgo.Record, error) {
	var failed error
	now := time.Now()
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if err := p.Err; err != nil && failed == nil {
			failed = l.fetchError(p.Topic, p.Partition, err)
		}
		tp := TopicPartition{p.Topic, p.Partition}
		a := l.owned[tp]
		if len(p.Records) == 0 || a == nil {
			return
		}
		l.read(tp, p.Records[len(p.Records)-1].Offset+1, p.LastStableOffset, now)
		for _, r := range p.Records {
			if !r.Attrs.IsControl() && r.Offset >= a.Start {
				batch = append(batch, r)
			}
		}
	})
	return batch, failed
}

// fetchError tells what a poll's error is: none where the poll's own context
// has ended; a loss aborts the transaction, so that the partitions are assigned
// anew and the stage decides on what is left; others end the client.
func (l *Loop) fetchError(topic string, partition int32, err error) error {
	var loss *kgo.ErrDataLoss
	var group *kgo.ErrGroupSession
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return nil
	case errors.As(err, &loss), errors.Is(err, kerr.OffsetOutOfRange):
		return fmt.Errorf("records of %s/%d are gone from the log before they were read: %w", topic, partition, err)
	case errors.As(err, &group):
		l.log.Warn("group session ended, joining again", "group", l.cfg.Group, "error", err)
		return nil
	}
	return &fatalError{fmt.Errorf("fetch %s/%d: %w", topic, partition, err)}
}
