package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/snapshot"
)

// A snapshot is frozen between two batches and written beside the loop. What it
// holds may never come to be: the transaction of the batches before it can be
// aborted, and somebody else do their work, maybe under another generation. So it
// appears once a transaction that was begun before it and ended behind it is
// committed, and never if the partition's state is let go before that.

const (
	imageTimeout  = 10 * time.Minute // for one to be written, and to hold
	imageRetry    = 20 * time.Second // after a failure
	releaseBudget = 5 * time.Second  // for all that are given up together, by default
)

// image is a snapshot on its way.
type image struct {
	info   snapshot.Info
	frozen *Frozen
	holds  chan struct{} // closed once what it holds is committed
	cancel context.CancelFunc
	done   chan struct{} // closed when what follows holds
	bytes  int64
	err    error
}

// freeze begins a snapshot of a partition, between two batches.
func (s *Stage) freeze(p *part, handover bool) *image {
	p.core.flush(&p.out)
	i := &image{
		info: snapshot.Info{
			Key:    snapshot.Key{Route: p.route, Topic: p.Topic, TopicID: p.TopicID, Partition: p.Partition},
			Offset: p.next, Generation: p.core.Generation(), Handover: handover, Taken: time.Now(),
		},
		frozen: p.core.Freeze(), holds: make(chan struct{}), done: make(chan struct{}),
	}
	var ctx context.Context
	ctx, i.cancel = context.WithTimeout(s.ctx, imageTimeout)
	s.wg.Go(func() {
		defer i.cancel()
		defer close(i.done)
		i.err = i.write(ctx, s.cfg.Snapshots)
	})
	return i
}

// write puts the image where it belongs, once it holds.
func (i *image) write(ctx context.Context, store Snapshots) error {
	put := store.Put
	if i.info.Handover {
		put = store.PutHandover
	}
	defer i.frozen.Close()
	return put(ctx, i.info, func(w io.Writer) (err error) {
		if i.bytes, err = i.frozen.WriteTo(&imageWriter{ctx, w}); err != nil {
			return err
		}
		i.frozen.Close() // what is changed from now on need not be kept for it
		select {
		case <-i.holds:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("what it holds was not committed: %w", ctx.Err())
		}
	})
}

// imageWriter ends writing with its context.
type imageWriter struct {
	ctx context.Context
	w   io.Writer
}

func (i *imageWriter) Write(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.w.Write(p)
}

// finished tells whether the image is written, or has failed.
func (i *image) finished() bool {
	select {
	case <-i.done:
		return true
	default:
		return false
	}
}

// imagesDue looks after the snapshots of live partitions: one at a time, that
// which is due for longest; hand-overs come first.
func (s *Stage) imagesDue(now time.Time) {
	if s.cfg.Snapshots == nil {
		return
	}
	for _, p := range s.parts {
		s.markStarted(p)
	}
	if s.writing != nil {
		if !s.writing.writes.finished() {
			return
		}
		s.keptMu.Lock() // it may be one that is kept, and lapse
		s.written(s.writing, s.writing.writes, now)
		s.writing.writes = nil
		s.keptMu.Unlock()
		s.writing = nil
	}
	var due *part
	for _, p := range s.sorted() {
		if p.live() && s.isDue(p, now) && (due == nil || due.sooner(p)) {
			due = p
		}
	}
	if due == nil {
		return
	}
	due.snapAt = now
	settled := due.settled()
	due.writes = s.freeze(due, due.closed)
	if due.image = due.writes; settled {
		close(due.writes.holds)
		due.image = nil
	}
	s.writing = due
}

// isDue tells whether it is time for a partition's snapshot or hand-over.
func (s *Stage) isDue(p *part, now time.Time) bool {
	if p.closed {
		return !p.handed && p.settled() && (p.snapErr == nil || now.Sub(p.snapAt) >= s.pace.retry)
	}
	wait := s.cfg.Every
	if p.snapErr != nil {
		wait = min(wait, s.pace.retry)
	}
	return p.next > p.snapshot.Offset && now.Sub(p.snapAt) >= wait
}

// sooner tells whether another partition's turn comes before this one's.
func (p *part) sooner(other *part) bool {
	if p.closed != other.closed {
		return other.closed
	}
	return other.snapAt.Before(p.snapAt)
}

// written notes what became of an image.
func (s *Stage) written(p *part, i *image, now time.Time) {
	p.snapErr = i.err
	if errors.Is(i.err, snapshot.ErrRetention) {
		s.log.Warn("a snapshot is written, and older ones could not be deleted", "topic", p.Topic, "partition", p.Partition, "offset", i.info.Offset, "error", i.err)
		i.err, p.snapErr = nil, nil
	}
	args := []any{"topic", p.Topic, "partition", p.Partition, "offset", i.info.Offset}
	if i.err != nil && !p.live() {
		return // nobody wants it any more
	}
	if i.err != nil {
		s.log.Error("no snapshot of a partition", append(args, "handover", i.info.Handover, "error", i.err)...)
		return
	}
	if i.info.Handover {
		p.handed = true
		p.discard() // whoever takes the sessions over has them from there
		s.log.Info("a partition is closed, its sessions are handed over", append(args, "bytes", i.bytes)...)
		return
	}
	p.snapshot = i.info
	s.log.Debug("snapshot", append(args, "bytes", i.bytes, "took", now.Sub(i.info.Taken).Round(time.Millisecond))...)
}

// Release writes snapshots of partitions that go to another worker, so that it
// need not read their logs again. What is not done in time goes on beside, or is
// lost with the process.
func (s *Stage) Release(ctx context.Context, parts []kafka.TopicPartition) {
	ctx, cancel := context.WithTimeout(ctx, s.pace.release)
	defer cancel()
	var going []*part
	for _, tp := range parts {
		p := s.parts[tp]
		if p == nil || p.gone || !p.settled() {
			continue
		}
		p.gone = true
		if s.cfg.Snapshots == nil || p.handed || !p.closed && p.next == p.snapshot.Offset {
			continue
		}
		if s.writing == p {
			s.writing = nil
		}
		if going = append(going, p); p.writes != nil && !p.writes.finished() {
			if p.image == nil && p.writes.info.Offset == p.next && p.writes.info.Handover == p.closed {
				continue // it is on its way
			}
			p.writes.cancel()
		}
		p.writes = s.freeze(p, p.closed)
		close(p.writes.holds)
	}
	for _, p := range going {
		select {
		case <-p.writes.done:
			s.written(p, p.writes, time.Now())
		case <-ctx.Done():
			s.log.Warn("a partition goes before its snapshot is written: whoever gets it reads more of its log again", "topic", p.Topic, "partition", p.Partition,
				"offset", p.writes.info.Offset, "waited", s.pace.release)
		}
	}
}

// markStarted notes where a partition was begun, once something of it is
// committed: without its committed offset it cannot begin again.
func (s *Stage) markStarted(p *part) {
	if p.marking != nil {
		select {
		case err := <-p.marking:
			p.marking = nil
			if p.unmarked = err != nil; err != nil {
				s.log.Warn("could not note that a partition was begun, trying again", "topic", p.Topic, "partition", p.Partition, "error", err)
			}
		default:
		}
		return
	}
	if !p.unmarked {
		return
	}
	p.marking = make(chan error, 1)
	name, result := startedMark(p.route, p.Topic, p.Partition)+"/"+topicID(p.TopicID), p.marking
	s.wg.Go(func() { result <- s.cfg.Snapshots.Mark(s.ctx, name) })
}
