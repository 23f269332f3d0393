package automaton

import (
	"encoding/binary"
	"slices"
	"unicode/utf8"
)

// runes are ranges of runes: ascending pairs of a first and a last one.
type runes []rune

// edge leads from a place within a rune to the next, by bytes of a range.
type edge struct {
	lo, hi byte
	to     uint32 // a place, or whole
}

const (
	whole = 0 // behind the last byte of a rune
	begin = 1 // the first of the other places
)

// places are those within the UTF-8 of the runes of sets, and the edges that
// leave them. Places with the same edges are one.
type places struct {
	edges [][]edge
	byKey map[string]uint32 // by what the edges are
	bySet map[string]uint32 // by the runes: the place before their first byte
	any   [4]uint32         // by the bytes that follow: the place before them, whatever they are
}

func newPlaces() *places {
	p := &places{edges: make([][]edge, begin), byKey: map[string]uint32{}, bySet: map[string]uint32{}}
	for n := 1; n < len(p.any); n++ {
		p.any[n] = p.place([]edge{{0x80, 0xBF, p.any[n-1]}})
	}
	return p
}

// forms are the forms of UTF-8 beyond ASCII: how many bytes follow the leading
// one, the leading byte of rune 0 in that form, and the runes that have it.
var forms = []struct {
	following int
	lead      byte
	runes     runes
}{
	{1, 0xC0, runes{0x80, 0x7FF}},
	{2, 0xE0, runes{0x800, 0xD7FF, 0xE000, 0xFFFF}},
	{3, 0xF0, runes{0x10000, utf8.MaxRune}},
}

// of is the place before the first byte of the runes.
func (p *places) of(set runes) uint32 {
	key := make([]byte, 0, 4*len(set))
	for _, r := range set {
		key = binary.LittleEndian.AppendUint32(key, uint32(r))
	}
	if place, ok := p.bySet[string(key)]; ok {
		return place
	}
	var edges []edge
	for i := 0; i < len(set) && set[i] < utf8.RuneSelf; i += 2 {
		edges = append(edges, edge{byte(set[i]), byte(min(set[i+1], utf8.RuneSelf-1)), whole})
	}
	for _, form := range forms {
		block := rune(1) << (6 * form.following)
		for i := 0; i < len(form.runes); i += 2 {
			for r := form.runes[i] &^ (block - 1); r <= form.runes[i+1]; r += block {
				part := set.within(max(r, form.runes[i]), min(r+block-1, form.runes[i+1]))
				edges = p.join(edges, form.lead+byte(r/block), form.following, r, part)
			}
		}
	}
	place := p.place(edges)
	p.bySet[string(key)] = place
	return place
}

// join adds an edge by a byte that n bytes follow. Of the runes that begin so,
// which are those from first on, part are in the set.
func (p *places) join(edges []edge, b byte, n int, first rune, part runes) []edge {
	if len(part) == 0 {
		return edges
	}
	to := p.any[n]
	if last := first + 1<<(6*n) - 1; part[0] > first || part[1] < last {
		to = p.inside(n, first, part)
	}
	if last := len(edges) - 1; last >= 0 && edges[last].to == to && edges[last].hi == b-1 {
		edges[last].hi = b
		return edges
	}
	return append(edges, edge{b, b, to})
}

// inside is the place before the last n bytes of the runes of part.
func (p *places) inside(n int, first rune, part runes) uint32 {
	var edges []edge
	block := rune(1) << (6 * (n - 1))
	for i := range rune(64) {
		r := first + i*block
		edges = p.join(edges, 0x80+byte(i), n-1, r, part.within(r, r+block-1))
	}
	return p.place(edges)
}

func (p *places) place(edges []edge) uint32 {
	key := make([]byte, 0, 6*len(edges))
	for _, e := range edges {
		key = binary.LittleEndian.AppendUint32(append(key, e.lo, e.hi), e.to)
	}
	if place, ok := p.byKey[string(key)]; ok {
		return place
	}
	place := uint32(len(p.edges))
	p.edges = append(p.edges, edges)
	p.byKey[string(key)] = place
	return place
}

// within is the runes from lo to hi.
func (set runes) within(lo, hi rune) runes {
	// The first range that ends at lo or behind it.
	from, to := 0, len(set)/2
	for from < to {
		if mid := (from + to) / 2; set[2*mid+1] < lo {
			from = mid + 1
		} else {
			to = mid
		}
	}
	end := from
	for end < len(set)/2 && set[2*end] <= hi {
		end++
	}
	if from == end {
		return nil
	}
	part := set[2*from : 2*end]
	if part[0] >= lo && part[len(part)-1] <= hi {
		return part
	}
	part = slices.Clone(part)
	part[0] = max(part[0], lo)
	part[len(part)-1] = min(part[len(part)-1], hi)
	return part
}
