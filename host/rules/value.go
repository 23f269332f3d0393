package rules

import (
	"bytes"
	"math"
	"strconv"
	"unsafe"

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
		return parseNumber(v.text)
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

// parseNumber is the float64 nearest to text, if all of text is a JSON number;
// one beyond float64's range is infinite.
func parseNumber(text []byte) (float64, bool) {
	if !isNumber(text) {
		return 0, false
	}
	if len(text) <= 15 {
		if n, ok := smallInteger(text); ok {
			return n, true
		}
	}
	// text was found to be a number, so the only error is a range error, for
	// which ParseFloat gives the infinity that is wanted.
	f, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(text), len(text)), 64)
	return f, err == nil || math.IsInf(f, 0)
}

// smallInteger reads up to 15 digits, which float64 holds exactly.
func smallInteger(text []byte) (float64, bool) {
	var n int64
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return float64(n), true
}

// isNumber says whether all of b is a number as JSON writes it.
func isNumber(b []byte) bool {
	if len(b) > 0 && b[0] == '-' {
		b = b[1:]
	}
	whole := digits(b)
	if whole == 0 || whole > 1 && b[0] == '0' {
		return false
	}
	b = b[whole:]
	if len(b) > 0 && b[0] == '.' {
		n := digits(b[1:])
		if n == 0 {
			return false
		}
		b = b[1+n:]
	}
	if len(b) > 0 && (b[0] == 'e' || b[0] == 'E') {
		b = b[1:]
		if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
			b = b[1:]
		}
		n := digits(b)
		if n == 0 {
			return false
		}
		b = b[n:]
	}
	return len(b) == 0
}

// digits is how many decimal digits b starts with.
func digits(b []byte) int {
	n := 0
	for n < len(b) && b[n] >= '0' && b[n] <= '9' {
		n++
	}
	return n
}
