package dispatch

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/seed-6a2d649b/pharos/host/kafka"
)

// TestRepartition: a route's topic is left only when all source partitions have
// left it, also one that appears meanwhile on a host that has not heard yet.
func TestRepartition(t *testing.T) {
	s := newScene(t, 2)
	a, b := s.start(1), s.start(1)
	s.own([]*actor{a, b})
	s.send(0, 0, 0, 0)
	s.send(1, 0, 0, 0)
	a.poll(0, -1)
	b.poll(1, -1)
	s.pass(second)
	s.grow(1)
	old := s.start(1)
	s.own([]*actor{a, b, old}) // the others have not heard of it
	s.send(2, 0, 0, 0)
	s.publish(3)
	for p, host := range []*actor{a, b} {
		host.load()
		s.send(p, 0, 0)
		host.poll(int32(p), -1)
		host.commit()
	}
	if _, closed := s.readings(); closed {
		t.Error("the topic is closed, and a host writes to it")
	}
	old.poll(2, -1) // under the old generation, before it has heard of the new one
	s.pass(second)
	old.load()
	old.tick()
	if _, closed := s.readings(); !closed {
		t.Error("the topic is not closed")
	}
	c := s.start(1) // an old host takes over: it must not write to what was left
	s.kill(b)
	s.kill(old)
	s.own([]*actor{a, c, c})
	s.send(1, 0)
	s.send(2, 0)
	c.poll(1, -1)
	s.pass(second)
	c.poll(1, -1)
	if st := c.stage.Status(); len(st) != 2 || st[0].Waits != 2 || st[0].Offset != 5 {
		t.Errorf("status %+v", st)
	}
	s.grow(1)
	s.own([]*actor{a, c, c, c}) // nor of what nobody has dispatched
	s.send(3, 0)
	c.poll(3, -1)
	s.pass(second)
	c.load()
	s.pass(second)
	for p := range int32(4) {
		c.poll(p, -1)
	}
	s.pass(second)
	s.check()
	if _, closed := s.readings(); !closed {
		t.Error("the topic is open again")
	}
	for p, l := range s.left {
		if l.Offset != int64(len(s.raw[p])) {
			t.Errorf("partition %d is dispatched up to %d of %d", p, l.Offset, len(s.raw[p]))
		}
	}
	for key, log := range s.logs {
		n := 0
		for _, e := range log {
			if e.end != nil {
				n++
			}
		}
		if want := map[string]int{"web-1/0": 4, "web-1/1": 4}[key]; n != want {
			t.Errorf("%s has %d ends, want %d", key, n, want)
		}
	}
}

// TestPatience: a host that never gets the generation that others dispatch under
// stops, and says which.
func TestPatience(t *testing.T) {
	s := newScene(t, 1)
	s.publish(0)
	s.all(s.start(2))
	s.pass(second)
	s.kill(s.hosts[0])
	a := s.start(1)
	a.stage.cfg.Patience = time.Minute
	s.all(a)
	s.clock += minute
	if err := a.stage.Batch(t.Context(), nil, kafka.NewTx(a)); err != nil {
		t.Fatal(err)
	}
	s.clock++
	if err := a.stage.Batch(t.Context(), nil, kafka.NewTx(a)); !errors.Is(err, kafka.ErrStop) || !strings.Contains(err.Error(), "generation 2") {
		t.Errorf("error %v", err)
	}
	a.stage.Use(s.core(2))
	a.stage.Use(s.core(1)) // is passed over
	if a.tick(); a.held[0] {
		t.Error("it is held though its generation has come")
	}
}

// TestStarted: what has been begun is noted once its first offset is committed, not
// before, and again where that failed.
func TestStarted(t *testing.T) {
	s := newScene(t, 2)
	s.started["broken"] = true
	a := s.start(1)
	s.own([]*actor{a, nil})
	a.batch(nil)
	s.own([]*actor{a, a})
	if len(s.started) != 1 {
		t.Errorf("noted %v, and it could not be", s.started)
	}
	delete(s.started, "broken")
	a.stage.memory.again = time.Time{}
	s.grow(1)
	a.batch(nil)
	if len(s.started) != 0 {
		t.Errorf("noted before the commit: %v", s.started)
	}
	s.own([]*actor{a, a, a})
	if want := (shelf{"dispatched/beacons/0": true, "dispatched/beacons/1": true}); !maps.Equal(s.started, want) {
		t.Errorf("noted %v", s.started)
	}
	a.stage.Committed(t.Context()) // of a transaction that the third has had no part in
	if s.started["dispatched/beacons/2"] {
		t.Error("noted though nothing of it is committed")
	}
	a.tick()
	if !s.started["dispatched/beacons/2"] {
		t.Error("not noted")
	}
	s.kill(a)
	s.left[1] = kafka.Committed{Offset: -1} // has expired
	b := s.start(1)
	if err := b.stage.Assign(t.Context(), []*kafka.Assigned{{Topic: "beacons", Partition: 1, Partitions: 3, Committed: -1}}); !errors.Is(err, kafka.ErrStop) || !strings.Contains(err.Error(), "partition 1") {
		t.Errorf("error %v", err)
	}
}
