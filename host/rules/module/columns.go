package module

import (
	"github.com/seed-6a2d649b/pharos/abi"
	. "github.com/seed-6a2d649b/pharos/host/rules/asm" // so that instructions read as such
)

// column is a column that the module asks for, with what of its descriptor is
// used: kept in variables, which are filled when a batch begins.
type column struct {
	abi.Field
	words map[uint32]Word // by the word's place in the descriptor
	used  []uint32
}

// column asks for a column, once.
func (g *generator) column(path string, t abi.Type, dict bool) *column {
	want := abi.Field{Name: path, Type: t, Dict: dict}
	for _, c := range g.asked {
		if c.Field == want {
			return c
		}
	}
	c := &column{Field: want, words: map[uint32]Word{}}
	g.asked = append(g.asked, c)
	return c
}

// word is the variable of a word of the descriptor: a pointer where the word is a
// position.
func (g *generator) word(c *column, at uint32) Word {
	variable, ok := c.words[at]
	if !ok {
		variable = g.data.word()
		c.words[at] = variable
		c.used = append(c.used, at)
	}
	return variable
}

// fields are the plan's: the columns in the order in which they were asked for.
func (g *generator) planned() []abi.Field {
	fields := make([]abi.Field, len(g.asked))
	for i, c := range g.asked {
		fields[i] = c.Field
	}
	return fields
}

// emitColumns emits the function that finds the columns of a batch.
func (g *generator) emitColumns(f *Func) {
	batch := f.Param(0)
	at := f.Local(I32)
	f.Get(batch)
	f.Memory(I32Load, abi.HColumnsAt)
	f.Get(batch)
	f.Op(I32Add)
	f.Set(at)
	for i, c := range g.asked {
		for _, word := range c.used {
			f.Get(at)
			f.Memory(I32Load, uint32(i)*abi.ColumnSize+word)
			if word != abi.CEntries && word != abi.CBytesLen {
				f.Get(batch)
				f.Op(I32Add)
			}
			f.SetWord(c.words[word])
		}
	}
}
