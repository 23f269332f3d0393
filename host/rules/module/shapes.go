package module

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/seed-6a2d649b/pharos/abi"
	. "github.com/seed-6a2d649b/pharos/host/rules/asm" // so that instructions read as such
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
)

// shape is the rest of rules that differ in their numbers alone: it is computed by
// the same code, which reads them from a table by the number of the rule. The
// rest of a rule that has none like it is a shape of its own, with its numbers
// written out.
type shape struct {
	rules   []int
	rest    []*expr.Node // of the first rule
	numbers [][]float64  // of each rule
	slots   map[*expr.Node]int
}

// maxShape is how many nodes a shape of several rules has at most: its code is in
// one function.
const maxShape = 200

// outline is what of a rule's rest makes its shape.
type outline struct {
	*generator
	key     strings.Builder
	numbers []float64
	slots   map[*expr.Node]int
}

// shapes are those of all rules, in the order in which the rules have them, and
// for each rule 1 + the number of its own; 0 is no rest.
func (g *generator) shapes() (shapes []*shape, of []uint32) {
	known := map[string]int{}
	of = make([]uint32, len(g.rules))
	for i, r := range g.rules {
		if len(r.rest) == 0 {
			continue
		}
		o := &outline{generator: g, slots: map[*expr.Node]int{}}
		weight := 0
		for _, n := range r.rest {
			weight += g.of(n).weight
			o.add(n)
		}
		if weight > maxShape {
			fmt.Fprintf(&o.key, "rule %d", i)
		}
		number, ok := known[o.key.String()]
		if !ok {
			number = len(shapes)
			known[o.key.String()] = number
			shapes = append(shapes, &shape{rest: r.rest, slots: o.slots})
		}
		s := shapes[number]
		s.rules = append(s.rules, i)
		s.numbers = append(s.numbers, o.numbers)
		of[i] = uint32(number) + 1
	}
	return shapes, of
}

// add writes what decides which code is emitted for a node, and notes its numbers.
func (o *outline) add(n *expr.Node) {
	facts := o.of(n)
	if slot, ok := o.slots[n]; ok { // the same number at several places
		fmt.Fprintf(&o.key, "=%d ", slot)
		return
	}
	if facts.fixed {
		if v := n.Eval(expr.Row{}); v.Kind == abi.Number {
			o.slots[n] = len(o.numbers)
			o.numbers = append(o.numbers, v.Num)
			o.key.WriteString("# ")
			return
		}
	}
	if facts.fixed || facts.entry || len(n.Args) == 0 {
		fmt.Fprintf(&o.key, "%d ", facts.id)
		return
	}
	fmt.Fprintf(&o.key, "(%d %d %p %p %d ", n.Op, n.Cell, n.Set, n.Zone, n.Part)
	for _, arg := range n.Args {
		o.add(arg)
	}
	if n.Op >= expr.OpEqual && n.Op <= expr.OpGreaterEqual {
		for i, arg := range n.Args {
			if slot, ok := o.slots[arg]; ok { // see number.falseOfNone
				x := [2]float64{}
				x[i] = o.numbers[slot]
				fmt.Fprintf(&o.key, "%t", holdsOf(n.Op, x[0], x[1]))
			}
		}
	}
	o.key.WriteString(") ")
}

// emit pushes whether the rest of a rule of the shape holds.
func (p *shape) emit(s *scope, rule Local) {
	if len(p.rules) == 1 || len(p.numbers[0]) == 0 {
		s.all(p.rest)
		return
	}
	width := len(p.numbers[0])
	table := make([]byte, 8*width*len(s.generator.rules))
	for i, r := range p.rules {
		for j, x := range p.numbers[i] {
			binary.LittleEndian.PutUint64(table[8*(r*width+j):], math.Float64bits(x))
		}
	}
	at := s.f.Local(I32)
	s.f.Get(rule)
	s.f.I32(int32(8 * width))
	s.f.Op(I32Mul)
	s.f.I32(int32(s.data.add(table)))
	s.f.Op(I32Add)
	s.f.Set(at)
	s.shape, s.numbers = p, at
	s.all(p.rest)
	s.shape = nil
	s.f.Free(at)
}

// ofShape is a number of the shape that is computed, if the node is one.
func (s *scope) ofShape(n *expr.Node) (number, bool) {
	if s.shape == nil {
		return number{}, false
	}
	slot, ok := s.shape.slots[n]
	if !ok {
		return number{}, false
	}
	x := number{local: s.f.Local(F64), sure: true, isShape: true, constant: s.shape.numbers[0][slot]}
	s.f.Get(s.numbers)
	s.f.Memory(F64Load, uint32(8*slot))
	s.f.Set(x.local)
	return x, true
}
