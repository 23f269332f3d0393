package beacon

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// node is one step of the paths that a projection asks for.
type node struct {
	id    int   // numbers the nodes of a projection
	slot  int   // where the value at this node goes, -1 if nobody asked for it
	below []int // slots of all nodes under this one
	elems []elem
	table []entry // children by key: open addressing, a power of two, never full
	shift uint8

	children map[string]*node // while compiling
}

// elem is a child whose key is also an array index.
type elem struct {
	index int
	node  *node
}

type entry struct {
	word uint64 // the key's first eight bytes
	key  string
	node *node // nil: free
}

// trie collects paths.
type trie struct {
	root  *node
	nodes int
}

func newTrie() *trie {
	t := &trie{}
	t.root = t.node()
	return t
}

func (t *trie) node() *node {
	n := &node{id: t.nodes, slot: -1, children: map[string]*node{}}
	t.nodes++
	return n
}

// at gives the node of a path.
func (t *trie) at(path string) *node {
	n := t.root
	for part := range strings.SplitSeq(path, ".") {
		child := n.children[part]
		if child == nil {
			child = t.node()
			n.children[part] = child
		}
		n = child
	}
	return n
}

// compile makes the tables that scanning uses, and returns the slots of n and below.
func (n *node) compile() []int {
	var slots []int
	size := 2
	for size < 2*len(n.children) {
		size *= 2
	}
	if len(n.children) > 0 {
		n.table = make([]entry, size)
		n.shift = uint8(64 - bits.TrailingZeros(uint(size)))
	}
	for _, key := range sortedKeys(n.children) {
		child := n.children[key]
		slots = append(slots, child.compile()...)
		e := entry{word: word([]byte(key)), key: key, node: child}
		h := hash(e.word, n.shift)
		for n.table[h].node != nil {
			h = (h + 1) % size
		}
		n.table[h] = e
		if i, err := strconv.Atoi(key); err == nil && i >= 0 && strconv.Itoa(i) == key {
			n.elems = append(n.elems, elem{i, child})
		}
	}
	slices.SortFunc(n.elems, func(a, b elem) int { return a.index - b.index })
	n.below, n.children = slots, nil
	if n.slot >= 0 {
		slots = append(slots[:len(slots):len(slots)], n.slot)
	}
	return slots
}

func sortedKeys(m map[string]*node) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// word packs the first eight bytes of a key, or all of a shorter one.
func word(key []byte) uint64 {
	if len(key) >= 8 {
		return binary.LittleEndian.Uint64(key)
	}
	var w uint64
	for i, c := range key {
		w |= uint64(c) << (8 * i)
	}
	return w
}

func hash(w uint64, shift uint8) int { return int(w * 0x9E3779B97F4A7C15 >> (shift & 63)) }

// child finds the child of a key whose word is w.
func (n *node) child(key []byte, w uint64) *node {
	if len(n.table) == 0 {
		return nil
	}
	for h := hash(w, n.shift); ; h++ {
		e := &n.table[h&(len(n.table)-1)]
		if e.node == nil {
			return nil
		}
		if e.word == w && len(e.key) == len(key) && (len(key) <= 8 || e.key[8:] == string(key[8:])) {
			return e.node
		}
	}
}
