package metric

import (
	"encoding/binary"
	"math/big"
	"math/bits"
)

// Append appends a in a form that says its own end: a varint with the number of
// bytes, shifted by one for the sign, and the magnitude's bytes, big-endian.
func (a Int) Append(dst []byte) []byte {
	if a.big != nil {
		m := a.big.Bytes()
		dst = binary.AppendUvarint(dst, uint64(len(m))<<1|uint64(a.big.Sign())>>63)
		return append(dst, m...)
	}
	hi, lo, sign := uint64(a.hi), a.lo, byte(0)
	if a.hi < 0 {
		sign = 1
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	n := (bits.Len64(lo) + 7) / 8
	if hi != 0 {
		n = 8 + (bits.Len64(hi)+7)/8
	}
	dst = append(dst, byte(n)<<1|sign)
	for i := n - 1; i >= 0; i-- {
		if i >= 8 {
			dst = append(dst, byte(hi>>(8*(i-8))))
		} else {
			dst = append(dst, byte(lo>>(8*i)))
		}
	}
	return dst
}

// maxIntBytes bounds the numbers that CutInt reads: sums over all beacons there
// will ever be are far smaller.
const maxIntBytes = 64

// CutInt takes a number that Append wrote off a text. It is false where there is
// none.
func CutInt(text []byte) (a Int, rest []byte, ok bool) {
	head, size := binary.Uvarint(text)
	n := head >> 1
	if size <= 0 || n > maxIntBytes || n > uint64(len(text)-size) {
		return Int{}, nil, false
	}
	m, rest := text[size:size+int(n)], text[size+int(n):]
	if n < 8 {
		var v uint64
		for _, c := range m {
			v = v<<8 | uint64(c)
		}
		a = Int{lo: v}
	} else {
		a = IntOfBig(new(big.Int).SetBytes(m))
	}
	if head&1 == 1 {
		a = a.Neg()
	}
	return a, rest, true
}
