package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// onAssign is called by the client with newly assigned partitions before they
// are read; what it returns is where they are read from. Batches of other
// partitions go on while the cluster is asked.
func (l *Loop) onAssign(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	var parts []TopicPartition
	for topic, ps := range offsets {
		for p := range ps {
			parts = append(parts, TopicPartition{topic, p})
		}
	}
	assigned, err := l.takeOn(ctx, parts)
	if err != nil {
		l.log.Error("partitions cannot be taken on", "group", l.cfg.Group, "error", err)
		return nil, err
	}
	for _, a := range assigned {
		offsets[a.Topic][a.Partition] = kgo.NewOffset().At(a.Start)
	}
	return offsets, nil
}

func (l *Loop) takeOn(ctx context.Context, parts []TopicPartition) ([]*Assigned, error) {
	if err := l.takeBack(ctx, parts); err != nil {
		return nil, err
	}
	assigned, err := l.lookUp(ctx, parts)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.assign(ctx, assigned); err != nil {
		if errors.Is(err, ErrStop) {
			l.stop = err
			l.rebalanceWaits() // wakes the poll, so that Run ends
		}
		return nil, err
	}
	member, _ := l.cl.GroupMetadata()
	for _, tp := range parts {
		l.taken[tp] = member
	}
	return assigned, nil
}

// takeBack takes from the stage, between transactions, those of the partitions
// that it has: they come a second time where the client was interrupted between
// taking them on and reading them.
func (l *Loop) takeBack(ctx context.Context, parts []TopicPartition) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer context.AfterFunc(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.ended.Broadcast()
	})()
	for {
		var again []TopicPartition
		for _, tp := range parts {
			if l.owned[tp] != nil {
				again = append(again, tp)
			}
		}
		if len(again) == 0 || l.tx.ctx == nil {
			l.revoke(again)
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		l.rebalanceWaits() // ends the transaction
		l.ended.Wait()
	}
}

// onRevoke is called by the client, between transactions, with partitions that
// go to another worker.
func (l *Loop) onRevoke(ctx context.Context, _ *kgo.Client, revoked map[string][]int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	parts := l.ownedOf(revoked)
	l.release(ctx, parts)
	l.revoke(parts)
}

// onLost is called by the client, between transactions, with partitions that
// are no longer ours.
func (l *Loop) onLost(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.revoke(l.ownedOf(lost))
}

// ownedOf are those of the partitions that are owned. l.mu is held.
func (l *Loop) ownedOf(all map[string][]int32) []TopicPartition {
	var parts []TopicPartition
	for topic, ps := range all {
		for _, p := range ps {
			if tp := (TopicPartition{topic, p}); l.owned[tp] != nil {
				parts = append(parts, tp)
			}
		}
	}
	return parts
}

