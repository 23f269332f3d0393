package automaton

import "slices"

// Matcher says whether a text matches: a *DFA or a *Trie.
type Matcher interface {
	Match(text string) bool
}

// Substrings gives what says whether a text contains one of the needles; an
// empty one is in every text. It is a DFA where that is small, else a Trie.
func Substrings(needles []string) (Matcher, error) {
	if err := checkTexts(needles); err != nil {
		return nil, err
	}
	if len(needles) == 0 {
		return always(false).pack()
	}
	needles = sortedTexts(needles)
	if needles[0] == "" {
		return always(true).pack()
	}
	t, err := newTrie(needles)
	if err != nil {
		return nil, err
	}
	if g := t.graph(); g != nil {
		if d, err := g.pack(); err == nil {
			return d, nil
		}
	}
	return t, nil
}

// sortedTexts are the texts by bytes, each once.
func sortedTexts(texts []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(texts)))
}

// always is an automaton that says the same of every text.
func always(match bool) *graph {
	return &graph{classes: 1, next: []uint32{0}, final: []bool{match}}
}

// graph is the trie with every step written out, if it could be small.
func (t *Trie) graph() *graph {
	g := &graph{}
	g.classify(t.Label[1:])
	nodes := len(t.Fail)
	if nodes*g.classes > MaxTable/2 {
		return nil
	}
	g.next = make([]uint32, nodes*g.classes)
	g.final = make([]bool, nodes)
	for s := range uint32(nodes) {
		row, children := g.row(s), t.children(s)
		if len(children) == 0 {
			for class := range row {
				row[class] = s
			}
			g.final[s] = true
			continue
		}
		copy(row, g.row(t.Fail[s]))
		for i, b := range children {
			row[g.class[b]] = t.First[s] + uint32(i)
		}
	}
	return g
}

// classify gives each of these bytes a class of its own, and the others one.
func (g *graph) classify(used []byte) {
	var own [256]bool
	for _, b := range used {
		own[b] = true
	}
	if slices.Contains(own[:], false) {
		g.classes = 1
	}
	for b := range own {
		if own[b] {
			g.class[b] = uint8(g.classes)
			g.classes++
		}
	}
}
