package module

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	. "github.com/seed-6a2d649b/pharos/host/rules/asm" // so that instructions read as such
	"github.com/seed-6a2d649b/pharos/host/rules/automaton"
)

// A table of texts is a record of what automaton.Texts has, and of a number for
// each text. Positions in the record:
const (
	textsSeed     = 0 // u64
	textsBuckets  = 8 // how many, and so on
	textsSlots    = 12
	textsDisplace = 16 // addresses from here on
	textsSlotsAt  = 20
	textsBegin    = 24
	textsBytes    = 28
	textsNumbers  = 32
)

// texts makes a table of texts with their numbers, which are not 0, and gives
// its address. What is for the failure.
func (g *generator) texts(what string, numbers map[string]int) uint32 {
	list := slices.Sorted(maps.Keys(numbers))
	t, err := automaton.NewTexts(list)
	if err != nil {
		g.fail(fmt.Errorf("%s is compared with texts: %w", what, err))
		return dataStart
	}
	var displace []byte
	for _, d := range t.Displace {
		displace = binary.LittleEndian.AppendUint16(displace, d)
	}
	of := make([]uint32, len(list))
	for i, text := range list {
		of[i] = uint32(numbers[text])
	}
	record := binary.LittleEndian.AppendUint64(nil, t.Seed)
	for _, n := range []uint32{
		uint32(len(t.Displace)), uint32(len(t.Slots)), g.data.add(displace), g.data.numbers(t.Slots),
		g.data.numbers(t.Begin), g.data.add(t.Bytes), g.data.numbers(of),
	} {
		record = binary.LittleEndian.AppendUint32(record, n)
	}
	return g.data.add(record)
}

// emitLookup pushes the number of a text, 0 if the table does not have it.
func (g *generator) emitLookup(f *Func, table uint32, ptr, length Local) {
	f.I32(int32(table))
	f.Get(ptr)
	f.Get(length)
	f.Call(g.lookup())
}

// lookup finds a text in a table, as automaton.Texts.Index does: (table, a, n) -> i32.
func (r *runtime) lookup() *Func {
	hash, same := r.hash(), r.same()
	return r.routine("lookup", p3, i1, func(f *Func) {
		table, a, n := f.Param(0), f.Param(1), f.Param(2)
		h, index, begin := f.Local(I64), f.Local(I32), f.Local(I32)
		scale := func(count uint32) { // 32 upper bits of the hash on the stack, to a number below the count
			f.I64(32)
			f.Op(I64ShrU)
			f.Get(table)
			f.Memory(I32Load, count)
			f.Op(I64ExtendI32U, I64Mul)
			f.I64(32)
			f.Op(I64ShrU, I32WrapI64)
		}
		f.Get(a)
		f.Get(n)
		f.Get(table)
		f.Memory(I64Load, textsSeed)
		f.Call(hash)
		f.Set(h)
		// The slot: that of the hash and of what displaces its bucket.
		f.Get(table)
		f.Memory(I32Load, textsSlotsAt)
		f.Get(table)
		f.Memory(I32Load, textsDisplace)
		f.Get(h)
		scale(textsBuckets)
		f.I32(1)
		f.Op(I32Shl, I32Add)
		f.Memory(I32Load16U, 0)
		f.Op(I64ExtendI32U)
		f.U64(automaton.MixBucket)
		f.Op(I64Mul)
		f.Get(h)
		f.Op(I64Xor)
		f.U64(automaton.MixSlot)
		f.Op(I64Mul)
		scale(textsSlots)
		f.I32(2)
		f.Op(I32Shl, I32Add)
		f.Memory(I32Load, 0)
		f.I32(2)
		f.Op(I32Shl)
		f.Set(index)
		// Its text.
		f.Get(table)
		f.Memory(I32Load, textsBegin)
		f.Get(index)
		f.Op(I32Add)
		f.Tee(begin)
		f.Memory(I32Load, 4)
		f.Get(begin)
		f.Memory(I32Load, 0)
		f.Tee(begin)
		f.Op(I32Sub)
		f.Get(n)
		f.Op(I32Eq)
		f.If()
		f.Get(table)
		f.Memory(I32Load, textsBytes)
		f.Get(begin)
		f.Op(I32Add)
		f.Get(a)
		f.Get(n)
		f.Call(same)
		f.If()
		f.Get(table)
		f.Memory(I32Load, textsNumbers)
		f.Get(index)
		f.Op(I32Add)
		f.Memory(I32Load, 0)
		f.Return()
		f.End()
		f.End()
		f.I32(0)
	})
}

