package module

import (
	"github.com/seed-6a2d649b/pharos/abi"
	. "github.com/seed-6a2d649b/pharos/host/rules/asm" // so that instructions read as such
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
)

// value is what an expression comes to where its kind is known only for a row:
// the kind, and the number and the text that it is where it is one.
type value struct {
	node   *expr.Node
	kinds  expr.Kinds
	kind   Local
	number number
	text   text
}

func (v *value) free(f *Func) {
	f.Free(v.kind)
	v.number.free(f)
	v.text.free(f)
}

// value computes an expression for comparisons with values of these kinds.
func (s *scope) value(n *expr.Node, with expr.Kinds) *value {
	if n.Op != expr.OpCond || !s.outlined(n, asValue) {
		return s.plainValue(n, with)
	}
	f := s.f
	v := &value{node: n, kinds: s.kindsOf(n), kind: f.Local(I32)}
	v.number = number{local: f.Local(F64), ok: f.Local(I32)}
	v.text = text{ptr: f.Local(I32), length: f.Local(I32), ours: true, ok: f.Local(I32)}
	f.Set(v.text.ok)
	f.Set(v.text.length)
	f.Set(v.text.ptr)
	f.Set(v.number.ok)
	f.Set(v.number.local)
	f.Set(v.kind)
	return v
}

func (s *scope) plainValue(n *expr.Node, with expr.Kinds) *value {
	f := s.f
	v := &value{node: n, kinds: s.kindsOf(n), kind: f.Local(I32), number: noNumber, text: text{isConst: true, at: dataStart, none: true}}
	numbers, texts := comparesNumbers(v.kinds, with), v.kinds&expr.Text != 0 && with&expr.Text != 0
	switch n.Op {
	case expr.OpConst:
		f.I32(int32(n.Value.Kind))
		f.Set(v.kind)
	case expr.OpField:
		s.kind(n)
		f.Set(v.kind)
	case expr.OpCond:
		s.either(v, numbers, texts, with)
		return v
	default:
		s.computed(v)
		return v
	}
	if numbers {
		v.number = s.number(n)
	}
	if texts {
		v.text = s.text(n)
	}
	return v
}

// computed is the value of an operation that is neither a constant, a field nor
// a choice: of one kind, or of none.
func (s *scope) computed(v *value) {
	f := s.f
	kinds := v.kinds
	switch {
	case kinds&expr.Number != 0:
		v.number = s.number(v.node)
		f.I32(int32(abi.Number))
		f.I32(int32(otherKind(v.node)))
		v.number.pushOK(f)
		f.Op(Select)
	case kinds&expr.Text != 0:
		v.text = s.text(v.node)
		f.I32(int32(abi.String))
		f.I32(int32(otherKind(v.node)))
		v.text.pushOK(f)
		f.Op(Select)
	case kinds&^expr.Boolean == 0:
		s.condition(v.node)
		f.I32(int32(abi.False))
		f.Op(I32Add)
	default:
		f.I32(int32(abi.Missing))
	}
	f.Set(v.kind)
}

// otherKind is the kind of an operation that has no number or text.
func otherKind(n *expr.Node) abi.ValueKind {
	if n.Op == expr.OpSizeMethod || n.Op == expr.OpLowerASCII {
		return abi.False
	}
	return abi.Missing
}

// either is the value of a choice.
func (s *scope) either(v *value, numbers, texts bool, with expr.Kinds) {
	f := s.f
	if numbers {
		v.number = number{local: f.Local(F64), ok: f.Local(I32)}
	}
	if texts {
		v.text = text{ptr: f.Local(I32), length: f.Local(I32), ours: true, ok: f.Local(I32)}
	}
	branch := func(n *expr.Node) {
		x := s.value(n, with)
		f.Get(x.kind)
		f.Set(v.kind)
		if numbers {
			x.number.push(f)
			f.Set(v.number.local)
			x.number.pushOK(f)
			f.Set(v.number.ok)
		}
		if texts {
			x.text.push(f)
			f.Set(v.text.length)
			f.Set(v.text.ptr)
			x.text.pushOK(f)
			f.Set(v.text.ok)
		}
		x.free(f)
	}
	s.condition(v.node.Args[0])
	f.If()
	branch(v.node.Args[1])
	f.Else()
	branch(v.node.Args[2])
	f.End()
}

// compare pushes whether a comparison holds of two expressions.
func (s *scope) compare(op expr.Op, a, b *expr.Node) {
	f := s.f
	ka, kb := s.kindsOf(a), s.kindsOf(b)
	numbers, texts := comparesNumbers(ka, kb), ka&expr.Text != 0 && kb&expr.Text != 0
	booleans := ka&expr.Boolean != 0 && kb&expr.Boolean != 0
	nulls := ka&kb&expr.Null != 0 && op == expr.OpEqual // not equal is false of two, and order too
	switch {
	case !numbers && !texts && !booleans && !nulls:
		f.I32(0)
		return
	case numbers && !texts && !booleans && !nulls && (ka&expr.Numeric&^expr.Number == 0 || kb&expr.Numeric&^expr.Number == 0):
		// One of the two is a number or none: the other may be untyped.
		x, y := s.number(a), s.number(b)
		s.compareNumbers(op, x, y)
		x.free(f)
		y.free(f)
		return
	case (ka|kb)&^expr.Boolean == 0:
		s.condition(a)
		s.condition(b)
		f.Op(intOps[op])
		return
	}
	x, y := s.value(a, kb), s.value(b, ka)
	s.compareValues(op, x, y)
	x.free(f)
	y.free(f)
}

