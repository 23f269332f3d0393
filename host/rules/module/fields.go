package module

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/seed-6a2d649b/pharos/abi"
	. "github.com/seed-6a2d649b/pharos/host/rules/asm" // so that instructions read as such
	"github.com/seed-6a2d649b/pharos/host/rules/automaton"
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
)

// field is a field of which the rules ask something that its kind and text
// alone decide: once for each kind and each distinct text of a batch. The
// answers are bits of a row in the field's table, one for each entry:
//
//	top     word w of the guards is not 0, if there are several
//	guards  bit r: rule r may hold, as far as this field is concerned
//	asked   a bit for each condition of this field within larger ones
//
// The first rows are those of values without a text.
type field struct {
	path   string
	index  int // in the program's plan
	guards []*bit
	asked  []*bit
	byID   map[int]*bit // those asked

	kinds bool // the kind of a value is looked at
	texts bool // the text of a value is looked at
	lazy  bool // entries are looked at when a row needs them
	base  int  // rows before those of texts
	words int  // of a row
	skip  int  // words before the guards
	reach int  // words of guards

	// needles are texts that are looked for in the field's, where they are many:
	// one look says whether any of them is there, found is what it said.
	needles map[string]bool
	found   Word

	classes [][]uint64     // rows of texts, as far as the constants decide
	class   map[string]int // of constants that are not of class 0

	table   Word   // its address
	flags   Word   // of lazy tables: address of a byte for each row, 1 if it was made
	fixed   uint32 // address of the first rows
	compute *Func
}

// bit is a condition of a field: that all nodes hold.
type bit struct {
	nodes []*expr.Node
	at    int // in the row
	test  *test
}

func (g *generator) field(path string, index int) *field {
	f, ok := g.fields[path]
	if !ok {
		f = &field{path: path, index: index, byID: map[int]*bit{}}
		g.fields[path] = f
		g.order = append(g.order, f)
	}
	return f
}

// guard has the condition decide whether the rule may hold.
func (f *field) guard(rule int, n *expr.Node) {
	if last := len(f.guards) - 1; last >= 0 && f.guards[last].at == rule {
		f.guards[last].nodes = append(f.guards[last].nodes, n)
		return
	}
	f.guards = append(f.guards, &bit{nodes: []*expr.Node{n}, at: rule})
}

// ask has a bit for the condition.
func (f *field) ask(id int, n *expr.Node) {
	if f.byID[id] == nil {
		b := &bit{nodes: []*expr.Node{n}, at: len(f.asked)}
		f.asked = append(f.asked, b)
		f.byID[id] = b
	}
}

// layout decides what the field's table is like, once all bits are known.
func (g *generator) layout(f *field) {
	if len(f.guards) > 0 {
		if f.reach = g.ruleWords(); f.reach > 1 {
			f.skip = 1
		}
	}
	first := 64 * (f.skip + f.reach)
	for _, b := range f.guards {
		b.at += 64 * f.skip
	}
	for _, b := range f.asked {
		b.at += first
	}
	f.words = f.skip + f.reach + (len(f.asked)+63)/64
	for _, b := range f.bits() {
		b.test = &test{}
		for _, n := range b.nodes {
			b.test.walk(n)
		}
		f.lazy = f.lazy || b.test.scans
		f.texts = f.texts || b.test.scans || len(b.test.constants) > 0
		f.kinds = f.kinds || b.test.ambiguous || !g.plain(f, b)
	}
	f.kinds = f.kinds || !f.texts
	f.base = 1
	if f.kinds {
		f.base = int(abi.Object) + 1
	}
	g.classify(f)
	var rows []byte
	for kind := range f.base {
		rows = appendWords(rows, g.row(f, func(b *bit) bool { return g.holds(f, b, abi.ValueKind(kind), "") }))
	}
	f.fixed = g.data.add(rows)
	if f.texts {
		f.table = g.data.word()
		f.compute = g.module.Func("entry "+f.path, i1, nil)
		if f.lazy {
			f.flags = g.data.word()
		}
	}
}

func (f *field) bits() []*bit { return slices.Concat(f.guards, f.asked) }

// plain says whether a condition is the same of all values that a column of
// texts does not show, and the same of all that it shows and that are no text.
func (g *generator) plain(f *field, b *bit) bool {
	is := func(kind abi.ValueKind) bool { return g.holds(f, b, kind, "") }
	return is(abi.Missing) == is(abi.Null) && is(abi.Missing) == is(abi.Array) && is(abi.Missing) == is(abi.Object) &&
		is(abi.Number) == is(abi.False) && is(abi.Number) == is(abi.True)
}

