// Package tck is the conformance kit of the plugin ABI: it proves that a guest
// answers as a pure function of its config and of each row, whatever the batches
// and instances (abi/SPEC.md, section 7). It runs against anything that takes a
// batch: a wasm instance, or a guest that is compiled natively.
package tck

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/seed-6a2d649b/pharos/abi"
)

// Guest is one configured instance.
type Guest interface {
	Process(ctx context.Context, b *abi.Batch, out *abi.Output) error
}

// Subject is what is tried.
type Subject struct {
	Kind abi.Kind
	Plan *abi.Plan
	New  Make
	// Closes says that the guest has a close function: batches of closed sessions are
	// given to Process too.
	Closes bool
	// Tight makes an instance whose outputs have no room at first, so that the guest
	// must ask for it. Where it is nil, that is not tried.
	Tight Make
}

// Make returns a fresh instance; done lets it go.
type Make func(ctx context.Context) (g Guest, done func() error, err error)

// Failure is one rule of purity that the guest broke.
type Failure struct {
	Check  string // repeated, fresh, tight, reversed, shuffled, doubled, halves, pieces, alone, counters, cells
	Detail string // the row, and both answers
	Row    int    // of the batch; -1 of counters
	Closed bool   // it is what the close function answers to the session of the row, which is its last
	Got    string // the answer, as Answers writes it
	Want   string // the answer in the whole batch
}

func (f Failure) String() string {
	if f.Closed {
		return "close, " + f.Check + ": " + f.Detail
	}
	return f.Check + ": " + f.Detail
}

// aloneRows is how many rows at most are tried in a batch and an instance of
// their own.
const aloneRows = 32

