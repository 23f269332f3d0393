package beacon

import (
	"encoding/binary"
	"math/bits"

	"github.com/seed-6a2d649b/pharos/abi"
)

// scanner reads one JSON text, checks all of it, and keeps the values that a
// trie of paths asks for. Its methods take the index of what they read and
// return the index behind it, or -1 with the cause set.
type scanner struct {
	batch  *Batch
	data   []byte
	values []Value
	cause  Cause
	// seen tells which inner nodes the text at hand had: a repeated key takes
	// back what the earlier one held below it.
	seen []uint64
	turn uint64
	key  []byte // one with its escapes resolved
}

// start takes a new text.
func (s *scanner) start(data []byte, values []Value, nodes int) {
	s.data, s.values, s.cause = data, values, ""
	s.turn++
	if len(s.seen) < nodes {
		s.seen = make([]uint64, nodes)
	}
}

func (s *scanner) fail(c Cause) int {
	s.cause = c
	return -1
}

// document reads a whole text that must be an object.
func (s *scanner) document(root *node) Cause {
	i := space(s.data, 0)
	object := i < len(s.data) && s.data[i] == '{'
	if object {
		i = s.object(i, root, 1)
	} else {
		i = s.value(i, nil, 0)
	}
	switch {
	case i < 0:
		return s.cause
	case space(s.data, i) != len(s.data):
		return NotJSON
	case !object:
		return NotObject
	}
	return ""
}

// repeat notes that n has a value, and takes back what an earlier one held.
func (s *scanner) repeat(n *node) {
	if s.seen[n.id] == s.turn {
		for _, slot := range n.below {
			s.values[slot] = Value{}
		}
	}
	s.seen[n.id] = s.turn
}

// value reads any value; depth is how many brackets are open around it.
func (s *scanner) value(i int, n *node, depth int) int {
	data := s.data
	i = space(data, i)
	if i >= len(data) {
		return s.fail(NotJSON)
	}
	var end int
	var kind abi.ValueKind
	switch c := data[i]; c {
	case '"':
		end, escaped := s.text(i + 1)
		if end < 0 {
			return -1
		}
		if n != nil && n.slot >= 0 {
			text := data[i+1 : end : end]
			if escaped {
				text = s.batch.unescape(text)
			}
			v := &s.values[n.slot]
			v.Kind, v.Text = abi.String, text
		}
		return end + 1
	case '{':
		end, kind = s.object(i, n, depth+1), abi.Object
	case '[':
		end, kind = s.array(i, n, depth+1), abi.Array
	case 't':
		end, kind = s.literal(i, "true"), abi.True
	case 'f':
		end, kind = s.literal(i, "false"), abi.False
	case 'n':
		end, kind = s.literal(i, "null"), abi.Null
	default:
		end, kind = number(data, i), abi.Number
		if end < 0 {
			return s.fail(NotJSON)
		}
	}
	if n != nil && n.slot >= 0 && end >= 0 {
		v := &s.values[n.slot]
		v.Kind, v.Text = kind, nil
		if kind != abi.Null {
			v.Text = data[i:end:end]
		}
	}
	return end
}

func (s *scanner) literal(i int, word string) int {
	if len(s.data)-i < len(word) || string(s.data[i:i+len(word)]) != word {
		return s.fail(NotJSON)
	}
	return i + len(word)
}

// object reads from "{", the members of n's children into their slots.
func (s *scanner) object(i int, n *node, depth int) int {
	if depth > MaxDepth {
		return s.fail(TooDeep)
	}
	data := s.data
	i = space(data, i+1)
	if i < len(data) && data[i] == '}' {
		return i + 1
	}
	for {
		if i >= len(data) || data[i] != '"' {
			return s.fail(NotJSON)
		}
		var child *node
		if i, child = s.member(i+1, n); i < 0 {
			return -1
		}
		if i = space(data, i); i >= len(data) || data[i] != ':' {
			return s.fail(NotJSON)
		}
		if i = s.value(i+1, child, depth); i < 0 {
			return -1
		}
		if i = space(data, i); i >= len(data) {
			return s.fail(NotJSON)
		}
		switch data[i] {
		case ',':
			i = space(data, i+1)
		case '}':
			return i + 1
		default:
			return s.fail(NotJSON)
		}
	}
}

// member reads a key from behind its opening quote and finds n's child of it.
func (s *scanner) member(i int, n *node) (int, *node) {
	data := s.data
	var w uint64
	if i+8 <= len(data) { // most keys are short: one load finds their end and is their word
		w = binary.LittleEndian.Uint64(data[i:])
		if m := special(w); m != 0 {
			at := bits.TrailingZeros64(m) & 56
			if end := i + at>>3; data[end] == '"' {
				if n == nil {
					return end + 1, nil
				}
				return end + 1, s.child(n, data[i:end], w&(1<<at-1))
			}
		}
	}
	end, escaped := s.text(i)
	switch {
	case end < 0:
		return -1, nil
	case n == nil:
		return end + 1, nil
	}
	key := data[i:end]
	if escaped {
		s.key = appendUnescaped(s.key[:0], key)
		key = s.key
	}
	return end + 1, s.child(n, key, word(key))
}

func (s *scanner) child(n *node, key []byte, w uint64) *node {
	child := n.child(key, w)
	if child != nil && len(child.below) > 0 {
		s.repeat(child)
	}
	return child
}

// array reads from "[", the elements that n's children are the indexes of.
func (s *scanner) array(i int, n *node, depth int) int {
	if depth > MaxDepth {
		return s.fail(TooDeep)
	}
	data := s.data
	i = space(data, i+1)
	if i < len(data) && data[i] == ']' {
		return i + 1
	}
	var elems []elem
	if n != nil {
		elems = n.elems
	}
	for at := 0; ; at++ {
		var child *node
		if len(elems) > 0 && elems[0].index == at {
			child, elems = elems[0].node, elems[1:]
		}
		if i = s.value(i, child, depth); i < 0 {
			return -1
		}
		if i = space(data, i); i >= len(data) {
			return s.fail(NotJSON)
		}
		switch data[i] {
		case ',':
			i++
		case ']':
			return i + 1
		default:
			return s.fail(NotJSON)
		}
	}
}

// space passes over white space.
func space(data []byte, i int) int {
	if i < len(data) && data[i] > ' ' {
		return i
	}
	return spaces(data, i)
}

func spaces(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\t' || data[i] == '\n' || data[i] == '\r') {
		i++
	}
	return i
}