// holds is the reference's answer to a condition, of a text and, where the text
// is not looked at, of the other kinds.
func (g *generator) holds(f *field, b *bit, kind abi.ValueKind, text string) bool {
	if kind == abi.Number {
		text = "0" // no condition of an entry looks at the number
	}
	for _, n := range b.nodes {
		if !g.evaluate(n, f.index, kind, text).Holds() {
			return false
		}
	}
	return true
}

// row is a row of the table with the bits that hold.
func (g *generator) row(f *field, holds func(b *bit) bool) []uint64 {
	row := make([]uint64, f.words)
	if f.reach > 0 {
		copy(row[f.skip:], g.allRules())
	}
	for _, b := range f.bits() {
		if holds(b) {
			row[b.at/64] |= 1 << (b.at % 64)
		} else {
			row[b.at/64] &^= 1 << (b.at % 64)
		}
	}
	f.setTop(row)
	return row
}

func (f *field) setTop(row []uint64) {
	for w := range f.reach * f.skip {
		if row[f.skip+w] != 0 {
			row[0] |= 1 << w
		}
	}
}

// classify finds the constants that the field is compared with, and gives those
// that mean the same for all conditions one class. Class 0 is that of all other
// texts. What scans a text is left out: it is added text by text.
func (g *generator) classify(f *field) {
	mentions := map[string][]*bit{}
	for _, b := range f.bits() {
		for _, text := range b.test.constants {
			if list := mentions[text]; len(list) == 0 || list[len(list)-1] != b {
				mentions[text] = append(list, b)
			}
		}
	}
	other := "\x00"
	for _, ok := mentions[other]; ok; _, ok = mentions[other] {
		other += "\x00"
	}
	base := g.row(f, func(b *bit) bool { return !b.test.scans && g.holds(f, b, abi.String, other) })
	f.classes = [][]uint64{base}
	f.class = map[string]int{}
	known := map[string]int{string(appendWords(nil, base)): 0}
	for _, text := range slices.Sorted(maps.Keys(mentions)) {
		row := slices.Clone(base)
		for _, b := range mentions[text] {
			if b.test.scans {
				continue
			}
			row[b.at/64] &^= 1 << (b.at % 64)
			if g.holds(f, b, abi.String, text) {
				row[b.at/64] |= 1 << (b.at % 64)
			}
		}
		if f.skip > 0 {
			row[0] = 0
			f.setTop(row)
		}
		key := string(appendWords(nil, row))
		class, ok := known[key]
		if !ok {
			class = len(f.classes)
			known[key] = class
			f.classes = append(f.classes, row)
		}
		if class > 0 {
			f.class[text] = class
		}
	}
}

