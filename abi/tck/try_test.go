package tck

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
)

// moody is odd that fails at some rows.
type moody struct {
	odd
	fails func(n int64) bool
}

func (g *moody) Process(ctx context.Context, b *abi.Batch, out *abi.Output) error {
	for _, n := range b.Columns[0].I64 {
		if g.fails(n) {
			return fmt.Errorf("not %d", n)
		}
	}
	return g.odd.Process(ctx, b, out)
}

// numbers is a batch of rows with n from 0 up.
func numbers(rows int) *abi.Batch {
	list := make([][]abi.Value, rows)
	for i := range list {
		list[i] = make([]abi.Value, len(plan.Fields))
		list[i][0] = abi.Value{Kind: abi.Number, Text: fmt.Append(nil, i)}
	}
	b := new(abi.Batch)
	abi.Build(plan.Fields, list, b)
	return b
}

// Rows at which the guest fails are found, and its purity is tried with the others,
// whose numbers are those of the whole batch.
func TestTry(t *testing.T) {
	open := 0
	s := Subject{Kind: abi.Filter, Plan: plan, New: func(context.Context) (Guest, func() error, error) {
		open++
		seen := false
		g := &moody{fails: func(n int64) bool { return n == 3 || n == 40 }}
		g.spoil = func(_ *odd, b *abi.Batch, row int, keep bool) bool {
			if b.Columns[0].I64[row] != 41 {
				return keep
			}
			seen = !seen
			return seen
		}
		return g, func() error { open--; return nil }, nil
	}}
	r, err := Try(t.Context(), s, numbers(50), 1)
	if err != nil {
		t.Fatal(err)
	}
	var guilty []int
	for _, g := range r.Guilty {
		guilty = append(guilty, g.Row)
		if want := fmt.Sprint("not ", g.Row); g.Err.Error() != want {
			t.Errorf("row %d failed with %v", g.Row, g.Err)
		}
	}
	if !slices.Equal(guilty, []int{3, 40}) || r.Rows != 50 {
		t.Errorf("%+v", r)
	}
	for _, f := range r.Failures {
		if f.Row != 41 {
			t.Errorf("%+v", f)
		}
	}
	if len(r.Failures) == 0 || open != 0 {
		t.Errorf("%d failures, %d instances left", len(r.Failures), open)
	}
}

func TestTryGivesUp(t *testing.T) {
	s := Subject{Kind: abi.Filter, Plan: plan, New: func(context.Context) (Guest, func() error, error) {
		return &moody{fails: func(n int64) bool { return n%2 == 0 }}, func() error { return nil }, nil
	}}
	if r, err := Try(t.Context(), s, numbers(50), 1); !errors.Is(err, ErrGivenUp) || len(r.Guilty) != maxGuilty {
		t.Errorf("%v %+v", err, r)
	}
	s.New = func(context.Context) (Guest, func() error, error) {
		return &moody{fails: func(int64) bool { return true }}, func() error { return nil }, nil
	}
	if r, err := Try(t.Context(), s, numbers(4), 1); err != nil || len(r.Guilty) != 4 || len(r.Failures) > 0 {
		t.Errorf("one that fails at all: %v %+v", err, r)
	}
}
