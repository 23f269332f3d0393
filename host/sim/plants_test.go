package sim

import (
	"flag"
	"testing"
)

var tries = flag.Uint64("tries", 40, "within how many seeds a planted bug must be caught")

// plantedBugs are faults of order around the stages that the simulation must
// notice: each is a wrong turn of worker or shipping, which otherwise do as
// kafka.Loop and ship's session do.
var plantedBugs = []string{
	"offset committed before deltas",
	"abort without rollback",
	"mark outside the transaction",
	"dead letter outside the transaction",
	"progress before deltas",
	"partition released before its commit",
	"offset read that is not stable",
	"lost answer taken for an abort",
	"safe offset without horizon",
	"safe offset at the end",
	"snapshot off by one",
}

func TestPlantedBugs(t *testing.T) {
	for _, bug := range plantedBugs {
		t.Run(bug, func(t *testing.T) {
			t.Parallel()
			for seed := uint64(1); seed <= *tries; seed++ {
				if s := simulate(t, seed, bug); len(s.faults) > 0 {
					t.Logf("%s: caught by seed %d: %s", bug, seed, s.faults[0])
					return
				}
			}
			t.Errorf("not caught by %d seeds", *tries)
		})
	}
}
