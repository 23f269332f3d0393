package rollout

import "github.com/seed-6a2d649b/pharos/host/beacon"

// looks are what the rows of a call are. Those that were looked at before are asked
// about, since answers may be others now, and not counted or compared again.
type looks struct {
	batch *beacon.Batch // nil of sessions that have ended
	again bool          // these were measured before
}

func (l looks) isAgain(row int) bool {
	if l.batch == nil {
		return l.again
	}
	return l.batch.Again(row)
}

// new is how many of the rows were not looked at before.
func (l looks) new(sel []int) int {
	switch {
	case l.batch != nil:
		return l.batch.New(sel)
	case l.again:
		return 0
	}
	return len(sel)
}
