// Package module compiles a program of rules to a WebAssembly module of the ABI
// in abi/SPEC.md: no imports, no runtime, nothing that carries over from call to
// call. What it answers is what the program's Process does.
//
// What a rule asks of one field's kind and text is decided once for each
// distinct value of a batch, by tables (fields.go), what several ask of one
// field's number by a table of thresholds (thresholds.go). The row loop (rows.go)
// joins the tables' rows, and computes what is left of the rules that may still
// hold (shapes.go), by expressions (scope.go, number.go, text.go, compare.go) and
// the module's own routines (runtime.go and others).
package module

import (
	"encoding/json"
	"fmt"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/rules"
	. "github.com/seed-6a2d649b/pharos/host/rules/asm" // so that instructions read as such
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
	"github.com/seed-6a2d649b/pharos/host/wasm/fuel"
)

// Options say what a module says of itself.
type Options struct {
	Name        string
	Version     string
	Description string
}

// Build compiles a program. The same program and options give the same bytes.
func Build(program *rules.Program, o Options) ([]byte, error) {
	manifest, err := json.Marshal(abi.Manifest{
		Kind: program.Kind(), Name: o.Name, Version: o.Version, Description: o.Description,
		Config: json.RawMessage(`{"type": "object", "additionalProperties": false}`),
	})
	if err != nil {
		return nil, fmt.Errorf("rules: manifest: %w", err)
	}
	if _, err := abi.ParseManifest(manifest); err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	g := newGenerator(program)
	code, err := g.generate(manifest)
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	if len(code) > abi.MaxModuleBytes {
		return nil, fmt.Errorf("rules: they compile to a module of %d bytes, and %d are allowed: give some to another plugin", len(code), abi.MaxModuleBytes)
	}
	if _, err := fuel.Inject(code, 0); err != nil {
		return nil, fmt.Errorf("rules: they compile to too much, give some to another plugin: %w", err)
	}
	return code, nil
}

type generator struct {
	*analysis
	runtime
	program *rules.Program
	data    data
	asked   []*column
	fields  map[string]*field
	order   []*field // the fields
	numbers []*thresholds
	rules   []*rule
	parts   map[partKey]*Func
	sets    map[*expr.Set]uint32
	walked  map[walk]bool
	buffers map[int]int
	err     error // the first

	matchers map[string]*Func
	loop     *Func    // over the rows
	bitmaps  *bitmaps // while its body is emitted

	batch, scratch        Word
	buffersAt, bufferSize Word
	measured, tuples      Word // how many there are
	slots                 Word // pointer
	cells                 []Word
}

func newGenerator(program *rules.Program) *generator {
	g := &generator{
		analysis: newAnalysis(len(program.Plan().Fields)),
		runtime:  runtime{module: &Module{}, routines: map[string]*Func{}},
		program:  program,
		fields:   map[string]*field{},
		parts:    map[partKey]*Func{},
		sets:     map[*expr.Set]uint32{},
		walked:   map[walk]bool{},
		buffers:  map[int]int{},
		matchers: map[string]*Func{},
	}
	for _, word := range []*Word{&g.batch, &g.scratch, &g.buffersAt, &g.bufferSize, &g.measured, &g.tuples, &g.slots} {
		*word = g.data.word()
	}
	for range program.Plan().Cells {
		g.cells = append(g.cells, g.data.word())
	}
	return g
}

func (g *generator) fail(err error) {
	if g.err == nil {
		g.err = err
	}
}

func (g *generator) generate(manifest []byte) ([]byte, error) {
	process := g.module.Func(abi.ExportProcess, i1, i1)
	columns := g.module.Func("columns", i1, nil)
	tables := g.module.Func("tables", nil, nil)
	g.planRules()
	for _, f := range g.order {
		g.layout(f)
	}
	for _, t := range g.numbers {
		g.layoutThresholds(t)
	}
	rows := g.emitRows()
	closing := g.emitClose()
	for _, f := range g.order {
		if f.texts {
			table := g.module.Func("table "+f.path, nil, nil)
			g.emitTable(table, f)
			g.emitEntry(f)
			tables.Call(table)
		}
	}
	g.emitColumns(columns)
	g.emitCells(columns)
	g.emitProcess(process, columns, tables, rows)

	plan := *g.program.Plan()
	plan.Fields = g.planned()
	if len(plan.Fields) > abi.MaxFields {
		return nil, fmt.Errorf("they look at %d fields in %d ways, and %d are allowed: give some rules to another plugin", len(g.program.Plan().Fields), len(plan.Fields), abi.MaxFields)
	}
	if g.err != nil {
		return nil, g.err
	}
	text, err := json.Marshal(plan)
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	g.emitExports(process, closing, manifest, text)
	return g.module.Bytes(), nil
}

