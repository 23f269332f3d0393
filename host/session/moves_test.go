package session

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/snapshot"
)

// newest is the offset of the newest snapshot of a partition; -1: there is none.
func (b *bench) newest(partition int32) int64 {
	b.Helper()
	list, err := b.store.(*faulty).Store.All(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for _, info := range list {
		if info.Partition == partition {
			return info.Offset
		}
	}
	return -1
}

// ends are the offsets behind what was written.
func (b *bench) end(partition int32) int64 { return int64(len(b.records[partition])) }

// A process that ends, and one that is killed, leave snapshots from which the
// next goes on where the log has lost everything before; a partition that goes
// to another worker needs nothing read again.
func TestStageSnapshots(t *testing.T) {
	b := newBench(t, nil)
	store, _ := newStore(t)
	b.store = store
	often := func(c *StageConfig) { c.Every = time.Millisecond }
	b.feed(60, 0, 20)
	l, _ := b.loop(often)
	stop := b.run(l)
	b.settle("first")
	b.eventually("snapshots", func() bool { return b.newest(0) == b.end(0) && b.newest(1) == b.end(1) })
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	b.cut(b.end)
	counters := newCounters()
	rarely := func(c *StageConfig) { c.Every, c.Counters = time.Hour, counters }
	b.feed(60, 20, 20)
	l, stage := b.loop(rarely)
	stop = b.run(l)
	b.settle("from snapshots")

	other, _ := b.loop(rarely)
	stopOther := b.run(other)
	b.eventually("a partition for the other worker", func() bool { return len(stage.Status()) == 1 })
	b.feed(20, 40, 5)
	b.settle("two workers")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	b.feed(20, 45, 5)
	b.settle("the other has both")
	if err := stopOther(); err != nil {
		t.Fatal(err)
	}
	if b.newest(0) != b.end(0) || b.newest(1) != b.end(1) {
		t.Errorf("snapshots of %d and %d at the end, of %d and %d", b.newest(0), b.newest(1), b.end(0), b.end(1))
	}
	if n := testutil.ToFloat64(counters.replayed); n != 0 {
		t.Errorf("%v records were read again", n)
	}
}

// While one partition's sessions are got back, the others go on.
func TestStageOthersGoOn(t *testing.T) {
	b := newBench(t, nil)
	store, _ := newStore(t)
	b.store = store
	b.feed(40, 0, 10)
	l, _ := b.loop(func(c *StageConfig) { c.Every = time.Millisecond })
	stop := b.run(l)
	b.settle("first")
	b.eventually("snapshots", func() bool { return b.newest(0) >= 0 && b.newest(1) >= 0 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	free := make(chan struct{})
	hold := func(step string) error {
		if step == "open 0" {
			<-free
		}
		return nil
	}
	store.at.Store(&hold)
	b.feed(40, 10, 10)
	l, stage := b.loop(nil)
	b.run(l)
	b.eventually("the other partition is through", func() bool {
		_, h := b.booked()
		for _, p := range h.Partitions() {
			if p.Partition == 1 && p.Offset == b.end(1) {
				return true
			}
		}
		return false
	})
	st := stage.Status()
	if err := stage.Ready(); err == nil || st[0].Live || !st[1].Live {
		t.Errorf("%v, %+v", err, st)
	}
	close(free)
	b.settle("both")
}

var _ Snapshots = (*snapshot.Store)(nil)
var _ Log = kafka.LogReader{}