// lookUp asks what the cluster knows of the partitions.
func (l *Loop) lookUp(ctx context.Context, parts []TopicPartition) ([]*Assigned, error) {
	if len(parts) == 0 {
		return nil, nil
	}
	topics := map[string]bool{}
	for _, tp := range parts {
		topics[tp.Topic] = true
	}
	names := slices.Sorted(maps.Keys(topics))
	committed, err := committedOffsets(ctx, l.cl, l.cfg.Group, parts)
	if err != nil {
		return nil, err
	}
	infos, err := patiently(ctx, func() (map[string]TopicInfo, error) { return Topics(ctx, l.cl, names...) })
	if err != nil {
		return nil, err
	}
	bounds, err := OffsetBounds(ctx, l.cl, names...)
	if err != nil {
		return nil, err
	}
	assigned := make([]*Assigned, 0, len(parts))
	for _, tp := range parts {
		b, ok := bounds[tp]
		if !ok {
			return nil, fmt.Errorf("kafka: %s/%d is assigned but not there", tp.Topic, tp.Partition)
		}
		a := &Assigned{
			Topic: tp.Topic, TopicID: infos[tp.Topic].ID, Partition: tp.Partition, Partitions: infos[tp.Topic].Partitions,
			Committed: -1, LogStart: b.Start, LogEnd: b.End, Start: b.Start,
		}
		if c, ok := committed[tp]; ok {
			a.Committed, a.Metadata, a.Start = c.Offset, c.Metadata, c.Offset
		}
		assigned = append(assigned, a)
	}
	slices.SortFunc(assigned, func(a, b *Assigned) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return assigned, nil
}

// patiently asks until the cluster answers, for a while: leaders move, and not
// all brokers hear of a new topic at once.
func patiently[T any](ctx context.Context, ask func() (T, error)) (T, error) {
	const patience = 30 * time.Second
	for until := time.Now().Add(patience); ; {
		v, err := ask()
		if err == nil || !kerr.IsRetriable(err) || time.Now().After(until) || pause(ctx) != nil {
			return v, err
		}
	}
}

// assign gives partitions to the stage. l.mu is held.
func (l *Loop) assign(ctx context.Context, assigned []*Assigned) error {
	if len(assigned) == 0 {
		return nil
	}
	if err := l.stage.Assign(ctx, assigned); err != nil {
		return fmt.Errorf("assign: %w", err)
	}
	now := time.Now()
	l.placesMu.Lock()
	defer l.placesMu.Unlock()
	for _, a := range assigned {
		tp := TopicPartition{a.Topic, a.Partition}
		l.owned[tp] = a
		l.places[tp] = &place{next: a.Start, end: a.LogEnd, known: now}
		l.counts[a.Topic] = a.Partitions
	}
	for _, a := range assigned {
		if err := a.outside(); err != nil {
			return err
		}
	}
	l.hold(assigned)
	l.log.Info("partitions assigned", "group", l.cfg.Group, "partitions", len(assigned), "owned", len(l.owned))
	return nil
}

// outside is an error where reading would start outside of the log: the stage
// has not decided what to do about records that are gone.
func (a *Assigned) outside() error {
	switch {
	case a.Start < a.LogStart:
		return fmt.Errorf("%w: kafka: %s/%d is to be read from offset %d, and its log begins at %d: %d records were deleted before they were read; keep the topic longer (retention.ms, retention.bytes)",
			ErrStop, a.Topic, a.Partition, a.Start, a.LogStart, a.LogStart-a.Start)
	case a.Start > a.LogEnd:
		return fmt.Errorf("%w: kafka: %s/%d is to be read from offset %d, and its log ends at %d: it has lost records, or is another log",
			ErrStop, a.Topic, a.Partition, a.Start, a.LogEnd)
	}
	return nil
}

// hold keeps the client from reading partitions that the stage is not ready
// for. What was paused stays so in the client until it is resumed.
func (l *Loop) hold(assigned []*Assigned) {
	held, free := map[string][]int32{}, map[string][]int32{}
	for _, a := range assigned {
		if a.Hold {
			held[a.Topic] = append(held[a.Topic], a.Partition)
		} else {
			free[a.Topic] = append(free[a.Topic], a.Partition)
		}
	}
	l.cl.PauseFetchPartitions(held)
	if len(free) > 0 && len(l.cl.PauseFetchPartitions(nil)) > 0 {
		l.cl.ResumeFetchPartitions(free)
	}
}

// release tells the stage that partitions go away for good. l.mu is held.
func (l *Loop) release(ctx context.Context, parts []TopicPartition) {
	if r, ok := l.stage.(Releaser); ok && len(parts) > 0 {
		r.Release(ctx, parts)
	}
}

// revoke takes partitions from the stage. l.mu is held.
func (l *Loop) revoke(parts []TopicPartition) {
	if len(parts) == 0 {
		return
	}
	for _, tp := range parts {
		delete(l.owned, tp)
		delete(l.taken, tp)
	}
	l.placesMu.Lock()
	for _, tp := range parts {
		delete(l.places, tp)
	}
	l.placesMu.Unlock()
	l.tx.forget(parts)
	l.stage.Revoke(parts)
	l.log.Info("partitions revoked", "group", l.cfg.Group, "partitions", len(parts), "owned", len(l.owned))
}

func (l *Loop) ownedParts() []TopicPartition {
	return slices.Collect(maps.Keys(l.owned))
}

// refresh keeps ends and partition counts known, also of partitions that
// nothing comes from.
func (l *Loop) refresh(ctx context.Context, cl *kgo.Client) {
	ticker := time.NewTicker(refreshEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		var asked sync.WaitGroup
		for _, topic := range l.topics() { // one that is gone hides no other
			asked.Go(func() {
				if err := l.refreshTopic(ctx, cl, topic); err != nil {
					l.log.Debug("ends of partitions not known", "topic", topic, "error", err)
				}
			})
		}
		asked.Wait()
	}
}

func (l *Loop) refreshTopic(ctx context.Context, cl *kgo.Client, topic string) error {
	asked := time.Now()
	ctx, cancel := context.WithTimeout(ctx, refreshEvery)
	defer cancel()
	infos, err := Topics(ctx, cl, topic)
	if err != nil {
		return err
	}
	bounds, err := OffsetBounds(ctx, cl, topic)
	if err != nil {
		return err
	}
	l.placesMu.Lock()
	defer l.placesMu.Unlock()
	l.counts[topic] = infos[topic].Partitions
	for tp, b := range bounds {
		if p := l.places[tp]; p != nil {
			p.end, p.known = max(p.end, b.End), asked
		}
	}
	return nil
}

const (
	refreshEvery = 5 * time.Second
	staleAfter   = 15 * time.Second // what was learnt before is no knowledge
)

// read notes what a fetch said.
func (l *Loop) read(tp TopicPartition, next, end int64, now time.Time) {
	l.placesMu.Lock()
	defer l.placesMu.Unlock()
	if p := l.places[tp]; p != nil {
		p.next = next
		if end >= p.end {
			p.end, p.known = end, now
		}
	}
}

func (l *Loop) lag(tp TopicPartition, now time.Time) int64 {
	l.placesMu.Lock()
	defer l.placesMu.Unlock()
	p := l.places[tp]
	if p == nil || now.Sub(p.known) > staleAfter {
		return -1
	}
	return max(0, p.end-p.next)
}

func (l *Loop) partitionCount(topic string) int32 {
	l.placesMu.Lock()
	defer l.placesMu.Unlock()
	return l.counts[topic]
}
