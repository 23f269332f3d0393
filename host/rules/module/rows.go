package module

import (
	"encoding/binary"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/rules"
	. "github.com/seed-6a2d649b/pharos/host/rules/asm" // so that instructions read as such
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
	g.planThresholds()
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
			g.implied(n)
		}
	}
	return true
}

// maxImplied is how many nodes a condition has at most from which guards are
// drawn.
const maxImplied = 200

// implied notes as guards what must hold of single fields for a condition to, so
// that the rest of the rule is seldom computed in vain.
func (g *generator) implied(n *expr.Node) {
	if g.of(n).weight > maxImplied {
		return
	}
	var paths []string
	fields := map[string]int{}
	g.entryFields(n, func(path string, field int) {
		if _, ok := fields[path]; !ok {
			fields[path] = field
			paths = append(paths, path)
		}
	})
	for _, path := range paths {
		if must := g.relax(n, path); must != nil && g.of(must).entry {
			g.field(path, fields[path]).guard(len(g.rules), must)
		}
	}
}

// entryFields says the fields whose entries decide parts of a condition.
func (g *generator) entryFields(n *expr.Node, found func(path string, field int)) {
	switch of := g.of(n); {
	case of.fixed:
	case of.entry:
		found(of.path, fieldOf(n))
	case n.Op == expr.OpAnd, n.Op == expr.OpOr:
		for _, arg := range n.Args {
			g.entryFields(arg, found)
		}
	}
}

// relax is what must hold of one field for a condition to; nil is nothing.
func (g *generator) relax(n *expr.Node, path string) *expr.Node {
	of := g.of(n)
	if of.entry && of.path == path {
		return n
	}
	if n.Op != expr.OpAnd && n.Op != expr.OpOr {
		return nil
	}
	a, b := g.relax(n.Args[0], path), g.relax(n.Args[1], path)
	switch {
	case a != nil && b != nil:
		return &expr.Node{Op: n.Op, Args: []*expr.Node{a, b}}
	case n.Op == expr.OpOr:
		return nil
	case a != nil:
		return a
	}
	return b
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
	seen := walk{n, condition}
	if g.walked[seen] {
		return
	}
	g.walked[seen] = true
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

// maxKept is how many fields the loop keeps the places of in variables: a function
// that has many of both variables and branches takes long to compile.
const maxKept = 64

// emitRows emits the function that goes over the rows of a batch.
func (g *generator) emitRows() *Func {
	f := g.module.Func("rows", i1, i1)
	if len(g.order)+len(g.numbers) <= maxKept {
		f.Loops()
		g.loop = f
	}
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

// each emits the loop over the rows, in chunks of 64 at the beginning of which the
// words of bitmaps are read that the body looks at. end is emitted behind a chunk,
// when the row is the first of the next.
func (l *loop) each(body func(), end func()) {
	f := l.f
	limit := f.Local(I32)
	chunk := f.Loop()
	f.Get(l.s.row)
	f.I32(64)
	f.Op(I32Add)
	f.Tee(limit)
	f.Get(l.rows)
	f.Get(limit)
	f.Get(l.rows)
	f.Op(I32LtU, Select)
	f.Set(limit)
	l.bitmaps = &bitmaps{words: map[Word]Local{}}
	inner := f.Record(func() {
		again := f.Loop()
		body()
		increase(f, l.s.row, 1)
		f.Get(l.s.row)
		f.Get(limit)
		f.Op(I32LtU)
		f.BrIf(again)
		f.End()
	})
	for _, bitmap := range l.bitmaps.used {
		f.Steady(bitmap)
		f.Get(l.s.row)
		f.I32(3)
		f.Op(I32ShrU, I32Add)
		f.Memory(I64Load, 0)
		f.Set(l.bitmaps.words[bitmap])
	}
	f.Append(inner)
	l.bitmaps = nil
	end()
	f.Get(l.s.row)
	f.Get(l.rows)
	f.Op(I32LtU)
	f.BrIf(chunk)
	f.End()
}

// filter keeps the rows of which no rule holds.
func (l *loop) filter() {
	f := l.f
	keep, reasons, kept := l.area(abi.HKeepAt), l.area(abi.HReasonsAt), f.Local(I64)
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
	}, func() {
		f.Get(keep)
		f.Get(kept)
		f.Memory(I64Store, 0)
		increase(f, keep, 8)
		f.I64(0)
		f.Set(kept)
	})
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
	}, func() {})
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
	f := l.f
	var eager, lazy, late []*guarded
	for _, field := range l.order {
		g := &guarded{guards: field.guards, skip: field.skip, emit: func(f *Func, row Local) { l.emitRow(f, field, row) }}
		switch {
		case len(field.guards) == 0:
		case field.lazy:
			late = append(late, g)
		default:
			g.row = f.Local(I32)
			l.emitRow(f, field, l.s.row)
			f.Set(g.row)
			eager = append(eager, g)
			defer f.Free(g.row)
		}
	}
	for _, t := range l.numbers {
		g := &guarded{skip: t.skip, emit: func(f *Func, row Local) { l.emitThresholdRow(f, t, row) }}
		for _, c := range t.clauses {
			g.guards = append(g.guards, &bit{at: c.rule + 64*t.skip})
		}
		lazy = append(lazy, g)
	}
	lazy = append(lazy, late...)
	mask := f.Local(I64)
	defer f.Free(mask)
	switch words := l.ruleWords(); {
	case words == 0:
	case words == 1:
		l.eagerWord(eager, 0, func() { f.I64(int64(l.allRules()[0])) })
		f.Set(mask)
		l.narrow(mask, 0, lazy)
		if len(l.generator.rules) == 1 {
			next := f.Block()
			f.Get(mask)
			f.Op(I64Eqz)
			f.BrIf(next)
			f.I32(0)
			f.Set(rule)
			body(next)
			f.End()
			return
		}
		l.each64(mask, func(next Label) {
			f.Get(mask)
			f.Op(I64Ctz, I32WrapI64)
			f.Set(rule)
			body(next)
		})
	default:
		l.wordwise(rule, mask, eager, lazy, body)
	}
}

