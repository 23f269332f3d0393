package fuel

import (
	"fmt"
	"math"
)

// A charge stands where control comes in, and counts what follows up to where
// control may go elsewhere, and behind that what it dominates: code that mostly
// runs too. slack bounds what a charge may count that does not run; a higher one
// makes fewer charges. Loops are charged at each turn.
const slack = 64

// leafMost is the work of a function without loops and calls up to which its
// callers count it: it has no charge of its own.
const leafMost = 24

// What instructions cost; all others but those that only structure code: 1.
const (
	callCost     = 3
	indirectCost = 6 + leafMost // what is called may be such a leaf
	importCost   = 20
)

// How many units of work the elements of a bulk instruction are: 16 bytes of
// memory or an element of a table are one, a page of memory 4096.
const (
	bytesShift = 4
	pageShift  = 12
)

// function is one of the module's own.
type function struct {
	number int    // among all functions
	params int    // parameters
	body   []byte // declarations of locals and code
	leaf   bool   // its callers count it
	work   int64  // of all its instructions
	stack         // what it takes of it
}

// body is a function taken apart.
type body struct {
	module       *module
	function     *function
	text         []byte // the function's body
	groups       int    // of declared locals
	declarations []byte // of them, without their number
	locals       uint32 // parameters too
	code         []instruction
	size         size
	bulk, loops  bool // it has bulk instructions; it has loops
}

// open takes a function apart and checks that what the rewriter adds cannot be
// named by it.
func (m *module) open(f *function) (*body, error) {
	b := &body{module: m, function: f, text: f.body}
	if err := b.read(); err != nil {
		return nil, fmt.Errorf("function %d: %w", f.number, err)
	}
	return b, nil
}

func (b *body) read() error {
	r := &reader{code: b.text}
	b.groups = r.count()
	from := r.at
	locals := uint64(b.function.params)
	for range b.groups {
		locals += uint64(r.u32())
		r.valueType()
	}
	if !r.atMost("locals in a function", int(min(locals, math.MaxInt32)), maxLocals) {
		return r.err
	}
	b.declarations, b.locals = b.text[from:r.at], uint32(locals)
	b.code, b.size = b.module.scratch[:0], size{}
	for depth := 1; depth > 0 && r.err == nil; {
		i := r.next(depth)
		switch i.op {
		case opBlock, opIf:
			depth++
		case opLoop:
			depth++
			b.loops = true
		case opEnd:
			depth--
		}
		b.note(r, &i)
		b.size.add(&i, int(b.locals), b.module.mutable, b.module.arity(&i))
		if i.op == opBrTable || len(b.code)%1024 == 0 { // before they take memory
			b.size.check(r)
		}
		b.code = append(b.code, i)
	}
	b.size.check(r)
	b.module.wide = b.module.wide || r.wide
	b.module.scratch = b.code
	if r.err == nil && !r.done() {
		r.fail("something follows its end")
	}
	return r.err
}

// note looks at what an instruction refers to.
func (b *body) note(r *reader, i *instruction) {
	switch i.op {
	case opLocalGet, opLocalSet, opLocalTee:
		if i.index >= b.locals {
			r.fail("local %d of %d", i.index, b.locals)
		}
	case opGlobalGet, opGlobalSet:
		if i.index >= b.module.globals {
			r.fail("global %d of %d", i.index, b.module.globals)
		}
	case opCall, opReturnCall:
		if all := b.module.imported + len(b.module.functions); int64(i.index) >= int64(all) {
			r.fail("function %d of %d", i.index, all)
		}
	case opRefFunc:
		b.module.refer(r, i.index)
	case opMemoryGrow:
		b.bulk = true
	case opTableSet:
		b.module.hide(changesTables)
	case opBulk:
		b.bulk = b.bulk || sized(i)
		switch i.bulk {
		case bulkTableInit, bulkTableCopy, bulkTableGrow, bulkTableFill:
			b.module.hide(changesTables)
		case bulkDataDrop, bulkElemDrop:
			b.module.hide("it drops segments of data or elements")
		}
	}
}

const changesTables = "it changes its tables"

