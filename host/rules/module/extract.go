package module

import (
	"math"
	"slices"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/rules"
	. "github.com/seed-6a2d649b/pharos/host/rules/asm" // so that instructions read as such
)

// extract measures what each rule that holds says.
func (l *loop) extract() {
	f := l.f
	rule := f.Local(I32)
	l.measuring(func() {
		l.candidates(rule, func(Label) {
			switch {
			case len(l.generator.rules) == 1:
				l.act(l.generator.rules[0])(l.s)
			case len(l.generator.rules) <= 64:
				l.dispatch(l.s, rule, 0, len(l.generator.rules), rule, l.actOf)
			default:
				f.Get(rule)
				f.Get(l.s.row)
				f.Get(rule)
				f.Call(l.byWord("act", len(l.generator.rules), l.actOf))
			}
			f.Op(Drop)
		})
	})
}

// measuring emits a loop over the rows, whose body measures, and pushes what the
// call returns.
func (l *loop) measuring(body func()) {
	f := l.f
	for _, count := range []Word{l.measured, l.tuples} {
		f.I32(0)
		f.SetWord(count)
	}
	l.each(body, func() {})
	batch := f.Param(0)
	for _, count := range []struct {
		n   Word
		out uint32
	}{{l.measured, abi.HMeasurementCount}, {l.tuples, abi.HTupleCount}} {
		f.Get(batch)
		f.GetWord(count.n)
		f.Memory(I32Store, count.out)
	}
	f.GetWord(l.measured)
	f.Get(batch)
	f.Memory(I32Load, abi.HMeasurementsCap)
	f.Op(I32GtU)
	f.GetWord(l.tuples)
	f.Get(batch)
	f.Memory(I32Load, abi.HTuplesCap)
	f.Op(I32GtU, I32Or) // abi.TooSmall
}

func (l *loop) actOf(i int) func(*scope, Local) {
	act := l.act(l.generator.rules[i])
	return func(s *scope, _ Local) { act(s) }
}

// act is what is done for a rule whose guards hold; it pushes 1.
func (l *loop) act(r *rule) func(s *scope) {
	return func(s *scope) {
		f := s.f
		if len(r.rest) > 0 {
			s.all(r.rest)
			f.If()
		}
		if r.Answer >= 0 {
			s.measure(r.Checked)
		}
		s.set(r.Sets)
		if len(r.rest) > 0 {
			f.End()
		}
		f.I32(1)
	}
}

// measure adds a rule's measurement. A value that is no number is NaN, which the
// host counts as a bad one.
func (s *scope) measure(r *rules.Checked) {
	f := s.f
	x := number{isConst: true, constant: 1, sure: true}
	if r.Value != nil {
		x = s.number(r.Value)
	}
	value, tuple := f.Local(F64), f.Local(I32)
	x.push(f)
	if !x.sure {
		f.F64(math.NaN())
		x.pushOK(f)
		f.Op(Select)
	}
	f.Set(value)
	f.I32(0)
	f.Set(tuple)
	if len(r.Attributes) > 0 {
		if !x.sure {
			x.pushOK(f)
			f.If()
		}
		s.tuple(r, tuple)
		if !x.sure {
			f.End()
		}
	}
	f.Get(s.row)
	f.I32(int32(r.Answer))
	f.Get(tuple)
	f.Get(value)
	f.Call(s.emitMeasure())
	f.Free(value, tuple)
	x.free(f)
}

// emitMeasure is the function that adds a measurement, if there is room:
// (row, point, tuple, value).
func (g *generator) emitMeasure() *Func {
	return g.routine("measure", []Type{I32, I32, I32, F64}, nil, func(f *Func) {
		at := f.Local(I32)
		f.GetWord(g.measured)
		f.GetWord(g.batch)
		f.Memory(I32Load, abi.HMeasurementsCap)
		f.Op(I32LtU)
		f.If()
		f.GetWord(g.batch)
		f.GetWord(g.batch)
		f.Memory(I32Load, abi.HMeasurementsAt)
		f.Op(I32Add)
		f.GetWord(g.measured)
		f.I32(abi.MeasurementSize)
		f.Op(I32Mul, I32Add)
		f.Set(at)
		for i, to := range []uint32{abi.MRow, abi.MPoint, abi.MAttributes} {
			f.Get(at)
			f.Get(f.Param(i))
			f.Memory(I32Store, to)
		}
		f.Get(at)
		f.I32(0)
		f.Memory(I32Store, abi.MZero)
		f.Get(at)
		f.Get(f.Param(3))
		f.Memory(F64Store, abi.MValue)
		f.End()
		f.GetWord(g.measured)
		f.I32(1)
		f.Op(I32Add)
		f.SetWord(g.measured)
	})
}

