package sim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/kafka"
)

// worker calls a stage as kafka.Loop does, one step at a time, so that the
// scheduler can put anything between two steps. What a step does stands in
// Loop's code under the same name.
type worker struct {
	sim    *simulation
	name   string
	group  *group
	topics []string
	stage  kafka.Stage
	hand   *kafka.Tx // the stage's view of the worker
	beside *beside

	member *member
	owned  map[kafka.TopicPartition]*place
	wants  []kafka.TopicPartition // owned as far as the group goes, not given to the stage yet
	counts map[string]int32       // partitions of topics, as far as known

	phase   phase
	tx      *txn // nil: none
	former  *txn // of the client before; it may be open
	commits map[kafka.TopicPartition]kafka.Committed
	dirty   bool
	failed  error // of the transaction
	held    []*kgo.Record

	wakes time.Time // it stands still until then
}

type phase int

const (
	working phase = iota
	offsets       // what the transaction holds is written, its offsets are not
	ending        // only its end is not
)

// place is how far an owned partition is read, and was known to reach.
type place struct {
	next, end int64
	known     time.Time // when end was learnt
	hold      bool      // nothing is read until Resume
}

// staleAfter is how long it is worth something to know where a log ended.
const staleAfter = 15 * time.Second

var errFault = errors.New("fault")

func (s *simulation) newWorker(name, group string, topics []string, stage kafka.Stage, b *beside) *worker {
	w := &worker{sim: s, name: name, group: s.cluster.group(group), topics: topics, stage: stage, beside: b, counts: map[string]int32{}}
	w.hand = kafka.NewTx(w)
	w.client()
	return w
}

// client begins as a new client of the cluster.
func (w *worker) client() {
	w.owned, w.wants, w.commits = map[kafka.TopicPartition]*place{}, nil, map[kafka.TopicPartition]kafka.Committed{}
	w.former = w.tx
	w.phase, w.tx, w.dirty, w.failed, w.held = working, nil, false, nil, nil
	w.member = w.group.join(w.topics)
	w.rebalance()
}

func (w *worker) rebalance() {
	w.group.rebalance(func() bool { return w.sim.chance(2) }, w.sim.IntN)
}

func (w *worker) wanted() bool { return w.tx != nil || w.dirty || w.failed != nil }

// step does the next thing, of which the scheduler chooses where there are
// several.
func (w *worker) step() {
	switch {
	case time.Now().Before(w.wakes):
	case w.phase == offsets:
		w.sendOffsets()
	case w.phase == ending:
		w.end()
	case w.member.gone && !w.wanted() && (len(w.wants) == 0 || w.sim.chance(2)):
		w.sim.said("%s: taken for gone", w.name)
		w.revoke(sortedParts(maps.Keys(w.owned)))
		w.client()
	case len(w.wants) > 0:
		w.take()
	case w.wanted() && w.sim.chance(3):
		w.commit()
	case w.unsynced() && (!w.wanted() || w.sim.chance(3)):
		w.sync()
	case !w.wanted() && w.sim.risk(50):
		w.again()
	case w.sim.chance(4):
		w.tick()
	default:
		w.fetch()
	}
}

// read has the worker read other topics.
func (w *worker) read(topics []string) {
	if slices.Equal(topics, w.topics) {
		return
	}
	w.sim.said("%s: reads %v, not %v", w.name, topics, w.topics)
	w.topics, w.member.topics = topics, topics
	w.rebalance()
}

// unsynced tells whether the group wants partitions of this worker, or has some
// for it.
func (w *worker) unsynced() bool {
	give, take := w.differences()
	return len(give)+len(take) > 0
}

func (w *worker) differences() (give, take []kafka.TopicPartition) {
	for _, tp := range sortedParts(maps.Keys(w.owned)) {
		if w.group.targets[tp] != w.member {
			give = append(give, tp)
		}
	}
	for _, tp := range sortedParts(maps.Keys(w.group.targets)) {
		if w.group.targets[tp] == w.member && w.group.owners[tp] == nil {
			take = append(take, tp)
		}
	}
	return give, take
}

// sync gives up what is another's and takes what is free. Within a transaction
// nothing is given up.
func (w *worker) sync() {
	give, take := w.differences()
	early := w.sim.plants("partition released before its commit")
	if !w.wanted() || early {
		commits := maps.Clone(w.commits)
		w.leave(give)
		w.revoke(give)
		if early {
			w.commits = commits
		}
	}
	for _, tp := range take {
		w.group.owners[tp] = w.member
	}
	w.wants = take
}

// leave tells the stage that partitions go to another worker.
func (w *worker) leave(parts []kafka.TopicPartition) {
	if r, ok := w.stage.(kafka.Releaser); ok && len(parts) > 0 {
		w.waiting(func() { r.Release(context.Background(), parts) })
	}
}

func (w *worker) revoke(parts []kafka.TopicPartition) {
	if len(parts) == 0 {
		return
	}
	for _, tp := range parts {
		delete(w.owned, tp)
		delete(w.commits, tp)
		if w.group.owners[tp] == w.member {
			delete(w.group.owners, tp)
		}
	}
	w.sim.said("%s: gives %v", w.name, parts)
	w.stage.Revoke(parts)
}

