package module

import (
	"encoding/binary"
	"math/bits"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/rules"
	. "github.com/seed-6a2d649b/pharos/host/rules/asm" //nolint:revive // instructions read as such
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
)

// rule is a rule that may hold: its guards are in the fields' tables.
type rule struct {
	*rules.Checked
	rest []*expr.Node // what else must hold
}

// planRules splits the rules' conditions at their && into what hangs on one
// field's kind and text alone, which becomes a guard, and the rest.
func (g *generator) planRules() {
	for i, checked := range g.program.Checked() {
		r := &rule{Checked: &g.program.Checked()[i]}
		if g.guard(r, checked.When) {
			g.rules = append(g.rules, r)
		}
	}
	for _, r := range g.rules {
		for _, n := range r.rest {
			g.askConditions(n, true)
		}
		if r.Value != nil {
			g.askConditions(r.Value, false)
		}
		for _, set := range r.Sets {
			g.askConditions(set.Value, false)
		}
	}
}

// guard notes the guards and the rest of a rule's condition; false if it never
// holds, in which case nothing is noted.
func (g *generator) guard(r *rule, when *expr.Node) bool {
	clauses := g.clauses(nil, when)
	for _, n := range clauses {
		of := g.of(n)
		if of.kinds&(1<<abi.True) == 0 || of.fixed && !n.Eval(expr.Row{}).Holds() {
			return false
		}
	}
	for _, n := range clauses {
		switch of := g.of(n); {
		case of.fixed:
		case of.entry:
			g.field(of.path, fieldOf(n)).guard(len(g.rules), n)
		default:
			r.rest = append(r.rest, n)
		}
	}
	return true
}

// clauses are what must all hold for a condition to.
func (g *generator) clauses(list []*expr.Node, n *expr.Node) []*expr.Node {
	if n.Op == expr.OpAnd && !g.of(n).fixed {
		return g.clauses(g.clauses(list, n.Args[0]), n.Args[1])
	}
	return append(list, n)
}

// walk is a node that was looked at, as a condition or not.
type walk struct {
	node      *expr.Node
	condition bool
}

// askConditions has the fields' tables answer the largest conditions within an
// expression that hang on one field's kind and text.
func (g *generator) askConditions(n *expr.Node, condition bool) {
	of := g.of(n)
	condition = condition || of.kinds&^expr.Boolean == 0
	if seen := (walk{n, condition}); g.walked[seen] {
		return
	} else {
		g.walked[seen] = true
	}
	if condition && of.entry && !of.fixed {
		g.field(of.path, fieldOf(n)).ask(of.id, n)
		return
	}
	for i, arg := range n.Args {
		switch n.Op {
		case expr.OpNot, expr.OpAnd, expr.OpOr:
			g.askConditions(arg, true)
		case expr.OpCond:
			g.askConditions(arg, condition || i == 0)
		default:
			g.askConditions(arg, false)
		}
	}
}

// ruleWords is how many words of bits the rules take.
func (g *generator) ruleWords() int { return (len(g.rules) + 63) / 64 }

// allRules has the bit of every rule.
func (g *generator) allRules() []uint64 {
	words := make([]uint64, g.ruleWords())
	for r := range g.rules {
		words[r/64] |= 1 << (r % 64)
	}
	return words
}

// emitRows emits the function that goes over the rows of a batch.
func (g *generator) emitRows() *Func {
	f := g.module.Func("rows", i1, i1)
	f.Loops()
	l := &loop{generator: g, f: f, s: &scope{generator: g, f: f, row: f.Local(I32)}, rows: f.Local(I32)}
	f.Get(f.Param(0))
	f.Memory(I32Load, abi.HRows)
	f.Set(l.rows)
	switch g.program.Kind() {
	case abi.Filter:
		l.filter()
	case abi.Split:
		l.split()
	default:
		l.extract()
	}
	return f
}

// loop is what goes over the rows.
type loop struct {
	*generator
	f    *Func
	s    *scope
	rows Local
}

// area pushes the pointer of an area of the batch.
func (l *loop) area(at uint32) Local {
	p := l.f.Local(I32)
	l.f.Get(l.f.Param(0))
	l.f.Memory(I32Load, at)
	l.f.Get(l.f.Param(0))
	l.f.Op(I32Add)
	l.f.Set(p)
	return p
}

// each emits the loop over the rows.
func (l *loop) each(body func()) {
	f := l.f
	again := f.Loop()
	body()
	increase(f, l.s.row, 1)
	f.Get(l.s.row)
	f.Get(l.rows)
	f.Op(I32LtU)
	f.BrIf(again)
	f.End()
}