func appendWords(b []byte, words []uint64) []byte {
	for _, w := range words {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}

func (f *field) stride() int32 { return int32(8 * f.words) }

// emitTable emits the function that makes the field's table for a batch.
func (g *generator) emitTable(f *Func, of *field) {
	c := g.column(of.path, abi.Str, true)
	n, i := f.Local(I32), f.Local(I32)
	f.Steady(g.word(c, abi.CEntries))
	f.I32(int32(of.base))
	f.Op(I32Add)
	f.Set(n)
	f.GetWord(g.scratch)
	f.SetWord(of.table)
	f.GetWord(g.scratch)
	f.Get(n)
	f.I32(of.stride())
	f.Op(I32Mul, I32Add)
	f.SetWord(g.scratch)
	f.Steady(of.table)
	f.I32(int32(of.fixed))
	f.I32(int32(of.base) * of.stride())
	f.Op(MemoryCopy)
	if of.lazy {
		f.GetWord(g.scratch)
		f.SetWord(of.flags)
		f.Steady(of.flags)
		f.I32(1)
		f.I32(int32(of.base))
		f.Op(MemoryFill)
		f.Steady(of.flags)
		f.I32(int32(of.base))
		f.Op(I32Add)
		f.I32(0)
		f.Get(n)
		f.I32(int32(of.base))
		f.Op(I32Sub, MemoryFill)
		f.GetWord(g.scratch)
		f.Get(n)
		f.I32(7)
		f.Op(I32Add)
		f.I32(-8)
		f.Op(I32And, I32Add)
		f.SetWord(g.scratch)
		return
	}
	f.I32(int32(of.base))
	f.Set(i)
	again := f.Loop()
	f.Get(i)
	f.Call(of.compute)
	increase(f, i, 1)
	f.Get(i)
	f.Get(n)
	f.Op(I32LtU)
	f.BrIf(again)
	f.End()
}

// emitEntry emits the function that makes one row of the field's table.
func (g *generator) emitEntry(of *field) {
	f := of.compute
	c := g.column(of.path, abi.Str, true)
	i := f.Param(0)
	ptr, length, row := f.Local(I32), f.Local(I32), f.Local(I32)
	if of.lazy {
		f.Steady(of.flags)
		f.Get(i)
		f.Op(I32Add)
		f.I32(1)
		f.Memory(I32Store8, 0)
	}
	f.Steady(of.table)
	f.Get(i)
	f.I32(of.stride())
	f.Op(I32Mul, I32Add)
	f.Set(row)
	increase(f, i, -int32(of.base))
	g.emitText(f, c, i, ptr, length)
	g.emitClass(f, of, ptr, length, row)
	g.emitNeedles(f, of, ptr, length)
	g.emitScans(of, f, ptr, length, row)
	if of.lazy && of.skip > 0 {
		f.Get(row)
		f.I64(0)
		for w := range of.reach {
			f.Get(row)
			f.Memory(I64Load, uint32(8*(of.skip+w)))
			f.I64(0)
			f.Op(I64Ne, I64ExtendI32U)
			f.I64(int64(w))
			f.Op(I64Shl, I64Or)
		}
		f.Memory(I64Store, 0)
	}
}

// emitText finds text i of a column of texts.
func (g *generator) emitText(f *Func, c *column, i, ptr, length Local) {
	at := f.Local(I32)
	f.Steady(g.word(c, abi.COffsetsAt))
	f.Get(i)
	f.I32(2)
	f.Op(I32Shl, I32Add)
	f.Tee(at)
	f.Memory(I32Load, 4)
	f.Get(at)
	f.Memory(I32Load, 0)
	f.Tee(at)
	f.Op(I32Sub)
	f.Set(length)
	f.Steady(g.word(c, abi.CBytesAt))
	f.Get(at)
	f.Op(I32Add)
	f.Set(ptr)
	f.Free(at)
}

// emitClass copies the row of the text's class.
func (g *generator) emitClass(f *Func, of *field, ptr, length, row Local) {
	from := f.Local(I32)
	var all []byte
	for _, class := range of.classes {
		all = appendWords(all, class)
	}
	f.I32(int32(g.data.add(all)))
	if len(of.class) > 0 {
		g.emitLookup(f, g.texts(of.path, of.class), ptr, length)
		f.I32(of.stride())
		f.Op(I32Mul, I32Add)
	}
	f.Set(from)
	for w := range of.words {
		f.Get(row)
		f.Get(from)
		f.Memory(I64Load, uint32(8*w))
		f.Memory(I64Store, uint32(8*w))
	}
	f.Free(from)
}

// minNeedles is how many texts are looked for at once.
const minNeedles = 4

// emitNeedles looks whether any of the texts is in the field's that conditions
// look for.
func (g *generator) emitNeedles(f *Func, of *field, ptr, length Local) {
	needles := map[string]bool{}
	for _, b := range of.bits() {
		for _, n := range b.nodes {
			n.Walk(func(n *expr.Node) {
				if needle, ok := needleOf(n); ok {
					needles[needle] = true
				}
			})
		}
	}
	if len(needles) < minNeedles {
		return
	}
	m, err := automaton.Substrings(slices.Sorted(maps.Keys(needles)))
	if err != nil {
		return // they are looked for one by one
	}
	of.needles, of.found = needles, g.data.word()
	f.Get(ptr)
	f.Get(length)
	f.Call(g.matcher("needles "+of.path, func() (automaton.Matcher, error) { return m, nil }))
	f.SetWord(of.found)
}

// needleOf is the text that a condition looks for in a field's.
func needleOf(n *expr.Node) (needle string, ok bool) {
	if n.Op != expr.OpContains || n.Args[0].Op != expr.OpField || n.Args[1].Op != expr.OpConst {
		return "", false
	}
	needle = string(n.Args[1].Value.Text)
	return needle, needle != ""
}

// maxScans is how many conditions that scan a text are in one function.
const maxScans = 32

// emitScans adds the bits of the conditions that scan the text.
func (g *generator) emitScans(of *field, f *Func, ptr, length, row Local) {
	var bits []*bit
	for _, b := range of.bits() {
		if b.test.scans {
			bits = append(bits, b)
		}
	}
	if len(bits) <= maxScans {
		g.emitScan(&scope{generator: g, f: f, entry: of, ptr: ptr, length: length}, bits, row)
		return
	}
	for some := range slices.Chunk(bits, maxScans) {
		part := g.module.Func("scan "+of.path, p3, nil)
		g.emitScan(&scope{generator: g, f: part, entry: of, ptr: part.Param(0), length: part.Param(1)}, some, part.Param(2))
		f.Get(ptr)
		f.Get(length)
		f.Get(row)
		f.Call(part)
	}
}

func (g *generator) emitScan(s *scope, bits []*bit, row Local) {
	f := s.f
	for _, b := range bits {
		f.Get(row)
		f.Get(row)
		f.Memory(I64Load, uint32(b.at/64*8))
		s.all(b.nodes)
		f.Op(I64ExtendI32U)
		f.I64(int64(b.at % 64))
		f.Op(I64Shl, I64Or)
		f.Memory(I64Store, uint32(b.at/64*8))
	}
}

// emitRow pushes the address of the row of the value that a beacon has.
func (g *generator) emitRow(f *Func, of *field, row Local) {
	if !of.texts {
		f.I32(int32(of.fixed))
		g.emitKind(f, of.path, row)
		f.I32(of.stride())
		f.Op(I32Mul, I32Add)
		return
	}
	c := g.column(of.path, abi.Str, true)
	i := f.Local(I32)
	f.Steady(g.word(c, abi.CDataAt))
	f.Get(row)
	f.I32(2)
	f.Op(I32Shl, I32Add)
	f.Memory(I32Load, 0)
	f.I32(int32(of.base))
	f.Op(I32Add)
	if of.kinds {
		kind := f.Local(I32)
		g.emitKind(f, of.path, row)
		f.Tee(kind)
		f.Get(kind)
		emitIsText(f)
		f.Op(Select)
		f.Free(kind)
	} else {
		f.I32(0)
		g.emitBit(f, g.word(c, abi.CValidAt), row)
		f.Op(I32Sub, I32And)
	}
	if of.lazy {
		f.Tee(i)
		f.Steady(of.flags)
		f.Op(I32Add)
		f.Memory(I32Load8U, 0)
		f.Op(I32Eqz)
		f.If()
		f.Get(i)
		f.Call(of.compute)
		f.End()
		f.Get(i)
	}
	f.I32(of.stride())
	f.Op(I32Mul)
	f.Steady(of.table)
	f.Op(I32Add)
	f.Free(i)
}

// emitKind pushes the kind of the value that a beacon has.
func (g *generator) emitKind(f *Func, path string, row Local) {
	f.Steady(g.word(g.column(path, abi.Kinds, false), abi.CDataAt))
	f.Get(row)
	f.Op(I32Add)
	f.Memory(I32Load8U, 0)
}

// emitIsText turns a kind into whether it is that of a text.
func emitIsText(f *Func) {
	f.I32(int32(abi.String))
	f.Op(I32Sub)
	f.I32(2)
	f.Op(I32LtU)
}

// bitmaps are those that the loop over the rows looks at: words of them, for the
// 64 rows of a chunk.
type bitmaps struct {
	words map[Word]Local
	used  []Word
}

// emitBit pushes a row's bit of a bitmap.
func (g *generator) emitBit(f *Func, bitmap Word, row Local) {
	if g.bitmaps != nil && g.loop == f {
		word, ok := g.bitmaps.words[bitmap]
		if !ok {
			word = f.Fresh(I64) // it holds for all rows of the chunk
			g.bitmaps.words[bitmap] = word
			g.bitmaps.used = append(g.bitmaps.used, bitmap)
		}
		f.Get(word)
		f.Get(row)
		f.Op(I64ExtendI32U, I64ShrU, I32WrapI64)
		f.I32(1)
		f.Op(I32And)
		return
	}
	f.Steady(bitmap)
	f.Get(row)
	f.I32(3)
	f.Op(I32ShrU, I32Add)
	f.Memory(I32Load8U, 0)
	f.Get(row)
	f.I32(7)
	f.Op(I32And, I32ShrU)
	f.I32(1)
	f.Op(I32And)
}
