package module

import (
	"encoding/binary"
	"maps"
	"slices"

	. "github.com/seed-6a2d649b/pharos/host/rules/asm" //nolint:revive // instructions read as such
)

// A table of texts is slots of 16 bytes, a power of two of them and at most half
// of them in use: the upper half of the text's hash, its number, its address and
// its length. A text is in the slot that the lower half of its hash says, or in
// one behind it before the first with address 0.
const slotSize = 16

// textTable is where a table of texts is.
type textTable struct {
	at   uint32
	mask int32 // of offsets of slots
}

// texts makes a table of texts with their numbers, which are not 0.
func (g *generator) texts(numbers map[string]int) textTable {
	slots := 4
	for slots < 2*len(numbers) {
		slots *= 2
	}
	table := make([]byte, slots*slotSize)
	for _, text := range slices.Sorted(maps.Keys(numbers)) {
		h := hashText(text)
		i := int(h) & (slots - 1)
		for binary.LittleEndian.Uint32(table[i*slotSize+8:]) != 0 {
			i = (i + 1) & (slots - 1)
		}
		slot := table[i*slotSize:]
		binary.LittleEndian.PutUint32(slot, uint32(h>>32))
		binary.LittleEndian.PutUint32(slot[4:], uint32(numbers[text]))
		binary.LittleEndian.PutUint32(slot[8:], g.data.text(text))
		binary.LittleEndian.PutUint32(slot[12:], uint32(len(text)))
	}
	return textTable{g.data.add(table), int32((slots - 1) * slotSize)}
}

// emitLookup pushes the number of a text, 0 if the table does not have it.
func (g *generator) emitLookup(f *Func, table textTable, ptr, length Local) {
	f.I32(int32(table.at))
	f.I32(table.mask)
	f.Get(ptr)
	f.Get(length)
	f.Call(g.lookup())
}

// lookup finds a text in a table: (table, mask, a, n) -> i32.
func (r *runtime) lookup() *Func {
	hash, same := r.hash(), r.same()
	return r.routine("lookup", p4, i1, func(f *Func) {
		table, mask, a, n := f.Param(0), f.Param(1), f.Param(2), f.Param(3)
		h, tag, i, slot := f.Local(I64), f.Local(I32), f.Local(I32), f.Local(I32)
		f.Get(a)
		f.Get(n)
		f.Call(hash)
		f.Tee(h)
		f.I64(32)
		f.Op(I64ShrU, I32WrapI64)
		f.Set(tag)
		f.Get(h)
		f.Op(I32WrapI64)
		f.I32(4)
		f.Op(I32Shl)
		f.Set(i)
		again := f.Loop()
		f.Get(table)
		f.Get(i)
		f.Get(mask)
		f.Op(I32And, I32Add)
		f.Tee(slot)
		f.Memory(I32Load, 8)
		f.Op(I32Eqz)
		f.If()
		f.I32(0)
		f.Return()
		f.End()
		f.Get(slot)
		f.Memory(I32Load, 0)
		f.Get(tag)
		f.Op(I32Eq)
		f.If()
		f.Get(slot)
		f.Memory(I32Load, 12)
		f.Get(n)
		f.Op(I32Eq)
		f.If()
		f.Get(slot)
		f.Memory(I32Load, 8)
		f.Get(a)
		f.Get(n)
		f.Call(same)
		f.If()
		f.Get(slot)
		f.Memory(I32Load, 4)
		f.Return()
		f.End()
		f.End()
		f.End()
		increase(f, i, slotSize)
		f.Br(again)
		f.End()
		f.Op(Unreachable)
	})
}