// guarded is a table of guards, with the row's row in it where that was computed.
type guarded struct {
	guards []*bit
	skip   int
	emit   func(f *Func, row Local)
	row    Local
}

// eagerWord pushes a word of the guards of fields whose rows are known.
func (l *loop) eagerWord(fields []*guarded, offset uint32, none func()) {
	for i, g := range fields {
		l.f.Get(g.row)
		l.f.Memory(I64Load, offset)
		if i > 0 {
			l.f.Op(I64And)
		}
	}
	if len(fields) == 0 {
		none()
	}
}

// narrow takes the rules from a word that do not hold by the guards of fields
// whose rows are made when they are needed: if a rule is left that has a guard.
func (l *loop) narrow(mask Local, word int, lazy []*guarded) {
	f := l.f
	for _, g := range lazy {
		var has uint64
		for _, b := range g.guards {
			if r := b.at - 64*g.skip; r/64 == word {
				has |= 1 << (r % 64)
			}
		}
		if has == 0 {
			continue
		}
		f.Get(mask)
		f.I64(int64(has))
		f.Op(I64And, I64Eqz, I32Eqz)
		f.If()
		g.emit(f, l.s.row)
		f.Memory(I64Load, uint32(8*(g.skip+word)))
		f.Get(mask)
		f.Op(I64And)
		f.Set(mask)
		f.End()
	}
}

// wordwise is candidates of more rules than a word has bits: of words that have
// none, the row of a field says so in its first word.
func (l *loop) wordwise(rule, mask Local, eager, lazy []*guarded, body func(next Label)) {
	f := l.f
	top, word := f.Local(I64), f.Local(I32)
	words := l.ruleWords()
	all := l.data.words(l.allRules())
	l.eagerWord(eager, 0, func() { f.I64(1<<words - 1) })
	f.Set(top)
	l.each64(top, func(Label) {
		f.Get(top)
		f.Op(I64Ctz, I32WrapI64)
		f.Set(word)
		at := func() {
			f.Get(word)
			f.I32(3)
			f.Op(I32Shl)
		}
		for i, g := range eager {
			f.Get(g.row)
			at()
			f.Op(I32Add)
			f.Memory(I64Load, 8)
			if i > 0 {
				f.Op(I64And)
			}
		}
		if len(eager) == 0 {
			at()
			f.Memory(I64Load, all)
		}
		f.Set(mask)
		if len(lazy) > 0 {
			f.Get(mask)
			f.Get(word)
			f.Get(l.s.row)
			f.Call(l.narrowed(lazy))
			f.Set(mask)
		}
		l.each64(mask, func(next Label) {
			f.Get(word)
			f.I32(6)
			f.Op(I32Shl)
			f.Get(mask)
			f.Op(I64Ctz, I32WrapI64, I32Add)
			f.Set(rule)
			body(next)
		})
	})
	f.Free(top, word)
}

