package metric

import (
	"math"
	"math/big"
	"math/bits"
	"strconv"
)

// Int is an exact signed integer of any size. It is an immutable value; the
// zero value is 0. It costs no allocation while it fits 128 bits. Two Ints are
// compared with Cmp or Equal, never with ==, which the compiler refuses.
type Int struct {
	_   [0]func() // not comparable
	hi  int64     // with lo a 128-bit two's complement number,
	lo  uint64
	big *big.Int // or this, never changed, where the number does not fit
}

// NewInt returns v.
func NewInt(v int64) Int { return Int{hi: v >> 63, lo: uint64(v)} }

// IntOfBig returns the value of v, of which it keeps no reference.
func IntOfBig(v *big.Int) Int {
	if v.IsInt64() {
		return NewInt(v.Int64())
	}
	if v.BitLen() > 127 { // -2^127 would fit but does not matter
		return Int{big: new(big.Int).Set(v)}
	}
	var mag [16]byte
	v.FillBytes(mag[:])
	a := Int{hi: int64(be64(mag[:8])), lo: be64(mag[8:])}
	if v.Sign() < 0 {
		return a.Neg()
	}
	return a
}

func be64(b []byte) uint64 {
	var v uint64
	for _, c := range b[:8] {
		v = v<<8 | uint64(c)
	}
	return v
}

// Big returns a as a new big.Int.
func (a Int) Big() *big.Int {
	if a.big != nil {
		return new(big.Int).Set(a.big)
	}
	v := big.NewInt(a.hi)
	v.Lsh(v, 64)
	return v.Or(v, new(big.Int).SetUint64(a.lo))
}

// view is Big for reading only.
func (a Int) view() *big.Int {
	if a.big != nil {
		return a.big
	}
	return a.Big()
}

// int64 returns the value of a where it fits.
func (a Int) int64() (int64, bool) {
	v := int64(a.lo)
	return v, a.big == nil && a.hi == v>>63
}

// Add returns a + b.
func (a Int) Add(b Int) Int {
	if a.big == nil && b.big == nil {
		lo, carry := bits.Add64(a.lo, b.lo, 0)
		hi := a.hi + b.hi + int64(carry)
		if (a.hi^hi)&(b.hi^hi) >= 0 { // the sign is that of an operand
			return Int{hi: hi, lo: lo}
		}
	}
	return IntOfBig(new(big.Int).Add(a.view(), b.view()))
}

// Sub returns a - b.
func (a Int) Sub(b Int) Int {
	if a.big == nil && b.big == nil {
		lo, borrow := bits.Sub64(a.lo, b.lo, 0)
		hi := a.hi - b.hi - int64(borrow)
		if (a.hi^b.hi)&(a.hi^hi) >= 0 {
			return Int{hi: hi, lo: lo}
		}
	}
	return IntOfBig(new(big.Int).Sub(a.view(), b.view()))
}

// Neg returns -a.
func (a Int) Neg() Int { return Int{}.Sub(a) }

// Mul returns a * b.
func (a Int) Mul(b Int) Int {
	x, xok := a.int64()
	y, yok := b.int64()
	if xok && yok {
		hi, lo := bits.Mul64(uint64(x), uint64(y))
		if x < 0 {
			hi -= uint64(y)
		}
		if y < 0 {
			hi -= uint64(x)
		}
		return Int{hi: int64(hi), lo: lo}
	}
	return IntOfBig(new(big.Int).Mul(a.view(), b.view()))
}

// IsZero tells whether a is 0.
func (a Int) IsZero() bool { return a.big == nil && a.hi == 0 && a.lo == 0 }

// Equal tells whether a and b are the same number.
func (a Int) Equal(b Int) bool { return a.Cmp(b) == 0 }

// Cmp returns -1, 0 or 1 as a is less than, equal to or greater than b.
func (a Int) Cmp(b Int) int {
	switch {
	case a.big != nil || b.big != nil:
		return a.view().Cmp(b.view())
	case a.hi < b.hi || a.hi == b.hi && a.lo < b.lo:
		return -1
	case a.hi == b.hi && a.lo == b.lo:
		return 0
	}
	return 1
}

// String returns a in decimal.
func (a Int) String() string {
	if v, ok := a.int64(); ok {
		return strconv.FormatInt(v, 10)
	}
	return a.view().String()
}

// Float64 returns the float64 nearest to a / 10^decimals, half to even: 6
// decimals for Figure.Sum, 12 for Figure.SumSq. Beyond float64's range it is
// infinite.
func (a Int) Float64(decimals int) float64 {
	if v, ok := a.int64(); ok {
		if v > -1<<53 && v < 1<<53 && decimals <= 22 {
			return float64(v) / math.Pow10(decimals) // both exact, so the quotient is rounded once
		}
		var buf [32]byte
		text := append(strconv.AppendInt(buf[:0], v, 10), 'e')
		text = strconv.AppendInt(text, int64(-decimals), 10)
		f, err := strconv.ParseFloat(string(text), 64)
		if err == nil {
			return f
		}
	}
	den := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(decimals)), nil)
	f, _ := new(big.Rat).SetFrac(a.view(), den).Float64()
	return f
}

// Micros returns the integer nearest to the float64 product v * Micro, half to
// even. It is false for NaN, the infinities and magnitudes beyond MaxValue.
func Micros(v float64) (int64, bool) {
	if !(math.Abs(v) <= MaxValue) {
		return 0, false
	}
	return int64(math.RoundToEven(v * Micro)), true
}
