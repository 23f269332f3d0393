package metric

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// A number comes back as it was, whatever its size and whatever follows it.
func TestPropertyIntCode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := new(big.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "magnitude"))
		if rapid.Bool().Draw(t, "negative") {
			v.Neg(v)
		}
		a := IntOfBig(v)
		text := append(a.Append([]byte("x")), "behind"...)
		got, rest, ok := CutInt(text[1:])
		if !ok || !got.Equal(a) || string(rest) != "behind" {
			t.Fatalf("%v comes back as %v, %v, %q behind", a, got, ok, rest)
		}
		if _, _, ok := CutInt(a.Append(nil)[:len(text)-len("xbehind")-1]); ok {
			t.Fatal("half a number is one")
		}
	})
}

func FuzzCutInt(f *testing.F) {
	f.Add(NewInt(-300).Append(nil))
	f.Add([]byte{255, 255, 1})
	f.Fuzz(func(t *testing.T, text []byte) {
		if a, rest, ok := CutInt(text); ok {
			if b, _, ok := CutInt(a.Append(nil)); !ok || !a.Equal(b) || len(rest) >= len(text) {
				t.Fatalf("%v and %v", a, b)
			}
		}
	})
}
