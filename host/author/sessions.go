package author

import (
	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/beacon"
)

// sessions are those of the beacons that were seen, by their ids alone: no gap ends
// one. Slots are those of the rows that were seen last.
type sessions struct {
	closed abi.Closed
	index  map[string]uint32
	names  []string // in the order in which they began
}

func newSessions(plan *abi.Plan) *sessions {
	s := &sessions{index: map[string]uint32{}}
	s.closed.Counts = make([][]int64, len(plan.Points))
	s.closed.Cells = make([][]uint64, len(plan.Cells))
	return s
}

// see notes the sessions of rows.
func (s *sessions) see(b *beacon.Batch, sel []int) {
	s.closed.Slots = s.closed.Slots[:0]
	for _, row := range sel {
		r := b.Row(row)
		at, known := s.index[string(r.Session)]
		if !known {
			at = s.begin(string(r.Session), r.Time)
		}
		s.closed.First[at] = min(s.closed.First[at], r.Time)
		s.closed.Last[at] = max(s.closed.Last[at], r.Time)
		s.closed.Slots = append(s.closed.Slots, at)
	}
}

func (s *sessions) begin(name string, time int64) uint32 {
	at := uint32(len(s.names))
	s.index[name] = at
	s.names = append(s.names, name)
	s.closed.First, s.closed.Last = append(s.closed.First, time), append(s.closed.Last, time)
	for i := range s.closed.Counts {
		s.closed.Counts[i] = append(s.closed.Counts[i], 0)
	}
	for i := range s.closed.Cells {
		s.closed.Cells[i] = append(s.closed.Cells[i], 0)
	}
	return at
}

// count notes a measurement of a point at a row that was seen.
func (s *sessions) count(row *beacon.Row, point int) {
	s.closed.Counts[point][s.index[string(row.Session)]]++
}

// ended are all sessions.
func (s *sessions) ended() *abi.Closed {
	s.closed.Slots = s.closed.Slots[:0]
	for i := range s.names {
		s.closed.Slots = append(s.closed.Slots, uint32(i))
	}
	return &s.closed
}
