package expr

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"
)

// Set is a set of texts: those written out in an expression, or a named list.
type Set struct {
	Name  string   // of the list; "" of texts in an expression
	Texts []string // by bytes, each once
	has   map[string]struct{}
}

// NewSet is the set of these texts.
func NewSet(name string, texts []string) *Set {
	s := &Set{Name: name, has: make(map[string]struct{}, len(texts))}
	for _, text := range texts {
		s.has[text] = struct{}{}
	}
	s.Texts = slices.Sorted(maps.Keys(s.has))
	return s
}

// Has says whether the text is in the set. A set that is nil has none.
func (s *Set) Has(text []byte) bool {
	if s == nil {
		return false
	}
	_, ok := s.has[string(text)]
	return ok
}

// in says whether a text of the set is within text.
func (s *Set) in(text []byte) bool {
	for _, t := range s.Texts {
		if bytes.Contains(text, []byte(t)) {
			return true
		}
	}
	return false
}

// ParseList reads a named list: an entry a line, without the blanks around it.
// Empty lines and those that begin with # are none.
func ParseList(name string, content []byte) (*Set, error) {
	if len(content) > MaxListBytes {
		return nil, fmt.Errorf("%d bytes, and %d are allowed", len(content), MaxListBytes)
	}
	if !utf8.Valid(content) {
		return nil, errors.New("it is not UTF-8")
	}
	var entries []string
	line := 0
	for text := range strings.Lines(strings.TrimPrefix(string(content), "\ufeff")) {
		line++
		entry := strings.TrimSpace(text)
		switch {
		case entry == "" || entry[0] == '#':
			continue
		case len(entry) > MaxEntryBytes:
			return nil, fmt.Errorf("line %d: an entry of %d bytes, and %d are allowed", line, len(entry), MaxEntryBytes)
		case len(entries) == MaxListEntries:
			return nil, fmt.Errorf("line %d: more than %d entries", line, MaxListEntries)
		}
		entries = append(entries, entry)
	}
	return NewSet(name, entries), nil
}

// Networks are prefixes of addresses. An address is in them if its first bits
// are those of a prefix of its family, where an IPv4 address that is written as
// an IPv6 one (::ffff:10.0.0.1) is the IPv4 address. Text is an address if
// net/netip's ParseAddr takes it and it has no zone.
type Networks struct {
	Prefixes []netip.Prefix // masked, none of mapped IPv4, each once, in netip.Prefix's order
	has      map[netip.Prefix]struct{}
	lengths  map[int][]int // by bits of the family, those of its prefixes
}

// newNetworks is the set of these prefixes.
func newNetworks(prefixes []netip.Prefix) *Networks {
	n := &Networks{has: map[netip.Prefix]struct{}{}, lengths: map[int][]int{}}
	for _, p := range prefixes {
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		n.has[p.Masked()] = struct{}{}
	}
	n.Prefixes = slices.SortedFunc(maps.Keys(n.has), netip.Prefix.Compare)
	for _, p := range n.Prefixes {
		if family := p.Addr().BitLen(); !slices.Contains(n.lengths[family], p.Bits()) {
			n.lengths[family] = append(n.lengths[family], p.Bits())
		}
	}
	return n
}

// parseNetworks reads prefixes as 10.0.0.0/8. An address alone is one of all its
// bits; bits behind a prefix do not matter.
func parseNetworks(texts []string) (*Networks, error) {
	prefixes := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		var err error
		if prefixes[i], err = netip.ParsePrefix(text); err == nil {
			continue
		}
		addr, err := netip.ParseAddr(text)
		if err != nil || addr.Zone() != "" {
			return nil, fmt.Errorf("%q is neither a network, as 10.0.0.0/8 or 2001:db8::/32, nor an address", text)
		}
		prefixes[i] = netip.PrefixFrom(addr, addr.BitLen())
	}
	return newNetworks(prefixes), nil
}

// Contains says whether the text is an address in one of the networks.
func (n *Networks) Contains(text []byte) bool {
	addr, err := netip.ParseAddr(string(text))
	if err != nil || addr.Zone() != "" {
		return false
	}
	addr = addr.Unmap()
	for _, bits := range n.lengths[addr.BitLen()] {
		if p, err := addr.Prefix(bits); err == nil {
			if _, ok := n.has[p]; ok {
				return true
			}
		}
	}
	return false
}
