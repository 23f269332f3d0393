package tck

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-6a2d649b/pharos/abi"
)

// Report is what Try found.
type Report struct {
	Rows     int       // that were tried
	Guilty   []Guilty  // rows at which the guest fails, in order
	Failures []Failure // rules of purity that it broke with the others
}

// Guilty is a row at which a guest fails, alone and in a fresh instance.
type Guilty struct {
	Row int
	Err error // what it failed with
}

// maxGuilty is how many guilty rows are looked for: a guest that fails at more is
// not tried any further.
const maxGuilty = 10

// ErrGivenUp is in the error of Try where a guest fails at too many rows to go on;
// the report has those that were found.
var ErrGivenUp = errors.New("the guest fails at many rows")

// Try finds the rows at which a guest fails, and tries its purity with the others.
// An error other than ErrGivenUp is of a guest that gives no instance, or that fails
// at rows together which it answers one by one.
func Try(ctx context.Context, s Subject, b *abi.Batch, seed uint64) (_ *Report, err error) {
	b = withSessions(s, b, seed)
	search := &search{subject: s, batch: b, state: newState(b)}
	r := &Report{Rows: b.Rows}
	all := make([]int, b.Rows)
	for i := range all {
		all[i] = i
	}
	err = search.rows(ctx, all)
	r.Guilty = search.guilty
	if err := errors.Join(err, search.end()); err != nil {
		return r, err
	}
	if len(search.good) == 0 {
		return r, nil
	}
	var rest abi.Batch
	Select(b, search.good, &rest)
	failures, err := Purity(ctx, s, &rest, seed)
	for _, f := range failures {
		if f.Row >= 0 {
			f.Row = search.good[f.Row]
		}
		r.Failures = append(r.Failures, f)
	}
	return r, err
}

// search looks for guilty rows by halving, as a host does.
type search struct {
	subject Subject
	batch   *abi.Batch
	state   *state
	guest   Guest // nil: the next call needs a new one
	done    func() error
	part    abi.Batch
	out     abi.Output
	guilty  []Guilty
	good    []int
}

func (s *search) rows(ctx context.Context, rows []int) error {
	failure, err := s.ask(ctx, rows)
	if err != nil {
		return err
	}
	if failure == nil {
		s.good = append(s.good, rows...)
		return nil
	}
	if len(rows) > 1 {
		if err := s.rows(ctx, rows[:len(rows)/2]); err != nil {
			return err
		}
		return s.rows(ctx, rows[len(rows)/2:])
	}
	if failure, err = s.ask(ctx, rows); err != nil { // in a fresh instance
		return err
	}
	if failure == nil {
		s.good = append(s.good, rows...)
		return nil
	}
	s.guilty = append(s.guilty, Guilty{Row: rows[0], Err: failure})
	if len(s.guilty) == maxGuilty {
		return fmt.Errorf("%w, %d at least", ErrGivenUp, maxGuilty)
	}
	return nil
}

// ask has the rows answered. A failure is the guest's, whose instance is gone.
func (s *search) ask(ctx context.Context, rows []int) (failure, err error) {
	if s.guest == nil {
		if s.guest, s.done, err = s.subject.New(ctx); err != nil {
			return nil, err
		}
	}
	Select(s.batch, rows, &s.part)
	s.state.load(rows, &s.part)
	failure = s.guest.Process(ctx, &s.part, &s.out)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if failure != nil {
		return failure, s.end()
	}
	return nil, s.state.store(&s.out)
}

// end lets the instance go.
func (s *search) end() error {
	if s.guest == nil {
		return nil
	}
	s.guest = nil
	return s.done()
}
