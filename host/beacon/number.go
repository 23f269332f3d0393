package beacon

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
	"unsafe"

	"github.com/seed-6a2d649b/pharos/abi"
)

// number reads a JSON number at i and returns the index behind it, -1 if there
// is none.
func number(data []byte, i int) int {
	if i < len(data) && data[i] == '-' {
		i++
	}
	switch {
	case i >= len(data):
		return -1
	case data[i] == '0':
		i++
	case data[i]-'1' < 9:
		i = digits(data, i+1)
	default:
		return -1
	}
	if i < len(data) && data[i] == '.' {
		from := i + 1
		if i = digits(data, from); i == from {
			return -1
		}
	}
	if i < len(data) && data[i]|0x20 == 'e' {
		i++
		if i < len(data) && (data[i] == '+' || data[i] == '-') {
			i++
		}
		from := i
		if i = digits(data, from); i == from {
			return -1
		}
	}
	return i
}

// digits passes over decimal digits.
func digits(data []byte, i int) int {
	for i+8 <= len(data) {
		x := binary.LittleEndian.Uint64(data[i:]) ^ lows*'0'
		if m := (x + lows*0x76 | x) & highs; m != 0 { // 0x76 + 10 sets the top bit
			return i + bits.TrailingZeros64(m)>>3
		}
		i += 8
	}
	for i < len(data) && data[i]-'0' < 10 {
		i++
	}
	return i
}

// ParseNumber gives the float64 nearest to text if the whole of it is a JSON
// number; beyond float64's range that is an infinity.
func ParseNumber(text []byte) (float64, bool) {
	if len(text) == 0 || number(text, 0) != len(text) {
		return 0, false
	}
	return parseFloat(text), true
}

// longNumber is the length from which on the library may misplace a number's point.
const longNumber = 800

// parseFloat is ParseNumber of what is known to be a JSON number.
func parseFloat(text []byte) float64 {
	if f, ok := shortFloat(text); ok {
		return f
	}
	if len(text) > longNumber {
		f, _ := abi.ParseF64(text) // which is one
		return f
	}
	// The library keeps no hold of its argument. Its only error here is of range, and then f is an infinity.
	f, _ := strconv.ParseFloat(unsafe.String(&text[0], len(text)), 64)
	return f
}

var tens = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// shortFloat does numbers of up to 15 digits without exponent: both the digits
// and the power of ten are exact as float64, so one division rounds once.
func shortFloat(text []byte) (float64, bool) {
	if len(text) > 16 {
		return 0, false
	}
	var n uint64
	point, negative := len(text), false
	for i, c := range text {
		switch {
		case c-'0' < 10:
			n = n*10 + uint64(c-'0')
		case c == '.':
			point = i + 1
		case i == 0: // a minus
			negative = true
		default:
			return 0, false
		}
	}
	if n >= 1<<53 {
		return 0, false
	}
	f := float64(n)
	if frac := len(text) - point; frac > 0 {
		f /= tens[frac]
	}
	if negative {
		f = math.Copysign(f, -1)
	}
	return f, true
}

// parseInteger gives a JSON number that is an integer of int64, however it is written.
func parseInteger(text []byte) (int64, bool) {
	if n, ok := natural(text); ok {
		return int64(n), true
	}
	if len(text) == 0 || number(text, 0) != len(text) {
		return 0, false
	}
	negative := text[0] == '-'
	n, rest, ok := wholePart(text)
	switch {
	case !ok || rest:
		return 0, false
	case negative:
		return -int64(n), n <= 1<<63
	}
	return int64(n), n < 1<<63
}

// natural reads a plain number of up to 18 digits, as times and counts are.
func natural(text []byte) (n uint64, ok bool) {
	if len(text) == 0 || len(text) > 18 || text[0] == '0' && len(text) > 1 {
		return 0, false
	}
	for len(text) >= 8 {
		x := binary.LittleEndian.Uint64(text) ^ lows*'0'
		if (x+lows*0x76|x)&highs != 0 {
			return 0, false
		}
		// Neighbours become two digits, those four, those eight.
		x = x*10 + x>>8
		x = x&0x000000FF000000FF*(100+1000000<<32) + x>>16&0x000000FF000000FF*(1+10000<<32)
		n, text = n*100000000+x>>32, text[8:]
	}
	for _, c := range text {
		if c -= '0'; c > 9 {
			return 0, false
		}
		n = n*10 + uint64(c)
	}
	return n, true
}

// wholePart cuts the fraction off a JSON number, exactly, and gives the magnitude
// of what remains; rest tells whether the fraction was not zero. It is not ok if
// the magnitude is beyond uint64.
func wholePart(text []byte) (n uint64, rest, ok bool) {
	if text[0] == '-' {
		text = text[1:]
	}
	mantissa, point, exponent := len(text), -1, 0
	for i, c := range text {
		if c == '.' {
			point = i
		} else if c|0x20 == 'e' {
			mantissa, exponent = i, parseExponent(text[i+1:])
			break
		}
	}
	if point < 0 {
		point = mantissa
	}
	// The digit at i is worth 10^left, left falling by one a digit.
	left := point + exponent
	for i, c := range text[:mantissa] {
		if i == point {
			continue
		}
		d := uint64(c - '0')
		if left <= 0 {
			rest = rest || d != 0
		} else {
			high, low := bits.Mul64(n, 10)
			sum, carry := bits.Add64(low, d, 0)
			if high != 0 || carry != 0 {
				return 0, false, false
			}
			n = sum
		}
		left--
	}
	for ; left > 0 && n != 0; left-- {
		high, low := bits.Mul64(n, 10)
		if high != 0 {
			return 0, false, false
		}
		n = low
	}
	return n, rest, true
}

// parseExponent reads a checked exponent. It stops growing where no beacon has
// enough digits to bring the number back into any range.
func parseExponent(text []byte) int {
	n, negative := 0, false
	for _, c := range text {
		switch {
		case c == '-':
			negative = true
		case c != '+' && n < 1<<30:
			n = n*10 + int(c-'0')
		}
	}
	if negative {
		return -n
	}
	return n
}
