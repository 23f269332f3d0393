package author

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// maxOrdered bounds what is held to be put in event order: the bytes of the beacons,
// and beaconBytes for each.
const (
	maxOrdered  = 1 << 30
	beaconBytes = 512
)

// place is where a beacon stands.
type place struct {
	path string
	line int64
}

// inEventOrder asks about the beacons of files as a host has them answered in the
// end: those of a session in event order, in whatever order they came. What was
// decided is told in the order of the files.
func (r *runner) inEventOrder(ctx context.Context, inputs []Input) error {
	b, places := beacon.NewBatch(r.fields), []place(nil)
	var sel []int
	held := 0
	for i := range inputs {
		in := &inputs[i]
		err := in.rows(b, func(row int, line int64, cause beacon.Cause) error {
			places = append(places, place{in.Path, line})
			if cause == "" {
				cause = unkeyed(b.Row(row))
			}
			if cause != "" {
				r.ran.Unasked[cause]++
			} else {
				sel = append(sel, row)
			}
			if held += len(b.Row(row).Raw) + beaconBytes; held > maxOrdered {
				return fmt.Errorf("%s, line %d: the beacons up to here take more than the %d MiB in which they are put in event order: give fewer at once, or run the plugin by 'pharos replay'", in.Path, line, maxOrdered>>20)
			}
			return ctx.Err()
		})
		if err != nil {
			return err
		}
	}
	a := newAnswers()
	for some := range slices.Chunk(eventOrder(b, sel), runRows) {
		if err := r.extract(ctx, b, some, a); err != nil {
			return err
		}
	}
	for _, row := range sel {
		d := Decision{Path: places[row].path, Line: places[row].line, Fields: r.shown(b.Row(row).Values)}
		if err := r.decide(d, row, a); err != nil {
			return err
		}
		r.ran.Beacons++
	}
	return r.end(ctx)
}

// unkeyed is why a beacon is of no session.
func unkeyed(row *beacon.Row) beacon.Cause {
	switch {
	case !row.HasTime:
		return beacon.NoTime
	case len(row.Session) == 0:
		return beacon.NoSession
	}
	return ""
}

// eventOrder gives rows by their time, then id, then as they stand.
func eventOrder(b *beacon.Batch, sel []int) []int {
	ordered := slices.Clone(sel)
	slices.SortStableFunc(ordered, func(i, j int) int {
		x, y := b.Row(i), b.Row(j)
		return cmp.Or(cmp.Compare(x.Time, y.Time), bytes.Compare(x.ID, y.ID))
	})
	return ordered
}

// extract has an extractor that knows sessions measure rows that come in event order.
func (r *runner) extract(ctx context.Context, b *beacon.Batch, sel []int, a *answers) error {
	r.sessions.see(b, sel)
	emit := func(m metric.Measurement) {
		a.measure(r.plan, m)
		r.sessions.count(m.Row, m.Point)
	}
	bad := func(row int) { a.bad[row]++ }
	if len(r.plan.Cells) == 0 {
		return r.plugin.Extract(ctx, b, sel, emit, bad, a.fail)
	}
	return r.plugin.ExtractSessions(ctx, b, sel, &r.sessions.closed.Sessions, emit, bad, a.fail)
}

// end ends the sessions.
func (r *runner) end(ctx context.Context) error {
	if !r.plugin.Closes() || len(r.sessions.names) == 0 {
		return nil
	}
	a := newAnswers()
	err := r.plugin.CloseSessions(ctx, r.sessions.ended(), func(m metric.Measurement) { a.measure(r.plan, m) }, func(row int) { a.bad[row]++ }, a.fail)
	if err != nil {
		return err
	}
	for row, name := range r.sessions.names {
		if err := r.decide(Decision{Session: name}, row, a); err != nil {
			return err
		}
		r.ran.Sessions++
	}
	return nil
}

// sessions are those of the beacons that were seen. Slots are those of the rows that
// were seen last.
type sessions struct {
	gap    int64 // ms; 0: none ends one
	closed abi.Closed
	open   map[sessionKey]uint32 // the last one of a key
	of     map[int]uint32        // by row, of those that were seen last
	names  []string              // in the order in which they began
}

type sessionKey struct{ tenant, session string }

func newSessions(plan *abi.Plan, gap time.Duration) *sessions {
	s := &sessions{gap: gap.Milliseconds(), open: map[sessionKey]uint32{}, of: map[int]uint32{}}
	s.closed.Counts = make([][]int64, len(plan.Points))
	s.closed.Cells = make([][]uint64, len(plan.Cells))
	return s
}

// see notes the sessions of rows, which come in event order.
func (s *sessions) see(b *beacon.Batch, sel []int) {
	s.closed.Slots = s.closed.Slots[:0]
	clear(s.of)
	for _, row := range sel {
		r := b.Row(row)
		key := sessionKey{string(r.Tenant), string(r.Session)}
		at, known := s.open[key]
		if !known || s.gap > 0 && r.Time-s.closed.Last[at] > s.gap {
			at = s.begin(key, r.Time)
		}
		s.closed.Last[at] = r.Time
		s.closed.Slots = append(s.closed.Slots, at)
		s.of[row] = at
	}
}

func (s *sessions) begin(key sessionKey, time int64) uint32 {
	at := uint32(len(s.names))
	s.open[key] = at
	s.names = append(s.names, key.session)
	s.closed.First, s.closed.Last = append(s.closed.First, time), append(s.closed.Last, time)
	for i := range s.closed.Counts {
		s.closed.Counts[i] = append(s.closed.Counts[i], 0)
	}
	for i := range s.closed.Cells {
		s.closed.Cells[i] = append(s.closed.Cells[i], 0)
	}
	return at
}

// count notes a measurement of a point at a row that was seen last.
func (s *sessions) count(row, point int) { s.closed.Counts[point][s.of[row]]++ }

// ended are all sessions.
func (s *sessions) ended() *abi.Closed {
	s.closed.Slots = s.closed.Slots[:0]
	for i := range s.names {
		s.closed.Slots = append(s.closed.Slots, uint32(i))
	}
	return &s.closed
}
