// Package reach tells which rules of a list can answer: of a rule that can never hold
// or that earlier ones never let come to its turn, and of two that both hold of some
// beacon. What it says is so; what it does not say may be so too.
//
// A condition becomes alternatives of tests that must hold or not (normal.go). The
// values that a field may have fall into classes of which most tests are known to hold
// or not (classes.go): where no class of some field is left, an alternative is void.
package reach

import (
	mathbits "math/bits"
	"slices"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/rules"
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
)

// Report is what is known of the rules of a list. Rules are named by their index.
type Report struct {
	Never    []int // can hold of no beacon
	Hidden   []Hidden
	Overlaps []Overlap
	More     int   // overlaps that are not told
	Unknown  []int // conditions too large to look at
}

// Hidden is a rule that never comes to its turn: where it holds, an earlier one does.
type Hidden struct {
	Rule int
	By   []int // the earlier rules
}

// Overlap is two rules that both hold of a beacon.
type Overlap struct {
	First, Second int
	Row           int         // of the sample, of which both hold; -1: none does
	Values        []abi.Value // else: what such a beacon has, by field of the program's plan
}

// maxOverlaps bounds how many overlaps are told.
const maxOverlaps = 100

// Analyze looks at the rules of a program. sample has beacons, as columns of the
// program's plan; those that rules answer alike, by the same reason or route, are no
// overlap, and of an extractor only those of one point are.
func Analyze(p *rules.Program, sample *abi.Batch) *Report {
	a := newAnalysis(p)
	a.look(sample)
	var r Report
	for i := range a.rules {
		switch c := &a.rules[i]; {
		case c.holds == nil:
			r.Unknown = append(r.Unknown, i)
		case !slices.ContainsFunc(c.holds, conjunction.possible):
			r.Never = append(r.Never, i)
		case p.Kind() != abi.Extract:
			if by := a.hiddenBy(i); by != nil {
				r.Hidden = append(r.Hidden, Hidden{i, by})
			}
		}
	}
	for j := range a.rules {
		for i := range j {
			if !a.matters(i, j) {
				continue
			}
			if o, found := a.overlap(i, j); found {
				if len(r.Overlaps) == maxOverlaps {
					r.More++
					continue
				}
				r.Overlaps = append(r.Overlaps, o)
			}
		}
	}
	return &r
}

// matters tells whether it makes a difference which of two rules holds.
func (a *analysis) matters(i, j int) bool {
	x, y := a.program.Checked()[i], a.program.Checked()[j]
	if x.Answer < 0 || y.Answer < 0 {
		return false
	}
	return (x.Answer == y.Answer) == (a.program.Kind() == abi.Extract)
}

// hiddenBy are the earlier rules of which one holds wherever this one does; nil where
// that is not so, or not known.
func (a *analysis) hiddenBy(j int) []int {
	for i := range j {
		if not := a.rules[i].fails; not != nil && !together(a.rules[j].holds, not) {
			return []int{i}
		}
	}
	budget := min(maxSteps, a.steps)
	had := budget
	defer func() { a.steps -= had - max(budget, 0) }()
	var earlier []int
	for i := range j { // those that have to do with it
		if a.rules[i].fails != nil && a.rules[i].holds != nil && together(a.rules[j].holds, a.rules[i].holds) {
			earlier = append(earlier, i)
		}
	}
	for _, c := range a.rules[j].holds {
		if !a.void(c, earlier, &budget) {
			return nil
		}
	}
	if len(earlier) == 0 {
		return nil
	}
	return earlier
}

const (
	// maxSteps bounds what is looked at for one rule: combinations, each as long as it is.
	maxSteps = 200_000
	// allSteps bounds it for all rules; of those that are left nothing is said.
	allSteps = 20 * maxSteps
)

// void tells whether nothing is left of an alternative where none of the rules holds.
func (a *analysis) void(c conjunction, rules []int, budget *int) bool {
	if *budget -= 1 + len(c); *budget < 0 {
		return false
	}
	if !c.possible() {
		return true
	}
	if len(rules) == 0 {
		return false
	}
	for _, not := range a.rules[rules[0]].fails {
		if !a.void(join(c, not), rules[1:], budget) {
			return false
		}
	}
	return true
}

func (c conjunction) possible() bool {
	_, some := c.left()
	return some
}

// together tells whether an alternative of each may hold of one beacon.
func together(x, y []conjunction) bool {
	for _, c := range x {
		for _, d := range y {
			if join(c, d).possible() {
				return true
			}
		}
	}
	return false
}

// overlap finds a beacon of which two rules hold: of the sample, else one that is made.
func (a *analysis) overlap(i, j int) (Overlap, bool) {
	o := Overlap{First: i, Second: j, Row: -1}
	if row := a.rules[i].held.common(a.rules[j].held); row >= 0 {
		o.Row = row
		return o, true
	}
	if len(a.program.Plan().Cells) > 0 {
		return o, false // what holds hangs on the session
	}
	for _, c := range a.rules[i].holds {
		for _, d := range a.rules[j].holds {
			if a.witnesses <= 0 {
				return o, false
			}
			if values, ok := a.witness(join(c, d), a.program.Checked()[i].When, a.program.Checked()[j].When); ok {
				o.Values = values
				return o, true
			}
		}
	}
	return o, false
}

// look notes which rules hold of the sample's beacons.
func (a *analysis) look(sample *abi.Batch) {
	if sample == nil || len(a.program.Plan().Cells) > 0 {
		return
	}
	a.sampleRows = sample.Rows
	for i, r := range a.program.Checked() {
		held := newBits(sample.Rows)
		for row := range sample.Rows {
			if r.When.Eval(expr.Row{Columns: sample.Columns, Index: row}).Holds() {
				held.set(row)
			}
		}
		a.rules[i].held = held
	}
}

// Held is how many of the sample's beacons each rule holds of, and how many it answers:
// of a filter and a splitter those of which no earlier rule holds.
func Held(p *rules.Program, sample *abi.Batch) (holds, answers []int) {
	a := newAnalysis(p)
	a.look(sample)
	holds, answers = make([]int, len(a.rules)), make([]int, len(a.rules))
	for row := range a.sampleRows {
		for i, first := range a.rules {
			if !first.held.has(row) {
				continue
			}
			holds[i]++
			if p.Kind() == abi.Extract || !anyBefore(a.rules[:i], row) {
				answers[i]++
			}
		}
	}
	return holds, answers
}

func anyBefore(rules []condition, row int) bool {
	for _, r := range rules {
		if r.held.has(row) {
			return true
		}
	}
	return false
}

// bits is a set of small numbers.
type bits []uint64

func newBits(n int) bits      { return make(bits, (n+63)/64) }
func (b bits) set(i int)      { b[i/64] |= 1 << (i % 64) }
func (b bits) has(i int) bool { return i/64 < len(b) && b[i/64]&(1<<(i%64)) != 0 }

// common is the least number that is in both sets; -1 if there is none.
func (b bits) common(o bits) int {
	for i := range b {
		if both := b[i] & o[i]; both != 0 {
			return 64*i + mathbits.TrailingZeros64(both)
		}
	}
	return -1
}

// and takes out what is not in another set, and tells whether something is left.
func (b bits) and(o bits) (some bool) {
	for i := range b {
		b[i] &= o[i]
		some = some || b[i] != 0
	}
	return some
}
