package kafka

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Tx is the transaction in hand: what a stage produces and commits through it
// becomes visible together, or never.
type Tx struct {
	model   TxModel // nil in a Loop, which has what follows
	l       *Loop
	cl      *kgo.Client
	ctx     context.Context // of the transaction; nil while there is none
	began   time.Time       // of ctx
	cancel  context.CancelFunc
	promise func(*kgo.Record, error)
	commits map[TopicPartition]Committed
	dirty   bool // Commit was called since the last commit

	mu  sync.Mutex
	err error // the first failure of this transaction
}

// TxModel stands in for a cluster where a stage runs without a Loop, as in a
// simulation that decides itself what becomes of a transaction. Its methods are
// those of Tx.
type TxModel interface {
	Produce(r *kgo.Record)
	Commit(topic string, partition int32, next int64, metadata string)
	Hold(topic string, partition int32)
	Resume(topic string, partition int32)
	Lag(topic string, partition int32) int64
	Partitions(topic string) int32
}

// NewTx returns the transaction of a model.
func NewTx(m TxModel) *Tx { return &Tx{model: m} }

func newTx(l *Loop, cl *kgo.Client) *Tx {
	tx := &Tx{l: l, cl: cl, commits: map[TopicPartition]Committed{}}
	tx.promise = func(r *kgo.Record, err error) {
		if err != nil {
			tx.fail(fmt.Errorf("produce to %s/%d: %w", r.Topic, r.Partition, err))
		}
	}
	return tx
}

// Produce adds a record; its Partition must be set. The loop owns it until the
// transaction ends. A record that cannot be produced aborts the transaction.
// It blocks while too much is on its way.
func (tx *Tx) Produce(r *kgo.Record) {
	if tx.model != nil {
		tx.model.Produce(r)
		return
	}
	if tx.ctx == nil && !tx.begin() {
		return
	}
	tx.l.produced.Add(1)
	tx.cl.Produce(tx.ctx, r, tx.promise)
}

// Commit sets the offset to continue from, and metadata that comes back with
// it at Assign. Offsets of a transaction that produces nothing are committed
// with the next one that does: until then there is nothing to be doubled.
func (tx *Tx) Commit(topic string, partition int32, next int64, metadata string) {
	if tx.model != nil {
		tx.model.Commit(topic, partition, next, metadata)
		return
	}
	tx.commits[TopicPartition{topic, partition}] = Committed{next, metadata}
	tx.dirty = true
}

// Hold stops reading a partition behind the last record that the stage was given.
func (tx *Tx) Hold(topic string, partition int32) {
	if tx.model != nil {
		tx.model.Hold(topic, partition)
		return
	}
	tx.cl.PauseFetchPartitions(map[string][]int32{topic: {partition}})
}

// Resume begins to read a partition that the stage has held, here or at Assign.
func (tx *Tx) Resume(topic string, partition int32) {
	if tx.model != nil {
		tx.model.Resume(topic, partition)
		return
	}
	tx.cl.ResumeFetchPartitions(map[string][]int32{topic: {partition}})
}

// Lag returns how many offsets lie between what the stage was given and the
// partition's stable end; -1 if that is not known, or not since long.
func (tx *Tx) Lag(topic string, partition int32) int64 {
	if tx.model != nil {
		return tx.model.Lag(topic, partition)
	}
	return tx.l.lag(TopicPartition{topic, partition}, time.Now())
}

// Partitions returns how many partitions the topic has; 0 if it is none of the
// loop's or not known yet.
func (tx *Tx) Partitions(topic string) int32 {
	if tx.model != nil {
		return tx.model.Partitions(topic)
	}
	return tx.l.partitionCount(topic)
}

// begin starts the transaction; a failure shows at its end.
func (tx *Tx) begin() bool {
	if tx.failed() != nil {
		return false
	}
	if err := tx.cl.BeginTransaction(); err != nil {
		tx.fail(&fatalError{fmt.Errorf("begin: %w", err)})
		return false
	}
	tx.began = time.Now()
	// Past twice the timeout the broker has long ended it: nothing may wait
	// for it any more.
	tx.ctx, tx.cancel = context.WithTimeout(context.Background(), 2*tx.l.cfg.TransactionTimeout)
	return true
}

// wanted says whether there is something to commit.
func (tx *Tx) wanted() bool { return tx.ctx != nil || tx.dirty || tx.failed() != nil }

func (tx *Tx) fail(err error) {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if tx.err == nil {
		tx.err = err
	}
}

func (tx *Tx) failed() error {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	return tx.err
}

// reset forgets the transaction, which has ended.
func (tx *Tx) reset() {
	if tx.cancel != nil {
		tx.cancel()
	}
	tx.ctx, tx.cancel, tx.dirty = nil, nil, false
	clear(tx.commits)
	tx.mu.Lock()
	tx.err = nil
	tx.mu.Unlock()
}

// forget drops pending commits of partitions that are no longer ours.
func (tx *Tx) forget(parts []TopicPartition) {
	for _, tp := range parts {
		delete(tx.commits, tp)
	}
}
