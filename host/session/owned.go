package session

import (
	"fmt"
	"time"

	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// part is a partition that the stage owns.
//
// Its state is a function of the log, so an abort does not make it wrong: it is
// ahead of what is committed. What the aborted transaction was to hold is kept
// until a transaction with it is committed. So a partition that is revoked is
// kept for a while, and goes on if it is assigned again just as it was left:
// with the offset and metadata that it knows to be committed, or with those that
// it sent last. Else somebody else has had it, and it is recovered.
type part struct {
	kafka.Assigned
	route    string
	recovery *recovery // nil: done
	recovered
	feeder feeder
	ahead  ahead
	out    Output // booked, and in no transaction yet
	sent   sent   // in one whose end is not known
	base   point  // what is committed
	broken bool   // the state is of no use
	gone   bool   // it goes to another worker
	still  still

	writes   *image    // the last snapshot; nil: it is taken note of
	image    *image    // the same, while what it holds is in no transaction that holds
	snapAt   time.Time // when the last snapshot was taken, or tried
	snapErr  error     // of the last
	unmarked bool      // that it was started is not noted yet
	marking  chan error
	lapse    *time.Timer // ends the keeping
}

// point is a place in the log with what is committed there.
type point struct {
	offset   int64 // -1: nothing is committed
	metadata string
}

// sent is what was given to a transaction.
type sent struct {
	on bool // there is such a transaction
	point
	out   Output
	image *image // frozen before it
}

// Bounds of what is kept of a partition that is revoked.
const (
	keptFor     = 30 * time.Second
	keptDeltas  = 1 << 20
	keptLetters = 1 << 16
)

func (p *part) tp() kafka.TopicPartition {
	return kafka.TopicPartition{Topic: p.Topic, Partition: p.Partition}
}

// live tells whether the partition books.
func (p *part) live() bool { return p.core != nil }

// metadata is what is to be committed with p.next.
func (p *part) metadata() string {
	return metadata{
		TopicID: fmt.Sprintf("%x", p.TopicID), Generation: p.core.Generation(), Watermark: p.core.Watermark(), Within: !p.core.refused,
		Switches: p.switches, History: p.core.history, Closed: p.closed,
	}.String()
}

// progress is how far the partition is.
func (p *part) progress() metric.Progress {
	return metric.Progress{
		Route: p.route, TopicID: p.TopicID, Partition: p.Partition, Partitions: p.Partitions, Offset: p.next,
		Watermark: p.core.Watermark(), Generation: p.core.Generation(), Closed: p.closed,
	}
}

// send gives the transaction in hand all that is booked and not committed.
func (p *part) send() *Output {
	p.core.flush(&p.out)
	p.sent.out.add(&p.out)
	p.out.Reset()
	p.sent.on, p.sent.point, p.sent.image = true, point{p.next, p.metadata()}, p.image
	return &p.sent.out
}

// confirm notes that what was sent is committed.
func (p *part) confirm() {
	if !p.sent.on {
		return
	}
	if p.base.offset < 0 {
		p.unmarked = true
	}
	p.base, p.sent.on = p.sent.point, false
	p.sent.out.Reset()
	if i := p.sent.image; i != nil {
		close(i.holds)
		if p.sent.image = nil; p.image == i {
			p.image = nil
		}
	}
}

// settled tells whether all that the partition has done is committed.
func (p *part) settled() bool {
	return p.live() && !p.broken && !p.sent.on && p.base == point{p.next, p.metadata()}
}

// leave lets go of a partition that is revoked, or keeps it for when it is
// assigned again.
func (s *Stage) leave(p *part) {
	p.ahead = ahead{} // it is read again
	switch {
	case p.recovery != nil:
		p.recovery.abandon()
	case !p.live():
	case p.gone, p.broken, len(p.sent.out.Deltas) > keptDeltas, len(p.sent.out.DeadLetters) > keptLetters:
		p.discard()
	default:
		s.keptMu.Lock()
		defer s.keptMu.Unlock()
		s.kept[p.tp()] = p
		p.lapse = time.AfterFunc(keptFor, func() { s.forget(func(other *part) bool { return other == p }) })
	}
}

// back gives a partition that is assigned as it was left, to go on from p.next;
// nil if there is none such.
func (s *Stage) back(a *kafka.Assigned) *part {
	s.keptMu.Lock()
	tp := kafka.TopicPartition{Topic: a.Topic, Partition: a.Partition}
	p := s.kept[tp]
	delete(s.kept, tp)
	s.keptMu.Unlock()
	if p == nil {
		return nil
	}
	p.lapse.Stop()
	committed := point{a.Committed, a.Metadata}
	switch {
	case a.TopicID != p.TopicID, a.Partitions != p.Partitions, p.next < a.LogStart, p.next > a.LogEnd:
	case p.sent.on && committed == p.sent.point:
		p.Assigned = *a
		p.confirm()
		return p
	case committed == p.base:
		p.Assigned = *a
		p.sent.on, p.sent.image = false, nil // what it had stays in sent.out: it is sent again
		return p
	}
	p.discard()
	return nil
}

// forget discards kept partitions.
func (s *Stage) forget(which func(*part) bool) {
	s.keptMu.Lock()
	defer s.keptMu.Unlock()
	for tp, p := range s.kept {
		if which(p) {
			p.lapse.Stop()
			p.discard()
			delete(s.kept, tp)
		}
	}
}

// discard lets go of the state, and of an image that waits for it to hold. The
// memory goes with it, or with the image that is still written.
func (p *part) discard() {
	if p.image != nil {
		p.image.cancel()
		p.image = nil
	}
	if p.core != nil && (p.writes == nil || p.writes.finished()) {
		_ = p.core.Close() // it fails at worst to give memory back
	}
	p.core = nil
}

// add appends what another output holds.
func (o *Output) add(other *Output) {
	o.Deltas = append(o.Deltas, other.Deltas...)
	o.Counts = append(o.Counts, other.Counts...)
	o.DeadLetters = append(o.DeadLetters, other.DeadLetters...)
}
