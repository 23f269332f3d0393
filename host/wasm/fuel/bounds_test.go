package fuel

import (
	"errors"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
)

// binary is a module under construction.
type binary struct{ code []byte }

func (b *binary) section(id byte, entries int, entry func(i int) []byte) *binary {
	content := appendU32(nil, uint32(entries))
	for i := range entries {
		content = append(content, entry(i)...)
	}
	if b.code == nil {
		b.code = []byte(header)
	}
	b.code = append(appendU32(append(b.code, id), uint32(len(content))), content...)
	return b
}

// functions are so many functions without values, and a memory.
func functions(n int, locals int, code []byte) []byte {
	body := append(appendU32([]byte{1}, uint32(locals)), typeI32)
	body = append(append(body, code...), opEnd)
	b := new(binary).section(typeSection, 1, func(int) []byte { return []byte{0x60, 0, 0} })
	b.section(functionSection, n, func(int) []byte { return []byte{0} })
	b.section(5, 1, func(int) []byte { return []byte{0, 1} })
	return b.section(codeSection, n, func(int) []byte { return append(appendU32(nil, uint32(len(body))), body...) }).code
}

func repeat(n int, code ...byte) []byte { return []byte(strings.Repeat(string(code), n)) }

// loops are loops that change some locals each, in turn.
func loops(n, locals int) (code []byte) {
	for i := range n {
		local := appendU32(nil, uint32(i%locals))
		code = append(append(code, opLoop, emptyBlock, opLocalGet), local...)
		code = append(append(code, opI32Const, 1, 0x6a, opLocalTee), local...)
		code = append(code, opBrIf, 0, opEnd)
	}
	return code
}

// bombs are modules that would take an engine minutes or GBs.
var bombs = map[string]struct {
	code []byte
	want string
}{
	"nested blocks":     {functions(1, 0, append(repeat(100_000, opBlock, emptyBlock), repeat(100_000, opEnd)...)), "blocks and branches in a function, at most 4096 are allowed"},
	"nested loops":      {functions(1, 0, append(repeat(10_000, opLoop, emptyBlock), repeat(10_000, opEnd)...)), "blocks and branches in a function"},
	"branches":          {functions(1, 1, repeat(100_000, opI32Const, 1, opBrIf, 0)), "blocks and branches in a function"},
	"ifs":               {functions(1, 1, repeat(100_000, opI32Const, 1, opIf, emptyBlock, opI32Const, 2, opLocalSet, 0, opEnd)), "blocks and branches in a function"},
	"loops with locals": {functions(1, 2000, loops(1500, 2000)), "locals and globals in a function, counted at each of its blocks and branches, at most 1048576 are allowed"},
	"a long function":   {functions(1, 0, repeat(300_000, opNop)), "instructions in a function"},
	"a giant br_table":  {functions(1, 0, append(append([]byte{opI32Const, 0, opBrTable}, appendU32(nil, 1_000_000)...), make([]byte, 1_000_001)...)), "instructions in a function, labels of tables"},
	"a million locals":  {functions(1, 1_000_000, nil), "1000000 locals in a function, at most 50000 are allowed"},
	"locals in groups": {new(binary).section(typeSection, 1, func(int) []byte { return []byte{0x60, 0, 0} }).
		section(functionSection, 1, func(int) []byte { return []byte{0} }).
		section(codeSection, 1, func(int) []byte {
			body := append([]byte{2}, appendU32(nil, 1<<32-1)...)
			body = append(appendU32(append(body, typeI32), 1<<32-1), typeI64, opEnd)
			return append(appendU32(nil, uint32(len(body))), body...)
		}).code, "locals in a function"},
	"a million functions":   {functions(1_000_000, 0, nil), "1000000 functions, at most 100000 are allowed"},
	"many costly functions": {functions(100, 200, loops(2000, 200)), "square blocks, at most 268435456 are allowed: make it of smaller functions"},
	"types":                 {new(binary).section(typeSection, 20_000, func(int) []byte { return []byte{0x60, 0, 0} }).code, "20000 types, at most 10000"},
	"parameters": {new(binary).section(typeSection, 1, func(int) []byte {
		return append(append([]byte{0x60}, appendU32(nil, 2000)...), append(repeat(2000, typeI32), 0)...)
	}).code, "2000 parameters of a function, at most 1000"},
	"results": {new(binary).section(typeSection, 1, func(int) []byte {
		return append(append([]byte{0x60, 0}, appendU32(nil, 2000)...), repeat(2000, typeI32)...)
	}).code, "2000 results of a function, at most 1000"},
	"imports":              {new(binary).section(importSection, 2000, func(int) []byte { return []byte{1, 'a', 1, 'b', 3, typeI32, 0} }).code, "2000 imports, at most 1000"},
	"globals":              {new(binary).section(globalSection, 20_000, func(int) []byte { return []byte{typeI32, 0, opI32Const, 0, opEnd} }).code, "20000 globals, at most 10000"},
	"exports":              {new(binary).section(exportSection, 20_000, func(int) []byte { return []byte{1, 'a', 0, 0} }).code, "20000 exports, at most 10000"},
	"segments of data":     {new(binary).section(dataSection, 200_000, func(int) []byte { return []byte{1, 0} }).code, "200000 segments of data, at most 100000"},
	"elements of tables":   {new(binary).section(elementSection, 1, func(int) []byte { return make([]byte, 5<<20) }).code, "bytes of elements of tables, at most 4194304"},
	"names":                {append(new(binary).section(typeSection, 0, nil).code, nameSection(9<<20)...), "bytes of names of functions, at most 8388608"},
	"values of calls":      {calls(500, 200), "instructions in a function, labels of tables, values of calls and globals at calls too"},
	"globals at calls":     {globalsAtCalls(9000, 7000), "instructions in a function"},
	"branches with values": {valueBranches(100, 1000), "instructions in a function"},
}

