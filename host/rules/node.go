package rules

import (
	"bytes"
	"math"
	"regexp"
	"unicode/utf8"

	"github.com/seed-6a2d649b/pharos/abi"
)

// op is what a node does with its operands.
type op uint8

const (
	opConst op = iota // val
	opField           // field
	opHas             // field
	opNot
	opAnd
	opOr
	opCond
	opEqual
	opNotEqual
	opLess
	opLessEqual
	opGreater
	opGreaterEqual
	opIn // args[0] in set or in args[1:]
	opAdd
	opSubtract
	opMultiply
	opDivide
	opModulo
	opNegate
	opStartsWith
	opEndsWith
	opContains
	opMatches // re
	opSize
	opSizeMethod
)

// node is one operation of a checked expression.
type node struct {
	op    op
	args  []*node
	field int                 // index in the plan's fields
	val   value               // opConst
	set   map[string]struct{} // opIn: the list's literal strings
	re    *regexp.Regexp      // opMatches
}

// row is one row of a batch, as the nodes see it.
type row struct {
	columns []abi.Column
	index   int
}

func (r row) kind(field int) abi.ValueKind { return r.columns[field].Kinds[r.index] }

func (r row) text(field int) []byte {
	c := &r.columns[field]
	return c.Bytes[c.Offsets[r.index]:c.Offsets[r.index+1]]
}

func (r row) value(field int) value {
	kind := r.kind(field)
	switch kind {
	case abi.Number:
		f, ok := abi.ParseF64(r.text(field))
		if !ok {
			return noValue
		}
		return number(f)
	case abi.String, abi.Untyped:
		return value{kind: kind, text: r.text(field)}
	}
	return value{kind: kind}
}

// eval is the value of the expression for a row.
func (n *node) eval(r row) value {
	switch n.op {
	case opConst:
		return n.val
	case opField:
		return r.value(n.field)
	case opHas:
		return boolean(r.kind(n.field) > abi.Null)
	case opNot:
		return boolean(!n.args[0].eval(r).isTrue())
	case opAnd:
		return boolean(n.args[0].eval(r).isTrue() && n.args[1].eval(r).isTrue())
	case opOr:
		return boolean(n.args[0].eval(r).isTrue() || n.args[1].eval(r).isTrue())
	case opCond:
		if n.args[0].eval(r).isTrue() {
			return n.args[1].eval(r)
		}
		return n.args[2].eval(r)
	case opEqual, opNotEqual:
		eq, ok := equal(n.args[0].eval(r), n.args[1].eval(r))
		return boolean(ok && eq == (n.op == opEqual))
	case opLess, opLessEqual, opGreater, opGreaterEqual:
		sign, ok := order(n.args[0].eval(r), n.args[1].eval(r))
		return boolean(ok && n.op.holds(sign))
	case opIn:
		return boolean(n.in(r))
	case opAdd, opSubtract, opMultiply, opDivide, opModulo:
		return n.op.compute(n.args[0].eval(r), n.args[1].eval(r))
	case opNegate:
		if f, ok := n.args[0].eval(r).number(); ok {
			return number(-f)
		}
		return noValue
	case opSize, opSizeMethod:
		return n.size(r)
	default:
		return boolean(n.method(r))
	}
}

// holds says whether an order comparison holds of operands with this order.
func (o op) holds(sign int) bool {
	switch o {
	case opLess:
		return sign < 0
	case opLessEqual:
		return sign <= 0
	case opGreater:
		return sign > 0
	}
	return sign >= 0
}

// compute is arithmetic in float64: what it does to infinities and zeros is
// IEEE 754's.
func (o op) compute(a, b value) value {
	x, ok := a.number()
	if !ok {
		return noValue
	}
	y, ok := b.number()
	if !ok {
		return noValue
	}
	switch o {
	case opAdd:
		return number(x + y)
	case opSubtract:
		return number(x - y)
	case opMultiply:
		return number(x * y)
	case opDivide:
		return number(x / y)
	}
	return number(math.Mod(x, y))
}

func (n *node) in(r row) bool {
	v := n.args[0].eval(r)
	if n.set != nil && v.isText() {
		if _, ok := n.set[string(v.text)]; ok {
			return true
		}
	}
	for _, element := range n.args[1:] {
		if eq, ok := equal(v, element.eval(r)); ok && eq {
			return true
		}
	}
	return false
}

// size counts a text's code points. Of anything else the function has no
// value, and the method is false, as every method is.
func (n *node) size(r row) value {
	v := n.args[0].eval(r)
	switch {
	case v.isText():
		return number(float64(utf8.RuneCount(v.text)))
	case n.op == opSizeMethod:
		return falseValue
	}
	return noValue
}

func (n *node) method(r row) bool {
	v := n.args[0].eval(r)
	if !v.isText() {
		return false
	}
	if n.op == opMatches {
		return n.re.Match(v.text)
	}
	arg := n.args[1].eval(r)
	if !arg.isText() {
		return false
	}
	switch n.op {
	case opStartsWith:
		return bytes.HasPrefix(v.text, arg.text)
	case opEndsWith:
		return bytes.HasSuffix(v.text, arg.text)
	}
	return bytes.Contains(v.text, arg.text)
}
