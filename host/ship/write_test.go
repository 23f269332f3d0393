package ship

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

const letters = "pharos.dead-letters"

// picky is a shelf that does not take more than some samples at once, nor those of odd
// minutes.
type picky struct {
	shelf
	most int
}

type tooMuch struct{}

func (tooMuch) Error() string { return "413: the request is too large" }
func (tooMuch) Smaller() bool { return true }

func (s *picky) Write(ctx context.Context, samples []metric.Sample) error {
	if len(samples) > s.most {
		return fmt.Errorf("picky: %w", tooMuch{})
	}
	for _, sample := range samples {
		if sample.Minute%2 == 1 {
			return fmt.Errorf("picky: odd: %w", tooMuch{})
		}
	}
	return s.shelf.Write(ctx, samples)
}

// What a store does not take in one write it gets in parts, and what it does not take
// alone becomes a dead letter; nothing else does.
func TestStoreRefusesSamples(t *testing.T) {
	b := newBench(t)
	if err := kafka.EnsureTopics(t.Context(), b.cl, kafka.Topic{Name: letters, Partitions: 2}); err != nil {
		t.Fatal(err)
	}
	bad, good := &picky{most: 3}, &shelf{}
	cfg := b.config(Store{Name: "bad", Writer: bad}, Store{Name: "good", Writer: good})
	cfg.DeadLetters = kafka.Topic{Name: letters, Partitions: 2}
	_, stop := b.start(cfg)
	b.minutes(9)
	b.complete(good)
	odd := 0
	for k := range good.got {
		odd += int(minuteOf(k) % 2)
	}
	if odd == 0 {
		t.Fatal("there is nothing to refuse")
	}
	cl, err := kafka.NewClient(b.kafka, kgo.ConsumeTopics(letters), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	got := 0
	for got < odd {
		fetches := cl.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			letter, err := kafka.ParseDeadLetter(r)
			if err != nil || letter.Cause != causeRefused || letter.Topic != topic {
				t.Errorf("letter %+v: %v", letter, err)
			}
			got++
		})
	}
	b.eventually(func() error { return bad.hasOf(good, func(minute int64) bool { return minute%2 == 0 }) })
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// hasOf checks that a store has just what another has of some minutes, and that there
// are others.
func (s *shelf) hasOf(other *shelf, some func(minute int64) bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	others := 0
	for k, v := range other.got {
		w, ok := s.got[k]
		if ok != some(minuteOf(k)) || ok && w != v {
			return fmt.Errorf("%s is %v, %v; the other has %v", k, w, ok, v)
		}
		if !ok {
			others++
		}
	}
	if others == 0 {
		return errors.New("it has all")
	}
	return nil
}

func minuteOf(key string) int64 {
	_, minute, _ := strings.Cut(key, "@")
	n, err := strconv.ParseInt(minute, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

// A store is not sent what it would lose for its age.
func TestTooOldForAStore(t *testing.T) {
	b := newBench(t)
	var young, all shelf
	cfg := b.config(Store{Name: "young", Writer: &young, MaxAge: 5 * time.Minute}, Store{Name: "all", Writer: &all})
	const now = 15
	cfg.Now = func() time.Time { return time.UnixMilli(now * 60_000) }
	_, stop := b.start(cfg)
	b.minutes(9)
	b.complete(&all)
	b.eventually(func() error { return young.hasOf(&all, func(minute int64) bool { return minute > now-5 }) })
	if err := stop(); err != nil {
		t.Error(err)
	}
}
