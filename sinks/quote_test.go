package sinks

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// Whatever a value is, what is written of it has none of the characters refused, is
// UTF-8, and comes back; ordinary values are written as they are.
func TestQuote(t *testing.T) {
	refused := func(r rune) bool { return r < ' ' || r == '\'' || r == '日' }
	rapid.Check(t, func(t *rapid.T) {
		v := string(rapid.SliceOf(rapid.OneOf(rapid.Byte(), rapid.SampledFrom([]byte("%2E'日a\n")))).Draw(t, "value"))
		text := Quote(v, refused)
		if strings.ContainsFunc(text, refused) || !utf8.ValidString(text) {
			t.Fatalf("%q is written %q", v, text)
		}
		if back := Unquote(text); back != v {
			t.Fatalf("%q is written %q, and comes back as %q", v, text, back)
		}
	})
	for _, v := range []string{"", "a b", "é,=x", "a/b?c"} {
		if text := Quote(v, func(rune) bool { return false }); text != v {
			t.Errorf("%q is written %q", v, text)
		}
	}
	for _, text := range []string{"%", "%2", "%zz", "a%2"} {
		if back := Unquote(text); back != text {
			t.Errorf("%q comes back as %q", text, back)
		}
	}
}
