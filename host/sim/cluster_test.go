package sim

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/kafka"
)

// cluster is Kafka as far as the stages can tell: logs, transactions, groups
// and the offsets that they have committed. It answers at once and forgets
// nothing; what goes wrong is the scheduler's to choose.
type cluster struct {
	topics map[string]*topic
	groups map[string]*group
	open   []*txn
	ids    byte // of topics given out
}

type topic struct {
	name  string
	id    [16]byte
	parts []*log
}

// log is one partition.
type log struct {
	entries []entry
	start   int64 // what is before it is gone for the stages; the oracle still reads it
	settled int   // no entry before it is of an open transaction
}

// entry takes one offset of a log.
type entry struct {
	record *kgo.Record // nil: a transaction's marker
	txn    *txn        // nil: written without
}

type txnState int

const (
	txnOpen txnState = iota
	txnCommitted
	txnAborted
)

// txn is a transaction as the coordinator sees it.
type txn struct {
	state   txnState
	decided bool // its commit is taken, and not carried out yet
	began   time.Time
	wrote   []*log
	group   *group
	offsets map[kafka.TopicPartition]kafka.Committed // to be committed with it
}

const (
	transactionTimeout = 10 * time.Second
	sessionTimeout     = 10 * time.Second
)

func newCluster() *cluster {
	return &cluster{topics: map[string]*topic{}, groups: map[string]*group{}}
}

func (c *cluster) create(name string, partitions int32) *topic {
	c.ids++
	t := &topic{name: name, id: [16]byte{c.ids}}
	c.topics[name] = t
	c.grow(name, partitions)
	return t
}

func (c *cluster) grow(name string, partitions int32) {
	t := c.topics[name]
	for int32(len(t.parts)) < partitions {
		t.parts = append(t.parts, &log{})
	}
}

func (c *cluster) log(tp kafka.TopicPartition) *log {
	t := c.topics[tp.Topic]
	if t == nil || int(tp.Partition) >= len(t.parts) {
		panic(fmt.Sprintf("there is no %s/%d", tp.Topic, tp.Partition))
	}
	return t.parts[tp.Partition]
}

// partitions are all of some topics, in order.
func (c *cluster) partitions(topics ...string) (all []kafka.TopicPartition) {
	for _, name := range slices.Sorted(slices.Values(topics)) {
		if t := c.topics[name]; t != nil {
			for p := range t.parts {
				all = append(all, kafka.TopicPartition{Topic: name, Partition: int32(p)})
			}
		}
	}
	return all
}

// append writes a record, in a transaction or without one.
func (c *cluster) append(r *kgo.Record, tx *txn) {
	l := c.log(kafka.TopicPartition{Topic: r.Topic, Partition: r.Partition})
	kept := *r
	kept.Offset, kept.Timestamp = int64(len(l.entries)), time.Now()
	l.entries = append(l.entries, entry{&kept, tx})
	if tx != nil && !slices.Contains(tx.wrote, l) {
		tx.wrote = append(tx.wrote, l)
	}
}

func (c *cluster) begin(g *group) *txn {
	tx := &txn{began: time.Now(), group: g, offsets: map[kafka.TopicPartition]kafka.Committed{}}
	c.open = append(c.open, tx)
	return tx
}

// end commits or aborts a transaction; one that has ended stays what it is, and
// one whose commit is taken is committed.
func (c *cluster) end(tx *txn, state txnState) {
	if tx.state != txnOpen {
		return
	}
	if tx.decided {
		state = txnCommitted
	}
	tx.state = state
	for _, l := range tx.wrote {
		l.entries = append(l.entries, entry{txn: tx})
	}
	if state == txnCommitted {
		for _, tp := range sortedParts(maps.Keys(tx.offsets)) {
			tx.group.commit(tp, tx.offsets[tp])
		}
	}
	c.open = slices.DeleteFunc(c.open, func(o *txn) bool { return o == tx })
}

// expire aborts the transactions whose time is up.
func (c *cluster) expire() {
	for _, tx := range slices.Clone(c.open) {
		if time.Since(tx.began) >= transactionTimeout {
			c.end(tx, txnAborted)
		}
	}
}

// stable is the offset behind the last record that read committed may see.
func (l *log) stable() int64 {
	for ; l.settled < len(l.entries); l.settled++ {
		if tx := l.entries[l.settled].txn; tx != nil && tx.state == txnOpen {
			break
		}
	}
	return int64(l.settled)
}

