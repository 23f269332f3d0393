package tck

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/seed-6a2d649b/pharos/abi"
)

// withSessions is the batch with sessions of its rows: those that it has, or some that
// begin, a few rows each, where the subject looks at sessions.
func withSessions(s Subject, b *abi.Batch, seed uint64) *abi.Batch {
	if len(s.Plan.Cells) == 0 && !s.Closes || len(b.Slots) > 0 {
		return b
	}
	rng := rand.New(rand.NewPCG(seed, 2))
	with := *b
	with.Sessions = abi.Sessions{}
	n := 1 + b.Rows/4
	for range b.Rows {
		with.Slots = append(with.Slots, uint32(rng.IntN(n)))
	}
	for range s.Plan.Cells {
		with.Cells = append(with.Cells, make([]uint64, n))
	}
	return &with
}

// state is the cells of all sessions of a batch, as calls leave them. The rows may be
// given twice: row n of a batch of n rows is row 0 again, of a session of its own.
type state struct {
	batch    *abi.Batch
	sessions int
	cells    [][]uint64 // by cell, by session; those of the second time behind the first
	part     abi.Sessions
	of       []uint32 // the session, by slot of the part
}

func newState(b *abi.Batch) *state {
	s := &state{batch: b}
	for _, slot := range b.Slots {
		s.sessions = max(s.sessions, int(slot)+1)
	}
	for _, cell := range b.Cells {
		s.cells = append(s.cells, slices.Concat(cell[:s.sessions], cell[:s.sessions]))
	}
	return s
}

func (s *state) session(row int) uint32 {
	n := s.batch.Rows
	return s.batch.Slots[row%n] + uint32(row/n*s.sessions)
}

// load gives the part its sessions.
func (s *state) load(rows []int, part *abi.Batch) {
	if len(s.batch.Slots) == 0 {
		part.Sessions = abi.Sessions{}
		return
	}
	s.of, s.part.Slots = s.of[:0], s.part.Slots[:0]
	slots := make(map[uint32]uint32)
	for _, row := range rows {
		session := s.session(row)
		slot, ok := slots[session]
		if !ok {
			slot = uint32(len(s.of))
			slots[session] = slot
			s.of = append(s.of, session)
		}
		s.part.Slots = append(s.part.Slots, slot)
	}
	s.part.Cells = make([][]uint64, len(s.cells))
	for i, cell := range s.cells {
		for _, session := range s.of {
			s.part.Cells[i] = append(s.part.Cells[i], cell[session])
		}
	}
	part.Sessions = s.part
}

// store takes the cells of the last part over, after a call.
func (s *state) store(out *abi.Output) error {
	if len(s.cells) == 0 || s.batch.Closed {
		return nil
	}
	if len(out.Cells) != len(s.cells) {
		return fmt.Errorf("%d cells come back of %d", len(out.Cells), len(s.cells))
	}
	for i, values := range out.Cells {
		if len(values) != len(s.of) {
			return fmt.Errorf("cell %d comes back with %d values of %d", i, len(values), len(s.of))
		}
		for slot, session := range s.of {
			s.cells[i][session] = values[slot]
		}
	}
	return nil
}

func copied(cells [][]uint64) [][]uint64 {
	all := make([][]uint64, len(cells))
	for i, cell := range cells {
		all[i] = slices.Clone(cell)
	}
	return all
}

// text is the cells of a session.
func (s *state) text(plan *abi.Plan, session int) string {
	text := ""
	for i, c := range plan.Cells {
		text += fmt.Sprintf("[%s %x]", c.Name, s.cells[i][session])
	}
	return text
}

// inOrder is the rows with those of each session in event order, sessions in between
// as they are.
func inOrder(rows []int, slots []uint32) []int {
	if len(slots) == 0 {
		return rows
	}
	next := make(map[uint32][]int)
	for _, row := range slices.Sorted(slices.Values(rows)) {
		next[slots[row]] = append(next[slots[row]], row)
	}
	ordered := make([]int, 0, len(rows))
	for _, row := range rows {
		s := slots[row]
		ordered = append(ordered, next[s][0])
		next[s] = next[s][1:]
	}
	return ordered
}

// ended is the batch of the sessions of a batch that was answered as a whole, as if
// they had ended then, and the last row of each. Their times are made up.
func ended(plan *abi.Plan, s *state, out *abi.Output, seed uint64) (*abi.Batch, []int) {
	rng := rand.New(rand.NewPCG(seed, 3))
	number := make(map[uint32]int) // row of the closed batch, by session
	var last []int
	var c abi.Closed
	for row, session := range s.batch.Slots {
		n, ok := number[session]
		if !ok {
			n = len(last)
			number[session] = n
			last = append(last, row)
			first := 1_700_000_000_000 + rng.Int64N(1_000_000)
			c.First, c.Last = append(c.First, first), append(c.Last, first+rng.Int64N(5_000_000))
			c.Slots = append(c.Slots, uint32(n))
		}
		last[n] = row
	}
	for range plan.Points {
		c.Counts = append(c.Counts, make([]int64, len(last)))
	}
	for _, m := range out.Measurements {
		if !abi.IsBadValue(m.Value) {
			c.Counts[m.Point][number[s.batch.Slots[m.Row]]]++
		}
	}
	for _, cell := range s.cells {
		values := make([]uint64, len(last))
		for session, n := range number {
			values[n] = cell[session]
		}
		c.Cells = append(c.Cells, values)
	}
	b := new(abi.Batch)
	c.Batch(0, len(last), b)
	return b, last
}
