package automaton

import (
	"encoding/binary"
	"fmt"
	"regexp/syntax"
	"slices"
	"unicode"
)

// An item is what a state of the automaton waits for: one instruction of the
// program, and the place within the rune that it wants. An instruction that
// wants no rune is an assertion that hangs on what follows.
type item uint64

func itemOf(pc, place uint32) item { return item(pc)<<32 | item(place) }
func (i item) pc() uint32          { return uint32(i >> 32) }
func (i item) place() uint32       { return uint32(i) }

// What is beside a place between two runes, as a rune that stands for all of
// the kind.
const (
	nothing = rune(-1) // the text begins or ends
	newline = rune('\n')
	word    = rune('a')
	other   = rune(' ')
	inside  = rune(0) // the place is within a rune: no assertion holds
)

func kindBefore(b byte) rune {
	switch {
	case b == '\n':
		return newline
	case syntax.IsWordChar(rune(b)):
		return word
	}
	return other
}

func kindAhead(b byte) rune {
	if b&0xC0 == 0x80 {
		return inside
	}
	return kindBefore(b)
}

// The assertions that hang on what comes before, and all of them.
const (
	behind = syntax.EmptyBeginLine | syntax.EmptyBeginText
	all    = syntax.EmptyOp(0xFF)
)

// accepted is the state in which the text matches, whatever follows.
const accepted = 0

// construction makes a graph of a program by subsets: a state is all items
// that the program could be at, with the kind of what came before where an
// assertion hangs on it.
//
// What is looked for may begin at any byte, also at one within a rune: nothing
// that could be found begins with such a byte, and no assertion holds there.
type construction struct {
	*graph
	program *syntax.Prog
	places  *places
	roots   []uint32 // by instruction: the place before the runes that it wants
	firsts  []byte   // by class: its first byte

	keys    []string          // by state: its items, and the kind of what came before
	numbers map[string]uint32 // by key

	work    int
	walk    uint32
	seen    []uint32 // by instruction: the walk that came to it last
	stack   []uint32
	byClass [][]item // where the bytes of a class lead
	matched []bool   // by class: its bytes complete a match
}

// determine makes the graph of a program.
func determine(program *syntax.Prog) (*graph, error) {
	c := &construction{
		graph:   &graph{},
		program: program,
		places:  newPlaces(),
		roots:   make([]uint32, len(program.Inst)),
		numbers: map[string]uint32{},
		seen:    make([]uint32, len(program.Inst)),
	}
	for pc := range program.Inst {
		if set, ok := wanted(&program.Inst[pc]); ok {
			c.roots[pc] = c.places.of(set)
		}
	}
	c.classify()
	c.state("")
	c.final[accepted] = true
	c.next = make([]uint32, c.classes)

	c.walk++
	items, match := c.reach(nil, uint32(program.Start), nothing, other, behind)
	c.start = c.stateOf(items, match, nothing)
	for s := uint32(accepted + 1); int(s) < c.states(); s++ {
		switch {
		case s >= MaxStates:
			return nil, fmt.Errorf("its automaton needs more than %d states", MaxStates)
		case len(c.next) >= maxCells:
			return nil, fmt.Errorf("its automaton needs %d states of %d kinds of bytes, more than %d transitions", c.states(), c.classes, maxCells)
		case c.work > maxWork:
			return nil, fmt.Errorf("its automaton needs more than %d steps to build", maxWork)
		}
		c.expand(s)
	}
	return c.graph, nil
}

// wanted gives the runes that an instruction waits for, if it does.
func wanted(i *syntax.Inst) (runes, bool) {
	switch i.Op {
	case syntax.InstRuneAny:
		return runes{0, unicode.MaxRune}, true
	case syntax.InstRuneAnyNotNL:
		return runes{0, '\n' - 1, '\n' + 1, unicode.MaxRune}, true
	case syntax.InstRune1:
		return runes{i.Rune[0], i.Rune[0]}, true
	case syntax.InstRune:
		if len(i.Rune) != 1 {
			return i.Rune, true
		}
		all := []rune{i.Rune[0]}
		if syntax.Flags(i.Arg)&syntax.FoldCase != 0 {
			for r := unicode.SimpleFold(i.Rune[0]); r != i.Rune[0]; r = unicode.SimpleFold(r) {
				all = append(all, r)
			}
		}
		slices.Sort(all)
		var set runes
		for _, r := range all {
			set = append(set, r, r)
		}
		return set, true
	}
	return nil, false
}

// classify puts bytes that nothing in the program tells apart into one class.
func (c *construction) classify() {
	var begins [257]bool
	for _, edges := range c.places.edges {
		for _, e := range edges {
			begins[e.lo], begins[int(e.hi)+1] = true, true
		}
	}
	asserts := slices.ContainsFunc(c.program.Inst, func(i syntax.Inst) bool { return i.Op == syntax.InstEmptyWidth })
	for b := range 256 {
		if b == 0 || begins[b] || asserts && kindAhead(byte(b)) != kindAhead(byte(b-1)) {
			c.firsts = append(c.firsts, byte(b))
		}
		c.class[b] = uint8(len(c.firsts) - 1)
	}
	c.classes = len(c.firsts)
	c.byClass = make([][]item, c.classes)
	c.matched = make([]bool, c.classes)
}

