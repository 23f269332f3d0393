package dispatch

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// TestRouteMoves: a route gets another topic while two hosts dispatch; each source
// partition ends on the old one, of which one moves to a host that has not heard yet.
func TestRouteMoves(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	next := func() *Core {
		cfg, _ := testConfig()
		cfg.Sources, cfg.Generation = cfg.Sources[:1], 8
		cfg.Routes[0] = Route{Name: "web", Topic: "pharos.web-v2", Partitions: 3, Replaces: &Replaced{Topic: "pharos.web", Partitions: 4, Generation: 8}}
		return newCore(t, cfg)
	}
	a, b := w.stage(w.core(), nil), w.stage(w.core(), nil)
	stopA := w.run(a)
	w.run(b)
	w.eventually("both own one", func(*seen) bool { return len(a.Status()) == 1 && len(b.Status()) == 1 })
	w.send(0, line(1000, "a", ""), line(2000, "b", ""))
	w.send(1, line(3000, "c", ""))
	w.eventually("the beacons", func(s *seen) bool { return s.total() == 3 })
	ends := func(n int) func(*seen) bool {
		return func(s *seen) bool {
			for p := range 4 {
				got := 0
				for _, e := range s.log[fmt.Sprintf("pharos.web/%d", p)] {
					if _, ok := e.(beacon.End); ok {
						got++
					}
				}
				if got != n {
					return false
				}
			}
			return true
		}
	}
	a.Use(next())
	w.eventually("the ends of one", ends(1))
	stopA()
	w.eventually("its partition waits where it went", func(*seen) bool {
		st := b.Status()
		return len(st) == 2 && st[0].Waits+st[1].Waits == 8
	})
	w.send(0, line(4000, "a", ""))
	w.send(1, line(4000, "c", ""))
	w.eventually("the one that b has had goes on", func(s *seen) bool { return s.total() == 4 })
	b.Use(next())
	w.eventually("the ends of both", ends(2))
	w.eventually("the last beacon", func(s *seen) bool { return s.total() == 5 })
	w.eventually("marks of both on the new topic", marked(
		beacon.MarkEntry{Topic: "beacons", Partition: 0, Partitions: 2, Watermark: 4000},
		beacon.MarkEntry{Topic: "beacons", Partition: 1, Partitions: 2, Watermark: 4000},
	))
	w.seen.mu.Lock()
	defer w.seen.mu.Unlock()
	for key, log := range w.seen.log {
		ended, marks := map[int32]bool{}, map[int32]uint64{}
		for i, e := range log {
			switch e := e.(type) {
			case beacon.Mark:
				for _, m := range e.Entries {
					marks[m.Partition] = e.Generation
					if ended[m.Partition] {
						t.Errorf("%s record %d: a mark of partition %d behind its end", key, i, m.Partition)
					}
				}
			case beacon.Header:
				if ended[e.Partition] || marks[e.Partition] < e.Generation {
					t.Errorf("%s record %d: %+v; ended %v, marked %v", key, i, e, ended, marks)
				}
			case beacon.End:
				ended[e.Partition] = true
				if e.Generation != 8 || e.Topic != "beacons" || e.Partitions != 2 || e.Watermark < 2000 {
					t.Errorf("%s record %d: %+v", key, i, e)
				}
			}
		}
	}
}