// narrowed is a function that narrows any word: (mask, word, row) -> mask.
func (l *loop) narrowed(lazy []*guarded) *Func {
	f := l.module.Func("narrow", []Type{I64, I32, I32}, []Type{I64})
	words := l.ruleWords()
	done := f.Block()
	labels := make([]Label, words)
	for w := words - 1; w >= 0; w-- {
		labels[w] = f.Block()
	}
	f.Get(f.Param(1))
	f.BrTable(labels, done)
	for w := range words {
		f.End()
		part := l.module.Func("narrow", []Type{I64, I32}, []Type{I64})
		inner := &loop{generator: l.generator, f: part, s: &scope{generator: l.generator, f: part, row: part.Param(1)}}
		inner.narrow(part.Param(0), w, lazy)
		part.Get(part.Param(0))
		f.Get(f.Param(0))
		f.Get(f.Param(2))
		f.Call(part)
		f.Return()
	}
	f.End()
	f.Op(Unreachable)
	return f
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

// emitRest branches to next if the rest of the rule does not hold.
func (l *loop) emitRest(rule Local, next Label) {
	f := l.f
	shapes, of := l.shapes()
	switch {
	case len(shapes) == 0:
		return
	case len(shapes) == 1 && len(shapes[0].rules) == len(of):
		shapes[0].emit(l.s, rule)
	default:
		number := f.Local(I32)
		f.Get(rule)
		f.I32(2)
		f.Op(I32Shl)
		f.Memory(I32Load, l.data.numbers(of))
		f.Set(number)
		if len(shapes) < 64 {
			l.dispatch(l.s, number, 0, len(shapes)+1, rule, func(i int) func(*scope, Local) {
				if i == 0 {
					return nil
				}
				return shapes[i-1].emit
			})
		} else {
			f.Get(number)
			f.Get(l.s.row)
			f.Get(rule)
			f.Call(l.byWord("rest", len(shapes)+1, func(i int) func(*scope, Local) {
				if i == 0 {
					return nil
				}
				return shapes[i-1].emit
			}))
		}
		f.Free(number)
	}
	f.Op(I32Eqz)
	f.BrIf(next)
}

// conjunction is one condition of several, as a tree whose parts can be functions
// of their own.
func conjunction(nodes []*expr.Node) *expr.Node {
	if len(nodes) == 1 {
		return nodes[0]
	}
	half := len(nodes) / 2
	return &expr.Node{Op: expr.OpAnd, Args: []*expr.Node{conjunction(nodes[:half]), conjunction(nodes[half:])}}
}

// all pushes whether all conditions hold.
func (s *scope) all(nodes []*expr.Node) {
	if len(nodes) > maxElements {
		s.condition(conjunction(nodes))
		return
	}
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

// byWord is a function of a number, a row and a rule, that gives what is to be
// pushed for the number, with 64 of them in a function of their own.
func (l *loop) byWord(name string, n int, of func(i int) func(*scope, Local)) *Func {
	f := l.module.Func(name, p3, i1)
	words := (n + 63) / 64
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
		part := l.module.Func(name, p3, i1)
		inner := &scope{generator: l.generator, f: part, row: part.Param(1)}
		l.dispatch(inner, part.Param(0), 64*w, min(64*w+64, n), part.Param(2), of)
		for i := range 3 {
			f.Get(f.Param(i))
		}
		f.Call(part)
		f.Return()
	}
	f.End()
	f.Op(Unreachable)
	return f
}

// dispatch pushes what is to be pushed for a number between two; 1 where that is nil.
func (l *loop) dispatch(s *scope, number Local, from, to int, rule Local, of func(i int) func(*scope, Local)) {
	f := s.f
	done := f.Block(I32)
	other := f.Block()
	labels := make([]Label, to-from)
	for i := to - 1; i >= from; i-- {
		if labels[i-from] = other; of(i) != nil {
			labels[i-from] = f.Block()
		}
	}
	f.Get(number)
	if from > 0 {
		f.I32(int32(from))
		f.Op(I32Sub)
	}
	f.BrTable(labels, other)
	branches, size := f.Branches(), f.Size()
	for i := from; i < to; i++ {
		emit := of(i)
		if emit == nil {
			continue
		}
		f.End()
		if f.Branches()-branches <= maxBranches && f.Size()-size <= maxSize {
			emit(s, rule)
		} else {
			part := l.module.Func("part", p2, i1)
			emit(&scope{generator: l.generator, f: part, row: part.Param(0)}, part.Param(1))
			f.Get(s.row)
			f.Get(rule)
			f.Call(part)
		}
		f.Br(done)
	}
	f.End()
	f.I32(1)
	f.End()
}