// hash is automaton's of a text: (a, n, seed) -> i64.
func (r *runtime) hash() *Func {
	return r.routine("hash", []Type{I32, I32, I64}, []Type{I64}, func(f *Func) {
		a, n, h := f.Param(0), f.Param(1), f.Param(2)
		with, last := f.Local(I64), f.Local(I32)
		byteAt := func(shift int64) { // whose address is on the stack
			f.Memory(I32Load8U, 0)
			f.Op(I64ExtendI32U)
			if shift > 0 {
				f.I64(shift)
				f.Op(I64Shl)
			}
		}
		mix := func() { // with what is on the stack
			f.Set(with)
			f.Get(h)
			f.Get(with)
			f.Op(I64Add)
			f.I64(0xFFFFFFFF)
			f.Op(I64And)
			for _, x := range []Local{h, with} {
				f.Get(x)
				f.I64(32)
				f.Op(I64ShrU)
			}
			f.Op(I64Add)
			f.I64(0xFFFFFFFF)
			f.Op(I64And, I64Mul)
			f.Get(h)
			f.I64(25)
			f.Op(I64Rotl, I64Xor)
			f.Set(h)
		}
		f.Get(h)
		f.Get(n)
		f.Op(I64ExtendI32U)
		f.U64(automaton.MixLength)
		f.Op(I64Mul, I64Xor)
		f.Set(h)
		f.Get(n)
		f.I32(8)
		f.Op(I32GeU)
		f.If()
		f.Get(a)
		f.Get(n)
		f.Op(I32Add)
		f.I32(8)
		f.Op(I32Sub)
		f.Set(last)
		done := f.Block()
		again := f.Loop()
		f.Get(a)
		f.Get(last)
		f.Op(I32GeU)
		f.BrIf(done)
		f.Get(a)
		f.Memory(I64LoadUnaligned, 0)
		mix()
		increase(f, a, 8)
		f.Br(again)
		f.End()
		f.End()
		f.Get(last)
		f.Memory(I64LoadUnaligned, 0)
		mix()
		f.Else()
		f.Get(n)
		f.I32(4)
		f.Op(I32GeU)
		f.If()
		f.Get(a)
		f.Memory(I32LoadUnaligned, 0)
		f.Op(I64ExtendI32U)
		f.Get(a)
		f.Get(n)
		f.Op(I32Add)
		f.I32(4)
		f.Op(I32Sub)
		f.Memory(I32LoadUnaligned, 0)
		f.Op(I64ExtendI32U)
		f.I64(32)
		f.Op(I64Shl, I64Or)
		mix()
		f.Else()
		f.Get(n)
		f.If()
		f.Get(a)
		byteAt(0)
		f.Get(a)
		f.Get(n)
		f.I32(1)
		f.Op(I32ShrU, I32Add)
		byteAt(8)
		f.Op(I64Or)
		f.Get(a)
		f.Get(n)
		f.Op(I32Add)
		f.I32(1)
		f.Op(I32Sub)
		byteAt(16)
		f.Op(I64Or)
		mix()
		f.End()
		f.End()
		f.End()
		f.Get(h)
		f.Get(h)
		f.I64(32)
		f.Op(I64ShrU, I64Xor)
		f.U64(automaton.MixHash)
		f.Op(I64Mul)
		f.Tee(h)
		f.Get(h)
		f.I64(32)
		f.Op(I64ShrU, I64Xor)
	})
}
