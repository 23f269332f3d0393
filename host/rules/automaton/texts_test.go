package automaton

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestTextsAreFoundByTheirPlace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Texts that differ in little, of all lengths that are hashed differently.
		text := rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]byte("aab\x00\x80")), 0, 20), func(b []byte) string { return string(b) })
		list := rapid.SliceOfNDistinct(text, 0, 200, rapid.ID).Draw(t, "list")
		s, err := NewTexts(list)
		if err != nil {
			t.Fatal(err)
		}
		for i, text := range list {
			if got := s.Index(text); got != i {
				t.Errorf("%q, text %d of %q: %d", text, i, list, got)
			}
		}
		for range 100 {
			text := text.Draw(t, "text")
			if got, want := s.Index(text), slices.Index(list, text); got != want {
				t.Errorf("%q of %q: %d, want %d", text, list, got, want)
			}
		}
	})
}

func FuzzTexts(f *testing.F) {
	f.Add("a\nb\n\nabcdefghijklmnopq", "abcdefghijklmnopq")
	f.Fuzz(func(t *testing.T, lines, text string) {
		list := sortedTexts(strings.Split(lines, "\n"))
		s, err := NewTexts(list)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := s.Index(text), slices.Index(list, text); got != want {
			t.Errorf("%q of %q: %d, want %d", text, list, got, want)
		}
		for i, text := range list {
			if got := s.Index(text); got != i {
				t.Errorf("%q, text %d of %q: %d", text, i, list, got)
			}
		}
	})
}

func TestTextsOfLongLists(t *testing.T) {
	counted := make([]string, 20_000)
	for i := range counted {
		counted[i] = strings.Repeat("0", 16) + string([]byte{byte(i), byte(i >> 8), byte(i >> 16)})
	}
	// Pairs of words whose differences cancel in a hash by multiplication.
	var cancelling []string
	for i := range 10_000 {
		a, b := []byte("aaaaaaaaaaaaaaaa"), []byte("aaaaaaaaaaaaaaaa")
		copy(a, []byte{byte(i), byte(i >> 8), byte(i >> 16)})
		copy(b, a)
		b[7] ^= 0x80
		b[3] ^= 0x80
		b[15] ^= 0x80
		cancelling = append(cancelling, string(a), string(b))
	}
	for name, list := range map[string][]string{"names": sortedTexts(names(MaxTexts)), "counted": counted, "cancelling": cancelling} {
		s, err := NewTexts(list)
		if err != nil {
			t.Fatal(name, err)
		}
		for i, text := range list {
			if got := s.Index(text); got != i {
				t.Fatalf("%s: %q, text %d: %d", name, text, i, got)
			}
			if got := s.Index(text + "x"); got != -1 {
				t.Fatalf("%s: %q is text %d", name, text+"x", got)
			}
		}
	}
}

func TestTextsBuildTheSameTablesAgain(t *testing.T) {
	a, err := NewTexts(names(10_000))
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewTexts(names(10_000))
	if err != nil {
		t.Fatal(err)
	}
	if !cmp.Equal(a, b) {
		t.Error("other tables the second time")
	}
}

func TestTextsAreBounded(t *testing.T) {
	for want, list := range map[string][]string{
		"a list of 100001 texts, and 100000 are allowed":            make([]string, MaxTexts+1),
		"a list of texts of 4194305 bytes, and 4194304 are allowed": {strings.Repeat("a", MaxTextBytes), "b"},
		`"b" is in the list twice`:                                  {"b", "a", "b"},
	} {
		if _, err := NewTexts(list); err == nil || err.Error() != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
