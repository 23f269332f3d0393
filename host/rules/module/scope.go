package module

import (
	"github.com/seed-6a2d649b/pharos/abi"
	. "github.com/seed-6a2d649b/pharos/host/rules/asm" // so that instructions read as such
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
)

// scope is where an expression is computed: for a row of the batch, or for an
// entry of a field, which is a text.
type scope struct {
	*generator
	f           *Func
	row         Local // of the batch, if entry is nil
	entry       *field
	ptr, length Local // of the entry

	shape   *shape // whose numbers are read from a table
	numbers Local  // the rule's in the table
}

// Bounds of what is emitted into one function: a part of an expression that has
// more than maxPart nodes becomes a function of its own in one that has more
// than maxBranches branches already.
const (
	maxPart     = 30
	maxBranches = 200
	maxSize     = 6000 // bytes
)

// form is what is wanted of an expression.
type form uint8

const (
	asCondition form = iota
	asNumber
	asText
	asValue
)

// results are the types of what a function gives of an expression.
var results = map[form][]Type{
	asCondition: {I32},
	asNumber:    {F64, I32},
	asText:      {I32, I32, I32},
	asValue:     {I32, F64, I32, I32, I32, I32},
}

// partKey is what a function of a part of an expression computes.
type partKey struct {
	id    int
	entry *field
	form  form
}

// outlined calls a function that computes the node, if the node is large and
// the function in which it would stand too.
func (s *scope) outlined(n *expr.Node, as form) bool {
	if s.of(n).weight <= maxPart || s.f.Branches() <= maxBranches && s.f.Size() <= maxSize && s.of(n).weight <= 20*maxPart {
		return false
	}
	if s.shape != nil { // its numbers are not at hand in another function
		return false
	}
	key := partKey{s.of(n).id, s.entry, as}
	part, ok := s.parts[key]
	if !ok {
		params := i1
		if s.entry != nil {
			params = p2
		}
		part = s.module.Func("part", params, results[as])
		s.parts[key] = part
		inner := &scope{generator: s.generator, f: part, row: part.Param(0), entry: s.entry}
		if s.entry != nil {
			inner.ptr, inner.length = part.Param(0), part.Param(1)
		}
		inner.compute(n, as)
	}
	if s.entry != nil {
		s.f.Get(s.ptr)
		s.f.Get(s.length)
	} else {
		s.f.Get(s.row)
	}
	s.f.Call(part)
	return true
}

// compute pushes the results of an expression. Those below it have functions of
// their own where it is their turn.
func (s *scope) compute(n *expr.Node, as form) {
	f := s.f
	switch as {
	case asCondition:
		s.plainCondition(n)
	case asNumber:
		x := s.plainNumber(n)
		x.push(f)
		x.pushOK(f)
	case asText:
		t := s.plainText(n)
		t.push(f)
		t.pushOK(f)
	default:
		v := s.plainValue(n, expr.AnyKind)
		f.Get(v.kind)
		v.number.push(f)
		v.number.pushOK(f)
		v.text.push(f)
		v.text.pushOK(f)
	}
}

// condition pushes whether an expression holds.
func (s *scope) condition(n *expr.Node) {
	of := s.of(n)
	switch {
	case of.fixed:
		s.f.I32(truth(n.Eval(expr.Row{}).Holds()))
	case of.kinds&(1<<abi.True) == 0:
		s.f.I32(0)
	case s.entry == nil && of.entry && s.asked(n):
	case !s.outlined(n, asCondition):
		s.plainCondition(n)
	}
}

func truth(b bool) int32 {
	if b {
		return 1
	}
	return 0
}

// asked pushes the bit of a condition that a field's table has.
func (s *scope) asked(n *expr.Node) bool {
	field := s.fields[s.of(n).path]
	if field == nil {
		return false
	}
	b := field.byID[s.of(n).id]
	if b == nil {
		return false
	}
	s.emitRow(s.f, field, s.row)
	s.f.Memory(I32Load8U, uint32(b.at/8))
	s.f.I32(int32(b.at % 8))
	s.f.Op(I32ShrU)
	s.f.I32(1)
	s.f.Op(I32And)
	return true
}

func (s *scope) plainCondition(n *expr.Node) {
	f := s.f
	switch n.Op {
	case expr.OpField:
		s.kind(n)
		f.I32(int32(abi.True))
		f.Op(I32Eq)
	case expr.OpHas:
		s.kind(n)
		f.I32(int32(abi.Null))
		f.Op(I32GtU)
	case expr.OpNot:
		s.condition(n.Args[0])
		f.Op(I32Eqz)
	case expr.OpAnd:
		s.condition(n.Args[0])
		f.If(I32)
		s.condition(n.Args[1])
		f.Else()
		f.I32(0)
		f.End()
	case expr.OpOr:
		s.condition(n.Args[0])
		f.If(I32)
		f.I32(1)
		f.Else()
		s.condition(n.Args[1])
		f.End()
	case expr.OpCond:
		s.condition(n.Args[0])
		f.If(I32)
		s.condition(n.Args[1])
		f.Else()
		s.condition(n.Args[2])
		f.End()
	case expr.OpEqual, expr.OpNotEqual, expr.OpLess, expr.OpLessEqual, expr.OpGreater, expr.OpGreaterEqual:
		s.compare(n.Op, n.Args[0], n.Args[1])
	case expr.OpIn:
		s.in(n)
	default:
		s.test(n)
	}
}

// kind pushes the kind of a field.
func (s *scope) kind(n *expr.Node) {
	if s.entry != nil {
		s.f.I32(int32(abi.String))
		return
	}
	s.emitKind(s.f, n.Path, s.row)
}

// kindsOf are the kinds that a node can come to here.
func (s *scope) kindsOf(n *expr.Node) expr.Kinds {
	if s.entry != nil && n.Op == expr.OpField {
		return 1 << abi.String
	}
	return s.of(n).kinds
}
