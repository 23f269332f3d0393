package session

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// counting is an extractor that counts how often it is asked about each beacon, which
// its value names, for the first time, and again.
type counting struct {
	rememberer
	first, again map[float64]int
	ends         int // for the first time
}

func (c *counting) count(b *beacon.Batch, sel []int) {
	for _, row := range sel {
		_, value := remembered(b, row)
		if b.Again(row) {
			c.again[value]++
		} else {
			c.first[value]++
		}
	}
}

func (c *counting) Extract(ctx context.Context, b *beacon.Batch, sel []int, emit func(metric.Measurement), bad func(int), fail func(int, beacon.Drop)) error {
	c.count(b, sel)
	return c.rememberer.Extract(ctx, b, sel, emit, bad, fail)
}

func (c *counting) ExtractSessions(ctx context.Context, b *beacon.Batch, sel []int, s *abi.Sessions, emit func(metric.Measurement), bad func(int), fail func(int, beacon.Drop)) error {
	c.count(b, sel)
	return c.rememberer.ExtractSessions(ctx, b, sel, s, emit, bad, fail)
}

func (c *counting) CloseSessions(ctx context.Context, closed *abi.Closed, emit func(metric.Measurement), bad func(int), fail func(int, beacon.Drop)) error {
	if !closed.Again {
		c.ends += len(closed.First)
	}
	return c.rememberer.CloseSessions(ctx, closed, emit, bad, fail)
}

// Whatever order beacons come in, however often they are looked at again, and
// whatever becomes of transactions, states and partitions: a host's extractor is told
// of each beacon once that it is asked about it for the first time, and of those that
// another host has booked, never.
func TestPropertyAskedOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, tx := newMemoryLog(), newLedgerTx()
		hand := kafka.NewTx(tx)
		tp := survivalParts[0]
		sent := 0
		start := func() (*Stage, *counting) {
			c := &counting{rememberer: rememberer{cells: rapid.IntRange(0, 3).Draw(t, "cells") > 0, closes: true}, first: map[float64]int{}, again: map[float64]int{}}
			cfg := testConfig(func(c2 *Config, shop *Tenant) {
				c2.Gap, c2.Lateness = 3*time.Minute, 20*time.Minute
				shop.Extractor, shop.Fields = c, []string{"kind", "value"}
			})
			s := NewStage(StageConfig{Config: cfg, Routes: map[string]string{routeTopic: "web"}, Log: l, Metrics: stageTopics[1], DeadLetters: stageTopics[2]})
			s.pace.moment = time.Minute
			return s, c
		}
		assign := func(s *Stage) int64 {
			a := tx.assigned(tp, int64(sent))
			if err := s.Assign(t.Context(), []*kafka.Assigned{a}); err != nil || a.Hold {
				t.Fatal(err, a.Hold)
			}
			return a.Start
		}
		line := rapid.Custom(func(t *rapid.T) string {
			return fmt.Sprintf(`{"ts":%d,"sid":"s%d","kind":%q,"value":`, rapid.Int64Range(40, 80).Draw(t, "time")*minute/4, rapid.IntRange(1, 2).Draw(t, "session"),
				rapid.SampledFrom([]string{"view", "peek", "value"}).Draw(t, "kind"))
		})
		batch := func(s *Stage, from int64) int64 {
			for range rapid.IntRange(1, 8).Draw(t, "new") {
				l.add(tp.Partition, line.Draw(t, "beacon")+fmt.Sprint(sent)+"}")
				sent++
			}
			to := from + rapid.Int64Range(1, int64(sent)-from).Draw(t, "taken")
			var records []*kgo.Record
			if err := l.Read(t.Context(), tp.Topic, tp.Partition, from, to, func(r []*kgo.Record) error { records = append(records, r...); return nil }); err != nil {
				t.Fatal(err)
			}
			if err := s.Batch(t.Context(), records, hand); err != nil {
				t.Fatal(err)
			}
			return to
		}
		for range rapid.IntRange(1, 3).Draw(t, "hosts") { // one after the other, each killed in the end
			s, c := start()
			booked := tx.offsets[tp].Offset // by those before
			most, next := booked, assign(s)
			for range rapid.IntRange(1, 6).Draw(t, "transactions") {
				next = batch(s, next)
				most = max(most, next)
				if err := s.BeforeCommit(t.Context(), hand); err != nil {
					t.Fatal(err)
				}
				switch rapid.SampledFrom([]string{"commit", "commit", "abort", "lost state", "moved away and back"}).Draw(t, "end") {
				case "commit":
					tx.end(true)
					s.Committed(t.Context())
				case "abort": // the state is ahead of what is committed, and goes on
					tx.end(false)
					s.Revoke([]kafka.TopicPartition{tp})
					next = assign(s)
				case "lost state":
					tx.end(false)
					s.parts[tp].broken = true
					s.Revoke([]kafka.TopicPartition{tp})
					next = assign(s)
				case "moved away and back":
					tx.end(true)
					s.Committed(t.Context())
					s.parts[tp].gone = true
					s.Revoke([]kafka.TopicPartition{tp})
					next = assign(s)
				}
			}
			s.Close()
			for i := range int64(sent) {
				want := 0
				if i >= booked && i < most {
					want = 1
				}
				if got := c.first[float64(i)]; got != want {
					t.Fatalf("beacon %d of %d to %d was new %d times, want %d, and looked at again %d times", i, booked, most, got, want, c.again[float64(i)])
				}
			}
			if c.ends > sent {
				t.Fatalf("%d ends of sessions were new, of %d beacons", c.ends, sent)
			}
		}
	})
}
