package module

import (
	"cmp"
	"math"
	"slices"

	"github.com/seed-6a2d649b/pharos/abi"
	. "github.com/seed-6a2d649b/pharos/host/rules/asm" // so that instructions read as such
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
)

// thresholds are the constants that several rules compare the number of a field
// with. How many of them a number has passed decides all these comparisons: that
// is the row of a table of guards, as those of fields.go.
type thresholds struct {
	node    *expr.Node // the field
	clauses []clause
	passed  []threshold // ascending
	table   uint32
	skip    int
}

// clause is a comparison that a rule begins with.
type clause struct {
	rule int
	node *expr.Node
	op   expr.Op // with the field on its left side
	x    float64
}

// threshold is passed by a number that is more than x, or as much.
type threshold struct {
	x      float64
	beyond bool // not by x itself
}

// A table is worth it for this many comparisons, and for no more thresholds: each
// is looked at for each row.
const (
	minClauses    = 3
	maxThresholds = 12
)

// clauseOf is a comparison of a field's number with a constant, if the node is one.
func (g *generator) clauseOf(n *expr.Node) (field *expr.Node, c clause, ok bool) {
	if n.Op < expr.OpEqual || n.Op > expr.OpGreaterEqual {
		return nil, c, false
	}
	a, b, op := n.Args[0], n.Args[1], n.Op
	if g.of(a).fixed {
		a, b = b, a
		op = mirrored[op]
	}
	if a.Op != expr.OpField && a.Op != expr.OpTime || !g.of(b).fixed {
		return nil, c, false
	}
	v := b.Eval(expr.Row{})
	return a, clause{node: n, op: op, x: v.Num}, v.Kind == abi.Number && !math.IsNaN(v.Num)
}

var mirrored = map[expr.Op]expr.Op{
	expr.OpEqual: expr.OpEqual, expr.OpNotEqual: expr.OpNotEqual, expr.OpLess: expr.OpGreater, expr.OpLessEqual: expr.OpGreaterEqual,
	expr.OpGreater: expr.OpLess, expr.OpGreaterEqual: expr.OpLessEqual,
}

// planThresholds makes tables of the rests' comparisons that are worth it, and
// takes these out of the rests.
func (g *generator) planThresholds() {
	known := map[string]*thresholds{}
	var all []*thresholds
	for i, r := range g.rules {
		for _, n := range r.rest {
			field, c, ok := g.clauseOf(n)
			if !ok {
				continue
			}
			t := known[field.Path]
			if t == nil {
				t = &thresholds{node: field}
				known[field.Path] = t
				all = append(all, t)
			}
			c.rule = i
			t.clauses = append(t.clauses, c)
		}
	}
	for _, t := range all {
		t.order()
		if len(t.clauses) < minClauses || len(t.passed) > maxThresholds {
			continue
		}
		for _, c := range t.clauses {
			r := g.rules[c.rule]
			r.rest = slices.DeleteFunc(r.rest, func(n *expr.Node) bool { return n == c.node })
		}
		g.numbers = append(g.numbers, t)
	}
}

// order finds the thresholds.
func (t *thresholds) order() {
	for _, c := range t.clauses {
		if c.op != expr.OpLess && c.op != expr.OpGreaterEqual {
			t.passed = append(t.passed, threshold{c.x, true})
		}
		if c.op != expr.OpGreater && c.op != expr.OpLessEqual {
			t.passed = append(t.passed, threshold{c.x, false})
		}
	}
	slices.SortFunc(t.passed, func(a, b threshold) int {
		switch {
		case a.x != b.x:
			return cmp.Compare(a.x, b.x)
		case a.beyond == b.beyond:
			return 0
		case b.beyond:
			return -1
		}
		return 1
	})
	t.passed = slices.CompactFunc(t.passed, func(a, b threshold) bool { return a.x == b.x && a.beyond == b.beyond })
}

// holds says whether a comparison holds of numbers that have passed so many.
func (t *thresholds) holds(c clause, passed int) bool {
	has := func(beyond bool) bool {
		return passed > slices.IndexFunc(t.passed, func(p threshold) bool { return p.x == c.x && p.beyond == beyond })
	}
	switch c.op {
	case expr.OpGreater:
		return has(true)
	case expr.OpGreaterEqual:
		return has(false)
	case expr.OpLess:
		return !has(false)
	case expr.OpLessEqual:
		return !has(true)
	case expr.OpEqual:
		return has(false) && !has(true)
	}
	return !has(false) || has(true)
}

// layoutThresholds makes the table: a row for each number of thresholds that can
// have been passed, and one for what is no number.
func (g *generator) layoutThresholds(t *thresholds) {
	if g.ruleWords() > 1 {
		t.skip = 1
	}
	var rows []byte
	for passed := range len(t.passed) + 2 {
		row := append(make([]uint64, t.skip), g.allRules()...)
		for _, c := range t.clauses {
			if passed > len(t.passed) || !t.holds(c, passed) {
				row[t.skip+c.rule/64] &^= 1 << (c.rule % 64)
			}
		}
		if t.skip > 0 {
			for w, word := range row[1:] {
				if word != 0 {
					row[0] |= 1 << w
				}
			}
		}
		rows = appendWords(rows, row)
	}
	t.table = g.data.add(rows)
}

// emitThresholdRow pushes the address of the row of a row's number.
func (g *generator) emitThresholdRow(f *Func, t *thresholds, row Local) {
	s := &scope{generator: g, f: f, row: row}
	x := s.number(t.node)
	for i, p := range t.passed {
		x.push(f)
		f.F64(p.x)
		if p.beyond {
			f.Op(F64Gt)
		} else {
			f.Op(F64Ge)
		}
		if i > 0 {
			f.Op(I32Add)
		}
	}
	f.I32(int32(len(t.passed) + 1))
	x.pushOK(f)
	f.Op(Select)
	f.I32(int32(8 * (t.skip + g.ruleWords())))
	f.Op(I32Mul)
	f.I32(int32(t.table))
	f.Op(I32Add)
	x.free(f)
}
