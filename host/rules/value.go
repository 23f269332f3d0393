package rules

import (
	"bytes"

	"github.com/seed-6a2d649b/pharos/abi"
)

// value is what an expression comes to. Its kind is that of a beacon's field;
// Missing is no value at all.
type value struct {
	kind abi.ValueKind
	num  float64 // Number
	text []byte  // String, Untyped
}

var (
	noValue    = value{}
	falseValue = value{kind: abi.False}
	trueValue  = value{kind: abi.True}
)

func boolean(b bool) value {
	if b {
		return trueValue
	}
	return falseValue
}

func number(f float64) value { return value{kind: abi.Number, num: f} }

func (v value) isTrue() bool { return v.kind == abi.True }
func (v value) isBool() bool { return v.kind == abi.True || v.kind == abi.False }
func (v value) isText() bool { return v.kind == abi.String || v.kind == abi.Untyped }

// number is the value where a number is wanted: untyped text stands for one if
// all of it is a JSON number.
func (v value) number() (float64, bool) {
	switch v.kind {
	case abi.Number:
		return v.num, true
	case abi.Untyped:
		return abi.ParseF64(v.text)
	}
	return 0, false
}

// comparison is how two values compare with each other.
type comparison uint8

const (
	illTyped comparison = iota
	asNumbers
	asTexts
	asBools
	asNulls
)

func comparisonOf(a, b value) comparison {
	switch {
	case a.isText() && b.isText():
		return asTexts
	case a.kind == abi.Number && (b.kind == abi.Number || b.kind == abi.Untyped),
		a.kind == abi.Untyped && b.kind == abi.Number:
		return asNumbers
	case a.isBool() && b.isBool():
		return asBools
	case a.kind == abi.Null && b.kind == abi.Null:
		return asNulls
	}
	return illTyped
}

// equal compares two values; ok is false where they can not be compared.
func equal(a, b value) (eq, ok bool) {
	switch comparisonOf(a, b) {
	case asNumbers:
		x, okX := a.number()
		y, okY := b.number()
		return x == y, okX && okY
	case asTexts:
		return bytes.Equal(a.text, b.text), true
	case asBools:
		return a.kind == b.kind, true
	case asNulls:
		return true, true
	}
	return false, false
}

// order compares two values; ok is false where they have no order, as with
// NaN, arrays, or values of two types. false is before true.
func order(a, b value) (sign int, ok bool) {
	switch comparisonOf(a, b) {
	case asNumbers:
		x, okX := a.number()
		y, okY := b.number()
		switch {
		case !okX || !okY:
			return 0, false
		case x < y:
			return -1, true
		case x > y:
			return 1, true
		}
		return 0, x == y
	case asTexts:
		return bytes.Compare(a.text, b.text), true
	case asBools:
		return int(a.kind) - int(b.kind), true
	}
	return 0, false
}
