package kafka

import (
	"context"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// holding is a copier that holds partition 0 until it is told to read it, and
// notes what goes away for good.
type holding struct {
	*copier
	free     bool
	resumed  bool
	released int
}

var _ Releaser = (*holding)(nil)

func (h *holding) Assign(ctx context.Context, parts []*Assigned) error {
	for _, a := range parts {
		a.Hold = a.Partition == 0
	}
	return h.copier.Assign(ctx, parts)
}

func (h *holding) Batch(ctx context.Context, records []*kgo.Record, tx *Tx) error {
	h.mu.Lock()
	for _, r := range records {
		if r.Partition == 0 && !h.resumed {
			h.failed("a record of a partition that is held")
		}
	}
	if h.free && !h.resumed {
		h.resumed = true
		tx.Resume("in", 0)
	}
	h.mu.Unlock()
	return h.copier.Batch(ctx, records, tx)
}

func (h *holding) Release(_ context.Context, parts []TopicPartition) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, tp := range parts {
		if _, ok := h.counts[tp]; !ok {
			h.failed("%v is released and not ours", tp)
		}
	}
	h.released += len(parts)
}

// TestHold: a partition that is held gives nothing until it is resumed, while
// the others go on.
func TestHold(t *testing.T) {
	t.Parallel()
	_, cfg := cluster(t, short())
	cl := newClient(t, cfg)
	copyTopics(t, cl)
	feed(t, cl, 0, 200)
	h := &holding{copier: newCopier("h")}
	l := testLoop(cfg, h)
	stop := run(t, l)
	eventually(t, "the other partitions", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.next) > 1 && !slices.ContainsFunc(ownedOthers(h), func(tp TopicPartition) bool { return h.next[tp] == 0 })
	})
	h.mu.Lock()
	if n := h.next[TopicPartition{"in", 0}]; n != 0 {
		t.Errorf("%d records of the partition that is held", n)
	}
	h.free = true
	h.mu.Unlock()
	copies(t, cfg, 200)
	stop()
	report(t, h.copier)
	if h.released == 0 {
		t.Error("nothing was released at the end")
	}
}

func ownedOthers(h *holding) (parts []TopicPartition) {
	for tp := range h.next {
		if tp.Partition != 0 {
			parts = append(parts, tp)
		}
	}
	return parts
}
