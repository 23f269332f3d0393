package beacon

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
	"unicode/utf8"

	"github.com/seed-6a2d649b/pharos/abi"
)

// query reads a URL query string.
func (b *Batch) query(p *Projection, raw []byte, values []Value) Cause {
	for len(raw) > 0 {
		pair := raw
		if i := bytes.IndexByte(raw, '&'); i >= 0 {
			pair, raw = raw[:i], raw[i+1:]
		} else {
			raw = nil
		}
		if len(pair) == 0 {
			continue
		}
		if cause := b.pair(p, pair, values); cause != "" {
			return cause
		}
	}
	return ""
}

// pair reads key=value. Values that nobody asked for are checked all the same.
func (b *Batch) pair(p *Projection, pair []byte, values []Value) Cause {
	s := &b.scan
	key, value := pair, pair[len(pair):]
	if i := bytes.IndexByte(pair, '='); i >= 0 {
		key, value = pair[:i], pair[i+1:]
	}
	keyOK, valueOK := true, true // as UTF-8; escapes come before that
	if at := urlEscape(key); at < len(key) {
		var ok bool
		if s.key, ok = appendQuery(s.key[:0], key, at); !ok {
			return BadEscape
		}
		key, keyOK = s.key, utf8.Valid(s.key)
	}
	n := p.root.child(key, word(key))
	if n != nil && s.seen[n.id] == s.turn {
		n = nil // the first holds
	}
	if at := urlEscape(value); at < len(value) {
		from, ok := len(b.text), false
		if b.text, ok = appendQuery(b.text, value, at); !ok {
			return BadEscape
		}
		value = b.text[from:len(b.text):len(b.text)]
		valueOK = validUTF8(value)
		if n == nil {
			b.text = b.text[:from]
		}
	}
	if !keyOK || !valueOK {
		return NotUTF8
	}
	if n == nil {
		return ""
	}
	s.seen[n.id] = s.turn
	if n.slot >= 0 {
		values[n.slot] = Value{abi.Untyped, value[:len(value):len(value)]}
	}
	if len(n.below) > 0 {
		b.enter(p, n, value, values)
	}
	return ""
}

// enter reads the values below n out of a query's value, if that is JSON.
func (b *Batch) enter(p *Projection, n *node, text []byte, values []Value) {
	i := space(text, 0)
	if i == len(text) || text[i] != '{' && text[i] != '[' {
		return
	}
	s := &b.inner
	s.start(text, values, p.nodes)
	if text[i] == '{' {
		i = s.object(i, n, 1)
	} else {
		i = s.array(i, n, 1)
	}
	if i < 0 || space(text, i) != len(text) {
		for _, slot := range n.below {
			values[slot] = Value{}
		}
	}
}

// urlSpecial sets the top bit of the first byte (and perhaps of later ones) that
// is "%" or "+".
func urlSpecial(x uint64) uint64 {
	p, q := x^lows*'%', x^lows*'+'
	return ((p-lows)&^p | (q-lows)&^q) & highs
}

// urlEscape gives the index of the first "%" or "+", len(b) if there is none.
func urlEscape(b []byte) int {
	i := 0
	for ; i+8 <= len(b); i += 8 {
		if m := urlSpecial(binary.LittleEndian.Uint64(b[i:])); m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
	}
	for i < len(b) && b[i] != '%' && b[i] != '+' {
		i++
	}
	return i
}

// appendQuery resolves the escapes of src, of which the first is at index at.
func appendQuery(dst, src []byte, at int) (out []byte, ok bool) {
	from := len(dst)
	dst = slices.Grow(dst, len(src)+8) // whole words are copied, and may end behind what counts
	to := dst[from:cap(dst)]
	n := copy(to, src[:at])
	for i := at; i < len(src); {
		for i+8 <= len(src) {
			x := binary.LittleEndian.Uint64(src[i:])
			binary.LittleEndian.PutUint64(to[n:], x)
			if m := urlSpecial(x); m != 0 {
				plain := bits.TrailingZeros64(m) >> 3
				i, n = i+plain, n+plain
				break
			}
			i, n = i+8, n+8
		}
		if i == len(src) {
			break
		}
		switch c := src[i]; c {
		case '+':
			to[n] = ' '
		case '%':
			if i+3 > len(src) || unhex[src[i+1]]|unhex[src[i+2]] > 15 {
				return dst, false
			}
			to[n] = unhex[src[i+1]]<<4 | unhex[src[i+2]]
			i += 2
		default:
			to[n] = c
		}
		i, n = i+1, n+1
	}
	return dst[:from+n], true
}