// Purity answers the batch in many ways and compares with the answer to the
// whole batch. At most one failure a check is returned. The error is of a guest
// that fails altogether.
//
// Rows of a guest with cells are of the sessions that the batch says, or of some that
// the kit makes up; rows of one session stay in order, and their cells are carried
// from call to call and compared too.
func Purity(ctx context.Context, s Subject, b *abi.Batch, seed uint64) (_ []Failure, err error) {
	g, done, err := s.New(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	beacons := &kit{subject: s, batch: withSessions(s, b, seed)}
	if err := beacons.whole(ctx, g); err != nil {
		return nil, err
	}
	closed := &kit{subject: s}
	var last []int
	if s.Closes {
		closed.batch, last = ended(s.Plan, beacons.after, &beacons.out, seed)
	}
	if err := beacons.vary(ctx, g, seed); err != nil || !s.Closes {
		return beacons.failures, err
	}
	if err := closed.whole(ctx, g); err != nil {
		return nil, fmt.Errorf("close: %w", err)
	}
	if err := closed.vary(ctx, g, seed); err != nil {
		return nil, fmt.Errorf("close: %w", err)
	}
	failures := beacons.failures
	for _, f := range closed.failures {
		f.Closed = true
		if f.Row >= 0 {
			f.Row = last[f.Row]
		}
		failures = append(failures, f)
	}
	return failures, nil
}

// whole asks for the whole batch.
func (k *kit) whole(ctx context.Context, g Guest) (err error) {
	k.after = newState(k.batch)
	k.want, k.counters, err = k.ask(ctx, g, k.all(), k.after)
	return err
}

func (k *kit) all() []int {
	all := make([]int, k.batch.Rows)
	for i := range all {
		all[i] = i
	}
	return all
}

// vary asks in many ways.
func (k *kit) vary(ctx context.Context, g Guest, seed uint64) error {
	s, b, all := k.subject, k.batch, k.all()
	rng := rand.New(rand.NewPCG(seed, 1))
	reversed := slices.Clone(all)
	slices.Reverse(reversed)
	shuffled := inOrder(rng.Perm(b.Rows), b.Slots)
	doubled := slices.Clone(all)
	for _, row := range all {
		doubled = append(doubled, row+b.Rows)
	}
	for _, c := range []struct {
		name  string
		other Make // nil: the same instance goes on
		parts [][]int
	}{
		{"repeated", nil, [][]int{all}},
		{"fresh", s.New, [][]int{all}},
		{"tight", s.Tight, [][]int{all}},
		{"reversed", nil, [][]int{inOrder(reversed, b.Slots)}},
		{"shuffled", nil, [][]int{shuffled}},
		{"doubled", nil, [][]int{doubled}},
		{"halves", nil, halves(all)},
		{"pieces", nil, pieces(rng, shuffled)},
	} {
		if c.name == "doubled" && 2*b.Rows > abi.MaxRows || c.name == "tight" && s.Tight == nil {
			continue
		}
		if err := k.check(ctx, c.name, g, c.other, newState(b), c.parts); err != nil {
			return err
		}
	}
	return k.alone(ctx, g, shuffled[:min(len(shuffled), aloneRows)])
}

// alone asks for rows in an instance of their own, with the cells as they are when it
// is their turn.
func (k *kit) alone(ctx context.Context, g Guest, rows []int) error {
	state := newState(k.batch)
	before := make(map[int][][]uint64)
	if len(k.batch.Cells) > 0 {
		for _, row := range k.all() {
			if slices.Contains(rows, row) {
				before[row] = copied(state.cells)
			}
			if _, _, err := k.ask(ctx, g, []int{row}, state); err != nil {
				return fmt.Errorf("alone: %w", err)
			}
		}
	}
	for _, row := range rows {
		if cells, ok := before[row]; ok {
			state.cells = cells
		}
		if err := k.check(ctx, "alone", g, k.subject.New, state, [][]int{{row}}); err != nil {
			return err
		}
	}
	return nil
}

func halves(rows []int) [][]int {
	if len(rows) < 2 {
		return [][]int{rows}
	}
	return [][]int{rows[:len(rows)/2], rows[len(rows)/2:]}
}

func pieces(rng *rand.Rand, rows []int) [][]int {
	var parts [][]int
	for len(rows) > 0 {
		n := 1 + rng.IntN(min(len(rows), 17))
		parts = append(parts, rows[:n])
		rows = rows[n:]
	}
	return parts
}

type kit struct {
	subject  Subject
	batch    *abi.Batch
	want     []string // the answer to each row of the whole batch
	counters []uint64
	after    *state // what the whole batch leaves
	part     abi.Batch
	out      abi.Output
	failures []Failure
}

func (k *kit) fail(f Failure) {
	for _, before := range k.failures {
		if before.Check == f.Check {
			return
		}
	}
	k.failures = append(k.failures, f)
}

// check asks for the parts and compares row by row; where the parts are the
// whole batch some times over, the counters are compared too, and the cells.
func (k *kit) check(ctx context.Context, name string, g Guest, other Make, state *state, parts [][]int) (err error) {
	if other != nil {
		var done func() error
		if g, done, err = other(ctx); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, done()) }()
	}
	counters := make([]uint64, len(k.subject.Plan.Counters))
	rows := 0
	for _, part := range parts {
		got, counted, err := k.ask(ctx, g, part, state)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for i, row := range part {
			row %= k.batch.Rows
			if got[i] != k.want[row] {
				k.fail(Failure{
					Check: name, Row: row, Got: got[i], Want: k.want[row],
					Detail: fmt.Sprintf("row %d is answered %s, in the whole batch %s", row, got[i], k.want[row]),
				})
			}
		}
		for i, n := range counted {
			counters[i] += n
		}
		rows += len(part)
	}
	if k.batch.Rows == 0 || rows%k.batch.Rows != 0 {
		return nil
	}
	k.compareCells(name, state, rows/k.batch.Rows)
	for i, n := range counters {
		if want := k.counters[i] * uint64(rows/k.batch.Rows); n != want {
			k.fail(Failure{
				Check: "counters", Row: -1, Got: strconv.FormatUint(n, 10), Want: strconv.FormatUint(want, 10),
				Detail: fmt.Sprintf("%s is %d (%s), by the whole batch %d", k.subject.Plan.Counters[i], n, name, want),
			})
		}
	}
	return nil
}

// compareCells compares what was left to sessions, that many times over, with what
// the whole batch left.
func (k *kit) compareCells(name string, state *state, times int) {
	if len(state.cells) == 0 || k.batch.Closed {
		return
	}
	for row := range times * k.batch.Rows {
		of := row % k.batch.Rows
		got := state.text(k.subject.Plan, int(state.session(row)))
		if want := k.after.text(k.subject.Plan, int(k.after.session(of))); got != want {
			k.fail(Failure{
				Check: "cells", Row: of, Got: got, Want: want,
				Detail: fmt.Sprintf("the session of row %d is left with %s (%s), by the whole batch with %s", of, got, name, want),
			})
			return
		}
	}
}

// ask returns the answer to each of the rows, as text, and the counters. The cells
// are those of the state, and go on there.
func (k *kit) ask(ctx context.Context, g Guest, rows []int, state *state) ([]string, []uint64, error) {
	within := make([]int, len(rows))
	for i, row := range rows {
		within[i] = row % k.batch.Rows
	}
	Select(k.batch, within, &k.part)
	state.load(rows, &k.part)
	if err := g.Process(ctx, &k.part, &k.out); err != nil {
		return nil, nil, err
	}
	if err := state.store(&k.out); err != nil {
		return nil, nil, err
	}
	answers, err := Answers(k.subject.Kind, k.subject.Plan, len(rows), &k.out)
	if err != nil {
		return nil, nil, err
	}
	return answers, append([]uint64(nil), k.out.Counters...), nil
}
