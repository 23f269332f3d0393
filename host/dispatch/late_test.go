package dispatch

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// TestNothingIsLate: what lags, is down, comes and goes makes no beacon late, as a
// reader of a route's log judges by the definition.
func TestNothingIsLate(t *testing.T) {
	for name, play := range map[string]func(s *scene){
		"a source partition lags by hours": func(s *scene) {
			a := s.start(1)
			s.all(a)
			s.pass(second)
			for range 20 {
				s.send(0, 0, 3*minute, 1)
				s.send(1, 0, 5)
				a.poll(0, -1)
				a.poll(1, 0) // its consumer stands still
				s.pass(10 * minute)
			}
			a.poll(0, -1)
			a.poll(1, -1)
			s.pass(second)
		},
		"a host is down for an hour": func(s *scene) {
			a, b := s.start(1), s.start(1)
			s.own([]*actor{a, b})
			s.send(0, 5, 0)
			s.send(1, 5, 0)
			a.poll(0, -1)
			b.poll(1, -1)
			s.pass(second)
			s.kill(b) // and nobody takes its partitions
			for range 60 {
				s.pass(minute)
				s.send(0, 5, 0)
				s.send(1, 5, 0)
				a.poll(0, -1)
			}
			c := s.start(1)
			s.own([]*actor{a, c})
			s.send(0, 0)
			a.poll(0, -1)
			for range 30 { // it catches up by and by
				c.poll(1, 4)
				s.pass(second)
			}
		},
		"all hosts are down for an hour, and a partition was idle": func(s *scene) {
			a := s.start(1)
			s.all(a)
			s.send(0, 0)
			s.send(1, 0)
			a.poll(0, -1)
			a.poll(1, -1)
			s.pass(2 * minute)
			s.send(0, 0)
			a.poll(0, -1)
			s.pass(second)
			s.kill(a)
			for range 60 {
				s.pass(minute)
				s.send(0, 0)
				s.send(1, 0)
			}
			b, c := s.start(1), s.start(1)
			s.own([]*actor{b, c})
			for range 3 { // before the other host has said a word
				b.poll(0, -1)
				s.clock += second
				b.tick()
			}
			s.pass(second)
			b.poll(0, -1)
			c.poll(1, -1)
			s.pass(second)
			b.poll(0, -1)
			s.pass(second)
			if s.left[0].Offset != int64(len(s.raw[0])) {
				s.t.Errorf("partition 0 is dispatched up to %d of %d", s.left[0].Offset, len(s.raw[0]))
			}
		},
		"a source partition appears": func(s *scene) {
			a := s.start(1)
			s.all(a)
			s.send(0, 0)
			s.send(1, 0)
			s.pass(second)
			a.poll(0, -1)
			a.poll(1, -1)
			s.grow(1)
			s.send(2, 4*minute, 1)
			for range 60 { // its first owner takes long, and the others' beacons go on
				s.pass(10 * second)
				s.send(0, 0)
				a.poll(0, -1)
				a.poll(1, -1)
			}
			s.all(a)
			a.poll(2, -1)
			s.pass(second)
		},
		"a source partition that is idle has beacons again": func(s *scene) {
			a := s.start(1)
			s.all(a)
			s.send(0, 0)
			s.send(1, 0)
			a.poll(0, -1)
			a.poll(1, -1)
			for range 30 {
				s.pass(minute)
				s.send(0, 0)
				a.poll(0, -1)
			}
			s.send(1, 5*minute, 0)
			a.poll(1, -1)
			a.poll(0, -1)
			s.pass(second)
		},
		"a host dies and its partitions move": func(s *scene) {
			a, b := s.start(1), s.start(1)
			s.own([]*actor{a, b})
			for range 10 {
				s.send(0, 0, minute)
				s.send(1, 0, minute)
				a.poll(0, -1)
				b.poll(1, -1)
				s.pass(10 * second)
			}
			s.send(1, 0)
			b.poll(1, -1) // dies with it in hand
			s.kill(b)
			s.pass(10 * second)
			s.own([]*actor{a, a})
			a.poll(1, -1)
			s.pass(second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, 2)
			play(s)
			s.check()
			for p, c := range s.left {
				if c.Offset != int64(len(s.raw[p])) {
					t.Errorf("partition %d is dispatched up to %d of %d", p, c.Offset, len(s.raw[p]))
				}
			}
		})
	}
}

// How far a source partition is, is said before it is said to be idle, also by a host
// that has stood still for longer than that takes.
func TestSaidBeforeIdle(t *testing.T) {
	s := newScene(t, 1)
	a := s.start(1)
	s.own([]*actor{a})
	s.send(0, 0)
	at := s.clock
	a.poll(0, -1)
	s.clock += 10 * minute
	a.tick()
	a.tick()
	all, _ := s.readings()
	for i, r := range all {
		if r.value != at {
			t.Errorf("route partition %d has %d, want %d", i, r.value, at)
		}
	}
}

