package beacon

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// special sets the top bit of the first byte (and perhaps of later ones) that is
// not plain text in a JSON string: a quote, a backslash, a control character.
func special(x uint64) uint64 {
	q := x ^ lows*'"'
	b := x ^ lows*'\\'
	return ((q-lows)&^q | (b-lows)&^b | (x-lows*0x20)&^x) & highs
}

// text reads a JSON string from behind its opening quote and returns the index of
// the closing one, and whether there are escapes to be resolved.
func (s *scanner) text(i int) (end int, escaped bool) {
	data := s.data
	for {
		for i+8 <= len(data) {
			if m := special(binary.LittleEndian.Uint64(data[i:])); m != 0 {
				i += bits.TrailingZeros64(m) >> 3
				break
			}
			i += 8
		}
		for i < len(data) && data[i] != '"' && data[i] != '\\' && data[i] >= 0x20 {
			i++
		}
		if i >= len(data) || data[i] < 0x20 {
			return s.fail(NotJSON), false
		}
		if data[i] == '"' {
			return i, escaped
		}
		escaped = true
		n := escape(data[i:])
		if n == 0 {
			return s.fail(NotJSON), false
		}
		i += n
	}
}

// escape gives the length of the escape that b begins with, 0 if it is none.
func escape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) >= 6 && unhex[b[2]]|unhex[b[3]]|unhex[b[4]]|unhex[b[5]] < 16 {
			return 6
		}
	}
	return 0
}

// unescape resolves the escapes of a checked JSON string in the batch's memory.
func (b *Batch) unescape(src []byte) []byte {
	from := len(b.text)
	b.text = appendUnescaped(b.text, src)
	return b.text[from:len(b.text):len(b.text)]
}

func appendUnescaped(dst, src []byte) []byte {
	for {
		i := bytes.IndexByte(src, '\\')
		if i < 0 {
			return append(dst, src...)
		}
		dst = append(dst, src[:i]...)
		c := src[i+1]
		src = src[i+2:]
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r := unit(src)
			src = src[4:]
			if utf16.IsSurrogate(r) {
				var low rune
				if len(src) >= 6 && src[0] == '\\' && src[1] == 'u' {
					low = unit(src[2:])
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					src = src[6:]
				}
			}
			dst = utf8.AppendRune(dst, r)
			continue
		}
		dst = append(dst, c)
	}
}

// unit reads the four digits of an escape \uXXXX.
func unit(b []byte) rune {
	return rune(unhex[b[0]])<<12 | rune(unhex[b[1]])<<8 | rune(unhex[b[2]])<<4 | rune(unhex[b[3]])
}

// unhex gives the value of a hexadecimal digit, 0xFF of what is none.
var unhex = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xFF
	}
	for i := range 10 {
		t['0'+i] = byte(i)
	}
	for i := range 6 {
		t['a'+i], t['A'+i] = byte(10+i), byte(10+i)
	}
	return t
}()