// TestSourceGrows: a source partition that appears is dispatched; a source that
// never has a beacon holds nothing up, also on another host.
func TestSourceGrows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	if err := kafka.EnsureTopics(context.Background(), w.client, kafka.Topic{Name: "log", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	cfg, _ := testConfig()
	cfg.Sources = cfg.Sources[:2]
	w.topics = []string{"beacons", "log"}
	stop := w.run(w.stage(newCore(t, cfg), nil))
	w.send(0, line(1000, "a", ""))
	entry := func(topic string, partition, partitions int32, watermark int64, idle bool) beacon.MarkEntry {
		return beacon.MarkEntry{Topic: topic, Partition: partition, Partitions: partitions, Watermark: watermark, Idle: idle}
	}
	w.eventually("marks of both sources", marked(entry("beacons", 0, 1, 1000, false), entry("log", 0, 1, metric.NoWatermark, false)))
	w.clock.Add(60_000)
	w.send(0, line(2000, "a", ""))
	w.eventually("the silent one is idle", marked(entry("beacons", 0, 1, 2000, false), entry("log", 0, 1, metric.NoWatermark, true)))
	if _, err := kadm.NewClient(w.client).CreatePartitions(context.Background(), 1, "beacons"); err != nil {
		t.Fatal(err)
	}
	w.eventually("the sender hears of it", func(*seen) bool {
		w.client.ForceMetadataRefresh()
		return w.client.ProduceSync(context.Background(), &kgo.Record{Topic: "beacons", Partition: 1, Value: []byte(line(3000, "b", ""))}).FirstErr() == nil
	})
	stop() // a client takes up to half a minute to see that a topic has grown, a new one sees it at once
	w.run(w.stage(newCore(t, cfg), nil))
	w.eventually("the new one is dispatched", marked(
		entry("beacons", 0, 2, 2000, false), entry("beacons", 1, 2, 3000, false), entry("log", 0, 1, metric.NoWatermark, true),
	))
}

// TestHostDies: what a host had in hand when it died is dispatched once, by another
// host, which goes on with the watermark.
func TestHostDies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	dead := &dying{stage: w.stage(w.core(), nil)}
	ctx, cancel := context.WithCancel(context.Background())
	loop := kafka.NewLoop(w.config(20*time.Millisecond, 0), dead)
	done := make(chan error, 1)
	go func() { done <- loop.Run(ctx) }()
	w.send(0, line(5000, "a", ""), line(4000, "b", ""))
	w.send(1, line(1000, "c", ""))
	w.eventually("the beacons", func(s *seen) bool { return s.total() == 3 })
	dead.dies.Store(true)
	w.send(0, line(4500, "a", ""))
	w.eventually("it has it in hand", func(*seen) bool { return dead.dead.Load() })
	w.run(w.stage(w.core(), nil))
	cancel()
	if err := <-done; err != nil && !errors.Is(err, errDead) {
		t.Fatal(err)
	}
	w.eventually("the beacon, once", func(s *seen) bool { return s.total() == 4 })
	w.eventually("marks", marked(
		beacon.MarkEntry{Topic: "beacons", Partition: 0, Partitions: 2, Watermark: 5000},
		beacon.MarkEntry{Topic: "beacons", Partition: 1, Partitions: 2, Watermark: 1000},
	))
	w.seen.mu.Lock()
	defer w.seen.mu.Unlock()
	for key, rs := range w.seen.beacons {
		for _, r := range rs {
			if h, _ := beacon.ParseHeader(r.Headers[0].Value); h.Partition == 0 && h.Offset > 0 && h.Watermark != 5000 {
				t.Errorf("%s: %+v", key, h)
			}
		}
	}
}

// dying is a stage that fails every batch of records from some time on, with what it
// has produced in hand.
type dying struct {
	stage      *Stage
	dies, dead atomic.Bool
}

var errDead = errors.New("dead")

func (d *dying) Assign(ctx context.Context, parts []*kafka.Assigned) error {
	return d.stage.Assign(ctx, parts)
}
func (d *dying) Revoke(parts []kafka.TopicPartition) { d.stage.Revoke(parts) }
func (d *dying) Batch(ctx context.Context, records []*kgo.Record, tx *kafka.Tx) error {
	err := d.stage.Batch(ctx, records, tx)
	if len(records) > 0 && d.dies.Load() {
		d.dead.Store(true)
		return fmt.Errorf("%w: %w", errDead, kafka.ErrStop)
	}
	return err
}
func (d *dying) BeforeCommit(ctx context.Context, tx *kafka.Tx) error {
	return d.stage.BeforeCommit(ctx, tx)
}
