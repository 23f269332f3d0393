package sim

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/session"
	"github.com/seed-6a2d649b/pharos/host/snapshot"
)

// beside is what goes on beside the loops of a host, in threads of the session
// stage: it reads logs again and writes snapshots. So that a seed gives the same
// run every time, each of their steps waits until the scheduler lets it happen,
// and has it fail if that is to be.
type beside struct {
	s       *simulation
	name    string
	current func() bool // the host has all generations

	mu      sync.Mutex
	free    bool // steps happen at once: the scheduler's own thread waits for them
	dead    bool // the host has crashed
	waiting []*turn
}

// turn is a step that waits.
type turn struct {
	what  string
	allow chan error
}

var (
	_ session.Log       = (*beside)(nil)
	_ session.Snapshots = (*beside)(nil)
)

// turn waits for the scheduler.
func (b *beside) turn(ctx context.Context, what string) error {
	b.mu.Lock()
	switch {
	case b.dead:
		b.mu.Unlock()
		return errFault
	case b.free:
		b.mu.Unlock()
		return ctx.Err()
	}
	t := &turn{what, make(chan error, 1)}
	b.waiting = append(b.waiting, t)
	b.mu.Unlock()
	select {
	case err := <-t.allow:
		return err
	case <-ctx.Done():
		b.mu.Lock()
		defer b.mu.Unlock()
		b.waiting = slices.DeleteFunc(b.waiting, func(o *turn) bool { return o == t })
		return ctx.Err()
	}
}

// step lets one step happen, of which the seed chooses.
func (b *beside) step() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) == 0 {
		return
	}
	// In which order threads came to wait is no business of the seed's.
	slices.SortStableFunc(b.waiting, func(x, y *turn) int { return cmp.Compare(x.what, y.what) })
	i := b.s.IntN(len(b.waiting))
	t := b.waiting[i]
	b.waiting = slices.Delete(b.waiting, i, i+1)
	if b.s.risk(15) {
		t.allow <- errFault
		return
	}
	t.allow <- nil
}

// freely runs what waits for steps.
func (b *beside) freely(run func()) {
	set := func(free bool) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.free = free; !free {
			return
		}
		for _, t := range b.waiting {
			t.allow <- nil
		}
		b.waiting = nil
	}
	set(true)
	synctest.Wait() // how far others get is no luck
	run()
	synctest.Wait()
	set(false)
}

// die fails all steps from now on.
func (b *beside) die() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dead = true
	for _, t := range b.waiting {
		t.allow <- errFault
	}
	b.waiting = nil
}

// Read is session.Log's: it reads a log of the cluster again.
func (b *beside) Read(ctx context.Context, topic string, partition int32, from, to int64, each func([]*kgo.Record) error) error {
	defer b.s.caught()
	tp := kafka.TopicPartition{Topic: topic, Partition: partition}
	for from < to {
		if err := b.turn(ctx, fmt.Sprint("read ", tp)); err != nil {
			return err
		}
		if l := b.s.cluster.log(tp); from < l.start {
			return fmt.Errorf("%w: offset %d of a log that begins at %d", kafka.ErrTrimmed, from, l.start)
		}
		records, next := b.s.cluster.log(tp).read(from, 100)
		n := len(records)
		for n > 0 && records[n-1].Offset >= to {
			n--
		}
		if n > 0 {
			if err := each(records[:n]); err != nil {
				return err
			}
		}
		from = next
	}
	return nil
}

func (b *beside) Bounds(ctx context.Context, topic string, partition int32) (kafka.Bounds, error) {
	tp := kafka.TopicPartition{Topic: topic, Partition: partition}
	if err := b.turn(ctx, fmt.Sprint("bounds of ", tp)); err != nil {
		return kafka.Bounds{}, err
	}
	return kafka.Bounds{Start: b.s.cluster.log(tp).start, End: b.s.cluster.log(tp).stable()}, nil
}

// Put is session.Snapshots', as are the methods below: the host may crash, and
// anything fail, before a snapshot is written, between that and when it is there,
// and after.
func (b *beside) Put(ctx context.Context, info snapshot.Info, write func(io.Writer) error) error {
	return b.put(ctx, b.s.snapshots.Put, info, write)
}

func (b *beside) PutHandover(ctx context.Context, info snapshot.Info, write func(io.Writer) error) error {
	return b.put(ctx, b.s.snapshots.PutHandover, info, write)
}

func (b *beside) put(ctx context.Context, put func(context.Context, snapshot.Info, func(io.Writer) error) error, info snapshot.Info, write func(io.Writer) error) error {
	what := fmt.Sprintf("snapshot of %s at %d", info.Key, info.Offset)
	if err := b.turn(ctx, what); err != nil {
		return err
	}
	if b.s.plants("snapshot off by one") {
		info.Offset++
	}
	err := put(ctx, info, func(w io.Writer) error {
		defer b.s.caught()
		if err := write(w); err != nil {
			return err
		}
		return b.turn(ctx, what+" is written")
	})
	if err != nil {
		return err
	}
	b.s.written.Add(1)
	return b.turn(ctx, what+" is there")
}

func (b *beside) List(ctx context.Context, key snapshot.Key) ([]snapshot.Info, error) {
	if err := b.turn(ctx, "list of "+key.String()); err != nil {
		return nil, err
	}
	return b.s.snapshots.List(ctx, key)
}

func (b *beside) All(ctx context.Context) ([]snapshot.Info, error) {
	if err := b.turn(ctx, "list of all"); err != nil {
		return nil, err
	}
	return b.s.snapshots.All(ctx)
}

func (b *beside) Open(ctx context.Context, info snapshot.Info) (io.ReadCloser, error) {
	if err := b.turn(ctx, "open "+info.Key.String()); err != nil {
		return nil, err
	}
	b.s.opened.Add(1)
	return b.s.snapshots.Open(ctx, info)
}

func (b *beside) Delete(ctx context.Context, info snapshot.Info) error {
	if err := b.turn(ctx, "delete a snapshot of "+info.Key.String()); err != nil {
		return err
	}
	return b.s.snapshots.Delete(ctx, info)
}

func (b *beside) Mark(ctx context.Context, name string) error {
	if err := b.turn(ctx, "mark "+name); err != nil {
		return err
	}
	return b.s.snapshots.Mark(ctx, name)
}

func (b *beside) Marks(ctx context.Context, below string) ([]string, error) {
	if err := b.turn(ctx, "marks below "+below); err != nil {
		return nil, err
	}
	return b.s.snapshots.Marks(ctx, below)
}

// Committed is what the session group has committed of partitions.
func (b *beside) Committed(ctx context.Context, parts []kafka.TopicPartition) (map[kafka.TopicPartition]kafka.Committed, error) {
	if err := b.turn(ctx, fmt.Sprint("what is committed, for ", parts[0])); err != nil {
		return nil, err
	}
	all := map[kafka.TopicPartition]kafka.Committed{}
	for _, tp := range parts {
		if c, ok := b.s.cluster.group("session").offsets[tp]; ok {
			all[tp] = c
		}
	}
	return all, nil
}
