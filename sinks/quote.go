package sinks

import (
	"strings"
	"unicode/utf8"
)

// Quote writes a label's value without characters that a store cannot have: each byte
// of them, of a percent sign, and of what is no UTF-8, as % and two hex digits. Unquote
// gives it back.
func Quote(value string, refused func(rune) bool) string {
	var b *strings.Builder
	for i := 0; i < len(value); {
		r, size := utf8.DecodeRuneInString(value[i:])
		bad := r == '%' || refused(r) || r == utf8.RuneError && size == 1
		if bad && b == nil {
			b = new(strings.Builder)
			b.WriteString(value[:i])
		}
		switch {
		case bad:
			for _, c := range []byte(value[i : i+size]) {
				b.WriteByte('%')
				b.WriteByte(hex[c>>4])
				b.WriteByte(hex[c&15])
			}
		case b != nil:
			b.WriteString(value[i : i+size])
		}
		i += size
	}
	if b == nil {
		return value
	}
	return b.String()
}

const hex = "0123456789ABCDEF"

// Unquote is the inverse of Quote; what Quote does not write stays as it is.
func Unquote(text string) string {
	if !strings.Contains(text, "%") {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			hi, lo := strings.IndexByte(hex, text[i+1]), strings.IndexByte(hex, text[i+2])
			if hi >= 0 && lo >= 0 {
				b.WriteByte(byte(hi<<4 | lo))
				i += 2
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}