// emitProcess emits the function that works on a batch.
func (g *generator) emitProcess(f, columns, tables, rows *Func) {
	batch := f.Param(0)
	g.emitStart(f)
	f.Get(batch)
	f.Call(columns)
	f.Call(tables)
	f.Get(batch)
	f.Call(rows)
}

// emitStart finds the memory behind the batch of a call: buffers for texts that are
// made, and what is behind them.
func (g *generator) emitStart(f *Func) {
	batch := f.Param(0)
	f.Get(batch)
	f.SetWord(g.batch)
	f.Get(batch)
	f.Memory(I32Load, abi.HSize)
	f.I32(int32(g.longest()))
	f.Op(I32Add)
	f.SetWord(g.bufferSize)
	f.Get(batch)
	f.Get(batch)
	f.Memory(I32Load, abi.HSize)
	f.Op(I32Add)
	f.SetWord(g.buffersAt)
	f.GetWord(g.buffersAt)
	f.GetWord(g.bufferSize)
	f.I32(int32(len(g.buffers)))
	f.Op(I32Mul, I32Add)
	f.SetWord(g.scratch)
}

// scratchFactor is how many times the size of a batch the memory behind it is
// at most, that is needed while it is worked on. An entry of a dictionary takes
// at least 8 bytes of a batch (its offset, and the code of a row that has it),
// and a row of the field's table and a flag behind it.
func (g *generator) scratchFactor() int {
	words := 0
	for _, f := range g.order {
		if f.texts {
			words = max(words, f.words)
		}
	}
	return words + 1 + len(g.buffers)
}

// longest is the length of the longest text that is written in a rule, rounded up:
// what is made of a text is of one in the batch, or of such a one.
func (g *generator) longest() (n int) {
	for _, list := range [][]rules.Checked{g.program.Checked(), g.program.Closing()} {
		for _, r := range list {
			for root := range r.Expressions {
				root.Walk(func(node *expr.Node) { n = max(n, len(node.Value.Text)) })
			}
		}
	}
	return (n + 7) &^ 7
}

// scratchRest is how much of the memory does not hang on a batch's size: the
// first rows of the tables.
func (g *generator) scratchRest() int {
	n := len(g.buffers) * g.longest()
	for _, f := range g.order {
		if f.texts {
			n += f.base*(8*f.words+1) + 16
		}
	}
	return n
}

// emitExports emits the rest of the ABI, once all else is known.
func (g *generator) emitExports(process, closing *Func, manifest, plan []byte) {
	m := g.module
	constant := func(name string, results []Type, emit func(f *Func)) {
		f := m.Func(name, nil, results)
		emit(f)
		m.Export(name, f)
	}
	text := func(name, text string) {
		constant(name, []Type{I64}, func(f *Func) {
			f.I64(int64(g.data.text(text))<<32 | int64(len(text)))
		})
	}
	constant(abi.ExportABI, i1, func(f *Func) { f.I32(abi.Version) })
	text(abi.ExportManifest, string(manifest))
	text(abi.ExportPlan, string(plan))
	text(abi.ExportError, "")
	configure := m.Func(abi.ExportConfigure, p2, i1)
	configure.I32(0)
	m.Export(abi.ExportConfigure, configure)
	m.Export(abi.ExportProcess, process)
	if closing != nil {
		m.Export(abi.ExportClose, closing)
	}
	alloc := m.Func(abi.ExportAlloc, p2, i1)
	m.Export(abi.ExportAlloc, alloc)

	start := (g.data.end() + 7) &^ 7
	g.emitAlloc(alloc, start)
	m.Data(dataStart, g.data.bytes)
	m.Memory(abi.ExportMemory, start/abi.PageBytes+1)
	m.Custom("producers", Producers("pharos rules", "1"))
}

// emitAlloc emits pharos_alloc: every block begins where the data ends, and has
// the memory behind it that a batch in it needs. The config is not kept.
func (g *generator) emitAlloc(f *Func, start uint32) {
	size := f.Param(0)
	end, pages := f.Local(I64), f.Local(I64)
	f.Get(size)
	f.Op(I64ExtendI32U)
	f.I64(int64(1 + g.scratchFactor()))
	f.Op(I64Mul)
	f.I64(int64(start) + int64(g.scratchRest()))
	f.Op(I64Add)
	f.I64(abi.PageBytes - 1)
	f.Op(I64Add)
	f.I64(16)
	f.Op(I64ShrU)
	f.Tee(pages)
	f.Op(MemorySize, I64ExtendI32U, I64Sub)
	f.Tee(end)
	f.I64(0)
	f.Op(I64GtS)
	f.If()
	f.Get(pages)
	f.I64(1 << 16)
	f.Op(I64GtU)
	f.If()
	f.I32(0)
	f.Return()
	f.End()
	f.Get(end)
	f.Op(I32WrapI64, MemoryGrow)
	f.I32(-1)
	f.Op(I32Eq)
	f.If()
	f.I32(0)
	f.Return()
	f.End()
	f.End()
	f.I32(int32(start))
}
