package expr_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
)

func TestParseList(t *testing.T) {
	for _, test := range []struct {
		content string
		want    []string
		err     string
	}{
		{"", nil, ""},
		{"b\na\nb", []string{"a", "b"}, ""},
		{"\ufeffa\r\n\r\n  # b\n\tc d \n#e\nf # g\n", []string{"a", "c d", "f # g"}, ""},
		{"a\n\xff", nil, "it is not UTF-8"},
		{"a\n" + strings.Repeat("é", 513), nil, "line 2: an entry of 1026 bytes, and 1024 are allowed"},
		{strings.Repeat("a\n", expr.MaxListEntries+1), nil, "line 100001: more than 100000 entries"},
		{strings.Repeat("#\n", expr.MaxListBytes/2) + "#", nil, "8388609 bytes, and 8388608 are allowed"},
	} {
		set, err := expr.ParseList("bots", []byte(test.content))
		if test.err != "" {
			if err == nil || err.Error() != test.err {
				t.Errorf("%.20q: %v, want %s", test.content, err, test.err)
			}
			continue
		}
		if err != nil || !slices.Equal(set.Texts, test.want) || set.Name != "bots" {
			t.Errorf("%.20q: %v %v", test.content, set, err)
		}
	}
}

// FuzzParseList: what is taken has no entry that a file could not have.
func FuzzParseList(f *testing.F) {
	for _, seed := range []string{"a\nb", "# a\r\n\r\nb", "\ufeff \u2028 x", "10.0.0.0/8\n::1"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		set, err := expr.ParseList("x", content)
		if err != nil {
			return
		}
		if !slices.IsSorted(set.Texts) || len(slices.Compact(slices.Clone(set.Texts))) != len(set.Texts) {
			t.Fatalf("%q", set.Texts)
		}
		for _, text := range set.Texts {
			if text == "" || strings.TrimSpace(text) != text || strings.Contains(text, "\n") || text[0] == '#' || !set.Has([]byte(text)) {
				t.Fatalf("an entry %q", text)
			}
		}
		again, err := expr.ParseList("x", []byte(strings.Join(set.Texts, "\n")))
		if err != nil || !slices.Equal(again.Texts, set.Texts) {
			t.Fatalf("%q written again is %v, %v", set.Texts, again, err)
		}
		(&expr.Scope{Lists: map[string]*expr.Set{"x": set}}).Parse("cidr(lists.x).containsIP(a)")
	})
}

// TestNetworks compares with a walk over the prefixes.
func TestNetworks(t *testing.T) {
	addr := rapid.Custom(func(t *rapid.T) netip.Addr {
		bytes := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 10, 127, 128, 255}), 4, 4).Draw(t, "bytes")
		a := netip.AddrFrom4([4]byte(bytes))
		switch rapid.IntRange(0, 2).Draw(t, "family") {
		case 0:
			return a
		case 1:
			return netip.AddrFrom16(a.As16()) // IPv4 as IPv6
		}
		return netip.AddrFrom16([16]byte{0: bytes[0], 1: bytes[1], 14: bytes[2], 15: bytes[3]})
	})
	rapid.Check(t, func(t *rapid.T) {
		var texts []string
		var prefixes []netip.Prefix
		for range rapid.IntRange(0, 5).Draw(t, "prefixes") {
			a := addr.Draw(t, "address")
			p := netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(t, "bits"))
			texts = append(texts, p.String())
			if a.Is4In6() && p.Bits() >= 96 {
				p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
			}
			prefixes = append(prefixes, p)
		}
		n, errs := (&expr.Scope{Lists: map[string]*expr.Set{"x": expr.NewSet("x", texts)}}).Parse("cidr(lists.x).containsIP(a)")
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		for range 20 {
			a := addr.Draw(t, "a")
			want := slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Masked().Contains(a.Unmap()) })
			got := eval(n, func(string) abi.Value { return abi.Value{Kind: abi.String, Text: []byte(a.String())} })
			if got.Holds() != want {
				t.Fatal(fmt.Sprintf("%s in %v: %v, want %v", a, texts, got.Holds(), want))
			}
		}
	})
}