// stateOf gives the state of the items, which it sorts.
func (c *construction) stateOf(items []item, match bool, before rune) uint32 {
	if match {
		return accepted
	}
	slices.Sort(items)
	items = slices.Compact(items)
	if !slices.ContainsFunc(items, c.asserts) {
		before = other
	}
	key := make([]byte, 0, 8*len(items)+1)
	for _, i := range items {
		key = binary.LittleEndian.AppendUint64(key, uint64(i))
	}
	return c.state(string(append(key, byte(before))))
}

func (c *construction) state(key string) uint32 {
	s, ok := c.numbers[key]
	if !ok {
		s = uint32(len(c.keys))
		c.numbers[key] = s
		c.keys = append(c.keys, key)
		c.final = append(c.final, false)
	}
	return s
}

// open gives the items of a state, and what came before.
func (c *construction) open(s uint32) (items []item, before rune) {
	key := []byte(c.keys[s])
	for ; len(key) > 1; key = key[8:] {
		items = append(items, item(binary.LittleEndian.Uint64(key)))
	}
	return items, rune(int8(key[0]))
}

func (c *construction) asserts(i item) bool {
	return c.program.Inst[i.pc()].Op == syntax.InstEmptyWidth
}

// reach adds the items that the program comes to from an instruction without
// another rune, and says whether it comes to a match. Of the assertions between
// before and ahead only some are known; others become items.
func (c *construction) reach(items []item, pc uint32, before, ahead rune, known syntax.EmptyOp) ([]item, bool) {
	holds := syntax.EmptyOpContext(before, ahead)
	match := false
	c.stack = append(c.stack[:0], pc)
	for len(c.stack) > 0 {
		pc := c.stack[len(c.stack)-1]
		c.stack = c.stack[:len(c.stack)-1]
		if c.seen[pc] == c.walk {
			continue
		}
		c.seen[pc] = c.walk
		c.work++
		switch i := &c.program.Inst[pc]; i.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			c.stack = append(c.stack, i.Arg, i.Out)
		case syntax.InstCapture, syntax.InstNop:
			c.stack = append(c.stack, i.Out)
		case syntax.InstMatch:
			match = true
		case syntax.InstFail:
		case syntax.InstEmptyWidth:
			switch op := syntax.EmptyOp(i.Arg); {
			case op&known&^holds != 0:
			case op&^known != 0:
				items = append(items, itemOf(pc, whole))
			default:
				c.stack = append(c.stack, i.Out)
			}
		default:
			items = append(items, itemOf(pc, c.roots[pc]))
		}
	}
	return items, match
}

// expand fills a state's row.
func (c *construction) expand(s uint32) {
	items, before := c.open(s)
	for class := range c.classes {
		c.byClass[class], c.matched[class] = c.byClass[class][:0], false
	}
	var asserting []item
	for _, i := range items {
		if c.asserts(i) {
			asserting = append(asserting, i)
		} else {
			c.spread(i, func(int) bool { return true })
		}
	}
	if len(asserting) > 0 {
		for _, ahead := range []rune{newline, word, other} {
			c.pass(asserting, before, ahead)
		}
		_, c.final[s] = c.past(asserting, before, nothing)
	}
	for class := range c.classes {
		c.next = append(c.next, c.step(class))
	}
}

// past gives the items behind assertions, both sides of which are known.
func (c *construction) past(asserting []item, before, ahead rune) (items []item, match bool) {
	c.walk++
	for _, i := range asserting {
		var m bool
		items, m = c.reach(items, i.pc(), before, ahead, all)
		match = match || m
	}
	return items, match
}

// pass spreads the items behind assertions over the classes of one kind.
func (c *construction) pass(asserting []item, before, ahead rune) {
	ofKind := func(class int) bool { return kindAhead(c.firsts[class]) == ahead }
	items, match := c.past(asserting, before, ahead)
	for class := range c.classes {
		if ofKind(class) {
			c.matched[class] = match
		}
	}
	for _, i := range items {
		c.spread(i, ofKind)
	}
}

// spread adds where an item leads by the bytes of each class.
func (c *construction) spread(i item, in func(class int) bool) {
	for _, e := range c.places.edges[i.place()] {
		for class := int(c.class[e.lo]); class <= int(c.class[e.hi]); class++ {
			if in(class) {
				c.byClass[class] = append(c.byClass[class], itemOf(i.pc(), e.to))
				c.work++
			}
		}
	}
}

// step gives the state to which the bytes of a class lead.
func (c *construction) step(class int) uint32 {
	if c.matched[class] {
		return accepted
	}
	before := kindBefore(c.firsts[class])
	c.walk++
	items, match := c.reach(nil, uint32(c.program.Start), before, other, behind)
	for _, i := range c.byClass[class] {
		if i.place() != whole {
			items = append(items, i)
			continue
		}
		var m bool
		items, m = c.reach(items, c.program.Inst[i.pc()].Out, before, other, behind)
		match = match || m
	}
	return c.stateOf(items, match, before)
}