// compareValues pushes whether a comparison holds of two values of any kinds.
func (s *scope) compareValues(op expr.Op, x, y *value) {
	f := s.f
	f.I32(0)
	add := func(holds func()) {
		holds()
		f.Op(I32Or)
	}
	if x.kinds&expr.Text != 0 && y.kinds&expr.Text != 0 {
		add(func() { s.compareTexts(op, x.text, y.text) })
	}
	if comparesNumbers(x.kinds, y.kinds) {
		// Two untyped values are texts.
		add(func() {
			for _, v := range []*value{x, y} {
				f.Get(v.kind)
				f.I32(int32(abi.Number))
				f.Op(I32Eq)
			}
			f.Op(I32Or)
			s.compareNumbers(op, x.number, y.number)
			f.Op(I32And)
		})
	}
	if x.kinds&expr.Boolean != 0 && y.kinds&expr.Boolean != 0 {
		add(func() {
			for _, v := range []*value{x, y} {
				f.Get(v.kind)
				f.I32(int32(abi.False))
				f.Op(I32Sub)
				f.I32(2)
				f.Op(I32LtU)
			}
			f.Op(I32And)
			f.Get(x.kind)
			f.Get(y.kind)
			f.Op(intOps[op], I32And)
		})
	}
	if x.kinds&y.kinds&expr.Null != 0 && op == expr.OpEqual {
		add(func() {
			for _, v := range []*value{x, y} {
				f.Get(v.kind)
				f.I32(int32(abi.Null))
				f.Op(I32Eq)
			}
			f.Op(I32And)
		})
	}
}

// compareTexts pushes whether a comparison holds of two texts.
func (s *scope) compareTexts(op expr.Op, x, y text) {
	f := s.f
	if x.none || y.none {
		f.I32(0)
		return
	}
	x.push(f)
	y.push(f)
	switch op {
	case expr.OpEqual:
		f.Call(s.equal())
	case expr.OpNotEqual:
		f.Call(s.equal())
		f.Op(I32Eqz)
	default:
		f.Call(s.runtime.compare())
		f.I32(0)
		f.Op(intOps[op])
	}
	for _, t := range []text{x, y} {
		if !t.sure {
			t.pushOK(f)
			f.Op(I32And)
		}
	}
}

var intOps = map[expr.Op]Op{
	expr.OpEqual: I32Eq, expr.OpNotEqual: I32Ne, expr.OpLess: I32LtS, expr.OpLessEqual: I32LeS,
	expr.OpGreater: I32GtS, expr.OpGreaterEqual: I32GeS,
}

// maxElements is how many elements of a list one function compares with.
const maxElements = 32

// in pushes whether a value is in a list: a text in its set, or equal to one of
// the others.
func (s *scope) in(n *expr.Node) {
	f := s.f
	if elements := n.Args[1:]; len(elements) > maxElements {
		s.split(n)
		return
	}
	var with expr.Kinds
	for _, element := range n.Args[1:] {
		with |= s.kindsOf(element)
	}
	if n.Set != nil {
		with |= 1 << abi.String
	}
	x := s.value(n.Args[0], with)
	found := f.Block(I32)
	if n.Set != nil && x.kinds&expr.Text != 0 {
		s.inSet(x.text, n)
		f.I32(1)
		f.Op(I32Eq)
		s.leave(found)
	}
	for _, element := range n.Args[1:] {
		y := s.value(element, x.kinds)
		s.compareValues(expr.OpEqual, x, y)
		s.leave(found)
		y.free(f)
	}
	f.I32(0)
	f.End()
	x.free(f)
}

// leave leaves a block with 1 if the condition on the stack holds.
func (s *scope) leave(found Label) {
	s.f.If()
	s.f.I32(1)
	s.f.Br(found)
	s.f.End()
}

// split makes a long list two shorter ones.
func (s *scope) split(n *expr.Node) {
	half := (len(n.Args) + 1) / 2
	either := &expr.Node{Op: expr.OpOr, Args: []*expr.Node{
		{Op: expr.OpIn, Args: n.Args[:half], Set: n.Set},
		{Op: expr.OpIn, Args: append([]*expr.Node{n.Args[0]}, n.Args[half:]...)},
	}}
	s.condition(either)
}

// inSet pushes whether a text is in the set.
func (s *scope) inSet(t text, n *expr.Node) {
	f := s.f
	if t.none || len(n.Set.Texts) == 0 {
		f.I32(0)
		return
	}
	table, ok := s.sets[n.Set]
	if !ok {
		numbers := map[string]int{}
		for _, text := range n.Set.Texts {
			numbers[text] = 1
		}
		table = s.texts("a list", numbers)
		s.sets[n.Set] = table
	}
	ptr, length := f.Local(I32), f.Local(I32)
	t.push(f)
	f.Set(length)
	f.Set(ptr)
	s.emitLookup(f, table, ptr, length)
	if !t.sure {
		t.pushOK(f)
		f.Op(I32And)
	}
	f.Free(ptr, length)
}
