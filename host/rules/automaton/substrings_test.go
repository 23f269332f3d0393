package automaton

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// containsAny is what Substrings means.
func containsAny(text string, needles []string) bool {
	for _, needle := range needles {
		if strings.Contains(text, needle) {
			return true
		}
	}
	return false
}

// both gives the dense and the sparse form of needles, none of them empty.
func both(t interface{ Fatal(...any) }, needles []string) (*DFA, *Trie) {
	m, err := Substrings(needles)
	if err != nil {
		t.Fatal(err)
	}
	d, ok := m.(*DFA)
	if !ok {
		t.Fatal("a few needles are no DFA")
	}
	trie, err := newTrie(sortedTexts(needles))
	if err != nil {
		t.Fatal(err)
	}
	return d, trie
}

func TestSubstringsAreThoseOfContains(t *testing.T) {
	bytesOf := rapid.SampledFrom([]byte("aab\x00é")) // with halves of é
	needle := rapid.Map(rapid.SliceOfN(bytesOf, 1, 6), func(b []byte) string { return string(b) })
	rapid.Check(t, func(t *rapid.T) {
		needles := rapid.SliceOfN(needle, 1, 6).Draw(t, "needles")
		d, trie := both(t, needles)
		for range 20 {
			text := string(rapid.SliceOfN(bytesOf, 0, 20).Draw(t, "text"))
			want := containsAny(text, needles)
			if got := d.Match(text); got != want {
				t.Errorf("DFA of %q in %q: %v", needles, text, got)
			}
			if got := trie.Match(text); got != want {
				t.Errorf("trie of %q in %q: %v", needles, text, got)
			}
		}
	})
}

func FuzzSubstrings(f *testing.F) {
	f.Add("bot\ncrawl\nspider", "a spiderbot")
	f.Add("aa\naab\nab", "aaab")
	f.Fuzz(func(t *testing.T, lines, text string) {
		needles := strings.Split(lines, "\n")
		m, err := Substrings(needles)
		if err != nil {
			t.Skip(err)
		}
		if got, want := m.Match(text), containsAny(text, needles); got != want {
			t.Errorf("%T of %q in %q: %v", m, needles, text, got)
		}
		if needles = sortedTexts(needles); needles[0] == "" {
			return
		}
		trie, err := newTrie(needles)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := trie.Match(text), containsAny(text, needles); got != want {
			t.Errorf("trie of %q in %q: %v", needles, text, got)
		}
	})
}

func TestSubstringsOfOddLists(t *testing.T) {
	allBytes := make([]string, 256)
	for b := range allBytes {
		allBytes[b] = string([]byte{byte(b)})
	}
	for _, c := range []struct {
		needles []string
		text    string
		want    bool
	}{
		{nil, "", false},
		{nil, "a", false},
		{[]string{""}, "", true},
		{[]string{"a", ""}, "b", true},
		{[]string{"a", "a"}, "ba", true},
		{[]string{"a"}, "", false},
		{allBytes, "\xff", true},
		{allBytes, "", false},
		{append([]string{"\xffa", "\xff\xff", "\xfe\xff"}, allBytes[:255]...), "\xffb", true},
		{append([]string{"\xffa", "\xff\xff", "\xfe\xff"}, allBytes[:254]...), "\xff", false},
		{[]string{strings.Repeat("a", 30_000) + "b"}, strings.Repeat("a", 100_000) + "b", true},
		{[]string{strings.Repeat("a", 30_000) + "b"}, strings.Repeat("a", 29_999) + "b", false},
	} {
		m, err := Substrings(c.needles)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Match(c.text); got != c.want {
			t.Errorf("%.60q in %.60q: %v", c.needles, c.text, got)
		}
	}
}

// names are n made-up names of bots.
func names(n int) []string {
	kinds := []string{"bot", "crawler", "spider", "fetch", "preview", "monitor", "agent", "scan"}
	all := make([]string, n)
	for i := range all {
		word, x := []byte{}, uint64(i+1)*0x9E3779B97F4A7C15
		for range 4 + i%5 {
			word = append(word, 'a'+byte(x>>59)%26)
			x *= 0xD1342543DE82EF95
		}
		all[i] = fmt.Sprintf("%s%s/%d", word, kinds[i%len(kinds)], i/len(kinds)%10)
	}
	return all
}

func TestSubstringsOfLongLists(t *testing.T) {
	needles := names(MaxTexts)
	m, err := Substrings(needles)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := m.(*Trie); !ok {
		t.Fatalf("a %T of %d needles", m, len(needles))
	}
	for i := 0; i < len(needles); i += 7 {
		needle := needles[i]
		if !m.Match("Mozilla/5.0 (compatible; " + needle + ")") {
			t.Errorf("needle %d, %q, is not found", i, needle)
		}
		if m.Match("Mozilla/5.0 (compatible; " + needle[:len(needle)-1] + ")") {
			t.Errorf("needle %d, %q, is found without its last byte", i, needle)
		}
	}
}

func TestSubstringsBuildTheSameTablesAgain(t *testing.T) {
	for _, needles := range [][]string{{"bot", "crawl", "botnet"}, names(2000)} {
		a, err := Substrings(needles)
		if err != nil {
			t.Fatal(err)
		}
		b, err := Substrings(needles)
		if err != nil {
			t.Fatal(err)
		}
		if !cmp.Equal(a, b) {
			t.Errorf("%d needles: other tables the second time", len(needles))
		}
	}
}

func TestSubstringsAreBounded(t *testing.T) {
	long := make([]string, 40) // of 4 MB that share nothing
	for i := range long {
		long[i] = string(rune('A'+i)) + strings.Repeat("x", MaxTextBytes/len(long)-1)
	}
	for want, needles := range map[string][]string{
		"a list of 100001 texts, and 100000 are allowed":                                                       make([]string, MaxTexts+1),
		"a list of texts of 4194305 bytes, and 4194304 are allowed":                                            {strings.Repeat("a", MaxTextBytes), "b"},
		"a list of more than 2500000 different beginnings of texts: shorten them, or make several lists of it": long,
	} {
		if _, err := Substrings(needles); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