// filter keeps the rows of which no rule holds.
func (l *loop) filter() {
	f := l.f
	keep, reasons, kept := l.area(abi.HKeepAt), l.area(abi.HReasonsAt), f.Local(I64)
	store := func(row Local) {
		f.Get(keep)
		f.Get(row)
		f.I32(6)
		f.Op(I32ShrU)
		f.I32(3)
		f.Op(I32Shl, I32Add)
		f.Get(kept)
		f.Memory(I64Store, 0)
	}
	l.each(func() {
		row := l.s.row
		l.first(func(answer func()) {
			f.Get(reasons)
			f.Get(row)
			f.Op(I32Add)
			answer()
			f.Memory(I32Store8, 0)
		}, func() {
			f.Get(kept)
			f.I64(1)
			f.Get(row)
			f.Op(I64ExtendI32U, I64Shl, I64Or)
			f.Set(kept)
		})
		f.Get(row)
		f.I32(63)
		f.Op(I32And)
		f.I32(63)
		f.Op(I32Eq)
		f.If()
		store(row)
		f.I64(0)
		f.Set(kept)
		f.End()
	})
	f.Get(l.rows)
	f.I32(63)
	f.Op(I32And)
	f.If()
	store(l.rows)
	f.End()
	f.I32(abi.Done)
}

// split gives rows the route of the first rule that holds; where none does, the
// host has written that there is no opinion.
func (l *loop) split() {
	f := l.f
	routes := l.area(abi.HRoutesAt)
	l.each(func() {
		l.first(func(answer func()) {
			f.Get(routes)
			f.Get(l.s.row)
			f.I32(1)
			f.Op(I32Shl, I32Add)
			answer()
			f.Memory(I32Store16, 0)
		}, nil)
	})
	f.I32(abi.Done)
}

// first emits what is done with the answer of the first rule that holds, and
// what if none does.
func (l *loop) first(found func(answer func()), none func()) {
	f := l.f
	rule := f.Local(I32)
	done := f.Block()
	l.candidates(rule, func(next Label) {
		l.emitRest(rule, next)
		found(func() { l.answer(rule) })
		f.Br(done)
	})
	if none != nil {
		none()
	}
	f.End()
	f.Free(rule)
}

// answer pushes the answer of a rule.
func (l *loop) answer(rule Local) {
	same := true
	var table []byte
	for _, r := range l.generator.rules {
		same = same && r.Answer == l.generator.rules[0].Answer
		table = binary.LittleEndian.AppendUint16(table, uint16(r.Answer))
	}
	if same {
		l.f.I32(int32(l.generator.rules[0].Answer))
		return
	}
	l.f.Get(rule)
	l.f.I32(1)
	l.f.Op(I32Shl)
	l.f.Memory(I32Load16U, l.data.add(table))
}

// candidates emits a loop over the rules whose guards hold, in their order. The
// body, in which rule has the number, may branch to next for the next one, and
// falls through to it.
func (l *loop) candidates(rule Local, body func(next Label)) {
	if len(l.generator.rules) == 0 {
		return
	}
	f := l.f
	guards := l.guardRows()
	words := l.ruleWords()
	mask := f.Local(I64)
	if words == 1 {
		l.word(guards, 0, func() { f.I64(int64(l.allRules()[0])) })
		f.Set(mask)
		l.each64(mask, func(next Label) {
			f.Get(mask)
			f.Op(I64Ctz, I32WrapI64)
			f.Set(rule)
			body(next)
		})
	} else {
		all := l.allRules()
		top := f.Local(I64)
		word := f.Local(I32)
		at := l.data.words(all)
		l.word(guards, 0, func() { f.I64(1<<words - 1) })
		f.Set(top)
		l.each64(top, func(Label) {
			f.Get(top)
			f.Op(I64Ctz, I32WrapI64)
			f.I32(3)
			f.Op(I32Shl)
			f.Set(word)
			for i, row := range guards {
				f.Get(row)
				f.Get(word)
				f.Op(I32Add)
				f.Memory(I64Load, 8)
				if i > 0 {
					f.Op(I64And)
				}
			}
			if len(guards) == 0 {
				f.Get(word)
				f.Memory(I64Load, at)
			}
			f.Set(mask)
			l.each64(mask, func(next Label) {
				f.Get(word)
				f.I32(3)
				f.Op(I32Shl)
				f.Get(mask)
				f.Op(I64Ctz, I32WrapI64, I32Add)
				f.Set(rule)
				body(next)
			})
		})
		f.Free(top, word)
	}
	f.Free(mask)
	f.Free(guards...)
}