// holds tells whether an entry is a record that holds.
func (e *entry) holds() bool {
	return e.record != nil && (e.txn == nil || e.txn.state == txnCommitted)
}

// last is the offset of the last record that holds; -1: none.
func (l *log) last() int64 {
	for i := len(l.entries) - 1; i >= 0; i-- {
		if l.entries[i].holds() {
			return int64(i)
		}
	}
	return -1
}

// read gives at most so many committed records from an offset on, and the
// offset behind what was looked at.
func (l *log) read(from int64, most int) (records []*kgo.Record, next int64) {
	if from < l.start {
		panic(fmt.Sprintf("read from offset %d of a log that begins at %d", from, l.start))
	}
	return l.scan(from, most)
}

func (l *log) scan(from int64, most int) (records []*kgo.Record, next int64) {
	end := l.stable()
	for next = from; next < end && len(records) < most; next++ {
		if e := &l.entries[next]; e.holds() {
			r := *e.record // what the reader does to it is no other reader's business
			records = append(records, &r)
		}
	}
	return records, next
}

// committed are all records of a log that hold.
func (l *log) committed() []*kgo.Record {
	records, _ := l.scan(0, len(l.entries))
	return records
}

// group is a consumer group.
type group struct {
	name    string
	c       *cluster
	members []*member
	targets map[kafka.TopicPartition]*member // whose a partition is to be
	owners  map[kafka.TopicPartition]*member // whose it is
	offsets map[kafka.TopicPartition]kafka.Committed
	history []commit
}

// commit is one committed offset, in the order in which they came to hold.
type commit struct {
	tp kafka.TopicPartition
	kafka.Committed
}

// member is a worker as its group sees it.
type member struct {
	topics []string
	gone   bool // the group has removed it
	seen   time.Time
}

func (c *cluster) group(name string) *group {
	g := c.groups[name]
	if g == nil {
		g = &group{
			name: name, c: c, targets: map[kafka.TopicPartition]*member{}, owners: map[kafka.TopicPartition]*member{},
			offsets: map[kafka.TopicPartition]kafka.Committed{},
		}
		c.groups[name] = g
	}
	return g
}

func (g *group) commit(tp kafka.TopicPartition, c kafka.Committed) {
	g.offsets[tp] = c
	g.history = append(g.history, commit{tp, c})
}

// unsettled tells whether a transaction that is open may still change what is
// committed of a partition.
func (g *group) unsettled(tp kafka.TopicPartition) bool {
	return slices.ContainsFunc(g.c.open, func(tx *txn) bool {
		_, ok := tx.offsets[tp]
		return ok && tx.group == g
	})
}

func (g *group) join(topics []string) *member {
	m := &member{topics: topics, seen: time.Now()}
	g.members = append(g.members, m)
	return m
}

// remove takes a member out: what it owned is free.
func (g *group) remove(m *member) {
	m.gone = true
	g.members = slices.DeleteFunc(g.members, func(o *member) bool { return o == m })
	for tp, o := range g.owners {
		if o == m {
			delete(g.owners, tp)
		}
	}
}

// expire removes members that have not been heard of.
func (g *group) expire() (changed bool) {
	for _, m := range slices.Clone(g.members) {
		if time.Since(m.seen) >= sessionTimeout {
			g.remove(m)
			changed = true
		}
	}
	return changed
}

// rebalance says anew whose the partitions are to be. pick chooses among so many
// members that read a topic; who has a partition keeps it where keep says so.
func (g *group) rebalance(keep func() bool, pick func(n int) int) {
	g.targets = map[kafka.TopicPartition]*member{}
	var topics []string
	for _, m := range g.members {
		topics = append(topics, m.topics...)
	}
	slices.Sort(topics)
	for _, tp := range g.c.partitions(slices.Compact(topics)...) {
		readers := slices.DeleteFunc(slices.Clone(g.members), func(m *member) bool { return !slices.Contains(m.topics, tp.Topic) })
		if o := g.owners[tp]; slices.Contains(readers, o) && keep() {
			g.targets[tp] = o
			continue
		}
		g.targets[tp] = readers[pick(len(readers))]
	}
}

func sortedParts(parts func(func(kafka.TopicPartition) bool)) []kafka.TopicPartition {
	return slices.SortedFunc(parts, func(a, b kafka.TopicPartition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
}
