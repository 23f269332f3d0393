package asm

import (
	"encoding/binary"
	"math"
	"slices"
)

// Func is a function that is being written. Its methods emit instructions, in
// the order in which they are called; WebAssembly's stack is theirs.
type Func struct {
	module    *Module
	name      string
	index     uint32
	signature uint32
	params    int
	locals    []Type
	free      map[Type][]Local
	code      []byte
	prologue  []byte // before the code
	loops     bool
	steady    map[Word]Local
	depth     int
	branches  int
}

// Local is a parameter or a local variable.
type Local uint32

// Label is a block that is open.
type Label int

// Size is how many bytes of code were emitted.
func (f *Func) Size() int { return len(f.code) }

// Branches is how many blocks and branches were emitted.
func (f *Func) Branches() int { return f.branches }

// Param is parameter i.
func (f *Func) Param(i int) Local { return Local(i) }

// Local is a local variable: a new one, or one that was let go, whatever it
// holds.
func (f *Func) Local(t Type) Local {
	if free := f.free[t]; len(free) > 0 {
		f.free[t] = free[:len(free)-1]
		return free[len(free)-1]
	}
	return f.Fresh(t)
}

// Fresh is a local variable that nobody has had.
func (f *Func) Fresh(t Type) Local {
	f.locals = append(f.locals, t)
	return Local(len(f.locals) - 1)
}

// Free lets locals go that are used no more.
func (f *Func) Free(locals ...Local) {
	if f.free == nil {
		f.free = map[Type][]Local{}
	}
	for _, l := range locals {
		t := f.locals[l]
		f.free[t] = append(f.free[t], l)
	}
}

// body is the function's entry of the code section.
func (f *Func) body() []byte {
	var groups []struct {
		n uint32
		t Type
	}
	for _, t := range f.locals[f.params:] {
		if n := len(groups); n > 0 && groups[n-1].t == t {
			groups[n-1].n++
			continue
		}
		groups = append(groups, struct {
			n uint32
			t Type
		}{1, t})
	}
	b := appendU32(nil, uint32(len(groups)))
	for _, g := range groups {
		b = append(appendU32(b, g.n), byte(g.t))
	}
	return append(append(append(b, f.prologue...), f.code...), opEnd)
}

func (f *Func) emit(op byte) {
	f.code = append(f.code, op)
}

// Op emits instructions that have no immediates.
func (f *Func) Op(ops ...Op) {
	for _, op := range ops {
		if op > 0xFF {
			f.code = append(f.code, byte(op>>8))
		}
		f.code = append(f.code, byte(op))
		switch op {
		case MemoryGrow, MemorySize:
			f.code = append(f.code, 0)
		case MemoryCopy:
			f.code = append(f.code, 0, 0)
		case MemoryFill:
			f.code = append(f.code, 0)
		}
	}
}

// I32 pushes a number.
func (f *Func) I32(v int32) {
	f.emit(opI32Const)
	f.code = appendS64(f.code, int64(v))
}

// I64 pushes a number.
func (f *Func) I64(v int64) {
	f.emit(opI64Const)
	f.code = appendS64(f.code, v)
}

// U64 pushes a number.
func (f *Func) U64(v uint64) { f.I64(int64(v)) }

// F64 pushes a number.
func (f *Func) F64(v float64) {
	f.emit(opF64Const)
	f.code = binary.LittleEndian.AppendUint64(f.code, math.Float64bits(v))
}

func (f *Func) indexed(op byte, i uint32) {
	f.emit(op)
	f.code = appendU32(f.code, i)
}

// Get pushes a local.
func (f *Func) Get(l Local) { f.indexed(0x20, uint32(l)) }

// Set pops a local.
func (f *Func) Set(l Local) { f.indexed(0x21, uint32(l)) }

// Tee sets a local and leaves it on the stack.
func (f *Func) Tee(l Local) { f.indexed(0x22, uint32(l)) }

// Word is a variable of 32 bits in memory, by its address.
type Word uint32

// GetWord pushes a variable.
func (f *Func) GetWord(w Word) {
	f.I32(0)
	f.Memory(I32Load, uint32(w))
}

// SetWord pops a variable.
func (f *Func) SetWord(w Word) {
	value := f.Local(I32)
	f.Set(value)
	f.I32(0)
	f.Get(value)
	f.Memory(I32Store, uint32(w))
	f.Free(value)
}

// Call calls a function.
func (f *Func) Call(g *Func) { f.indexed(0x10, g.index) }

// Memory emits a load or store, at an offset from the address on the stack.
func (f *Func) Memory(op MemoryOp, offset uint32) {
	f.emit(byte(op))
	f.code = appendU32(appendU32(f.code, uint32(op>>8)), offset)
}

func (f *Func) open(op byte, results []Type) Label {
	f.emit(op)
	f.branches++
	switch len(results) {
	case 0:
		f.code = append(f.code, 0x40)
	case 1:
		f.code = append(f.code, byte(results[0]))
	default:
		f.code = appendS64(f.code, int64(f.module.signature(nil, results)))
	}
	f.depth++
	return Label(f.depth)
}

// Block opens a block that gives results; a branch to it leaves it.
func (f *Func) Block(results ...Type) Label { return f.open(0x02, results) }

// Loop opens a loop; a branch to it begins it anew.
func (f *Func) Loop(results ...Type) Label { return f.open(0x03, results) }

// If opens a block that is run if the condition on the stack is not 0.
func (f *Func) If(results ...Type) Label { return f.open(0x04, results) }

// Else begins the other branch of the If that was opened last.
func (f *Func) Else() {
	f.emit(0x05)
	f.branches++
}

// End ends the block that was opened last.
func (f *Func) End() {
	f.emit(opEnd)
	f.depth--
}

func (f *Func) label(l Label) uint32 { return uint32(f.depth - int(l)) }

// Br branches to a label.
func (f *Func) Br(l Label) { f.indexed(0x0C, f.label(l)) }

// BrIf branches if the condition on the stack is not 0.
func (f *Func) BrIf(l Label) {
	f.indexed(0x0D, f.label(l))
	f.branches++
}

// BrTable branches to the label whose number is on the stack, and to the last
// if it has none.
func (f *Func) BrTable(labels []Label, last Label) {
	f.indexed(0x0E, uint32(len(labels)))
	for _, l := range labels {
		f.code = appendU32(f.code, f.label(l))
	}
	f.code = appendU32(f.code, f.label(last))
	f.branches++
}

// Return leaves the function.
func (f *Func) Return() { f.emit(0x0F) }

// Steady pushes a variable that does not change while the function runs. One that
// loops (see Loops) reads it once, at its start.
func (f *Func) Steady(w Word) {
	if !f.loops {
		f.GetWord(w)
		return
	}
	l, ok := f.steady[w]
	if !ok {
		if f.steady == nil {
			f.steady = map[Word]Local{}
		}
		l = f.Fresh(I32)
		f.steady[w] = l
		f.prologue = append(f.prologue, f.Record(func() {
			f.GetWord(w)
			f.Set(l)
		})...)
	}
	f.Get(l)
}

// Loops says that the function spends its time in a loop.
func (f *Func) Loops() { f.loops = true }

// Record has what is emitted kept apart, for Append to put it where it belongs.
func (f *Func) Record(emit func()) []byte {
	from := len(f.code)
	emit()
	code := slices.Clone(f.code[from:])
	f.code = f.code[:from]
	return code
}

// Append puts what was recorded at the same depth of blocks behind what there is.
func (f *Func) Append(code []byte) { f.code = append(f.code, code...) }
