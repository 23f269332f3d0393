package abi

import (
	"errors"
	"fmt"
)

// Run has the vector answered by a guest that was configured for it, and compares
// as Check does. Where the vector says what the close function measures, the sessions
// end after the last beacon, and that is compared too.
func (v *Vector) Run(kind Kind, plan *Plan, process func(b *Batch, out *Output) error) error {
	var b Batch
	var out Output
	if err := v.Batch(plan.Fields, &b); err != nil {
		return err
	}
	if kind != Extract || len(plan.Cells) == 0 && v.closed == nil {
		if err := process(&b, &out); err != nil {
			return v.fault(err)
		}
		return v.Check(kind, plan, &out)
	}
	s, err := v.sessions(plan)
	if err != nil {
		return err
	}
	b.Sessions = s.Sessions
	if err := process(&b, &out); err != nil {
		return v.fault(err)
	}
	if v.closed == nil {
		return v.Check(kind, plan, &out)
	}
	return s.close(plan, &out, process)
}

func (v *Vector) fault(err error) error { return fmt.Errorf("golden vector, line %d: %w", v.Line, err) }

// vectorSessions are the sessions of a vector's beacons; in Closed a row is a
// session and has the slot of its number, in Sessions the rows are the beacons.
type vectorSessions struct {
	vector *Vector
	names  []string // in the order of their first beacons
	closed Closed
	Sessions
}

func (v *Vector) sessions(plan *Plan) (*vectorSessions, error) {
	s := &vectorSessions{vector: v}
	rows, err := v.Rows([]Field{{Name: FieldSession, Type: Str}, {Name: FieldTime, Type: I64}})
	if err != nil {
		return nil, err
	}
	slots := map[string]uint32{}
	for i, row := range rows {
		at, ok := ParseI64(row[1].Text)
		if row[0].Kind != String && row[0].Kind != Untyped || !ok {
			return nil, v.fault(fmt.Errorf("beacon %d: %s is a string and %s a whole number of ms, where sessions are kept", i, FieldSession, FieldTime))
		}
		name := string(row[0].Text)
		slot, ok := slots[name]
		if !ok {
			slot = uint32(len(slots))
			slots[name] = slot
			s.names = append(s.names, name)
			s.closed.First, s.closed.Last = append(s.closed.First, at), append(s.closed.Last, at)
			s.closed.Slots = append(s.closed.Slots, slot)
		}
		if at < s.closed.Last[slot] {
			return nil, v.fault(fmt.Errorf("beacon %d: its %s is before that of the beacon before in session %q", i, FieldTime, name))
		}
		s.closed.Last[slot] = at
		s.Slots = append(s.Slots, slot)
	}
	for range plan.Cells {
		s.Cells = append(s.Cells, make([]uint64, len(s.names)))
	}
	for name := range v.closed {
		if _, ok := slots[name]; !ok {
			return nil, v.fault(fmt.Errorf("close: no beacon is of session %q", name))
		}
	}
	return s, nil
}

// close ends the sessions, after what out says of the beacons.
func (s *vectorSessions) close(plan *Plan, out *Output, process func(b *Batch, out *Output) error) error {
	v := s.vector
	for range plan.Points {
		s.closed.Counts = append(s.closed.Counts, make([]int64, len(s.names)))
	}
	for _, m := range out.Measurements {
		if !IsBadValue(m.Value) {
			s.closed.Counts[m.Point][s.Slots[m.Row]]++
		}
	}
	if s.closed.Cells = out.Cells; len(plan.Cells) == 0 {
		s.closed.Cells = nil
	}
	var b Batch
	var ended Output
	s.closed.Batch(0, len(s.names), &b)
	if err := process(&b, &ended); err != nil {
		return v.fault(err)
	}
	for i, n := range ended.Counters {
		out.Counters[i] += n
	}
	errs := []error{v.Check(Extract, plan, out)}
	for i, name := range s.names {
		if got, want := extracted(plan, &ended, uint32(i)), expected(v.closed[name]); got != want {
			errs = append(errs, &Mismatch{Line: v.Line, Beacon: -1, Session: name, Got: got, Want: want})
		}
	}
	return errors.Join(errs...)
}