// TestWatermarkOfARoute: what a reader of a route's log knows: no more than what
// all source partitions that are not idle have said, and no less.
func TestWatermarkOfARoute(t *testing.T) {
	s := newScene(t, 3)
	expect := func(what string, want int64) {
		t.Helper()
		all, _ := s.readings()
		for i, r := range all {
			if r.value != want {
				t.Errorf("%s: route partition %d has %d s, want %d s", what, i, (r.value-now)/second, (want-now)/second)
			}
		}
	}
	a, b := s.start(1), s.start(1)
	s.own([]*actor{a, a, nil})
	s.send(0, 0)
	a.poll(0, -1)
	s.pass(second)
	expect("a source partition has not spoken", metric.NoWatermark)
	s.own([]*actor{a, a, b})
	s.pass(second)
	expect("one has no traffic, and is not idle yet", metric.NoWatermark)
	s.send(0, 0)
	a.poll(0, -1)
	s.pass(58 * second)
	expect("still", metric.NoWatermark)
	s.pass(second)
	expect("all are idle but the one with traffic", now+2*second)
	s.pass(10 * second)
	s.send(1, 0)
	a.poll(1, -1)
	s.pass(second)
	expect("one is back, the others are idle", now+71*second)
	s.pass(minute)
	expect("all are idle: it stays", now+71*second)
	s.send(2, 0)
	s.pass(minute)
	expect("one has lag, which is not idleness, and its own is lower", now+71*second)
	b.poll(2, -1)
	s.pass(second)
	expect("it is the only one", now+132*second)
	s.pass(minute)
	s.kill(b)
	s.own([]*actor{a, a, a})
	s.send(0, 0)
	a.poll(0, -1)
	s.pass(second)
	expect("an idle one stays idle where it moves", now+253*second)
	s.check()
}

// TestNothingIsLostOrLate: hosts that come, go, die and abort, source partitions that
// appear and lag, times without any host, new generations and topics of a route, in
// any order: no beacon is late whose time is its sender's, none is lost, none comes
// behind its partition's end.
func TestNothingIsLostOrLate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newScene(t, rapid.IntRange(1, 3).Draw(t, "source partitions"))
		loaded := func() uint64 {
			return rapid.Uint64Range(1, s.generation).Draw(t, "generation loaded")
		}
		one := func(what string, n int) int { return rapid.IntRange(0, n-1).Draw(t, what) }
		rebalance := func() {
			if len(s.hosts) == 0 {
				s.start(loaded())
			}
			var owners []*actor
			for range s.raw {
				owners = append(owners, s.hosts[one("owner", len(s.hosts))])
			}
			s.own(owners)
		}
		send := func() {
			for p := range s.raw {
				for range rapid.IntRange(0, 3).Draw(t, "beacons") {
					s.send(p, rapid.Int64Range(0, 5*minute).Draw(t, "ago"))
				}
			}
		}
		rebalance()
		alone := int64(0) // how long others than one host have stood still
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			var a *actor
			if len(s.hosts) > 0 {
				a = s.hosts[one("host", len(s.hosts))]
			}
			switch step := rapid.IntRange(0, 16).Draw(t, "step"); {
			case step <= 2:
				send()
			case step <= 6 && a != nil:
				p := int32(one("polled", len(s.raw)))
				a.poll(p, rapid.IntRange(-1, 5).Draw(t, "records"))
			case step <= 8:
				alone = 0
				s.pass(rapid.Int64Range(0, 90*second).Draw(t, "ms"))
			case step == 9 && a != nil:
				a.commit()
			case step == 10 && a != nil:
				a.abort()
			case step == 11:
				if len(s.hosts) < 3 {
					s.start(loaded())
				}
				rebalance()
			case step == 12 && a != nil: // it is missed for ten seconds
				s.kill(a)
				s.pass(10 * second)
				rebalance()
			case step == 13: // nobody is there for long
				for _, a := range slices.Clone(s.hosts) {
					s.kill(a)
				}
				for range 4 {
					s.pass(rapid.Int64Range(0, 30*minute).Draw(t, "down"))
					send()
				}
				for range rapid.IntRange(1, 3).Draw(t, "hosts") {
					s.start(loaded())
				}
				rebalance()
			case step == 14:
				if len(s.raw) < 5 && rapid.Bool().Draw(t, "a partition appears") {
					s.grow(1)
					if a != nil && rapid.Bool().Draw(t, "and is assigned") {
						owners := slices.Clone(s.owner)
						owners[len(owners)-1] = a
						s.own(owners)
					}
				} else if _, closed := s.readings(); closed && s.generation < 5 {
					s.publish(int32(rapid.IntRange(0, 3).Draw(t, "route partitions")))
				} else if s.generation < 8 {
					s.publish(0)
				}
			case step == 15 && a != nil:
				a.load()
			case step == 16 && a != nil && alone < 20*second:
				ms := rapid.Int64Range(0, 8*second).Draw(t, "alone")
				alone += ms
				s.clock += ms
				a.tick()
			}
		}
		// In the end everything comes.
		rebalance()
		for range 8 {
			for _, a := range s.hosts {
				a.load()
				for p := range s.raw {
					a.poll(int32(p), -1)
				}
			}
			s.pass(31 * second)
		}
		s.check()
		if _, closed := s.readings(); !closed {
			t.Error("a topic that was left is not closed")
		}
		for p, c := range s.left {
			if c.Offset != int64(len(s.raw[p])) {
				t.Errorf("partition %d is dispatched up to %d of %d", p, c.Offset, len(s.raw[p]))
			}
		}
	})
}
