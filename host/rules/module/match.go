package module

import (
	"encoding/binary"
	"errors"
	"fmt"

	. "github.com/seed-6a2d649b/pharos/host/rules/asm" //nolint:revive // instructions read as such
	"github.com/seed-6a2d649b/pharos/host/rules/automaton"
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
)

// automaton makes an automaton, once; nil, with the failure noted, if it can
// not be.
func (g *generator) automaton(key string, build func() (*automaton.DFA, error)) *automaton.DFA {
	d, ok := g.automata[key]
	if !ok {
		var err error
		if d, err = build(); err != nil {
			g.fail(fmt.Errorf("%s: %w", key, err))
		}
		g.automata[key] = d
	}
	return d
}

// match pushes whether an automaton accepts a text.
func (s *scope) match(t text, d *automaton.DFA) {
	if d == nil { // it failed
		s.f.I32(0)
		return
	}
	t.push(s.f)
	s.f.Call(s.matcher(d))
}

// matcher is the function of an automaton's loop over a text, as
// automaton.DFA.Match has it: (a, n) -> i32.
func (g *generator) matcher(d *automaton.DFA) *Func {
	if f, ok := g.matchers[d]; ok {
		return f
	}
	f := g.module.Func("match", p2, i1)
	g.matchers[d] = f
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
	return f
}

var errNotYet = errors.New("can not be compiled yet")

func (g *generator) substrings(texts []string) *automaton.DFA {
	g.fail(fmt.Errorf("containsAny %w", errNotYet))
	return nil
}

func (s *scope) containsIP(text, *expr.Networks) {
	s.f.I32(0)
	s.fail(fmt.Errorf("containsIP %w", errNotYet))
}

func (s *scope) double(*expr.Node) number {
	s.fail(fmt.Errorf("double %w", errNotYet))
	return noNumber
}

func (s *scope) timePart(*expr.Node) number {
	s.fail(fmt.Errorf("parts of a time %w", errNotYet))
	return noNumber
}
