package kafka

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Stage is what a Loop drives. Its methods are never called at the same time.
type Stage interface {
	// Assign gives the stage partitions, before their first record; their
	// state starts here. It may change each one's Start, and must where that
	// lies outside of the log: nothing is skipped without its word. It can come
	// between two calls of Batch within one transaction.
	Assign(ctx context.Context, parts []*Assigned) error
	// Revoke takes partitions away, never within a transaction: after what they
	// gave is committed, or after an abort (then all are revoked and assigned
	// anew), or at a client's end, where what became of its last transaction may
	// not be known: the next Assign says what holds.
	Revoke(parts []TopicPartition)
	// Batch takes records, those of a partition together and in order, and is
	// also called without any about each second. It may be called several
	// times within one transaction. An error aborts the transaction, after
	// which the partitions are assigned anew; one that wraps ErrStop ends Run.
	// Work that may take long comes before the first Produce, which begins the
	// transaction. A transaction that has something produced must have offsets:
	// they are what the group refuses of a worker that is no member any more.
	Batch(ctx context.Context, records []*kgo.Record, tx *Tx) error
}

// Committer is a stage that has something to add at a transaction's end.
type Committer interface {
	// BeforeCommit is called once before a transaction is committed, after
	// its last Batch: what it produces comes last on every partition that it
	// produces to. It is not called where neither Batch nor a Commit wanted
	// a transaction.
	BeforeCommit(ctx context.Context, tx *Tx) error
}

// AfterCommitter is a stage that wants to hear that its transaction holds.
type AfterCommitter interface {
	// Committed is called once a transaction is committed, with everything that
	// the stage gave to Tx.Commit so far, and before the stage hears of anything
	// else; before partitions are given up it is called before their Revoke. A
	// transaction whose end is not known (a lost answer) gives no call, but a
	// Revoke, and an Assign that says what holds. It must return soon: the next
	// batch waits for it.
	Committed(ctx context.Context)
}

// Releaser is a stage that wants to hear that partitions go away for good.
type Releaser interface {
	// Release is called before Revoke where partitions go to another worker, or
	// where the loop ends, after what they gave is committed; maybe twice. The
	// rebalance and the stage's other partitions wait for it, so it must return
	// within seconds.
	Release(ctx context.Context, parts []TopicPartition)
}

// ErrStop in a stage's error says that trying again cannot help: Run returns it.
var ErrStop = errors.New("stop")

// Assigned is a partition as a stage gets it.
type Assigned struct {
	Topic      string
	TopicID    [16]byte
	Partition  int32
	Partitions int32  // of the topic
	Committed  int64  // the group's offset; -1: none yet
	Metadata   string // what was committed with it
	LogStart   int64  // the first offset that is still there
	LogEnd     int64  // its stable end when it was assigned: behind the last record that read committed may see
	// Start is where reading starts: Committed, or LogStart where nothing is.
	// The stage may change it. Where it does not lie within LogStart to LogEnd
	// when Assign returns, Run ends with ErrStop: Committed may, where retention
	// has deleted records unread or the log has lost its end.
	Start int64
	Hold  bool // set by the stage at Assign: nothing is read until Tx.Resume
}

// LoopConfig configures a Loop. Zero durations and counts take the defaults.
type LoopConfig struct {
	Kafka              Config
	Group              string
	TransactionalID    string        // what the worker's transactional ids begin with (for ACLs); each client adds its own end
	Topics             []string      // to begin with; see Loop.Read
	MaxRecords         int           // of one Batch; default 10,000; after failures fewer for a while
	CommitInterval     time.Duration // transactions are at least this far apart under load, unless a third of their timeout is less; default 1s
	TickInterval       time.Duration // between calls of Batch without records; default 1s
	TransactionTimeout time.Duration // default 10s
	SessionTimeout     time.Duration // default 10s
	Logger             hclog.Logger  // nil: silent
}

func (c LoopConfig) withDefaults() LoopConfig {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&c.CommitInterval, time.Second)
	def(&c.TickInterval, time.Second)
	def(&c.TransactionTimeout, 10*time.Second)
	def(&c.SessionTimeout, 10*time.Second)
	if c.MaxRecords <= 0 {
		c.MaxRecords = 10_000
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	return c
}

// Stats counts what a loop has done since it was made.
type Stats struct {
	Records  int64 // given to Batch
	Produced int64 // given to Tx.Produce
	Commits  int64 // transactions
	Aborts   int64
	Restarts int64 // clients made anew after a failure
}
