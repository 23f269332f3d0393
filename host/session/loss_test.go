package session

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/snapshot"
)

// leftBehind is a partition that a process has left with two snapshots, and
// records behind the newer one.
func leftBehind(t *testing.T) *survival {
	s := newSurvival(t, 1)
	t.Cleanup(func() { s.stage.Close() })
	const all = 1 << 30 // a batch has all that there is
	feed := func(round uint64) {
		s.Rand = rand.New(rand.NewPCG(round, 1)) // how often a batch was tried does not show in it
		s.feed()
	}
	for round := range uint64(2) {
		before := s.snapshots(survivalParts[0])
		feed(round)
		for deadline := time.Now().Add(30 * time.Second); len(s.snapshots(survivalParts[0])) == len(before) || len(s.snapshots(survivalParts[1])) == len(before); {
			s.batch(all)
			s.commit()
			if time.Now().After(deadline) {
				t.Fatal("no snapshots")
			}
		}
	}
	feed(2)
	feed(3)
	fault := func(string) error { return errors.New("no more") }
	s.store.at.Store(&fault)
	s.batch(all)
	s.commit()
	s.fresh()
	s.store.at.Store(nil)
	return s
}

// What is lost stops the partition, which says what and how to go on; accepted,
// it goes on.
func TestStageLosses(t *testing.T) {
	tp := survivalParts[0]
	breakAll := func(s *survival) {
		for _, info := range s.snapshots(tp) {
			s.breakIt(info)
		}
	}
	committed := func(s *survival) int64 { return s.tx.offsets[tp].Offset }
	for _, c := range []struct {
		name   string
		do     func(s *survival)
		change func(s *survival, a *kafka.Assigned)
		says   []string // empty: nothing is lost
		next   func(s *survival) int64
	}{
		{name: "nothing", do: func(*survival) {}},
		{name: "the newest snapshot is broken", do: func(s *survival) { s.breakIt(s.snapshots(tp)[0]) }},
		{name: "all snapshots are broken", do: breakAll},
		{name: "the newest is broken, the log begins at the older", do: func(s *survival) {
			s.log.cut(tp, s.snapshots(tp)[1].Offset)
			s.breakIt(s.snapshots(tp)[0])
		}},
		{
			name: "all snapshots are broken, the log has lost its beginning",
			do: func(s *survival) {
				breakAll(s)
				s.log.cut(tp, s.snapshots(tp)[0].Offset)
			},
			says: []string{"sessions that go on may have begun before what is left", "snapshot of offset", "--accept-loss pharos.web/0"},
			next: committed,
		},
		{
			name: "the log begins behind the snapshots",
			do:   func(s *survival) { s.log.cut(tp, s.snapshots(tp)[0].Offset+1) },
			says: []string{"the log begins at offset", "--accept-loss pharos.web/0"},
			next: committed,
		},
		{
			name: "records were deleted unread",
			do: func(s *survival) {
				s.feed()
				s.log.cut(tp, committed(s)+1)
			},
			says: []string{"1 records were deleted before they were read", "--accept-loss pharos.web/0"},
			next: func(s *survival) int64 { return committed(s) + 1 },
		},
		{
			name:   "the log ends before what was read",
			do:     func(*survival) {},
			change: func(s *survival, a *kafka.Assigned) { a.LogEnd = committed(s) - 1 },
			says:   []string{"the brokers have lost 1 records", "--accept-loss pharos.web/0"},
			next:   func(s *survival) int64 { return committed(s) - 1 },
		},
		{
			name:   "the committed offset has expired",
			do:     func(*survival) {},
			change: func(s *survival, a *kafka.Assigned) { a.Committed, a.Metadata, a.Start = -1, "", 0 },
			says:   []string{"it has expired", "goes on from the snapshot of offset", "--accept-loss pharos.web/0"},
			next:   func(s *survival) int64 { return s.snapshots(tp)[0].Offset },
		},
		{
			name:   "the offset was set by hand",
			do:     func(*survival) {},
			change: func(s *survival, a *kafka.Assigned) { a.Metadata = "" },
			says:   []string{"is not a session stage's", "--accept-loss pharos.web/0"},
			next:   func(s *survival) int64 { return s.snapshots(tp)[0].Offset },
		},
		{
			name:   "the topic was made anew",
			do:     func(*survival) {},
			change: func(_ *survival, a *kafka.Assigned) { a.TopicID = [16]byte{8} },
			says:   []string{"the topic was made anew", "--accept-loss pharos.web/0"},
			next:   func(*survival) int64 { return 0 },
		},
		{
			name: "the topic was made anew, and its offsets went with it",
			do:   func(*survival) {},
			change: func(_ *survival, a *kafka.Assigned) {
				a.TopicID, a.Committed, a.Metadata, a.Start = [16]byte{8}, -1, "", 0
			},
			says: []string{"the topic was made anew", "--accept-loss pharos.web/0"},
			next: func(*survival) int64 { return 0 },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := leftBehind(t)
			c.do(s)
			change := func(a *kafka.Assigned) {
				if c.change != nil && a.Partition == tp.Partition {
					c.change(s, a)
				}
			}
			err := s.waitLive(change)
			if len(c.says) == 0 {
				if err != nil {
					t.Fatal(err)
				}
				s.settle()
				return
			}
			if !errors.Is(err, kafka.ErrStop) {
				t.Fatalf("it goes on, with the snapshots %+v, the log's start %d, and %d committed: %v", s.snapshots(tp), s.log.starts[tp], committed(s), err)
			}
			for _, text := range c.says {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%v\ndoes not say %q", err, text)
				}
			}
			want := c.next(s)
			s.accept = true
			s.fresh()
			if err := s.waitLive(change); err != nil {
				t.Fatal(err)
			}
			p := s.stage.parts[tp]
			if p.next != want {
				t.Errorf("it goes on at %d, want %d", p.next, want)
			}
			// From then on it is as any other.
			if left, err := parseMetadata(p.metadata()); err != nil || left.Switches.from() != want {
				t.Errorf("%+v, %v", left, err)
			}
			if w := p.core.Watermark(); want == committed(s) && w != s.stage.parts[tp].recovered.core.Watermark() {
				t.Errorf("watermark %d", w)
			}
		})
	}
}

