package fuel

import (
	"context"
	"os"
	"runtime"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"pgregory.net/rapid"
)

// deep is a metered module whose calls go deep.
type deep struct {
	*guest
	stack, seen api.MutableGlobal
}

func newDeep(t *testing.T, engine string, code []byte) deep {
	t.Helper()
	g := newGuest(t, engines[engine].WithCoreFeatures(api.CoreFeaturesV2|experimental.CoreFeaturesTailCall), code)
	d := deep{guest: g, stack: g.mod.ExportedGlobal(StackExport).(api.MutableGlobal)}
	d.seen, _ = g.mod.ExportedGlobal("seen").(api.MutableGlobal)
	return d
}

// call says how deep a call came, and whether the stack ended it.
func (d deep) call(name string, n uint64) (depth uint64, ended bool, err error) {
	d.t.Helper()
	d.stack.Set(Stack)
	if d.seen != nil {
		d.seen.Set(0)
	}
	_, err = d.guest.call(name, n, plenty)
	if d.seen != nil {
		depth = d.seen.Get()
	}
	return depth, int32(d.stack.Get()) < 0, err
}

// ways are how the functions of stack.wat come back.
var ways = []string{"end", "return", "br", "br_if", "br_table", "values", "table", "even"}

func stackCode(t *testing.T) []byte {
	t.Helper()
	code, err := os.ReadFile("testdata/stack.wasm")
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// TestStackIsGivenBack: by whatever way a function ends.
func TestStackIsGivenBack(t *testing.T) {
	for engine := range engines {
		d := newDeep(t, engine, stackCode(t))
		for _, way := range append(ways, "tail") {
			for _, n := range []uint64{0, 1, 100} {
				if depth, _, err := d.call(way, n); err != nil || depth == 0 || d.stack.Get() != Stack {
					t.Errorf("%s: %s: %d calls deep, %d of the stack are left: %v", engine, way, depth, int32(d.stack.Get()), err)
				}
			}
		}
	}
}

// TestStackEnds: recursion ends at the same depth every time, which the frames tell.
func TestStackEnds(t *testing.T) {
	d := newDeep(t, "compiler", stackCode(t))
	for _, way := range ways {
		first, ended, err := d.call(way, 1<<30)
		if err == nil || !ended || first < 1000 {
			t.Errorf("%s: it ends %d calls deep, by the stack: %v, %v", way, first, ended, err)
		}
		if again, _, _ := d.call(way, 1<<30); again != first {
			t.Errorf("%s: it ends %d calls deep, and then %d", way, first, again)
		}
		if depth, ended, err := d.call(way, first-1); err != nil || ended {
			t.Errorf("%s: one less deep than where it ends: %d, %v", way, depth, err)
		}
	}
	if depth, ended, err := d.call("tail", 1<<20); err != nil || ended || depth != 1<<20+1 {
		t.Errorf("what never gets deeper: %d, %v, %v", depth, ended, err)
	}
}

// TestStackOfEngines: it is the same in all engines.
func TestStackOfEngines(t *testing.T) {
	code := recursion(typeI64, maxLocals-1, nil, nil)
	seen := map[uint64]bool{}
	for engine := range engines {
		d := newDeep(t, engine, code)
		used, err := d.guest.call("deep", 0, plenty)
		if err == nil || int32(d.stack.Get()) >= 0 {
			t.Errorf("%s: it has no end: %v", engine, err)
		}
		seen[uint64(used)] = true
	}
	if len(seen) != 1 {
		t.Errorf("engines end it after work of %v", seen)
	}
}

// recursion is a function that calls itself, with code before and behind. It takes a
// number, of which nothing comes, and has locals of a type.
func recursion(kind byte, locals int, before, behind []byte) []byte {
	b := new(binary).section(typeSection, 1, func(int) []byte { return []byte{0x60, 1, typeI64, 0} })
	b.section(functionSection, 1, func(int) []byte { return []byte{0} })
	b.section(5, 1, func(int) []byte { return []byte{0, 1} })
	b.section(globalSection, 2, func(i int) []byte {
		if i == 0 {
			return []byte{typeI64, 1, opI64Const, 0, opEnd}
		}
		return append(append([]byte{typeV128, 1, opVector, vectorConst}, make([]byte, 16)...), opEnd)
	})
	b.section(exportSection, 1, func(int) []byte { return []byte{4, 'd', 'e', 'e', 'p', 0, 0} })
	return b.section(codeSection, 1, func(int) []byte {
		body := append(appendU32([]byte{1}, uint32(locals)), kind)
		body = append(append(body, before...), opGlobalGet, 0, opCall, 0)
		body = append(append(body, behind...), opEnd)
		return append(appendU32(nil, uint32(len(body))), body...)
	}).code
}

// TestStackOfHost: however a guest is made, the host's memory for its calls is bounded.
// An engine's stack doubles as it grows, so all that it had take twice the last.
func TestStackOfHost(t *testing.T) {
	const most = 6 * Stack // frames may take twice what is counted
	local := func(op byte, i int) []byte { return appendU32([]byte{op}, uint32(i)) }
	load := func(i int, op ...byte) []byte { return appendU32(append([]byte{opI32Const, 0}, op...), uint32(i)) }
	const values, locals, depth = 8000, 500, 100
	var kept, used, pushed, popped, wide, wideUsed, nested, last []byte
	for i := range values {
		kept = append(append(kept, load(8*i, 0x29, 3)...), local(opLocalSet, i+1)...)
		used = append(append(used, local(opLocalGet, i+1)...), opGlobalSet, 0)
		pushed = append(pushed, load(8*i, 0x29, 3)...)
		popped = append(popped, opGlobalSet, 0)
		wide = append(wide, load(i, opVector, 0, 4)...)
		wideUsed = append(wideUsed, opGlobalSet, 1)
	}
	for range depth {
		nested = append(nested, opLoop, emptyBlock)
	}
	for i := range locals {
		nested = append(append(append(nested, local(opLocalGet, i+1)...), opI64Const, 1, 0x7c), local(opLocalSet, i+1)...)
		last = append(append(last, local(opLocalGet, i+1)...), opGlobalSet, 0)
	}
	for range depth {
		nested = append(nested, opGlobalGet, 0, 0xa7, opBrIf, 0, opEnd)
	}
	for name, code := range map[string][]byte{
		"small":           recursion(typeI64, 0, nil, nil),
		"locals":          recursion(typeI64, maxLocals-1, nil, nil),
		"kept values":     recursion(typeI64, values, kept, used),
		"values":          recursion(typeI64, 0, pushed, popped),
		"vectors":         recursion(typeV128, 0, wide, wideUsed),
		"nested loops":    recursion(typeI64, locals, nested, last),
		"many parameters": parameters(1000),
	} {
		t.Run(name, func(t *testing.T) {
			d := newDeep(t, "compiler", code)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, ended, err := d.call("deep", 0)
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; !ended || took > most {
				t.Errorf("it took %d KiB, at most %d are to be; ended by the stack: %v, %v", took>>10, most>>10, ended, err)
			}
		})
	}
}

// parameters is a function of many parameters that calls itself.
func parameters(n int) []byte {
	b := new(binary).section(typeSection, 2, func(i int) []byte {
		if i == 0 {
			return append(append(appendU32([]byte{0x60}, uint32(n)), repeat(n, typeI64)...), 0)
		}
		return []byte{0x60, 1, typeI64, 0}
	})
	b.section(functionSection, 2, func(i int) []byte { return []byte{byte(i)} })
	b.section(exportSection, 1, func(int) []byte { return []byte{4, 'd', 'e', 'e', 'p', 0, 1} })
	return b.section(codeSection, 2, func(i int) []byte {
		body := []byte{0}
		for k := range n {
			body = append(body, opLocalGet)
			body = appendU32(body, uint32(k*(1-i)))
		}
		body = append(body, opCall, 0, opEnd)
		return append(appendU32(nil, uint32(len(body))), body...)
	}).code
}

// TestWhoPays: of functions that call each other in any way, all in circles count their
// frames, and no way through the others takes more than what is free.
func TestWhoPays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "functions")
		m := &module{types: []functype{{text: "a"}, {text: "b"}, {text: "a"}}, referred: map[uint32]bool{}}
		reach := make([][]bool, n)
		target := func(i, of int) bool {
			f := m.functions[i]
			return m.referred[uint32(i)] && m.types[m.typeOf[f.number]].text == m.types[of].text
		}
		for i := range n {
			f := function{number: i, stack: stack{frame: rapid.IntRange(1, freeStack*5/4).Draw(t, "frame")}}
			for _, to := range rapid.SliceOfN(rapid.IntRange(0, n-1), 0, 2).Draw(t, "calls") {
				f.calls = append(f.calls, uint32(to))
			}
			for _, of := range rapid.SliceOfN(rapid.IntRange(0, 2), 0, 1).Draw(t, "types") {
				f.types = append(f.types, uint32(of))
			}
			m.typeOf = append(m.typeOf, uint32(rapid.IntRange(0, 2).Draw(t, "type")))
			m.referred[uint32(i)] = rapid.Bool().Draw(t, "referred")
			m.functions = append(m.functions, f)
		}
		for i, f := range m.functions {
			reach[i] = make([]bool, n)
			for _, to := range f.calls {
				reach[i][to] = true
			}
			for _, of := range f.types {
				for to := range n {
					reach[i][to] = reach[i][to] || target(to, int(of))
				}
			}
		}
		direct := make([][]bool, n)
		for i := range reach {
			direct[i] = append([]bool(nil), reach[i]...)
		}
		for k := range n {
			for i := range n {
				for j := range n {
					reach[i][j] = reach[i][j] || reach[i][k] && reach[k][j]
				}
			}
		}
		m.planStack()
		longest := make([]int, n) // ways from each, through those that do not pay too
		for range n {
			for i := range n {
				below := 0
				for j := range n {
					if direct[i][j] {
						below = max(below, longest[j])
					}
				}
				if !m.functions[i].pays {
					below += m.functions[i].frame
				}
				longest[i] = below
			}
		}
		for i, f := range m.functions {
			if reach[i][i] && !f.pays {
				t.Fatalf("function %d is in a circle, and does not pay", i)
			}
			if longest[i] > freeStack {
				t.Fatalf("a way from function %d takes %d, more than %d", i, longest[i], freeStack)
			}
			if f.pays && !reach[i][i] && longest[i]+f.frame <= freeStack {
				t.Fatalf("function %d pays for nothing", i)
			}
		}
	})
}

// TestStackOfStart: the start function has a stack too.
func TestStackOfStart(t *testing.T) {
	code := new(binary).section(typeSection, 1, func(int) []byte { return []byte{0x60, 0, 0} }).
		section(functionSection, 1, func(int) []byte { return []byte{0} }).
		section(startSection, 0, nil).code
	code[len(code)-1] = 0 // the function
	body := []byte{0, opCall, 0, opEnd}
	code = append(append(code, codeSection, byte(len(body)+2), 1, byte(len(body))), body...)
	metered, err := Inject(code, plenty)
	if err != nil {
		t.Fatal(err)
	}
	r := wazero.NewRuntime(t.Context())
	defer r.Close(context.Background())
	mod, err := r.Instantiate(t.Context(), metered.Code)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mod.ExportedFunction(Start).Call(t.Context()); err == nil || int32(mod.ExportedGlobal(StackExport).Get()) >= 0 {
		t.Errorf("it has no end: %v", err)
	}
}
