package module

import (
	"encoding/binary"
	"fmt"
	"strings"

	. "github.com/seed-6a2d649b/pharos/host/rules/asm" // so that instructions read as such
	"github.com/seed-6a2d649b/pharos/host/rules/automaton"
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
)

// regexp is the function of a regular expression: (a, n) -> i32.
func (g *generator) regexp(re string) *Func {
	return g.matcher("matches "+re, func() (automaton.Matcher, error) { return automaton.Regexp(re) })
}

// substrings is the function of texts of which one is to be within a text:
// (a, n) -> i32.
func (g *generator) substrings(set *expr.Set) *Func {
	name := "containsAny"
	if set.Name != "" {
		name += " of lists." + set.Name
	}
	key := fmt.Sprintf("%s %q", name, set.Texts)
	return g.matcher(key, func() (automaton.Matcher, error) { return automaton.Substrings(set.Texts) })
}

// matcher is the function of an automaton, made once: (a, n) -> i32.
func (g *generator) matcher(key string, build func() (automaton.Matcher, error)) *Func {
	f, ok := g.matchers[key]
	if ok {
		return f
	}
	f = g.module.Func("match", p2, i1)
	g.matchers[key] = f
	m, err := build()
	switch m := m.(type) {
	case *automaton.DFA:
		if err == nil {
			g.emitDFA(f, m)
			return f
		}
	case *automaton.Trie:
		if err == nil {
			g.emitTrie(f, m)
			return f
		}
	}
	what, _, _ := strings.Cut(key, " [")
	g.fail(fmt.Errorf("%.80s: %w", what, err))
	f.I32(0)
	return f
}

// emitDFA emits the loop of automaton.DFA.Match.
func (g *generator) emitDFA(f *Func, d *automaton.DFA) {
	var class []byte
	for _, offset := range d.Class {
		class = binary.LittleEndian.AppendUint16(class, offset)
	}
	classAt, next := g.data.add(class), g.data.add(d.Next)
	a, end, s := f.Param(0), f.Param(1), f.Local(I32)
	f.Get(a)
	f.Get(end)
	f.Op(I32Add)
	f.Set(end)
	f.I32(int32(d.Start))
	f.Set(s)
	done := f.Block()
	again := f.Loop()
	f.Get(a)
	f.Get(end)
	f.Op(I32Eq)
	f.BrIf(done)
	f.Get(s)
	f.I32(int32(d.Accept))
	f.Op(I32LeU)
	f.BrIf(done)
	f.Get(a)
	f.Memory(I32Load8U, 0)
	f.I32(1)
	f.Op(I32Shl)
	f.Memory(I32Load16U, classAt)
	f.Get(s)
	f.Op(I32Add)
	if d.Width == 2 {
		f.Memory(I32Load16U, next)
	} else {
		f.Memory(I32Load, next)
	}
	f.Set(s)
	increase(f, a, 1)
	f.Br(again)
	f.End()
	f.End()
	f.Get(s)
	f.I32(int32(d.Final))
	f.Op(I32GeU)
	f.Get(s)
	f.I32(int32(d.Accept))
	f.Op(I32Eq, I32Or)
}

// emitTrie emits the loop of automaton.Trie.Match.
func (g *generator) emitTrie(f *Func, t *automaton.Trie) {
	root, first, failed, label := g.data.numbers(t.Root[:]), g.data.numbers(t.First), g.data.numbers(t.Fail), g.data.add(t.Label)
	a, end := f.Param(0), f.Param(1)
	s, next, c, from, to, mid, last := f.Local(I32), f.Local(I32), f.Local(I32), f.Local(I32), f.Local(I32), f.Local(I32), f.Local(I32)
	word := func(base uint32, i Local, more uint32) {
		f.Get(i)
		f.I32(2)
		f.Op(I32Shl)
		f.Memory(I32Load, base+4*more)
	}
	f.Get(a)
	f.Get(end)
	f.Op(I32Add)
	f.Set(end)
	done := f.Block()
	again := f.Loop()
	f.Get(a)
	f.Get(end)
	f.Op(I32Eq)
	f.BrIf(done)
	f.Get(a)
	f.Memory(I32Load8U, 0)
	f.Set(c)
	f.Get(s)
	f.Op(I32Eqz)
	f.If()
	word(root, c, 0)
	f.Set(next)
	f.Else()
	f.I32(0)
	f.Set(next)
	word(first, s, 0)
	f.Set(from)
	word(first, s, 1)
	f.Tee(to)
	f.Set(last)
	found := f.Block()
	search := f.Loop()
	f.Get(from)
	f.Get(to)
	f.Op(I32GeU)
	f.BrIf(found)
	f.Get(from)
	f.Get(to)
	f.Op(I32Add)
	f.I32(1)
	f.Op(I32ShrU)
	f.Tee(mid)
	f.Memory(I32Load8U, label)
	f.Get(c)
	f.Op(I32LtU)
	f.If()
	f.Get(mid)
	f.I32(1)
	f.Op(I32Add)
	f.Set(from)
	f.Else()
	f.Get(mid)
	f.Set(to)
	f.End()
	f.Br(search)
	f.End()
	f.End()
	f.Get(from)
	f.Get(last)
	f.Op(I32LtU)
	f.If()
	f.Get(from)
	f.I32(0)
	f.Get(from)
	f.Memory(I32Load8U, label)
	f.Get(c)
	f.Op(I32Eq, Select)
	f.Set(next)
	f.End()
	f.Get(next)
	f.Op(I32Eqz)
	f.If()
	word(failed, s, 0)
	f.Set(s)
	f.Br(again)
	f.End()
	f.End()
	f.Get(next)
	f.Set(s)
	increase(f, a, 1)
	word(first, s, 0)
	word(first, s, 1)
	f.Op(I32Eq)
	f.If()
	f.I32(1)
	f.Return()
	f.End()
	f.Br(again)
	f.End()
	f.End()
	f.I32(0)
}