// waitLive assigns the partitions and waits until they are live, or stop.
func (s *survival) waitLive(change func(*kafka.Assigned)) error {
	if err := s.tryAssign(change); err != nil {
		return err
	}
	for deadline := time.Now().Add(30 * time.Second); s.stage.Ready() != nil; time.Sleep(time.Millisecond) {
		if err := s.stage.Batch(s.Context(), nil, s.hand); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			s.Fatal(s.stage.Ready())
		}
	}
	return nil
}

// A topic that has not the partitions that the generation says stops the stage.
func TestStagePartitionCount(t *testing.T) {
	s := newSurvival(t, 1)
	routes := func(r RouteTopic) {
		s.stage.Close() // its goroutines read the configs
		for _, c := range s.configs {
			c.Routes = map[string]RouteTopic{"web": r}
		}
		s.fresh()
	}
	defer func() { s.stage.Close() }()
	routes(RouteTopic{Topic: routeTopic, Partitions: routePartitions + 1})
	err := s.tryAssign(nil)
	if !errors.Is(err, kafka.ErrStop) || !strings.Contains(err.Error(), "topic pharos.web has 2 partitions, and generation 1 says 3") || !strings.Contains(err.Error(), "pharos repartition web N") {
		t.Error(err)
	}
	routes(RouteTopic{Topic: "other", Partitions: 2})
	if err := s.tryAssign(nil); !errors.Is(err, kafka.ErrStop) || !strings.Contains(err.Error(), "is none of route web") {
		t.Error(err)
	}
}

// A partition that was left under a generation that the host does not know waits
// for it, and does not wait for ever.
func TestStageUnknownGeneration(t *testing.T) {
	s := leftBehind(t)
	s.switches = 3
	s.stage.Use(s.configs[3])
	if err := s.waitLive(nil); err != nil {
		t.Fatal(err)
	}
	s.batch(1000)
	s.commit()
	s.stage.Close()
	behind := func(known int) *Stage {
		cfg := s.stage.cfg
		cfg.Config, cfg.Configs = s.configs[0], func(g uint64) (*Config, error) {
			if g > uint64(known) {
				return nil, fmt.Errorf("generation %d is not there", g)
			}
			return s.configs[g-1], nil
		}
		return NewStage(cfg)
	}
	s.stage = behind(1)
	defer func() { s.stage.Close() }()
	s.stage.pace = pace{moment: time.Millisecond, again: time.Millisecond, release: time.Second, unknown: 10 * time.Millisecond}
	if err := s.waitLive(nil); !errors.Is(err, kafka.ErrStop) || !strings.Contains(err.Error(), "generation 4 is needed") || !strings.Contains(err.Error(), "generation 4 is not there") {
		t.Error(err)
	}
	s.stage.Close()

	s.stage = behind(1)
	s.stage.pace = pace{moment: time.Millisecond, again: time.Millisecond, release: time.Second, unknown: time.Minute}
	if err := s.tryAssign(nil); err != nil || !s.held[survivalParts[0]] {
		t.Error("does not wait", err)
	}
	s.stage.Use(s.configs[3])
	if err := s.waitLive(nil); err != nil {
		t.Fatal(err)
	}
	s.settle()
}

