package module

import (
	"github.com/seed-6a2d649b/pharos/abi"
	. "github.com/seed-6a2d649b/pharos/host/rules/asm" // so that instructions read as such
)

// emitClose emits the function that measures sessions that have ended; nil where no
// rule does.
func (g *generator) emitClose() *Func {
	if len(g.program.Closing()) == 0 {
		return nil
	}
	rows, cells := g.emitClosedRows(), g.module.Func("closed cells", i1, nil)
	g.emitCells(cells)
	f := g.module.Func(abi.ExportClose, i1, i1)
	g.emitStart(f)
	f.Get(f.Param(0))
	f.Call(cells)
	f.Get(f.Param(0))
	f.Call(rows)
	return f
}

func (g *generator) emitClosedRows() *Func {
	f := g.module.Func("closed rows", i1, i1)
	f.Loops()
	l := &loop{generator: g, f: f, s: &scope{generator: g, f: f, row: f.Local(I32)}, rows: f.Local(I32)}
	f.Get(f.Param(0))
	f.Memory(I32Load, abi.HRows)
	f.Set(l.rows)
	l.measuring(func() {
		for i := range g.program.Closing() {
			r := &g.program.Closing()[i]
			l.s.condition(r.When)
			f.If()
			l.s.measure(r)
			f.End()
		}
	})
	return f
}

// closedColumn pushes the number that a column of closed sessions has in the row.
func (s *scope) closedColumn(i int) {
	f := s.f
	f.Steady(s.batch)
	f.Steady(s.batch)
	f.Memory(I32Load, abi.HColumnsAt)
	f.Steady(s.batch)
	f.Op(I32Add)
	f.Memory(I32Load, uint32(i*abi.ColumnSize+abi.CDataAt))
	f.Op(I32Add)
	f.Get(s.row)
	f.I32(3)
	f.Op(I32Shl, I32Add)
	f.Memory(I64Load, 0)
	f.Op(F64ConvertI64S)
}
