package sim

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// finish ends the transaction in hand, one way or the other.
func (w *worker) finish() {
	for w.wanted() || w.phase != working {
		switch w.phase {
		case working:
			w.commit()
			if w.tx == nil {
				return
			}
		case offsets:
			w.sendOffsets()
		case ending:
			w.end()
		}
	}
}

// commit begins to end the transaction: the stage's last words.
func (w *worker) commit() {
	if w.sim.plants("offset committed before deltas") {
		for _, tp := range sortedParts(maps.Keys(w.commits)) {
			w.group.commit(tp, w.commits[tp])
		}
	}
	if c, ok := w.stage.(kafka.Committer); ok {
		if err := c.BeforeCommit(context.Background(), w.hand); err != nil {
			w.fail(err)
			return
		}
	}
	w.release()
	w.dirty = false
	switch {
	case w.failed != nil:
		w.fatal(w.failed)
	case w.tx != nil && len(w.commits) == 0:
		w.sim.fault("%s: a transaction without offsets", w.name)
	case w.tx != nil:
		w.phase = offsets
	}
}

// sendOffsets adds the offsets to the transaction: the group refuses those of
// a worker that it has removed.
func (w *worker) sendOffsets() {
	switch {
	case w.sim.risk(60):
		w.sim.said("%s: offsets refused", w.name)
		w.abort()
	case w.member.gone, w.tx.state != txnOpen, w.sim.risk(100):
		w.fatal(fmt.Errorf("commit offsets: %w", errFault))
	default:
		for tp, c := range w.commits {
			w.tx.offsets[tp] = c
		}
		w.phase = ending
	}
}

// end commits the transaction; an answer that is lost leaves open whether it
// is.
func (w *worker) end() {
	switch {
	case w.tx.state != txnOpen, w.sim.risk(60):
		w.fatal(fmt.Errorf("end refused: %w", errFault))
		return
	case w.sim.risk(40):
		before := maps.Clone(w.group.offsets)
		w.sim.cluster.end(w.tx, txnCommitted)
		if w.sim.plants("lost answer taken for an abort") {
			w.group.offsets = before
		}
		w.fatal(fmt.Errorf("no answer, but committed: %w", errFault))
		return
	case w.sim.risk(40):
		w.tx.decided = true
		w.fatal(fmt.Errorf("no answer yet: %w", errFault))
		return
	}
	w.sim.cluster.end(w.tx, txnCommitted)
	w.sim.commits++
	w.phase, w.tx = working, nil
	clear(w.commits)
	if c, ok := w.stage.(kafka.AfterCommitter); ok {
		c.Committed(context.Background())
	}
}

// abort ends the transaction without a trace, and gives all partitions to the
// stage anew.
func (w *worker) abort() {
	w.sim.aborts++
	if w.tx != nil {
		w.sim.cluster.end(w.tx, txnAborted)
	}
	w.phase, w.tx, w.dirty, w.failed, w.held = working, nil, false, nil, nil
	clear(w.commits)
	if w.sim.plants("abort without rollback") {
		return
	}
	parts := sortedParts(maps.Keys(w.owned))
	if len(parts) == 0 {
		return
	}
	clear(w.owned)
	w.stage.Revoke(parts)
	w.wants = append(parts, w.wants...) // it may not have been given all that it has yet
}

// fatal is a failure that only a new client mends. What it leaves open ends by
// itself.
func (w *worker) fatal(err error) {
	w.sim.failures++
	w.sim.said("%s: client failed: %v", w.name, err)
	if w.tx != nil && !w.tx.decided && w.sim.chance(2) {
		w.sim.cluster.end(w.tx, txnAborted)
	}
	parts := sortedParts(maps.Keys(w.owned))
	if len(parts) > 0 {
		w.stage.Revoke(parts)
	}
	if w.sim.chance(2) {
		w.group.remove(w.member)
	}
	w.client()
}

// Produce is the stage's, as are the other methods of kafka.TxModel.
func (w *worker) Produce(r *kgo.Record) {
	if w.failed != nil {
		return
	}
	if w.tx == nil {
		w.tx = w.sim.cluster.begin(w.group)
	}
	switch {
	case w.tx.state != txnOpen:
		w.failed = fmt.Errorf("the transaction has timed out: %w", errFault)
		return
	case w.sim.risk(4000):
		w.failed = fmt.Errorf("produce: %w", errFault)
		return
	}
	tx := w.tx
	switch {
	case w.sim.plants("mark outside the transaction") && len(r.Headers) > 0 && r.Headers[0].Key == beacon.MarkKey,
		w.sim.plants("dead letter outside the transaction") && r.Topic == deadTopic:
		tx = nil
	case w.sim.plants("progress before deltas") && r.Topic == metricsTopic:
		if f, err := metric.ParseFrame(r.Value); err == nil && len(f.Progress) == 0 {
			w.held = append(w.held, r)
			return
		}
	}
	w.sim.cluster.append(r, tx)
}

// release writes what a planted bug held back.
func (w *worker) release() {
	for _, r := range w.held {
		w.sim.cluster.append(r, w.tx)
	}
	w.held = nil
}

func (w *worker) Commit(topic string, partition int32, next int64, metadata string) {
	w.commits[kafka.TopicPartition{Topic: topic, Partition: partition}] = kafka.Committed{Offset: next, Metadata: metadata}
	w.dirty = true
}

func (w *worker) Lag(topic string, partition int32) int64 {
	p := w.owned[kafka.TopicPartition{Topic: topic, Partition: partition}]
	if p == nil || time.Since(p.known) > staleAfter {
		return -1
	}
	return max(0, p.end-p.next)
}

func (w *worker) Hold(topic string, partition int32) {
	w.owned[kafka.TopicPartition{Topic: topic, Partition: partition}].hold = true
}

func (w *worker) Resume(topic string, partition int32) {
	if p := w.owned[kafka.TopicPartition{Topic: topic, Partition: partition}]; p != nil {
		p.hold = false
	}
}

func (w *worker) Partitions(topic string) int32 { return w.counts[topic] }