// tuple adds the tuple of a rule's attributes, and sets to what refers to it: 0
// if none has a text.
func (s *scope) tuple(r *rules.Checked, to Local) {
	f := s.f
	plan := s.program.Plan()
	texts := make([]text, len(plan.Points[r.Answer].Attributes))
	for i, a := range r.Attributes {
		t := text{ptr: f.Local(I32), length: f.Local(I32), ours: true, sure: true}
		s.attribute(a.Path, t.ptr, t.length)
		texts[a.Slot] = t
		f.Get(t.length)
		if i > 0 {
			f.Op(I32Or)
		}
	}
	f.If()
	at := f.Local(I32)
	f.GetWord(s.tuples)
	f.Tee(to)
	f.GetWord(s.batch)
	f.Memory(I32Load, abi.HTuplesCap)
	f.Op(I32LtU)
	f.If()
	f.GetWord(s.batch)
	f.GetWord(s.batch)
	f.Memory(I32Load, abi.HTuplesAt)
	f.Op(I32Add)
	f.Get(to)
	f.I32(int32(plan.TupleWidth() * abi.ValueSize))
	f.Op(I32Mul, I32Add)
	f.Set(at)
	for i, t := range texts {
		if !t.ours {
			f.Get(at)
			f.I64(0)
			f.Memory(I64Store, uint32(i*abi.ValueSize))
			continue
		}
		f.Get(at)
		f.Get(t.ptr)
		f.GetWord(s.batch)
		f.Op(I32Sub)
		f.Memory(I32Store, uint32(i*abi.ValueSize+abi.VAt))
		f.Get(at)
		f.Get(t.length)
		f.Memory(I32Store, uint32(i*abi.ValueSize+abi.VLen))
	}
	f.End()
	f.Get(to)
	f.I32(1)
	f.Op(I32Add)
	f.Tee(to)
	f.SetWord(s.tuples)
	f.End()
	f.Free(at)
	for _, t := range texts {
		if t.ours {
			t.free(f)
		}
	}
}

// attribute finds the text of a field as an attribute: that of a column of
// texts, empty where there is none.
func (s *scope) attribute(path string, ptr, length Local) {
	f := s.f
	s.fieldText(path, ptr, length)
	if field := s.fields[path]; field != nil && field.texts { // its code is that of any text
		f.Get(length)
		f.I32(0)
		s.emitBit(f, s.word(s.column(path, abi.Str, true), abi.CValidAt), s.row)
		f.Op(I32Sub, I32And)
		f.Set(length)
	}
}

// emitCells finds the cells of the batch's sessions.
func (g *generator) emitCells(f *Func) {
	if len(g.cells) == 0 {
		return
	}
	batch, at := f.Param(0), f.Local(I32)
	pointer := func(base Local, word uint32) {
		f.Get(base)
		f.Memory(I32Load, word)
		f.Get(batch)
		f.Op(I32Add)
	}
	pointer(batch, abi.HSlotsAt)
	f.SetWord(g.slots)
	pointer(batch, abi.HCellsAt)
	f.Set(at)
	for i, cell := range g.cells {
		pointer(at, uint32(i*abi.CellSize+abi.CellAt))
		f.SetWord(cell)
	}
}

// cell pushes the address of a cell of the row's session.
func (s *scope) cell(i int) {
	f := s.f
	f.Steady(s.cells[i])
	f.Steady(s.slots)
	f.Get(s.row)
	f.I32(2)
	f.Op(I32Shl, I32Add)
	f.Memory(I32Load, 0)
	f.I32(3)
	f.Op(I32Shl, I32Add)
}

// set gives cells their new values, all at once.
func (s *scope) set(sets []rules.Set) {
	f := s.f
	values := make([]number, len(sets))
	for i, set := range sets {
		values[i] = s.number(set.Value)
	}
	bad := slices.Index(s.program.Plan().Counters, rules.BadSet)
	for i, set := range sets {
		x, finite := values[i], f.Local(F64)
		x.push(f)
		f.Set(finite)
		emitFinite(f, finite)
		x.pushOK(f)
		f.Op(I32And)
		f.If()
		s.cell(set.Cell)
		f.Get(finite)
		f.Memory(F64Store, 0)
		f.Else()
		counter := f.Local(I32)
		f.GetWord(s.batch)
		f.GetWord(s.batch)
		f.Memory(I32Load, abi.HCountersAt)
		f.Op(I32Add)
		f.Tee(counter)
		f.Get(counter)
		f.Memory(I64Load, uint32(8*bad))
		f.I64(1)
		f.Op(I64Add)
		f.Memory(I64Store, uint32(8*bad))
		f.End()
		f.Free(finite, counter)
	}
	for _, x := range values {
		x.free(f)
	}
}