// take gives the stage what it is to have, once no transaction can change what
// is committed of it.
func (w *worker) take() {
	if w.former != nil && !w.sim.plants("offset read that is not stable") {
		w.sim.cluster.end(w.former, txnAborted) // by taking over its id
		w.former = nil
	}
	if slices.ContainsFunc(w.wants, w.group.unsettled) && !w.sim.plants("offset read that is not stable") {
		return
	}
	parts := w.wants
	w.wants = nil
	if err := w.assign(parts); errors.Is(err, kafka.ErrStop) {
		w.fail(err)
	} else if err != nil {
		w.fatal(err)
	}
}

func (w *worker) assign(parts []kafka.TopicPartition) error {
	var all []*kafka.Assigned
	for _, tp := range parts {
		t, l := w.sim.cluster.topics[tp.Topic], w.sim.cluster.log(tp)
		a := &kafka.Assigned{
			Topic: tp.Topic, TopicID: t.id, Partition: tp.Partition, Partitions: int32(len(t.parts)), Committed: -1,
			LogStart: l.start, LogEnd: l.stable(), Start: l.start,
		}
		if c, ok := w.group.offsets[tp]; ok {
			a.Committed, a.Metadata, a.Start = c.Offset, c.Metadata, c.Offset
		}
		w.counts[tp.Topic] = a.Partitions
		all = append(all, a)
	}
	w.sim.said("%s: takes %v", w.name, parts)
	var err error
	w.waiting(func() { err = w.stage.Assign(context.Background(), all) })
	if err != nil {
		return fmt.Errorf("assign: %w", err)
	}
	for _, a := range all {
		if a.Start < a.LogStart || a.Start > a.LogEnd {
			w.sim.fault("%s: %s/%d is to be read from offset %d of %d to %d", w.name, a.Topic, a.Partition, a.Start, a.LogStart, a.LogEnd)
		}
		w.owned[kafka.TopicPartition{Topic: a.Topic, Partition: a.Partition}] = &place{next: a.Start, end: a.LogEnd, known: time.Now(), hold: a.Hold}
	}
	return nil
}

// waiting runs a call of the stage that may wait for what goes on beside: that
// happens at once, or later than the call waits. At once it does only where
// nothing else is waited for: what gets further than what would be luck.
func (w *worker) waiting(call func()) {
	if w.beside.current() && (w.sim.healing || w.sim.chance(2)) {
		w.beside.freely(call)
		return
	}
	call()
}

// again takes partitions away and gives them back: a rebalance that comes twice.
func (w *worker) again() {
	var parts []kafka.TopicPartition
	for _, tp := range sortedParts(maps.Keys(w.owned)) {
		if w.group.owners[tp] == w.member && w.sim.chance(2) {
			parts = append(parts, tp)
		}
	}
	if len(parts) == 0 {
		return
	}
	if w.sim.chance(2) {
		w.leave(parts)
	}
	w.revoke(parts)
	for _, tp := range parts {
		w.group.owners[tp] = w.member
	}
	w.wants = parts
}

// fetch gives the stage records of some partitions.
func (w *worker) fetch() {
	if w.sim.risk(400) {
		w.fatal(fmt.Errorf("fetch: %w", errFault))
		return
	}
	var batch []*kgo.Record
	for _, tp := range sortedParts(maps.Keys(w.owned)) {
		p, l := w.owned[tp], w.sim.cluster.log(tp)
		if p.hold || !w.sim.healing && w.sim.chance(3) {
			continue
		}
		records, next := l.read(p.next, 1+w.sim.IntN(w.sim.most))
		p.next, p.end, p.known = next, l.stable(), time.Now()
		batch = append(batch, records...)
	}
	if len(batch) > 0 {
		w.batch(batch)
	}
}

// tick calls the stage without records, and looks how far partitions reach.
func (w *worker) tick() {
	if len(w.owned) == 0 {
		return
	}
	if w.sim.healing || w.sim.chance(2) {
		for tp, p := range w.owned {
			p.end, p.known = w.sim.cluster.log(tp).stable(), time.Now()
			w.counts[tp.Topic] = int32(len(w.sim.cluster.topics[tp.Topic].parts))
		}
	}
	w.batch(nil)
}

func (w *worker) batch(records []*kgo.Record) {
	w.sim.steps++
	w.sim.batching = true
	defer func() { w.sim.batching = false }()
	if err := w.stage.Batch(context.Background(), records, w.hand); err != nil {
		w.fail(err)
	}
}

// fail is an error of the stage.
func (w *worker) fail(err error) {
	if errors.Is(err, kafka.ErrStop) {
		w.sim.fault("%s stopped: %v", w.name, err)
	}
	w.sim.said("%s: %v", w.name, err)
	w.abort()
}

// beat says to the group that the worker lives, unless it stands still.
func (w *worker) beat(now time.Time) {
	if !now.Before(w.wakes) {
		w.member.seen = now
	}
}

func (w *worker) sleep(until time.Time) {
	w.sim.said("%s stands still until %v", w.name, until.Sub(w.sim.world.began))
	w.wakes = until
}
