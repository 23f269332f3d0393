package expr

import (
	"bytes"
	"math"
	"unicode/utf8"

	"github.com/seed-6a2d649b/pharos/abi"
)

func (r Row) kind(field int) abi.ValueKind { return r.Columns[field].Kinds[r.Index] }

func (r Row) text(field int) []byte {
	c := &r.Columns[field]
	return c.Bytes[c.Offsets[r.Index]:c.Offsets[r.Index+1]]
}

func (r Row) value(field int) Value {
	kind := r.kind(field)
	switch kind {
	case abi.Number:
		f, ok := abi.ParseF64(r.text(field))
		if !ok {
			return noValue
		}
		return number(f)
	case abi.String, abi.Untyped:
		return Value{Kind: kind, Text: r.text(field)}
	}
	return Value{Kind: kind}
}

var falseText, trueText = []byte("false"), []byte("true")

// Attribute is the text of a field as an attribute, nil where it has none.
func (r Row) Attribute(field int) []byte {
	switch r.kind(field) {
	case abi.False:
		return falseText
	case abi.True:
		return trueText
	case abi.Number, abi.String, abi.Untyped:
		if text := r.text(field); len(text) > 0 {
			return text
		}
	}
	return nil
}

// Eval is the value of the expression for a row: the reference of what every
// operation means.
func (n *Node) Eval(r Row) Value {
	switch n.Op {
	case OpConst:
		return n.Value
	case OpField, OpTime:
		return r.value(n.Field)
	case OpHas:
		return boolean(r.kind(n.Field) > abi.Null)
	case OpCell:
		return number(math.Float64frombits(r.Cells[n.Cell][r.Slot]))
	case OpClosed:
		return number(float64(r.Columns[n.Field].I64[r.Index]))
	case OpNot:
		return boolean(!n.Args[0].Eval(r).Holds())
	case OpAnd:
		return boolean(n.Args[0].Eval(r).Holds() && n.Args[1].Eval(r).Holds())
	case OpOr:
		return boolean(n.Args[0].Eval(r).Holds() || n.Args[1].Eval(r).Holds())
	case OpCond:
		if n.Args[0].Eval(r).Holds() {
			return n.Args[1].Eval(r)
		}
		return n.Args[2].Eval(r)
	case OpEqual, OpNotEqual:
		eq, ok := equal(n.Args[0].Eval(r), n.Args[1].Eval(r))
		return boolean(ok && eq == (n.Op == OpEqual))
	case OpLess, OpLessEqual, OpGreater, OpGreaterEqual:
		sign, ok := order(n.Args[0].Eval(r), n.Args[1].Eval(r))
		return boolean(ok && n.Op.holds(sign))
	case OpIn:
		return boolean(n.in(r))
	case OpAdd, OpSubtract, OpMultiply, OpDivide, OpModulo:
		return n.Op.compute(n.Args[0].Eval(r), n.Args[1].Eval(r))
	case OpNegate:
		if f, ok := n.Args[0].Eval(r).Number(); ok {
			return number(-f)
		}
		return noValue
	case OpSize, OpSizeMethod:
		return n.size(r)
	case OpLowerASCII:
		return lowerASCII(n.Args[0].Eval(r))
	case OpDouble:
		return double(n.Args[0].Eval(r))
	case OpTimePart:
		return n.timePart(r)
	default:
		return boolean(n.test(r))
	}
}

// holds says whether an order comparison holds of operands with this order.
func (o Op) holds(sign int) bool {
	switch o {
	case OpLess:
		return sign < 0
	case OpLessEqual:
		return sign <= 0
	case OpGreater:
		return sign > 0
	}
	return sign >= 0
}

// compute is arithmetic in float64: what it does to infinities and zeros is
// IEEE 754's.
func (o Op) compute(a, b Value) Value {
	x, ok := a.Number()
	if !ok {
		return noValue
	}
	y, ok := b.Number()
	if !ok {
		return noValue
	}
	switch o {
	case OpAdd:
		return number(x + y)
	case OpSubtract:
		return number(x - y)
	case OpMultiply:
		return number(x * y)
	case OpDivide:
		return number(x / y)
	}
	return number(math.Mod(x, y))
}

func (n *Node) in(r Row) bool {
	v := n.Args[0].Eval(r)
	if v.IsText() && n.Set.Has(v.Text) {
		return true
	}
	for _, element := range n.Args[1:] {
		if eq, ok := equal(v, element.Eval(r)); ok && eq {
			return true
		}
	}
	return false
}

// size counts a text's code points. Of anything else the function has no
// value, and the method is false, as every method is.
func (n *Node) size(r Row) Value {
	v := n.Args[0].Eval(r)
	switch {
	case v.IsText():
		return number(float64(utf8.RuneCount(v.Text)))
	case n.Op == OpSizeMethod:
		return falseValue
	}
	return noValue
}

func lowerASCII(v Value) Value {
	if !v.IsText() {
		return falseValue
	}
	lower := bytes.Clone(v.Text)
	for i, c := range lower {
		if 'A' <= c && c <= 'Z' {
			lower[i] = c + 'a' - 'A'
		}
	}
	return Value{Kind: abi.String, Text: lower}
}

func double(v Value) Value {
	if v.Kind == abi.Number {
		return v
	}
	if v.IsText() {
		if f, ok := abi.ParseF64(v.Text); ok {
			return number(f)
		}
	}
	return noValue
}

func (n *Node) timePart(r Row) Value {
	ms, ok := r.value(n.Field).Number()
	if !ok {
		return noValue
	}
	return number(float64(n.Part.Of(int64(ms), n.Zone)))
}

// test is what a method says of a text.
func (n *Node) test(r Row) bool {
	v := n.Args[0].Eval(r)
	if !v.IsText() {
		return false
	}
	switch n.Op {
	case OpMatches:
		return n.Regexp.Match(v.Text)
	case OpContainsAny:
		return n.Set.in(v.Text)
	case OpContainsIP:
		return n.Networks.Contains(v.Text)
	}
	arg := n.Args[1].Eval(r)
	if !arg.IsText() {
		return false
	}
	switch n.Op {
	case OpStartsWith:
		return bytes.HasPrefix(v.Text, arg.Text)
	case OpEndsWith:
		return bytes.HasSuffix(v.Text, arg.Text)
	}
	return bytes.Contains(v.Text, arg.Text)
}