// arity is how many values an instruction's type has: of a call, or of a block.
func (m *module) arity(i *instruction) int {
	t := int64(-1)
	switch i.op {
	case opCall, opReturnCall:
		if n := int(i.index); n < len(m.typeOf) {
			t = int64(m.typeOf[n])
		}
	case opCallIndirect, opReturnCallIndirect:
		t = int64(i.index)
	case opBlock, opLoop, opIf:
		if !i.typed {
			return 0
		}
		t = int64(i.index)
	}
	if t < 0 || t >= int64(len(m.types)) {
		return 0
	}
	return m.types[t].params + m.types[t].results
}

// sized tells whether a bulk instruction's work hangs on a number of elements.
func sized(i *instruction) bool {
	switch i.bulk {
	case bulkMemoryInit, bulkMemoryCopy, bulkMemoryFill, bulkTableInit, bulkTableCopy, bulkTableGrow, bulkTableFill:
		return true
	}
	return false
}

// counts tells whether a function counts its own work: the host's may.
func (m *module) counts(number uint32) bool {
	return int(number) < m.imported || !m.functions[int(number)-m.imported].leaf
}

// cost is what an instruction costs, sizes aside.
func (b *body) cost(i *instruction) int64 {
	switch i.op {
	case opNop, opBlock, opLoop, opElse, opEnd:
		return 0
	case opCall, opReturnCall:
		switch {
		case int(i.index) < b.module.imported:
			return importCost
		case !b.module.counts(i.index):
			return callCost + b.module.functions[int(i.index)-b.module.imported].work
		}
		return callCost
	case opCallIndirect, opReturnCallIndirect:
		return indirectCost
	}
	return 1
}

// measure finds out whether the function is a leaf that its callers count.
func (b *body) measure() {
	if b.loops || b.bulk {
		return
	}
	for k := range b.code {
		switch i := &b.code[k]; i.op {
		case opCall, opCallIndirect, opReturnCall, opReturnCallIndirect:
			return
		default:
			b.function.work += b.cost(i)
		}
	}
	b.function.leaf = b.function.work <= leafMost
}

// charge counts work where it stands.
type charge struct {
	at   int   // before the instruction of that number
	work int64 // that it counts
	more int64 // of that, what it only dominates
}

// parts tells whether control may go elsewhere behind an instruction, or come in.
func (i *instruction) parts() bool {
	switch i.op {
	case opLoop, opIf, opElse, opEnd:
		return true
	}
	return i.op == opBrIf || i.ends()
}

// ends tells whether control never comes to what follows.
func (i *instruction) ends() bool {
	switch i.op {
	case opUnreachable, opBr, opBrTable, opReturn, opReturnCall, opReturnCallIndirect:
		return true
	}
	return false
}

// frame is a block in hand.
type frame struct {
	charge int  // that dominates what follows its end
	dead   bool // control never comes to it
}

// charges places the charges.
func (b *body) charges() []charge {
	b.stretch()
	all := []charge{{at: 0, work: int64(b.code[0].stretch)}}
	frames := []frame{{}}
	now, dead := 0, false // the charge that dominates what is in hand
	// come is where control comes in, dominated by a charge.
	come := func(at, by int, always bool) {
		work := int64(b.code[at].stretch)
		if always || all[by].more+work > slack {
			all = append(all, charge{at: at, work: work})
			now = len(all) - 1
			return
		}
		now = by
		all[by].work += work
		all[by].more += work
	}
	for k := range b.code[:len(b.code)-1] { // the last is the function's end
		i := &b.code[k]
		switch i.op {
		case opBlock, opLoop, opIf:
			frames = append(frames, frame{now, dead})
			if !dead && i.op != opBlock {
				come(k+1, now, i.op == opLoop)
			}
		case opElse, opEnd:
			top := frames[len(frames)-1]
			if i.op == opEnd {
				frames = frames[:len(frames)-1]
			}
			if dead = top.dead; !dead {
				come(k+1, top.charge, false)
			}
		case opBrIf:
			if !dead {
				come(k+1, now, false)
			}
		default:
			dead = dead || i.ends()
		}
	}
	return all
}

// stretch finds for each instruction the work from it up to where control parts.
func (b *body) stretch() {
	next := int64(0)
	for k := len(b.code) - 1; k >= 0; k-- {
		i := &b.code[k]
		if i.parts() {
			next = 0
		}
		next += b.cost(i)
		i.stretch = uint32(next) // a body's length bounds it
	}
}

