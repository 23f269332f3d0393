package automaton

import "fmt"

// Trie is needles as a tree of their bytes, with links to go on by where there
// is no branch (Aho and Corasick). Node 0 is the root. The children of a node
// lie together, by ascending byte, behind those of the node before. A node
// without children is where a needle ends: longer ones are not looked for.
type Trie struct {
	Root  [256]uint32 // by byte: the root's child, or the root
	First []uint32    // by node: its first child; one more than there are nodes
	Fail  []uint32    // by node: that of the longest end of its bytes that is a node
	Label []byte      // by node: its last byte
}

// Match says whether the text contains a needle.
func (t *Trie) Match(text string) bool {
	s := uint32(0)
	for i := 0; i < len(text); {
		next := t.next(s, text[i])
		if next == 0 && s != 0 {
			s = t.Fail[s]
			continue
		}
		s = next
		i++
		if t.First[s] == t.First[s+1] {
			return true
		}
	}
	return false
}

// next gives a node's child, 0 if it has none by that byte.
func (t *Trie) next(s uint32, b byte) uint32 {
	if s == 0 {
		return t.Root[b]
	}
	from, end := t.First[s], t.First[s+1]
	for to := end; from < to; {
		if mid := (from + to) / 2; t.Label[mid] < b {
			from = mid + 1
		} else {
			to = mid
		}
	}
	if from < end && t.Label[from] == b {
		return from
	}
	return 0
}

// children are the last bytes of a node's children.
func (t *Trie) children(s uint32) []byte { return t.Label[t.First[s]:t.First[s+1]] }

// newTrie makes the trie of needles that are sorted, none of them empty or
// there twice.
func newTrie(needles []string) (*Trie, error) {
	// A node is that of the needles from lo to hi, which have its bytes in
	// common, depth of them. Of a node where a needle ends there are none.
	type node struct{ lo, hi, depth uint32 }
	nodes := []node{{0, uint32(len(needles)), 0}}
	t := &Trie{Fail: []uint32{0}, Label: []byte{0}}
	for s := 0; s < len(nodes); s++ {
		n := nodes[s]
		t.First = append(t.First, uint32(len(nodes)))
		for n.lo < n.hi {
			b, child := needles[n.lo][n.depth], node{n.lo, n.lo + 1, n.depth + 1}
			for child.hi < n.hi && needles[child.hi][n.depth] == b {
				child.hi++
			}
			n.lo = child.hi
			fail := t.fail(uint32(s), b)
			if f := nodes[fail]; len(needles[child.lo]) == int(child.depth) || f.lo == f.hi {
				child.hi = child.lo
			}
			if s == 0 {
				t.Root[b] = uint32(len(nodes))
			}
			nodes = append(nodes, child)
			t.Fail = append(t.Fail, fail)
			t.Label = append(t.Label, b)
		}
		if len(nodes) > MaxNodes {
			return nil, fmt.Errorf("a list of more than %d different beginnings of texts: shorten them, or make several lists of it", MaxNodes)
		}
	}
	t.First = append(t.First, uint32(len(nodes)))
	return t, nil
}

// fail finds where to go on from a child of s by b, s being the last node that
// has children so far.
func (t *Trie) fail(s uint32, b byte) uint32 {
	for s != 0 {
		s = t.Fail[s]
		if next := t.next(s, b); next != 0 {
			return next
		}
	}
	return 0
}