func nameSection(size int) []byte {
	content := append([]byte{4, 'n', 'a', 'm', 'e'}, make([]byte, size)...)
	return append(appendU32([]byte{customSection}, uint32(len(content))), content...)
}

// calls is a function that calls one of many parameters.
func calls(params, n int) []byte {
	b := new(binary).section(typeSection, 2, func(i int) []byte {
		if i == 0 {
			return []byte{0x60, 0, 0}
		}
		return append(append(appendU32([]byte{0x60}, uint32(params)), repeat(params, typeI32)...), 0)
	})
	b.section(functionSection, 2, func(i int) []byte { return []byte{byte(i)} })
	return b.section(codeSection, 2, func(i int) []byte {
		body := []byte{0}
		for range n * (1 - i) {
			body = append(append(body, repeat(params, opI32Const, 1)...), opCall, 1)
		}
		body = append(body, opEnd)
		return append(appendU32(nil, uint32(len(body))), body...)
	}).code
}

// globalsAtCalls is a function that calls itself often, in a module with many globals
// that change.
func globalsAtCalls(globals, calls int) []byte {
	b := new(binary).section(typeSection, 1, func(int) []byte { return []byte{0x60, 0, 0} })
	b.section(functionSection, 1, func(int) []byte { return []byte{0} })
	b.section(globalSection, globals, func(int) []byte { return []byte{typeI32, 1, opI32Const, 0, opEnd} })
	return b.section(codeSection, 1, func(int) []byte {
		body := append(append([]byte{0}, repeat(calls, opCall, 0)...), opEnd)
		return append(appendU32(nil, uint32(len(body))), body...)
	}).code
}

// valueBranches is a br_table to a loop that takes many values.
func valueBranches(params, labels int) []byte {
	b := new(binary).section(typeSection, 2, func(i int) []byte {
		if i == 0 {
			return []byte{0x60, 0, 0}
		}
		return append(append(appendU32([]byte{0x60}, uint32(params)), repeat(params, typeI32)...), 0)
	})
	b.section(functionSection, 1, func(i int) []byte { return []byte{0} })
	return b.section(codeSection, 1, func(int) []byte {
		body := append([]byte{0}, repeat(params, opI32Const, 1)...)
		body = append(append(body, opLoop, 1, opI32Const, 0, opBrTable), appendU32(nil, uint32(labels))...)
		body = append(append(body, make([]byte, labels+1)...), opEnd, opEnd)
		return append(appendU32(nil, uint32(len(body))), body...)
	}).code
}

// TestBombs: what would choke an engine is refused before it sees it, with the bound.
func TestBombs(t *testing.T) {
	for name, bomb := range bombs {
		if _, err := Inject(bomb.code, 1); !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), bomb.want) {
			t.Errorf("%s: %.300v\nwant %s", name, err, bomb.want)
		}
	}
}

// TestWithinBounds: what is within the bounds is compiled.
func TestWithinBounds(t *testing.T) {
	r := wazero.NewRuntime(t.Context())
	defer r.Close(t.Context())
	for name, code := range map[string][]byte{
		"blocks":       functions(1, 0, append(repeat(maxBlocks, opBlock, emptyBlock), repeat(maxBlocks, opEnd)...)),
		"instructions": functions(1, 0, repeat(maxInstructions-1, opNop)),
		"locals":       functions(1, maxLocals, nil),
		"functions":    functions(10_000, 0, nil),
		"calls":        calls(100, 100),
	} {
		metered, err := Inject(code, 1)
		if err == nil {
			_, err = r.CompileModule(t.Context(), metered.Code)
		}
		if err != nil {
			t.Errorf("%s: %.300v", name, err)
		}
	}
}

// BenchmarkWorstModule is what it takes to compile a function at its bounds.
func BenchmarkWorstModule(b *testing.B) {
	code := functions(1, maxWidth/maxBlocks, loops(maxBlocks/2, maxWidth/maxBlocks))
	for b.Loop() {
		metered, err := Inject(code, 1)
		if err != nil {
			b.Fatal(err)
		}
		r := wazero.NewRuntime(b.Context())
		if _, err := r.CompileModule(b.Context(), metered.Code); err != nil {
			b.Fatal(err)
		}
		if err := r.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
