package sim

import (
	"flag"
	"fmt"
	"testing"
	"testing/synctest"
)

var (
	firstSeed = flag.Uint64("seed", 1, "the first seed")
	seeds     = flag.Uint64("seeds", 200, "number of seeds")
	happen    = flag.Int("happen", 5000, "how many things happen in a run")
	until     = flag.Bool("until-fault", false, "run seeds one by one, and end at the first that fails")
	lines     = flag.Int("story", 60, "how many lines of what happened a failing run prints")
)

// TestSeeds runs the simulation under many seeds. A failing one prints how it is
// run again.
func TestSeeds(t *testing.T) {
	for seed := *firstSeed; seed < *firstSeed+*seeds; seed++ {
		if *until {
			fmt.Printf("seed %d runs\n", seed)
			if s := simulate(t, seed, ""); len(s.faults) > 0 {
				t.Fatal(s.report("TestSeeds", *lines))
			}
			continue
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			s := simulate(t, seed, "")
			t.Log(s)
			if len(s.faults) > 0 {
				t.Error(s.report("TestSeeds", *lines))
			}
		})
	}
}

// simulate runs one seed, with a planted bug if one is named.
func simulate(t *testing.T, seed uint64, plant string) (s *simulation) {
	versions()
	synctest.Test(t, func(*testing.T) {
		s = newSimulation(seed, plant)
		s.run(*happen)
		if len(s.faults) == 0 {
			s.check()
		}
	})
	return s
}

// TestSeedsRepeat: a seed gives the same run every time, to the last record.
func TestSeedsRepeat(t *testing.T) {
	for seed := range uint64(5) {
		a, b := simulate(t, seed, ""), simulate(t, seed, "")
		if x, y := a.digest(), b.digest(); x != y {
			t.Errorf("seed %d comes to %s, then to %s", seed, x, y)
		}
	}
}