// What was dispatched under a generation that a host does not have waits for it:
// its source or its tenant may be new.
func TestStageWaitsForGeneration(t *testing.T) {
	s := newSurvival(t, 1)
	defer func() { s.stage.Close() }()
	tp := survivalParts[0]
	news := testSource
	news.Topic = "news"
	s.configs[1] = testConfig(func(c *Config, shop *Tenant) {
		c.Generation, c.Routes, shop.Extractor = 2, s.configs[0].Routes, s.extractor
		c.Sources = []Source{{Source: &testSource}, {Source: &news}}
	})
	s.feed()
	for p := range int32(routePartitions) {
		r := log(`{"ts":1,"sid":"of a new source"}`)[0]
		r.Header.Topic, r.Header.Generation = "news", 2
		s.write(routeTopic, p, r)
	}
	at := int64(len(s.records[tp])) - 1
	s.feed()
	p := s.stage.parts[tp]
	for range 100 {
		s.batch(3)
		s.commit()
	}
	if p.next != at || !s.held[tp] || !strings.Contains(s.stage.Status()[0].Doing, "waits for a generation") {
		t.Fatalf("it is at offset %d, held %t: it is to wait at %d", p.next, s.held[tp], at)
	}

	// A rebalance, or an abort, changes nothing.
	s.lose()
	p = s.stage.parts[tp]
	for range 10 {
		s.batch(3)
		s.commit()
	}
	if p.next != at || !s.held[tp] {
		t.Fatalf("it is at offset %d, held %t: it is to wait at %d", p.next, s.held[tp], at)
	}

	s.stage.Use(s.configs[1])
	for range 100 {
		s.batch(3)
		s.commit()
	}
	if end := int64(len(s.records[tp])); p.next != end || s.held[tp] {
		t.Errorf("it is at offset %d, held %t: the log ends at %d", p.next, s.held[tp], end)
	}
	if sw, ok := p.switches.heard(2); !ok || len(p.switches) != 2 || sw.offset != at {
		t.Errorf("the generations are %v: the second is to come at %d", p.switches, at)
	}

	// One that does not come ends the stage: another host may have it.
	r := log(`{"ts":2,"sid":"a"}`)[0]
	r.Header.Generation = 3
	s.write(tp.Topic, tp.Partition, r)
	s.stage.pace.unknown = 10 * time.Millisecond
	var err error
	for deadline := time.Now().Add(10 * time.Second); err == nil && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		records := s.log.records[tp][s.read[tp]:]
		s.read[tp] += int64(len(records))
		err = s.stage.Batch(t.Context(), records, s.hand)
	}
	if !errors.Is(err, kafka.ErrStop) || !strings.Contains(err.Error(), "a generation that this host has not loaded") {
		t.Errorf("it goes on: %v", err)
	}
}

// Where the log has lost its end, and that is accepted, what was known of the
// records that are gone is never used for those that get their offsets.
func TestStageLostEnd(t *testing.T) {
	tp := survivalParts[0]
	s := leftBehind(t)
	before := s.snapshots(tp)
	stale := read(t, s, before[0])
	end := before[0].Offset - 1
	s.log.end(tp, end)
	s.records[tp] = s.records[tp][:end]
	s.accept = true
	s.fresh()
	if err := s.waitLive(nil); err != nil {
		t.Fatal(err)
	}
	for _, info := range s.snapshots(tp) {
		if info.Offset > end {
			t.Errorf("the snapshot of offset %d is still there, and the log ends at %d", info.Offset, end)
		}
	}
	// From now on none is written: what is left of a loss has one all the same.
	fault := func(step string) error {
		if step == "before a put" {
			return errors.New("no more")
		}
		return nil
	}
	s.store.at.Store(&fault)
	s.commit()
	s.switches = 1
	s.stage.Use(s.configs[s.switches]) // at the offset of the loss
	s.batch(0)
	s.commit()
	for int64(len(s.records[tp])) < before[0].Offset+20 {
		s.feed()
	}
	for range 100 {
		s.batch(1000)
		s.commit()
	}
	want := s.stage.parts[tp].core.heldText()
	s.store.at.Store(nil)

	// A host that was slow writes its snapshot only now.
	err := s.store.Put(t.Context(), before[0], func(w io.Writer) error {
		_, err := w.Write(stale)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s.accept = false
	s.fresh()
	if err := s.waitLive(nil); err != nil {
		t.Fatal(err)
	}
	check(t, "sessions", s.stage.parts[tp].core.heldText(), want)

	// Without its snapshots the partition does not begin with nothing.
	for _, info := range s.snapshots(tp) {
		if err := s.store.Delete(t.Context(), info); err != nil {
			t.Fatal(err)
		}
	}
	s.log.cut(tp, end)
	s.fresh()
	if err := s.waitLive(nil); !errors.Is(err, kafka.ErrStop) || !strings.Contains(err.Error(), "only its snapshots have that") {
		t.Errorf("it goes on: %v", err)
	}
}

// read gives what a snapshot holds.
func read(t *testing.T, s *survival, info snapshot.Info) []byte {
	t.Helper()
	r, err := s.store.Open(t.Context(), info)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
