package reach

import (
	"github.com/seed-6a2d649b/pharos/host/rules"
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
)

// literal is a test that must hold, or must not.
type literal struct {
	test *test
	not  bool
}

// conjunction is literals that are to be fulfilled together.
type conjunction []literal

func join(a, b conjunction) conjunction {
	return append(append(make(conjunction, 0, len(a)+len(b)), a...), b...)
}

// test is an expression that is no longer taken apart: what looks the same is one.
type test struct {
	node  *expr.Node
	text  string
	field int // the only field that it looks at; -1: it looks at several, or at something else

	may, mayNot bits // the classes of the field's values of which it may hold, may not hold
}

// condition is what is known of a rule's condition.
type condition struct {
	holds, fails []conjunction // one of them is fulfilled where it holds, does not hold; nil: too large
	held         bits          // of the sample
}

// Bounds of what is looked at of one condition.
const (
	maxAlternatives = 256
	maxLiterals     = 10_000
)

// analysis is a list of rules, taken apart.
type analysis struct {
	program    *rules.Program
	rules      []condition
	tests      map[string]*test
	inOrder    []*test
	classes    [][]class // by field
	sampleRows int
	steps      int // that may still be taken, of allSteps
	witnesses  int // beacons that may still be made, of allWitnesses
}

func newAnalysis(p *rules.Program) *analysis {
	a := &analysis{program: p, tests: map[string]*test{}, steps: allSteps, witnesses: allWitnesses}
	for _, r := range p.Checked() {
		a.rules = append(a.rules, condition{holds: a.alternatives(r.When, true), fails: a.alternatives(r.When, false)})
	}
	a.classify()
	return a
}

// alternatives are the ways in which an expression holds, or does not hold. It holds
// where it is true, so whatever else it may come to is the same here.
func (a *analysis) alternatives(n *expr.Node, holds bool) []conjunction {
	switch n.Op {
	case expr.OpConst:
		if n.Value.Holds() == holds {
			return []conjunction{{}}
		}
		return []conjunction{}
	case expr.OpNot:
		return a.alternatives(n.Args[0], !holds)
	case expr.OpAnd, expr.OpOr:
		x, y := a.alternatives(n.Args[0], holds), a.alternatives(n.Args[1], holds)
		if (n.Op == expr.OpAnd) == holds {
			return both(x, y)
		}
		return either(x, y)
	case expr.OpCond:
		return either(
			both(a.alternatives(n.Args[0], true), a.alternatives(n.Args[1], holds)),
			both(a.alternatives(n.Args[0], false), a.alternatives(n.Args[2], holds)))
	}
	return []conjunction{{literal{a.test(n), !holds}}}
}

func either(x, y []conjunction) []conjunction {
	if x == nil || y == nil || len(x)+len(y) > maxAlternatives {
		return nil
	}
	return append(append(make([]conjunction, 0, len(x)+len(y)), x...), y...)
}

func both(x, y []conjunction) []conjunction {
	if x == nil || y == nil || len(x)*len(y) > maxAlternatives {
		return nil
	}
	all, literals := make([]conjunction, 0, len(x)*len(y)), 0
	for _, c := range x {
		for _, d := range y {
			if literals += len(c) + len(d); literals > maxLiterals {
				return nil
			}
			all = append(all, join(c, d))
		}
	}
	return all
}

// test is the one that an expression is.
func (a *analysis) test(n *expr.Node) *test {
	text := Text(a.program, n)
	t := a.tests[text]
	if t == nil {
		t = &test{node: n, text: text, field: onlyField(n)}
		a.tests[text] = t
		a.inOrder = append(a.inOrder, t)
	}
	return t
}

// onlyField is the field that an expression hangs on alone; -1 where it hangs on
// several, on a cell, or on the time.
func onlyField(n *expr.Node) int {
	field := -1
	var walk func(n *expr.Node) bool
	walk = func(n *expr.Node) bool {
		switch n.Op {
		case expr.OpField, expr.OpHas:
			if field >= 0 && field != n.Field {
				return false
			}
			field = n.Field
		case expr.OpCell, expr.OpTime, expr.OpTimePart:
			return false
		}
		for _, arg := range n.Args {
			if !walk(arg) {
				return false
			}
		}
		return true
	}
	if !walk(n) {
		return -1
	}
	return field
}