// guardRows computes the rows of all fields that have guards.
func (l *loop) guardRows() []Local {
	var rows []Local
	for _, field := range l.order {
		if len(field.guards) > 0 {
			row := l.f.Local(I32)
			l.emitRow(l.f, field, l.s.row)
			l.f.Set(row)
			rows = append(rows, row)
		}
	}
	return rows
}

// word pushes a word of all guards.
func (l *loop) word(guards []Local, offset uint32, none func()) {
	for i, row := range guards {
		l.f.Get(row)
		l.f.Memory(I64Load, offset)
		if i > 0 {
			l.f.Op(I64And)
		}
	}
	if len(guards) == 0 {
		none()
	}
}

// each64 emits a loop over the bits of a word, from the lowest, which is taken
// away before the next.
func (l *loop) each64(word Local, body func(next Label)) {
	f := l.f
	done := f.Block()
	again := f.Loop()
	f.Get(word)
	f.Op(I64Eqz)
	f.BrIf(done)
	next := f.Block()
	body(next)
	f.End()
	f.Get(word)
	f.Get(word)
	f.I64(1)
	f.Op(I64Sub, I64And)
	f.Set(word)
	f.Br(again)
	f.End()
	f.End()
}

// restWords has the bits of the rules with a rest.
func (l *loop) restWords() []uint64 {
	words := make([]uint64, l.ruleWords())
	for i, r := range l.generator.rules {
		if len(r.rest) > 0 {
			words[i/64] |= 1 << (i % 64)
		}
	}
	return words
}

// emitRest branches to next if the rest of the rule does not hold.
func (l *loop) emitRest(rule Local, next Label) {
	f := l.f
	n := 0
	for _, w := range l.restWords() {
		n += bits.OnesCount64(w)
	}
	switch {
	case n == 0:
		return
	case len(l.generator.rules) == 1:
		l.s.all(l.generator.rules[0].rest)
	case len(l.generator.rules) <= 64:
		l.dispatch(l.s, rule, 0, l.restOf)
	default:
		f.Get(rule)
		f.Get(l.s.row)
		f.Call(l.byWord("rest", i1, l.restOf))
	}
	f.Op(I32Eqz)
	f.BrIf(next)
}

// restOf is what computes whether the rest of a rule holds; nil if it always does.
func (l *loop) restOf(r *rule) func(s *scope) {
	if len(r.rest) == 0 {
		return nil
	}
	return func(s *scope) { s.all(r.rest) }
}

// all pushes whether all conditions hold.
func (s *scope) all(nodes []*expr.Node) {
	for i, n := range nodes {
		if i > 0 {
			s.f.If(I32)
		}
		s.condition(n)
	}
	for range nodes[1:] {
		s.f.Else()
		s.f.I32(0)
		s.f.End()
	}
}

// byWord is a function of a rule and a row, (rule, row) -> results, that has the
// rules of each word in a function of their own.
func (l *loop) byWord(name string, results []Type, of func(*rule) func(*scope)) *Func {
	f := l.module.Func(name, p2, results)
	words := l.ruleWords()
	outer := f.Block()
	labels := make([]Label, words)
	for w := words - 1; w >= 0; w-- {
		labels[w] = f.Block()
	}
	f.Get(f.Param(0))
	f.I32(6)
	f.Op(I32ShrU)
	f.BrTable(labels, outer)
	for w := range words {
		f.End()
		part := l.module.Func(name, p2, results)
		inner := &scope{generator: l.generator, f: part, row: part.Param(1)}
		l.dispatch(inner, part.Param(0), 64*w, of)
		f.Get(f.Param(0))
		f.Get(f.Param(1))
		f.Call(part)
		f.Return()
	}
	f.End()
	f.Op(Unreachable)
	return f
}

// dispatch emits what is to be done for the rule, one of the 64 from first on.
// Where of is nil that is to push 1.
func (l *loop) dispatch(s *scope, rule Local, first int, of func(*rule) func(*scope)) {
	f := s.f
	some := l.generator.rules[first:min(first+64, len(l.generator.rules))]
	done := f.Block(I32)
	other := f.Block()
	labels := make([]Label, len(some))
	for i := len(some) - 1; i >= 0; i-- {
		if labels[i] = other; of(some[i]) != nil {
			labels[i] = f.Block()
		}
	}
	f.Get(rule)
	if first > 0 {
		f.I32(int32(first))
		f.Op(I32Sub)
	}
	f.BrTable(labels, other)
	for _, r := range some {
		if emit := of(r); emit != nil {
			f.End()
			emit(s)
			f.Br(done)
		}
	}
	f.End()
	f.I32(1)
	f.End()
}