// rewrite appends the function's body, which counts its work.
func (b *body) rewrite(dst []byte) []byte {
	if b.function.leaf && !b.function.pays {
		return append(dst, b.text...)
	}
	w := writer{body: b, dst: dst, fuel: b.locals, size: b.locals + 1}
	var all []charge
	if !b.function.leaf {
		all = b.charges()
	}
	w.kept = len(all) > 1 || b.bulk
	w.declare()
	w.enter()
	for k := range b.code {
		for len(all) > 0 && all[0].at == k {
			w.charge(all[0].work, k == 0)
			all = all[1:]
		}
		w.instruction(&b.code[k], k == len(b.code)-1)
	}
	return w.dst
}

// writer writes a function's body. Where there are several charges the fuel is kept
// in a local between calls: there it costs next to nothing.
type writer struct {
	*body
	dst  []byte
	kept bool   // the fuel is in a local
	fuel uint32 // the local
	size uint32 // another, of a bulk instruction's size
}

func (w *writer) declare() {
	more := 1
	if w.bulk {
		more++
	}
	w.dst = append(appendU32(w.dst, uint32(w.groups+more)), w.declarations...)
	w.dst = append(appendU32(w.dst, 1), typeI64)
	if w.bulk {
		w.dst = append(appendU32(w.dst, 1), typeI32)
	}
}

func (w *writer) op(op byte, index uint32) { w.dst = appendU32(append(w.dst, op), index) }

// save puts the local fuel where others see it, load takes it from there.
func (w *writer) save() {
	w.op(opLocalGet, w.fuel)
	w.op(opGlobalSet, w.module.globals)
}

func (w *writer) load() {
	w.op(opGlobalGet, w.module.globals)
	w.op(opLocalSet, w.fuel)
}

// charge takes work off, and traps where there is no fuel for it.
func (w *writer) charge(work int64, first bool) {
	switch {
	case first:
		w.op(opGlobalGet, w.module.globals)
	case work == 0:
		return
	default:
		w.op(opLocalGet, w.fuel)
	}
	w.dst = append(w.dst, opI64Const)
	w.dst = appendS64(w.dst, work)
	w.dst = append(w.dst, opI64Sub)
	w.op(opLocalTee, w.fuel)
	if !w.kept {
		w.op(opGlobalSet, w.module.globals)
		w.op(opLocalGet, w.fuel)
	}
	w.check()
}

// check traps if the fuel, which is on the stack, is used up: it is then below 0.
func (w *writer) check() {
	w.dst = append(w.dst, opI64Const, 0, opI64LtS, opIf, emptyBlock)
	if w.kept {
		w.save()
	}
	w.dst = append(w.dst, opUnreachable, opEnd)
}

func (w *writer) instruction(i *instruction, last bool) {
	if w.kept {
		w.before(i, last)
	}
	if last || i.op == opReturn || i.op == opReturnCall || i.op == opReturnCallIndirect {
		w.leave(last)
	}
	w.dst = append(w.dst, w.text[i.from:i.to]...)
	if w.kept && (i.op == opCall && w.module.counts(i.index) || i.op == opCallIndirect) {
		w.load()
	}
}

// before writes what must be known to others before an instruction.
func (w *writer) before(i *instruction, last bool) {
	switch i.op {
	case opCall, opReturnCall:
		if i.op == opReturnCall || w.module.counts(i.index) {
			w.save()
		}
	case opCallIndirect, opReturnCallIndirect, opReturn:
		w.save()
	case opBr, opBrIf, opBrTable:
		if i.leaves {
			w.save()
		}
	case opEnd:
		if last {
			w.save()
		}
	case opMemoryGrow:
		w.sized(opI64Shl, pageShift)
	case opBulk:
		switch i.bulk {
		case bulkMemoryInit, bulkMemoryCopy, bulkMemoryFill:
			w.sized(opI64ShrU, bytesShift)
		case bulkTableInit, bulkTableCopy, bulkTableGrow, bulkTableFill:
			w.sized(opI64Shl, 0)
		}
	}
}

// sized charges for a number of elements, which is on the stack and stays there.
func (w *writer) sized(shift byte, by byte) {
	w.op(opLocalTee, w.size)
	w.op(opLocalGet, w.fuel)
	w.op(opLocalGet, w.size)
	w.dst = append(w.dst, opI64ExtendI32U, opI64Const, by, shift, opI64Sub)
	w.op(opLocalTee, w.fuel)
	w.check()
}
