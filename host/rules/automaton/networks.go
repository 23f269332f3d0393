package automaton

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"net/netip"
	"slices"
)

// Networks is a set of addresses, as ranges: where one begins and where it has
// ended, by turns. An address is in the set if the number of bounds that are
// not above it is odd.
type Networks struct {
	V4 []uint32  // ascending
	V6 []Address // ascending
}

// Address is an IPv6 address.
type Address struct{ Hi, Lo uint64 }

func (a Address) compare(b Address) int {
	return cmp.Or(cmp.Compare(a.Hi, b.Hi), cmp.Compare(a.Lo, b.Lo))
}

// Contains says whether the text is an address of the set: one that
// netip.ParseAddr takes, without a zone. An IPv4 address that is written as an
// IPv6 one (::ffff:10.0.0.1) is the IPv4 address.
func (n *Networks) Contains(text string) bool {
	if a, ok := parse4(text, 0); ok {
		return n.contains4(a)
	}
	a, ok := parse6(text)
	if !ok {
		return false
	}
	if a.Hi == 0 && a.Lo>>32 == 0xFFFF {
		return n.contains4(uint32(a.Lo))
	}
	return n.contains6(a)
}

func (n *Networks) contains4(a uint32) bool {
	from := 0
	for to := len(n.V4); from < to; {
		if mid := (from + to) / 2; n.V4[mid] <= a {
			from = mid + 1
		} else {
			to = mid
		}
	}
	return from%2 == 1
}

func (n *Networks) contains6(a Address) bool {
	from := 0
	for to := len(n.V6); from < to; {
		if mid := (from + to) / 2; n.V6[mid].Hi < a.Hi || n.V6[mid].Hi == a.Hi && n.V6[mid].Lo <= a.Lo {
			from = mid + 1
		} else {
			to = mid
		}
	}
	return from%2 == 1
}

// parse4 reads an IPv4 address, from a place in the text to its end.
func parse4(text string, from int) (a uint32, ok bool) {
	value, digits, dots := uint32(0), 0, 0
	for i := from; i < len(text); i++ {
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			if digits > 0 && value == 0 {
				return 0, false // a leading zero
			}
			value = value*10 + uint32(c-'0')
			digits++
			if value > 255 {
				return 0, false
			}
		case c == '.' && digits > 0 && dots < 3:
			a = a<<8 | value
			value, digits = 0, 0
			dots++
		default:
			return 0, false
		}
	}
	return a<<8 | value, digits > 0 && dots == 3
}

// parse6 reads an IPv6 address.
func parse6(text string) (a Address, ok bool) {
	var head Address // the groups before "::"
	gap := -1        // how many they are
	groups := 0
	i := 0
	if len(text) >= 2 && text[0] == ':' && text[1] == ':' {
		gap, i = 0, 2
	}
	for i < len(text) {
		begin, value := i, uint64(0)
		for i < len(text) {
			digit := hex(text[i])
			if digit > 15 {
				break
			}
			value = value<<4 | uint64(digit)
			i++
		}
		if i == begin || i-begin > 4 {
			return a, false
		}
		if i < len(text) && text[i] == '.' {
			tail, ok := parse4(text, begin)
			if !ok {
				return a, false
			}
			a.Hi = a.Hi<<32 | a.Lo>>32
			a.Lo = a.Lo<<32 | uint64(tail)
			groups += 2
			break
		}
		a.Hi = a.Hi<<16 | a.Lo>>48
		a.Lo = a.Lo<<16 | value
		groups++
		if i == len(text) {
			break
		}
		if text[i] != ':' || i+1 == len(text) {
			return a, false
		}
		i++
		if text[i] == ':' {
			if gap >= 0 {
				return a, false
			}
			head, a, gap = a, Address{}, groups
			i++
		}
	}
	if gap < 0 {
		return a, groups == 8
	}
	for range 8 - gap {
		head.Hi = head.Hi<<16 | head.Lo>>48
		head.Lo <<= 16
	}
	a.Hi |= head.Hi
	a.Lo |= head.Lo
	return a, groups < 8
}

// hex is the value of a hexadecimal digit, and more than 15 of another byte.
func hex(c byte) byte {
	if c-'0' < 10 {
		return c - '0'
	}
	if c |= 0x20; c-'a' < 6 {
		return c - 'a' + 10
	}
	return 255
}

// NewNetworks is the set of the addresses with these prefixes. A prefix of
// IPv4 addresses that are written as IPv6 ones is one of IPv4 addresses.
func NewNetworks(prefixes []netip.Prefix) (*Networks, error) {
	if len(prefixes) > MaxNetworks {
		return nil, fmt.Errorf("a list of %d networks, and %d are allowed", len(prefixes), MaxNetworks)
	}
	var v4, v6 []span
	for i, p := range prefixes {
		if !p.IsValid() {
			return nil, fmt.Errorf("network %d of the list is none", i+1)
		}
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		if s := spanOf(p.Masked()); p.Addr().Is4() {
			v4 = append(v4, s)
		} else {
			v6 = append(v6, s)
		}
	}
	n := &Networks{V6: bounds(v6, Address{math.MaxUint64, math.MaxUint64})}
	for _, b := range bounds(v4, Address{0, math.MaxUint32}) {
		n.V4 = append(n.V4, uint32(b.Lo))
	}
	return n, nil
}

// span is the addresses from the first to the last one; of IPv4 ones, Hi is 0.
type span struct{ first, last Address }

// spanOf is the addresses of a masked prefix.
func spanOf(p netip.Prefix) span {
	host := p.Addr().BitLen() - p.Bits() // bits that differ
	first := addressOf(p.Addr())
	last := first
	if host > 64 {
		last.Hi |= 1<<(host-64) - 1
		host = 64
	}
	last.Lo |= 1<<host - 1
	return span{first, last}
}

func addressOf(a netip.Addr) Address {
	if a.Is4() {
		b := a.As4()
		return Address{0, uint64(binary.BigEndian.Uint32(b[:]))}
	}
	b := a.As16()
	return Address{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// next is the address behind a, and the zero one behind the last of all.
func (a Address) next() Address {
	lo, carry := bits.Add64(a.Lo, 1, 0)
	return Address{a.Hi + carry, lo}
}

// bounds merges spans that overlap or touch. There is no bound behind end, the
// last address there is.
func bounds(spans []span, end Address) []Address {
	slices.SortFunc(spans, func(a, b span) int { return a.first.compare(b.first) })
	var merged []span
	for _, s := range spans {
		if n := len(merged); n > 0 && (s.first.compare(merged[n-1].last) <= 0 || s.first == merged[n-1].last.next()) {
			if s.last.compare(merged[n-1].last) > 0 {
				merged[n-1].last = s.last
			}
			continue
		}
		merged = append(merged, s)
	}
	all := make([]Address, 0, 2*len(merged))
	for _, s := range merged {
		all = append(all, s.first)
		if s.last != end {
			all = append(all, s.last.next())
		}
	}
	return all
}
