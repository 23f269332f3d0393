package fuel

import (
	"errors"
	"fmt"
	"math"
)

// errShort is a module that ends too early, or says that more follows than there
// is: engines may ask for the memory of it.
var errShort = errors.New("it ends too early")

// reader takes a binary apart. After a fault it gives zeros, and keeps the fault.
type reader struct {
	code []byte
	at   int
	err  error
	wide bool // there was a vector
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("at byte %d: %w", r.at, fmt.Errorf(format, args...))
	}
	r.at = len(r.code)
}

func (r *reader) done() bool { return r.at >= len(r.code) }

func (r *reader) byte() byte {
	if r.done() {
		r.fail("%w", errShort)
		return 0
	}
	b := r.code[r.at]
	r.at++
	return b
}

// take gives the next n bytes.
func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.code)-r.at {
		r.fail("%w", errShort)
		return nil
	}
	b := r.code[r.at : r.at+n : r.at+n]
	r.at += n
	return b
}

// u32 reads an unsigned LEB128 of at most 32 bits.
func (r *reader) u32() uint32 {
	if r.at < len(r.code) && r.code[r.at] < 0x80 {
		r.at++
		return uint32(r.code[r.at-1])
	}
	v := uint64(0)
	for shift := 0; shift < 35; shift += 7 {
		b := r.byte()
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			if v > math.MaxUint32 {
				break
			}
			return uint32(v)
		}
	}
	r.fail("a number of more than 32 bits")
	return 0
}

// skipSigned reads over a signed LEB128 of at most so many bytes.
func (r *reader) skipSigned(most int) {
	for range most {
		if r.byte() < 0x80 {
			return
		}
	}
	r.fail("a number of more than %d bytes", most)
}

// valueType reads the type of a value: those of WebAssembly 2.0. Others are longer
// in some proposals, and who reads them otherwise than the engine could be shown
// other instructions.
func (r *reader) valueType() byte {
	t := r.byte()
	switch t {
	case typeI32, typeI64, 0x7d, 0x7c, typeFuncref, typeExternref:
	case typeV128:
		r.wide = true
	default:
		r.fail("the type 0x%02x, of a proposal that is not supported", t)
	}
	return t
}

// refType reads the type of a reference.
func (r *reader) refType() {
	if t := r.byte(); t != typeFuncref && t != typeExternref {
		r.fail("the type of reference 0x%02x, of a proposal that is not supported", t)
	}
}

// blockType reads the type of a block: of a value, none, or the index of a type.
func (r *reader) blockType() (index uint32, typed bool) {
	if r.done() {
		r.fail("%w", errShort)
		return 0, false
	}
	switch b := r.code[r.at]; {
	case b == emptyBlock:
		r.at++
		return 0, false
	case b < 0x40: // a number that is not negative
		r.at++
		return uint32(b), true
	case b < 0x80:
		r.valueType()
		return 0, false
	}
	v := r.signed33()
	if v < 0 {
		r.fail("a block of the type %d", v)
	}
	return uint32(v), true
}

// signed33 reads a signed LEB128 of at most 33 bits.
func (r *reader) signed33() int64 {
	v := int64(0)
	for shift := 0; shift < 35; shift += 7 {
		b := r.byte()
		v |= int64(b&0x7f) << shift
		if b < 0x80 {
			return v << (57 - shift) >> (57 - shift)
		}
	}
	r.fail("a number of more than 33 bits")
	return 0
}

// zero reads a byte that is reserved.
func (r *reader) zero() {
	if r.byte() != 0 {
		r.fail("a byte that is reserved is not 0")
	}
}

// count reads how many things follow, each of at least a byte.
func (r *reader) count() int {
	n := r.u32()
	if int64(n) > int64(len(r.code)-r.at) {
		r.fail("%w: %d things in %d bytes", errShort, n, len(r.code)-r.at)
		return 0
	}
	return int(n)
}

func (r *reader) name() string { return string(r.take(r.count())) }

func appendU32(dst []byte, v uint32) []byte {
	for v >= 0x80 {
		dst = append(dst, byte(v)|0x80)
		v >>= 7
	}
	return append(dst, byte(v))
}

func appendS64(dst []byte, v int64) []byte {
	for {
		b := byte(v & 0x7f)
		v >>= 7
		if v == 0 && b&0x40 == 0 || v == -1 && b&0x40 != 0 {
			return append(dst, b)
		}
		dst = append(dst, b|0x80)
	}
}
