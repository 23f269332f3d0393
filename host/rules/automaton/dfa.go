package automaton

import (
	"encoding/binary"
	"fmt"
)

// DFA is a deterministic automaton over the bytes of a text. A state is the
// offset of its row in Next. The first two rows are those of the states that
// are never left: nothing matches any more, and the text matches whatever
// follows.
type DFA struct {
	Class  [256]uint16 // by byte: the offset in a row of its entry
	Next   []byte      // rows of following states, little-endian
	Width  int         // bytes of an entry: 2 or 4
	Start  uint32
	Stay   [256]byte // by byte: 1 if it leads from Start to Start
	Accept uint32    // the second row: the text matches, whatever follows
	Final  uint32    // at the end of the text, this state and those behind it match
}

// Match says whether the automaton accepts the text. Bytes by which nothing
// that is looked for begins are passed over quickly.
func (d *DFA) Match(text string) bool {
	s := d.Start
	for i := 0; i < len(text) && s > d.Accept; i++ {
		if s == d.Start {
			for i < len(text) && d.Stay[text[i]] != 0 {
				i++
			}
			if i == len(text) {
				break
			}
		}
		s = d.next(s, text[i])
	}
	return s >= d.Final || s == d.Accept
}

func (d *DFA) next(s uint32, b byte) uint32 {
	at := d.Next[s+uint32(d.Class[b]):]
	if d.Width == 2 {
		return uint32(binary.LittleEndian.Uint16(at))
	}
	return binary.LittleEndian.Uint32(at)
}

// graph is an automaton under construction: a row of next states for each
// state, by class of bytes.
type graph struct {
	class   [256]uint8 // by byte
	classes int
	next    []uint32 // classes of them for each state
	final   []bool   // by state: it accepts at the end of the text
	start   uint32
}

func (g *graph) states() int { return len(g.final) }

func (g *graph) row(s uint32) []uint32 {
	return g.next[int(s)*g.classes : (int(s)+1)*g.classes]
}

// trap says whether a state is never left.
func (g *graph) trap(s uint32) bool {
	for _, t := range g.row(s) {
		if t != s {
			return false
		}
	}
	return true
}

// order numbers the states as a DFA's rows: traps first, those that accept at
// the end of the text last, else breadth first, so that rows that follow each
// other in a text are mostly near.
func (g *graph) order() (states []uint32, accepting int) {
	seen := make([]bool, g.states())
	queue := []uint32{g.start}
	seen[g.start] = true
	var final []uint32
	for i := 0; i < len(queue); i++ {
		s := queue[i]
		switch {
		case g.trap(s):
			continue
		case g.final[s]:
			final = append(final, s)
		default:
			states = append(states, s)
		}
		for _, t := range g.row(s) {
			if !seen[t] {
				seen[t] = true
				queue = append(queue, t)
			}
		}
	}
	return append(states, final...), len(final)
}

// columns gives classes that no state tells apart the same number: by class of
// the graph, its number, and how many there are.
func (g *graph) columns(states []uint32) (number []int, n int) {
	numbers := map[string]int{} // by what the states lead to
	var column []byte
	for class := range g.classes {
		column = column[:0]
		for _, s := range states {
			column = binary.LittleEndian.AppendUint32(column, g.row(s)[class])
		}
		if _, ok := numbers[string(column)]; !ok {
			numbers[string(column)] = len(numbers)
		}
		number = append(number, numbers[string(column)])
	}
	return number, len(numbers)
}

// pack lays the automaton out.
func (g *graph) pack() (*DFA, error) {
	const traps = 2
	states, accepting := g.order()
	column, columns := g.columns(states)
	cells := (traps + len(states)) * columns
	d := &DFA{Width: 2}
	if cells*d.Width > 1<<16 {
		d.Width = 4
	}
	if size := cells * d.Width; size > MaxTable {
		return nil, fmt.Errorf("its automaton needs a table of %d bytes, and %d are allowed", size, MaxTable)
	}
	stride := columns * d.Width
	d.Accept = uint32(stride)
	d.Final = uint32((traps + len(states) - accepting) * stride)
	for b := range d.Class {
		d.Class[b] = uint16(column[g.class[b]] * d.Width)
	}

	offset := make([]uint32, g.states()) // a trap that does not accept has row 0
	for s := range offset {
		if g.final[s] {
			offset[s] = d.Accept
		}
	}
	for i, s := range states {
		offset[s] = uint32((traps + i) * stride)
	}
	d.Start = offset[g.start]
	d.Next = make([]byte, cells*d.Width)
	put := func(row, column int, to uint32) {
		if at := d.Next[row*stride+column*d.Width:]; d.Width == 2 {
			binary.LittleEndian.PutUint16(at, uint16(to))
		} else {
			binary.LittleEndian.PutUint32(at, to)
		}
	}
	for c := range columns {
		put(1, c, d.Accept)
	}
	for i, s := range states {
		for c, t := range g.row(s) {
			put(traps+i, column[c], offset[t])
		}
	}
	for b := range d.Stay {
		if d.next(d.Start, byte(b)) == d.Start {
			d.Stay[b] = 1
		}
	}
	return d, nil
}
