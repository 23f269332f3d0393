package rollout

import (
	"testing"
	"time"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/plugin"
	"github.com/seed-6a2d649b/pharos/host/rules"
)

func spec(name string) plugin.Spec {
	return plugin.Spec{Name: "p", Rules: &rules.Rules{Drop: []rules.Drop{{Reason: name, When: "true"}}}}
}

func moment(generation uint64, seconds int64) Moment {
	return Moment{generation, time.Unix(seconds, 0), "host"}
}

var (
	shadowed = Settings{Shadow: &ShadowSettings{}}
	canaried = Settings{Canary: &CanarySettings{}}
	both     = Settings{Shadow: &ShadowSettings{}, Canary: &CanarySettings{}}
)

func TestFollow(t *testing.T) {
	one, two, three := spec("one"), spec("two"), spec("three")
	at := moment(7, 1000)
	first := First(one, abi.Filter, moment(1, 0))
	on := func(phase Phase) State { // a version two of which that is to become
		return State{New: IDOf(two), Kind: abi.Filter, Old: &one}.to(phase, "so", moment(2, 10))
	}
	out := State{New: IDOf(two), Kind: abi.Filter}.to(Out, "so", moment(2, 10))
	limited := two
	limited.Fuel, limited.OnError = 5, plugin.Pass
	for _, c := range []struct {
		name     string
		before   State
		was, is  plugin.Spec
		settings Settings
		phase    Phase
		old      *plugin.Spec
		stays    bool
	}{
		{"the same goes on", first, one, one, both, Live, nil, true},
		{"a new one without a trial", first, one, two, Settings{}, Live, &one, false},
		{"a new one in a shadow", first, one, two, shadowed, Shadow, &one, false},
		{"a new one as a canary", first, one, two, canaried, Canary, &one, false},
		{"a new one in a shadow first", first, one, two, both, Shadow, &one, false},
		{"a shadow goes on", on(Shadow), two, two, both, Shadow, &one, true},
		{"other limits are no other version", on(Shadow), two, limited, both, Shadow, &one, true},
		{"a newer one than the shadow", on(Shadow), two, three, both, Shadow, &one, false},
		{"no shadow any more", on(Shadow), two, two, canaried, Canary, &one, false},
		{"no trial any more", on(Shadow), two, two, Settings{}, Live, &one, false},
		{"no canary any more", on(Canary), two, two, shadowed, Live, &one, false},
		{"back from the shadow", on(Shadow), two, one, both, Live, nil, false},
		{"rolled back stays", on(RolledBack), two, two, both, RolledBack, &one, true},
		{"rolled back, and a newer one", on(RolledBack), two, three, both, Shadow, &one, false},
		{"rolled back stays, without a trial too", on(RolledBack), two, two, Settings{}, RolledBack, &one, true},
		{"promoted, and a newer one", on(Live), two, three, both, Shadow, &two, false},
		{"a fallback stays", on(Fallback), two, two, Settings{}, Fallback, &one, true},
		{"a fallback, and a newer one", on(Fallback), two, three, both, Shadow, &one, false},
		{"out stays", out, two, two, both, Out, nil, true},
		{"out, and a newer one", out, two, three, both, Live, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.before.Follow(c.was, c.is, abi.Filter, c.settings, at)
			if got.Phase != c.phase || got.New != IDOf(c.is) || (got.Generation == c.before.Generation) != c.stays {
				t.Errorf("%+v", got)
			}
			if (got.Old == nil) != (c.old == nil) || c.old != nil && IDOf(*got.Old) != IDOf(*c.old) {
				t.Errorf("the version before is %+v", got.Old)
			}
		})
	}
}

// A version of another kind is a new plugin, whatever the phase and the trial: it has
// nothing to be compared with, or to go back to.
func TestFollowOfAnotherKind(t *testing.T) {
	one, two, three := spec("one"), spec("two"), spec("three")
	at := moment(7, 1000)
	for _, phase := range []Phase{Live, Shadow, Canary, RolledBack, Fallback, Out} {
		s := State{New: IDOf(two), Kind: abi.Filter, Old: &one}.to(phase, "so", moment(2, 10))
		got := s.Follow(two, three, abi.Extract, both, at)
		if got.Phase != Live || got.Kind != abi.Extract || got.Old != nil || got.Generation != 7 ||
			got.Reason != "it was of the kind filter, and is of the kind extract now: a new plugin" {
			t.Errorf("%s: %+v", phase, got)
		}
		if _, err := got.RollBack(moment(8, 0)); err == nil {
			t.Errorf("%s: it is rolled back to a version of another kind", phase)
		}
	}
	s := First(one, "", moment(1, 0)) // of a build that did not say it
	if got := s.Follow(one, two, abi.Filter, both, at); got.Phase != Shadow || got.Kind != abi.Filter {
		t.Errorf("%+v", got)
	}
}

func TestByHand(t *testing.T) {
	one, two := spec("one"), spec("two")
	s := First(one, abi.Filter, moment(1, 0))
	if _, err := s.RollBack(moment(2, 0)); err == nil {
		t.Error("a version without another is rolled back")
	}
	if _, ok := s.Promote(moment(2, 0)); ok {
		t.Error("a version that is live is promoted")
	}
	s = s.Follow(one, two, abi.Filter, both, moment(2, 0))
	s, err := s.RollBack(moment(3, 0))
	if err != nil || s.Phase != RolledBack || s.Generation != 3 {
		t.Errorf("%v %+v", err, s)
	}
	if _, err := s.RollBack(moment(4, 0)); err == nil {
		t.Error("it is rolled back twice")
	}
	s, ok := s.Promote(moment(4, 0))
	if !ok || s.Phase != Live || IDOf(*s.Old) != IDOf(one) {
		t.Errorf("%+v", s)
	}
	if s, err = s.RollBack(moment(5, 0)); err != nil || s.Phase != RolledBack {
		t.Errorf("a version that was promoted: %v %+v", err, s)
	}
}

func TestWait(t *testing.T) {
	s := BreakerSettings{Backoff: 30 * time.Second, MaxBackoff: 10 * time.Minute}
	for trips, want := range map[int]time.Duration{0: 30 * time.Second, 1: 30 * time.Second, 2: time.Minute, 3: 2 * time.Minute, 5: 8 * time.Minute, 6: 10 * time.Minute, 1000: 10 * time.Minute} {
		if got := s.wait(trips); got != want {
			t.Errorf("after %d: %v", trips, got)
		}
	}
}

func TestWindow(t *testing.T) {
	s := BreakerSettings{Traps: whole / 2, Rows: 100}
	var w window
	add := func(rows, traps int64, again, want bool) {
		t.Helper()
		if got := w.add(rows, traps, &s, again); got != want {
			t.Errorf("%d of %d: %v, %+v", traps, rows, got, w)
		}
	}
	add(40, 0, false, false)
	add(49, 49, false, false)
	add(1, 1, false, true) // half of the window, however it ends
	w = window{}
	add(99, 49, false, false)
	add(1, 0, false, false)
	add(60, 49, false, false) // a new window
	w = window{}
	add(9, 4, true, false) // a short one, since it is tried again
	add(1, 0, true, false)
	add(49, 49, true, false) // as long as ever
	w = window{}
	add(5, 5, true, true)
}
