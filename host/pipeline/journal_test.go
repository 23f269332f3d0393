package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/broker"
	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/kafka"
)

// testBroker is an embedded broker of its own.
func testBroker(t testing.TB) kafka.Config {
	t.Helper()
	b, err := broker.Start(broker.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return kafka.Config{Brokers: []string{b.Addr()}}
}

// testJournal is a journal on a broker, with its topic.
func testJournal(t *testing.T, k kafka.Config, cfg *config.Config) *journal {
	t.Helper()
	cl, err := kafka.NewClient(k)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := kafka.EnsureTopics(t.Context(), cl, generationsTopic(cfg)); err != nil {
		t.Fatal(err)
	}
	return newJournal(k, cfg, hclog.NewNullLogger())
}

func recordOf(t *testing.T, cfg *config.Config, parent uint64, host string) *generationRecord {
	t.Helper()
	r, err := newRecord(cfg, parent, firstRoutes(cfg), host, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// raw produces values to the topic of generations as they are.
func raw(t *testing.T, j *journal, values ...string) {
	t.Helper()
	cl, err := kafka.NewClient(j.kafka)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for _, v := range values {
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: j.topic, Value: []byte(v)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// Of publishers at one time, one holds; the others hear whose.
func TestOnePublisherHolds(t *testing.T) {
	cfg := parsed(t, shop)
	k := testBroker(t)
	const publishers = 4
	for generation := range uint64(3) {
		var wg sync.WaitGroup
		errs, journals := make([]error, publishers), make([]*journal, publishers)
		for i := range errs {
			journals[i] = testJournal(t, k, cfg)
			if _, err := journals[i].catchUp(t.Context()); err != nil || journals[i].wanted() != generation {
				t.Fatalf("%v, %d generations, want %d", err, journals[i].wanted(), generation)
			}
		}
		for i, j := range journals {
			r := recordOf(t, cfg, generation, fmt.Sprint("host ", i))
			wg.Go(func() { errs[i] = j.publish(context.Background(), r) })
		}
		wg.Wait()
		after := testJournal(t, k, cfg)
		holds, err := after.catchUp(t.Context())
		if err != nil || holds.Number != generation+1 {
			t.Fatalf("%v, generation %d", err, holds.Number)
		}
		for i, err := range errs {
			var overtaken *overtakenError
			if won := holds.Host == fmt.Sprint("host ", i); won != (err == nil) || !won && (!errors.As(err, &overtaken) || overtaken.by.Host != holds.Host) {
				t.Errorf("host %d: %v, and %s has won", i, err, holds.Host)
			}
		}
	}
}

// Whatever else is in the topic is passed over, as it is by every other host.
func TestForeignRecords(t *testing.T) {
	cfg := parsed(t, shop)
	k := testBroker(t)
	j := testJournal(t, k, cfg)
	text := func(r *generationRecord) string {
		b, err := r.encode()
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	first, late, far := recordOf(t, cfg, 0, "a"), recordOf(t, cfg, 0, "b"), recordOf(t, cfg, 7, "c")
	old := recordOf(t, cfg, 0, "d")
	old.Format = 0
	raw(t, j, "", "hello", `{"number":1}`, `{"number":1,"config":{},"format":1,"routes":[{"name":"x"}]}`, text(far), text(first), text(late), text(old), text(far))
	if r, err := j.catchUp(t.Context()); err != nil || r.ID != first.ID || j.wanted() != 1 {
		t.Fatalf("%v %+v", err, r)
	}
	second := recordOf(t, cfg, 1, "e")
	if err := j.publish(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	other := testJournal(t, k, cfg)
	if _, err := other.catchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	for number, want := range map[uint64]*generationRecord{1: first, 2: second} {
		if got, err := other.fetch(t.Context(), number); err != nil || got.ID != want.ID || string(got.Config) != string(want.Config) {
			t.Errorf("generation %d: %v %+v", number, err, got)
		}
	}
	if _, err := other.fetch(t.Context(), 3); err == nil || !strings.Contains(err.Error(), "has no generation 3, the newest is 2") {
		t.Errorf("generation 3: %v", err)
	}
	var ids []string
	if err := other.each(t.Context(), 1, func(r *generationRecord) error { ids = append(ids, r.ID); return nil }); err != nil || !slices.Equal(ids, []string{first.ID, second.ID}) {
		t.Errorf("%v %v", err, ids)
	}

	newer := recordOf(t, cfg, 2, "f")
	newer.Format = 2
	raw(t, j, text(newer))
	if _, err := other.catchUp(t.Context()); err == nil || !strings.Contains(err.Error(), "a generation of format 2, and this build of Pharos knows format 1 only") {
		t.Errorf("a later format: %v", err)
	}
}

// A follower hears of what is published.
func TestFollow(t *testing.T) {
	cfg := parsed(t, shop)
	k := testBroker(t)
	j, follower := testJournal(t, k, cfg), testJournal(t, k, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	heard := make(chan uint64, 10)
	ended := make(chan error, 1)
	go func() { ended <- follower.follow(ctx, func() { heard <- follower.wanted() }) }()
	for n := range uint64(2) {
		if err := j.publish(t.Context(), recordOf(t, cfg, n, "a")); err != nil {
			t.Fatal(err)
		}
		raw(t, j, "something else")
		select {
		case got := <-heard:
			if got != n+1 {
				t.Errorf("heard of generation %d, want %d", got, n+1)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("nothing is heard")
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A topic that has lost its beginning is no topic to go by.
func TestLostBeginning(t *testing.T) {
	cfg := parsed(t, shop)
	k := testBroker(t)
	j := testJournal(t, k, cfg)
	if err := j.publish(t.Context(), recordOf(t, cfg, 0, "a")); err != nil {
		t.Fatal(err)
	}
	deleteRecords(t, k, j.topic, 1)
	if _, err := testJournal(t, k, cfg).catchUp(t.Context()); err == nil || !strings.Contains(err.Error(), "the first 1 records of pharos.generations are gone") {
		t.Errorf("%v", err)
	}
}

// What is published is what comes back, whatever stands in it.
func TestRecordKeepsTheConfig(t *testing.T) {
	cfg := parsed(t, edited(t, shop, `type == "order"`, `a < b && c > "\u2028é\\" || d == "$${x}"`))
	r := recordOf(t, cfg, 0, "a")
	text, err := r.encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := parseRecord(text)
	if err != nil || string(again.Config) != string(cfg.Shared()) {
		t.Fatalf("%v\n%s\n%s", err, again.Config, cfg.Shared())
	}
	theirs, err := again.parse(t.TempDir())
	if err != nil || string(theirs.Shared()) != string(cfg.Shared()) {
		t.Errorf("%v\n%s\n%s", err, theirs.Shared(), cfg.Shared())
	}
}

func FuzzParseRecord(f *testing.F) {
	f.Add([]byte(`{"format":1,"number":2,"parent":1,"config":{},"routes":[{"name":"web","topic":"t","partitions":2,"replaces":{"topic":"u","partitions":1}}]}`))
	f.Add([]byte(`{"number":1,"config":"x"}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		r, err := parseRecord(value)
		if err != nil {
			return
		}
		if _, err := r.parse(""); err == nil && len(r.Config) == 0 {
			t.Error("a generation without a config")
		}
		for _, route := range r.Routes {
			if name, topics := route.first(); name == "" || topics < 1 {
				t.Errorf("a route without a topic: %+v", route)
			}
		}
	})
}

// deleteRecords deletes the records of partition 0 below an offset.
func deleteRecords(t *testing.T, k kafka.Config, topic string, before int64) {
	t.Helper()
	cl, err := kafka.NewClient(k)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: topic, At: before})
	if _, err := kadm.NewClient(cl).DeleteRecords(t.Context(), offsets); err != nil {
		t.Fatal(err)
	}
}
