package module

import (
	"math"

	"github.com/seed-6a2d649b/pharos/abi"
	. "github.com/seed-6a2d649b/pharos/host/rules/asm" // so that instructions read as such
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
)

// number is where a number is wanted: its value, and whether there is one.
type number struct {
	local    Local
	constant float64
	isConst  bool
	isShape  bool // its constant is that of the shape's first rule: the local has the rule's own
	ok       Local
	sure     bool // there is one
	none     bool // there is none

	// Of a column: where it says what rows have one.
	valid  Word
	of     *generator
	column bool
	row    Local
	zero   bool // where there is none, it is 0
}

var noNumber = number{isConst: true, none: true}

func (x number) push(f *Func) {
	if x.isConst {
		f.F64(x.constant)
	} else {
		f.Get(x.local)
	}
}

func (x number) pushOK(f *Func) {
	switch {
	case x.none:
		f.I32(0)
	case x.sure:
		f.I32(1)
	case x.column:
		x.of.emitBit(f, x.valid, x.row)
	default:
		f.Get(x.ok)
	}
}

// free lets the number's locals go.
func (x number) free(f *Func) {
	if !x.isConst {
		f.Free(x.local)
	}
	if !x.sure && !x.none && !x.column {
		f.Free(x.ok)
	}
}

// number computes an expression where a number is wanted.
func (s *scope) number(n *expr.Node) number {
	of := s.of(n)
	if x, ok := s.ofShape(n); ok {
		return x
	}
	switch {
	case of.fixed:
		v, ok := n.Eval(expr.Row{}).Number()
		return number{isConst: true, constant: v, sure: ok, none: !ok}
	case s.kindsOf(n)&expr.Numeric == 0:
		return noNumber
	case s.outlined(n, asNumber):
		x := number{local: s.f.Local(F64), ok: s.f.Local(I32)}
		s.f.Set(x.ok)
		s.f.Set(x.local)
		return x
	}
	return s.plainNumber(n)
}

func (s *scope) plainNumber(n *expr.Node) number {
	f := s.f
	switch n.Op {
	case expr.OpField, expr.OpTime:
		return s.fieldNumber(n)
	case expr.OpCell:
		x := number{local: f.Local(F64), sure: true}
		s.cell(n.Cell)
		f.Memory(F64Load, 0)
		f.Set(x.local)
		return x
	case expr.OpClosed:
		x := number{local: f.Local(F64), sure: true}
		s.closedColumn(n.Field)
		f.Set(x.local)
		return x
	case expr.OpAdd, expr.OpSubtract, expr.OpMultiply, expr.OpDivide, expr.OpModulo:
		return s.arithmetic(n)
	case expr.OpNegate:
		x := s.number(n.Args[0])
		y := x // which has a number where x has
		y.local, y.isConst = f.Local(F64), false
		x.push(f)
		f.Op(F64Neg)
		f.Set(y.local)
		if !x.isConst {
			f.Free(x.local)
		}
		return y
	case expr.OpCond:
		return s.eitherNumber(n)
	case expr.OpSize, expr.OpSizeMethod:
		t := s.text(n.Args[0])
		x := number{local: f.Local(F64), sure: t.sure, none: t.none}
		t.push(f)
		f.Call(s.runes())
		f.Op(F64ConvertI32U)
		f.Set(x.local)
		if !x.sure && !x.none {
			x.ok = f.Local(I32)
			t.pushOK(f)
			f.Set(x.ok)
		}
		t.free(f)
		return x
	case expr.OpDouble:
		return s.double(n)
	case expr.OpTimePart:
		return s.timePart(n)
	}
	return noNumber
}

// fieldNumber is a column of numbers: valid where a field is a number, or
// untyped text that is one.
func (s *scope) fieldNumber(n *expr.Node) number {
	f := s.f
	c := s.column(n.Path, abi.F64, false)
	x := number{local: f.Local(F64), valid: s.word(c, abi.CValidAt), of: s.generator, column: true, row: s.row, zero: true}
	f.Steady(s.word(c, abi.CDataAt))
	f.Get(s.row)
	f.I32(3)
	f.Op(I32Shl, I32Add)
	f.Memory(F64Load, 0)
	f.Set(x.local)
	return x
}

// emitBoth pushes whether there are both numbers.
func emitBoth(f *Func, x, y number) {
	x.pushOK(f)
	y.pushOK(f)
	f.Op(I32And)
}

func (s *scope) arithmetic(n *expr.Node) number {
	f := s.f
	x, y := s.number(n.Args[0]), s.number(n.Args[1])
	if x.none || y.none {
		x.free(f)
		y.free(f)
		return noNumber
	}
	z := number{local: f.Local(F64), sure: x.sure && y.sure}
	x.push(f)
	y.push(f)
	switch n.Op {
	case expr.OpAdd:
		f.Op(F64Add)
	case expr.OpSubtract:
		f.Op(F64Sub)
	case expr.OpMultiply:
		f.Op(F64Mul)
	case expr.OpDivide:
		f.Op(F64Div)
	default:
		f.Call(s.mod())
	}
	f.Set(z.local)
	if !z.sure {
		z.ok = f.Local(I32)
		switch {
		case x.sure:
			y.pushOK(f)
		case y.sure:
			x.pushOK(f)
		default:
			emitBoth(f, x, y)
		}
		f.Set(z.ok)
	}
	x.free(f)
	y.free(f)
	return z
}

func (s *scope) eitherNumber(n *expr.Node) number {
	f := s.f
	z := number{local: f.Local(F64), ok: f.Local(I32)}
	either := func(arg *expr.Node) {
		x := s.number(arg)
		x.push(f)
		f.Set(z.local)
		x.pushOK(f)
		f.Set(z.ok)
		x.free(f)
	}
	s.condition(n.Args[0])
	f.If()
	either(n.Args[1])
	f.Else()
	either(n.Args[2])
	f.End()
	return z
}

// compareNumbers pushes whether a comparison holds of two numbers.
func (s *scope) compareNumbers(op expr.Op, x, y number) {
	f := s.f
	if x.none || y.none {
		f.I32(0)
		return
	}
	x.push(f)
	y.push(f)
	f.Op(numberOps[op])
	for _, z := range []number{x, y} {
		if !z.sure && !x.falseOfNone(op, y) {
			z.pushOK(f)
			f.Op(I32And)
		}
	}
}

// falseOfNone says whether a comparison is false, without being told, where the
// column has no number but 0.
func (x number) falseOfNone(op expr.Op, y number) bool {
	known := func(x number) bool { return x.isConst || x.isShape }
	return x.zero && known(y) && !holdsOf(op, 0, y.constant) || y.zero && known(x) && !holdsOf(op, x.constant, 0)
}

func holdsOf(op expr.Op, x, y float64) bool {
	switch op {
	case expr.OpEqual:
		return x == y
	case expr.OpNotEqual:
		return x != y
	case expr.OpLess:
		return x < y
	case expr.OpLessEqual:
		return x <= y
	case expr.OpGreater:
		return x > y
	}
	return x >= y
}

var numberOps = map[expr.Op]Op{
	expr.OpEqual: F64Eq, expr.OpNotEqual: F64Ne, expr.OpLess: F64Lt, expr.OpLessEqual: F64Le,
	expr.OpGreater: F64Gt, expr.OpGreaterEqual: F64Ge,
}

// emitFinite pushes whether a number is neither NaN nor infinite.
func emitFinite(f *Func, x Local) {
	f.Get(x)
	f.Op(F64Abs)
	f.F64(math.Inf(1))
	f.Op(F64Lt)
}
