// Package tck is the conformance kit of the plugin ABI: it proves that a guest
// answers as a pure function of its config and of each row, whatever the batches
// and instances (abi/SPEC.md, section 7). It runs against anything that takes a
// batch: a wasm instance, or a guest that is compiled natively.
package tck

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

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
	// Tight makes an instance whose outputs have no room at first, so that the guest
	// must ask for it. Where it is nil, that is not tried.
	Tight Make
}

// Make returns a fresh instance; done lets it go.
type Make func(ctx context.Context) (g Guest, done func() error, err error)

// Failure is one rule of purity that the guest broke.
type Failure struct {
	Check  string // repeated, fresh, tight, reversed, shuffled, doubled, halves, pieces, alone, counters
	Detail string // the row, and both answers
	Row    int    // of the batch; -1 of counters
	Got    string // the answer, as Answers writes it
	Want   string // the answer in the whole batch
}

func (f Failure) String() string { return f.Check + ": " + f.Detail }

// aloneRows is how many rows at most are tried in a batch and an instance of
// their own.
const aloneRows = 32

// Purity answers the batch in many ways and compares with the answer to the
// whole batch. At most one failure a check is returned. The error is of a guest
// that fails altogether, or of a plan with cells, whose rows depend on each
// other.
func Purity(ctx context.Context, s Subject, b *abi.Batch, seed uint64) (_ []Failure, err error) {
	if len(s.Plan.Cells) > 0 {
		return nil, errors.New("plan with cells: the kit cannot try session state yet")
	}
	k := &kit{subject: s, batch: b}
	g, done, err := s.New(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done()) }()

	all := make([]int, b.Rows)
	for i := range all {
		all[i] = i
	}
	if k.want, k.counters, err = k.ask(ctx, g, all); err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	reversed := make([]int, 0, b.Rows)
	for i := b.Rows - 1; i >= 0; i-- {
		reversed = append(reversed, i)
	}
	shuffled := rng.Perm(b.Rows)
	for _, c := range []struct {
		name  string
		other Make // nil: the same instance goes on
		parts [][]int
	}{
		{"repeated", nil, [][]int{all}},
		{"fresh", s.New, [][]int{all}},
		{"tight", s.Tight, [][]int{all}},
		{"reversed", nil, [][]int{reversed}},
		{"shuffled", nil, [][]int{shuffled}},
		{"doubled", nil, [][]int{append(append([]int(nil), all...), all...)}},
		{"halves", nil, halves(all)},
		{"pieces", nil, pieces(rng, shuffled)},
	} {
		if c.name == "doubled" && 2*b.Rows > abi.MaxRows || c.name == "tight" && s.Tight == nil {
			continue
		}
		if err := k.check(ctx, c.name, g, c.other, c.parts); err != nil {
			return nil, err
		}
	}
	for _, i := range shuffled[:min(len(shuffled), aloneRows)] {
		if err := k.check(ctx, "alone", g, s.New, [][]int{{i}}); err != nil {
			return nil, err
		}
	}
	return k.failures, nil
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
// whole batch some times over, the counters are compared too.
func (k *kit) check(ctx context.Context, name string, g Guest, other Make, parts [][]int) (err error) {
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
		got, counted, err := k.ask(ctx, g, part)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for i, row := range part {
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

// ask returns the answer to each of the rows, as text, and the counters.
func (k *kit) ask(ctx context.Context, g Guest, rows []int) ([]string, []uint64, error) {
	Select(k.batch, rows, &k.part)
	if err := g.Process(ctx, &k.part, &k.out); err != nil {
		return nil, nil, err
	}
	answers, err := Answers(k.subject.Kind, k.subject.Plan, len(rows), &k.out)
	if err != nil {
		return nil, nil, err
	}
	return answers, append([]uint64(nil), k.out.Counters...), nil
}

// Answers writes what an output says of each row as text, so that two guests or
// two batches can be compared. An error is of an output that does not fit the
// plan, which a host would not have let through.
func Answers(kind abi.Kind, plan *abi.Plan, rows int, out *abi.Output) ([]string, error) {
	answers := make([]string, rows)
	switch kind {
	case abi.Filter:
		if len(out.Keep) < abi.BitmapBytes(rows) || len(out.Reasons) != rows {
			return nil, fmt.Errorf("answer of %d bytes and %d reasons to %d rows", len(out.Keep), len(out.Reasons), rows)
		}
		for i := range answers {
			answers[i] = "keep"
			if !abi.Bit(out.Keep, i) {
				answers[i] = "drop " + name(plan.Reasons, int(out.Reasons[i]))
			}
		}
	case abi.Split:
		if len(out.Routes) != rows {
			return nil, fmt.Errorf("%d routes for %d rows", len(out.Routes), rows)
		}
		for i, r := range out.Routes {
			answers[i] = "no opinion"
			if r != abi.NoRoute {
				answers[i] = "route " + name(plan.Routes, int(r))
			}
		}
	case abi.Extract:
		for _, m := range out.Measurements {
			if int(m.Row) >= rows || int(m.Point) >= len(plan.Points) || int(m.Attributes) > len(out.Attributes) {
				return nil, fmt.Errorf("measurement %+v of %d rows, %d points, %d tuples", m, rows, len(plan.Points), len(out.Attributes))
			}
			answers[m.Row] += measurement(plan, out, m)
		}
		for _, r := range out.BadValues {
			if int(r) >= rows {
				return nil, fmt.Errorf("bad value of row %d of %d", r, rows)
			}
			answers[r] += "[bad value]"
		}
	}
	return answers, nil
}

func name(names []string, i int) string {
	if i < len(names) {
		return strconv.Quote(names[i])
	}
	return "number " + strconv.Itoa(i)
}

func measurement(plan *abi.Plan, out *abi.Output, m abi.Measurement) string {
	p := plan.Points[m.Point]
	var s strings.Builder
	value := strconv.FormatUint(math.Float64bits(m.Value), 16)
	if math.IsNaN(m.Value) {
		value = "NaN" // whatever its bits
	}
	fmt.Fprintf(&s, "[%q %s %v", p.Name, value, m.Value)
	if m.Attributes > 0 {
		for i, text := range out.Attributes[m.Attributes-1] {
			if len(text) > 0 && i < len(p.Attributes) {
				fmt.Fprintf(&s, " %s=%q", p.Attributes[i], text)
			}
		}
	}
	s.WriteString("]")
	return s.String()
}
