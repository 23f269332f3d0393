package pipeline_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/seed-6a2d649b/pharos/host/definition"
)

// change is where a replay goes over to a later generation.
type change struct {
	at       int // beacons before it
	dispatch bool
	to       *world
}

// TestReplayOfGenerations replays random beacons through random generations, of
// which dispatch and sessions take the next one at other places, and compares
// everything with the definition.
func TestReplayOfGenerations(t *testing.T) {
	for seed := *firstSeed; seed < *firstSeed+*seeds/2; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(seed, params{evolving: true})
			files := w.files(newTraffic(w, seed))
			lines := w.linesOf(files)
			var changes []change
			for i, to := 1+w.IntN(3), w; i > 0; i-- {
				to = to.next(seed + uint64(i)<<32)
				changes = append(changes, change{w.IntN(len(lines) + 1), true, to}, change{w.IntN(len(lines) + 1), false, to})
			}
			inOrder(changes)
			dispatched, inForce := 0, 0
			generations := func(dispatch bool) (all []change) {
				return slices.DeleteFunc(slices.Clone(changes), func(c change) bool { return c.dispatch != dispatch })
			}
			for i := range lines {
				for all := generations(true); dispatched < len(all) && all[dispatched].at <= i; {
					dispatched++
				}
				for all := generations(false); inForce < len(all) && all[inForce].at <= i; {
					inForce++
				}
				if dispatched > 0 {
					lines[i].Dispatch = &generations(true)[dispatched-1].to.def
				}
				if inForce > 0 {
					lines[i].Session = &generations(false)[inForce-1].to.def
				}
			}
			out, summary, err := w.replay(t, t.TempDir(), files, changes...)
			if err != nil {
				t.Fatal(err)
			}
			if !compareWith(t, out, summary, definition.Compute(w.def, lines)) {
				t.Logf("run it again with -seed %d -seeds 2; the first config is\n%s", seed, w.yaml.String())
				for _, c := range changes {
					t.Logf("from beacon %d on (dispatch: %v)\n%s", c.at, c.dispatch, c.to.yaml.String()[len(w.head):])
				}
			}
		})
	}
}

// inOrder gives each stage its generations one after another, at the places that
// were drawn.
func inOrder(changes []change) {
	for _, dispatch := range []bool{true, false} {
		var at []int
		for _, c := range changes {
			if c.dispatch == dispatch {
				at = append(at, c.at)
			}
		}
		slices.Sort(at)
		for i := range changes {
			if changes[i].dispatch == dispatch {
				changes[i].at, at = at[0], at[1:]
			}
		}
	}
	slices.SortStableFunc(changes, func(a, b change) int { return cmp.Compare(a.at, b.at) })
}
