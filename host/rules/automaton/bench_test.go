package automaton

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"
)

// agents are texts as rules mostly look at them: one in eight has a needle.
func agents(needles []string) (texts []string) {
	for i := range 64 {
		text := fmt.Sprintf("Mozilla/5.0 (X11; Linux x86_64; rv:%d.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.%d", i+60, i)
		if i%8 == 0 {
			text = fmt.Sprintf("Mozilla/5.0 (compatible; %s; +http://example.com/)", needles[i*97%len(needles)])
		}
		texts = append(texts, text)
	}
	return texts
}

// match measures one way to look at a text, and build one to make its tables.
func match(b *testing.B, name string, texts []string, match func(string) bool) {
	b.Run(name, func(b *testing.B) {
		matched := 0
		for i := 0; b.Loop(); i++ {
			if match(texts[i%len(texts)]) {
				matched++
			}
		}
		if matched == 0 {
			b.Fatal("nothing matches")
		}
	})
}

func build(b *testing.B, name string, build func() error) {
	b.Run(name, func(b *testing.B) {
		for b.Loop() {
			if err := build(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkRegexp(b *testing.B) {
	texts := agents([]string{"somebot", "Googlebot", "crawler9", "spidery"})
	for _, pattern := range []string{`(?i)bot`, `(?i)\b(google|bing|some)?bot\b|crawl(er)?\d|spider`, `[\pL\d]+bot\PL`} {
		d, err := Regexp(pattern)
		if err != nil {
			b.Fatal(err)
		}
		re := regexp.MustCompile(pattern)
		build(b, "build/"+pattern, func() error { _, err := Regexp(pattern); return err })
		match(b, "match/"+pattern, texts, d.Match)
		match(b, "package regexp/"+pattern, texts, re.MatchString)
	}
}

func BenchmarkSubstrings(b *testing.B) {
	for _, n := range []int{1, 100, 10_000, 100_000} {
		needles := names(n)
		m, err := Substrings(needles)
		if err != nil {
			b.Fatal(err)
		}
		texts := agents(needles)
		build(b, fmt.Sprintf("build/%d", n), func() error { _, err := Substrings(needles); return err })
		match(b, fmt.Sprintf("match/%d/%T", n, m), texts, m.Match)
		if n <= 100 {
			match(b, fmt.Sprintf("package strings/%d", n), texts, func(text string) bool { return containsAny(text, needles) })
		}
	}
}

func BenchmarkTexts(b *testing.B) {
	for _, n := range []int{10, 10_000, 100_000} {
		list := sortedTexts(names(n))
		s, err := NewTexts(list)
		if err != nil {
			b.Fatal(err)
		}
		set := make(map[string]struct{}, n)
		var texts []string
		for i, text := range list {
			set[text] = struct{}{}
			if i%max(1, n/64) == 0 {
				texts = append(texts, text, strings.ToUpper(text))
			}
		}
		build(b, fmt.Sprintf("build/%d", n), func() error { _, err := NewTexts(list); return err })
		match(b, fmt.Sprintf("match/%d", n), texts, func(text string) bool { return s.Index(text) >= 0 })
		match(b, fmt.Sprintf("map/%d", n), texts, func(text string) bool { _, ok := set[text]; return ok })
	}
}

func BenchmarkNetworks(b *testing.B) {
	var prefixes []netip.Prefix
	var texts []string
	for i := range 10_000 {
		x := uint32(i+1) * 0x9E3779B1
		a := netip.AddrFrom4([4]byte{byte(x >> 24), byte(x >> 16), byte(x >> 8), byte(x)})
		prefixes = append(prefixes, netip.PrefixFrom(a, 20+i%9))
		if i%100 == 0 {
			texts = append(texts, a.String(), a.Next().Next().String(), "2001:db8::"+a.String())
		}
	}
	n, err := NewNetworks(prefixes)
	if err != nil {
		b.Fatal(err)
	}
	build(b, "build/10000", func() error { _, err := NewNetworks(prefixes); return err })
	match(b, "match/10000", texts, n.Contains)
}
