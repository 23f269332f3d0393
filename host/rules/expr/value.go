package expr

import (
	"bytes"

	"github.com/seed-6a2d649b/pharos/abi"
)

// Value is what an expression comes to. Its kind is that of a beacon's field;
// Missing is no value at all.
type Value struct {
	Kind abi.ValueKind
	Num  float64 // Number
	Text []byte  // String, Untyped
}

var (
	noValue    = Value{}
	falseValue = Value{Kind: abi.False}
	trueValue  = Value{Kind: abi.True}
)

func boolean(b bool) Value {
	if b {
		return trueValue
	}
	return falseValue
}

func number(f float64) Value { return Value{Kind: abi.Number, Num: f} }

// Holds says whether a condition holds that comes to v.
func (v Value) Holds() bool { return v.Kind == abi.True }

// IsText says whether v is a text.
func (v Value) IsText() bool { return v.Kind == abi.String || v.Kind == abi.Untyped }

func (v Value) isBool() bool { return v.Kind == abi.True || v.Kind == abi.False }

// Number is v where a number is wanted: untyped text stands for one if all of
// it is a JSON number.
func (v Value) Number() (float64, bool) {
	switch v.Kind {
	case abi.Number:
		return v.Num, true
	case abi.Untyped:
		return abi.ParseF64(v.Text)
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

func comparisonOf(a, b Value) comparison {
	switch {
	case a.IsText() && b.IsText():
		return asTexts
	case a.Kind == abi.Number && (b.Kind == abi.Number || b.Kind == abi.Untyped),
		a.Kind == abi.Untyped && b.Kind == abi.Number:
		return asNumbers
	case a.isBool() && b.isBool():
		return asBools
	case a.Kind == abi.Null && b.Kind == abi.Null:
		return asNulls
	}
	return illTyped
}

// equal compares two values; ok is false where they can not be compared.
func equal(a, b Value) (eq, ok bool) {
	switch comparisonOf(a, b) {
	case asNumbers:
		x, okX := a.Number()
		y, okY := b.Number()
		return x == y, okX && okY
	case asTexts:
		return bytes.Equal(a.Text, b.Text), true
	case asBools:
		return a.Kind == b.Kind, true
	case asNulls:
		return true, true
	}
	return false, false
}

// order compares two values; ok is false where they have no order, as with
// NaN, arrays, or values of two types. false is before true.
func order(a, b Value) (sign int, ok bool) {
	switch comparisonOf(a, b) {
	case asNumbers:
		x, okX := a.Number()
		y, okY := b.Number()
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
		return bytes.Compare(a.Text, b.Text), true
	case asBools:
		return int(a.Kind) - int(b.Kind), true
	}
	return 0, false
}
