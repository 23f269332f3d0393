package automaton

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// inNetworks is what Networks means.
func inNetworks(text string, prefixes []netip.Prefix) bool {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return false
	}
	a = a.Unmap()
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool {
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		return p.Contains(a)
	})
}

// everything has all addresses in it, so that only what is none is not.
var everything = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

func mustNetworks(t interface{ Fatal(...any) }, prefixes []netip.Prefix) *Networks {
	n, err := NewNetworks(prefixes)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

var addressTexts = []string{
	"", "0", "1.2.3", "1.2.3.4", "1.2.3.4.", ".1.2.3.4", "1..2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.04", "00.0.0.0", "0.0.0.0", "255.255.255.255", "256.1.1.1",
	"1.2.3.1000", " 1.2.3.4", "1.2.3.4 ", "1.2.3.x", "1.2.3.4%eth0", "1.2.3.٤",
	":", "::", ":::", "::1", "1::", "1:", ":1", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8:", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8",
	"1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1::3:4:5:6:7:8", "1::2::3", "12345::", "fFfF::AbCd", "g::", "::g", "::%", "fe80::1%eth0", "fe80::1%",
	"::1.2.3.4", "::ffff:1.2.3.4", "::ffff:0102:0304", "0:0:0:0:0:ffff:1.2.3.4", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "1:2:3:4:5:1.2.3.4", "1:2:3:4:5:6::1.2.3.4",
	"1:2:3:4:5::1.2.3.4", "::1.2.3", "::1.2.3.4:5", "::01.2.3.4", "::1.2.3.256", "1.2.3.4::", "::a.2.3.4", "::12345.2.3.4", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "[::1]", "::1/128", "0000::00000",
}

func TestNetworksReadAddressesAsNetipDoes(t *testing.T) {
	n := mustNetworks(t, everything)
	for _, text := range addressTexts {
		if got, want := n.Contains(text), inNetworks(text, everything); got != want {
			t.Errorf("%q is an address: %v, want %v", text, got, want)
		}
	}
	pieces := rapid.SampledFrom([]string{"0", "1", "25", "255", "256", "a", "F", "ffff", "12345", ".", ".", ".", ":", ":", ":", "::", "%", "x", "1.2.3.4", "::ffff:", "1:2:3:4:"})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(pieces, 0, 16).Draw(t, "text"), "")
		if got, want := n.Contains(text), inNetworks(text, everything); got != want {
			t.Errorf("%q is an address: %v, want %v", text, got, want)
		}
	})
}

// drawAddress gives an address of few different bits, so that prefixes meet.
func drawAddress(t *rapid.T) netip.Addr {
	var b [16]byte
	bytes := rapid.SampledFrom([]byte{0, 1, 0x7F, 0x80, 0xFF})
	switch rapid.IntRange(0, 3).Draw(t, "form") {
	case 0:
		return netip.AddrFrom4([4]byte{bytes.Draw(t, "a"), bytes.Draw(t, "b"), bytes.Draw(t, "c"), bytes.Draw(t, "d")})
	case 1:
		b[10], b[11] = 0xFF, 0xFF
		for i := 12; i < 16; i++ {
			b[i] = bytes.Draw(t, "byte")
		}
	case 2:
		fill := bytes.Draw(t, "fill")
		for i := range b {
			b[i] = fill
		}
		b[rapid.IntRange(0, 15).Draw(t, "place")] = bytes.Draw(t, "byte")
	default:
		for i := range b {
			b[i] = bytes.Draw(t, "byte")
		}
	}
	return netip.AddrFrom16(b)
}

func TestNetworksContainWhatAPrefixContains(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var prefixes []netip.Prefix
		for range rapid.IntRange(0, 6).Draw(t, "prefixes") {
			a := drawAddress(t)
			prefixes = append(prefixes, netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(t, "bits")))
		}
		n := mustNetworks(t, prefixes)
		var near []netip.Addr
		for _, p := range prefixes {
			first := p.Masked().Addr()
			near = append(near, p.Addr(), first, first.Prev())
		}
		for range 10 {
			near = append(near, drawAddress(t))
		}
		for _, a := range near {
			for _, text := range []string{a.String(), a.StringExpanded(), a.Next().String()} {
				if got, want := n.Contains(text), inNetworks(text, prefixes); got != want {
					t.Errorf("%q in %v: %v, want %v", text, prefixes, got, want)
				}
			}
		}
	})
}

func FuzzNetworks(f *testing.F) {
	for _, text := range addressTexts {
		f.Add("10.0.0.0/8 ::/3 ::ffff:1.2.3.4/100", text)
	}
	all := mustNetworks(f, everything)
	f.Fuzz(func(t *testing.T, list, text string) {
		if got, want := all.Contains(text), inNetworks(text, everything); got != want {
			t.Errorf("%q is an address: %v, want %v", text, got, want)
		}
		var prefixes []netip.Prefix
		for _, word := range strings.Fields(list) {
			if p, err := netip.ParsePrefix(word); err == nil {
				prefixes = append(prefixes, p)
			}
		}
		n := mustNetworks(t, prefixes)
		if got, want := n.Contains(text), inNetworks(text, prefixes); got != want {
			t.Errorf("%q in %v: %v, want %v", text, prefixes, got, want)
		}
	})
}

func TestNetworksMergeRanges(t *testing.T) {
	n := mustNetworks(t, []netip.Prefix{
		netip.MustParsePrefix("10.0.1.0/24"), netip.MustParsePrefix("10.0.0.7/24"), netip.MustParsePrefix("10.0.1.128/25"),
		netip.MustParsePrefix("::ffff:10.0.2.0/120"), netip.MustParsePrefix("255.0.0.0/8"),
		netip.MustParsePrefix("8000::/1"), netip.MustParsePrefix("::/128"), netip.MustParsePrefix("::1/128"),
	})
	want := &Networks{V4: []uint32{0x0A000000, 0x0A000300, 0xFF000000}, V6: []Address{{0, 0}, {0, 2}, {1 << 63, 0}}}
	if diff := cmp.Diff(want, n); diff != "" {
		t.Error(diff)
	}
}

func TestNetworksAreBounded(t *testing.T) {
	for want, prefixes := range map[string][]netip.Prefix{
		"a list of 100001 networks, and 100000 are allowed": make([]netip.Prefix, MaxNetworks+1),
		"network 2 of the list is none":                     {netip.MustParsePrefix("::/0"), {}},
	} {
		if _, err := NewNetworks(prefixes); err == nil || err.Error() != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
	var many []netip.Prefix
	for i := range MaxNetworks {
		many = append(many, netip.MustParsePrefix(fmt.Sprintf("%d.%d.%d.0/25", i>>16, i>>8&255, i&255)))
	}
	n := mustNetworks(t, many)
	if !n.Contains("1.134.159.127") || n.Contains("1.134.159.128") || n.Contains("1.134.160.0") {
		t.Errorf("the last network of %d is not as it was given", len(many))
	}
}
