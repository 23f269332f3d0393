package fuel

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

func work(t testing.TB) []byte {
	t.Helper()
	code, err := os.ReadFile("testdata/work.wasm")
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// TestModulesAreBuilt: the modules of testdata are those of their sources.
func TestModulesAreBuilt(t *testing.T) {
	tool, err := exec.LookPath("wat2wasm")
	if err != nil {
		t.Fatalf("%v: run scripts/deps.sh", err)
	}
	for _, name := range []string{"testdata/work", "testdata/stack"} {
		out := filepath.Join(t.TempDir(), "out.wasm")
		if text, err := exec.Command(tool, "--enable-tail-call", name+".wat", "-o", out).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		want, err := os.ReadFile(out)
		have, haveErr := os.ReadFile(name + ".wasm")
		if err := errors.Join(err, haveErr); err != nil || !bytes.Equal(want, have) {
			t.Errorf("%s.wasm is another: build it with wat2wasm --enable-tail-call (%v)", name, err)
		}
	}
}

// engines are both of wazero's: work is the same in all.
var engines = map[string]wazero.RuntimeConfig{
	"compiler": wazero.NewRuntimeConfigCompiler(), "interpreter": wazero.NewRuntimeConfigInterpreter(),
}

// guest is a metered instance.
type guest struct {
	t   testing.TB
	mod api.Module
}

func newGuest(t testing.TB, config wazero.RuntimeConfig, code []byte) *guest {
	t.Helper()
	metered, err := Inject(code, plenty)
	if err != nil {
		t.Fatal(err)
	}
	r := wazero.NewRuntimeWithConfig(t.Context(), config)
	t.Cleanup(func() { r.Close(context.Background()) })
	mod, err := r.Instantiate(t.Context(), metered.Code)
	if err != nil {
		t.Fatal(err)
	}
	return &guest{t, mod}
}

// call gives how much fuel of so much a call used up, more than there was if it was
// not enough.
func (g *guest) call(name string, n uint64, fuel int64) (used int64, err error) {
	left := g.mod.ExportedGlobal(Export).(api.MutableGlobal)
	left.Set(uint64(fuel))
	_, err = g.mod.ExportedFunction(name).Call(g.t.Context(), n)
	return fuel - int64(left.Get()), err
}

// TestWork says what things cost: by instructions, whatever takes how long.
func TestWork(t *testing.T) {
	for engine, config := range engines {
		g := newGuest(t, config, work(t))
		one := func(name string, n uint64) int64 {
			t.Helper()
			used, err := g.call(name, n, plenty)
			if err != nil {
				t.Fatalf("%s: %s: %v", engine, name, err)
			}
			return used
		}
		for _, c := range []struct {
			name       string
			each, once int64 // of a turn, and beside
		}{
			{"loop", 9, 1},
			{"calls", 7 + callCost + 3, 1},         // and what is called
			{"indirect", 8 + indirectCost, 1},      // what is called is a leaf
			{"nested", 7 + callCost + 10*9 + 1, 1}, // and what is called
			{"leaves", 9, 0},
			{"recurse", 9 + callCost, 0},
		} {
			ten, twenty, thousand := one(c.name, 10), one(c.name, 20), one(c.name, 1000)
			each := (twenty - ten) / 10
			if thousand-ten != 990*each || each != c.each {
				t.Errorf("%s: %s: 10 turns cost %d, 20 %d, 1000 %d: %d each, want %d", engine, c.name, ten, twenty, thousand, each, c.each)
			}
			if once := ten - 10*each; c.once > 0 && once != c.once {
				t.Errorf("%s: %s: beside its turns it costs %d, want %d", engine, c.name, once, c.once)
			}
		}
		for _, c := range []struct {
			name string
			n    uint64
			want int64
		}{{"fill", 1 << 16, 4096}, {"copy", 1 << 16, 4096}, {"grow", 2, 2 * 4096}, {"table fill", 2, 2}} {
			if used := one(c.name, c.n) - one(c.name, 0); used != c.want {
				t.Errorf("%s: %s of %d costs %d more, want %d", engine, c.name, c.n, used, c.want)
			}
		}
		if taken, not := one("rare", 0), one("rare", 1); not > 10 || taken < 80 {
			t.Errorf("%s: what is rarely done costs %d, and %d where it is not", engine, taken, not)
		}
	}
}

// TestEnd: fuel that is used up ends a call at the same place every time, and what
// has no end ends.
func TestEnd(t *testing.T) {
	for engine, config := range engines {
		g := newGuest(t, config, work(t))
		seen := g.mod.ExportedGlobal("seen").(api.MutableGlobal)
		for fuel := int64(0); fuel < 300; fuel++ {
			seen.Set(0)
			used, err := g.call("loop", 1000, fuel)
			if err == nil || used <= fuel {
				t.Fatalf("%s: of %d it used %d: %v", engine, fuel, used, err)
			}
			// All beside its turns is charged first.
			if want := max(0, (fuel-1)/9); int64(seen.Get()) != want {
				t.Errorf("%s: with %d it came to turn %d, want %d", engine, fuel, seen.Get(), want)
			}
		}
		for _, name := range []string{"forever", "forever empty", "forever table", "forever calls", "forever nested", "recurse"} {
			used, err := g.call(name, math.MaxUint32, 1000)
			if err == nil || used <= 1000 || used > 1000+2*slack {
				t.Errorf("%s: %s: of 1000 it used %d: %v", engine, name, used, err)
			}
		}
		for _, name := range []string{"fill", "copy", "grow"} {
			if used, err := g.call(name, math.MaxUint32, 1<<20); err == nil || used <= 1<<20 {
				t.Errorf("%s: %s: it used %d: %v", engine, name, used, err)
			}
		}
		if used, err := g.call("loop", 10, 1000); err != nil || used != 91 {
			t.Errorf("%s: with fuel again it used %d: %v", engine, used, err)
		}
	}
}

// TestHidden: nothing of a module can name what the rewriter adds.
func TestHidden(t *testing.T) {
	moduleOf := func(body []byte, exports []byte) []byte {
		code := append([]byte(header), typeSection, 4, 1, 0x60, 0, 0, functionSection, 2, 1, 0)
		if exports != nil {
			code = append(append(code, exportSection, byte(len(exports))), exports...)
		}
		code = append(code, codeSection, byte(len(body)+2), 1, byte(len(body)))
		return append(code, body...)
	}
	for name, code := range map[string][]byte{
		"reads the global":   moduleOf([]byte{0, opGlobalGet, 0, 0x1a, opEnd}, nil),
		"writes the global":  moduleOf([]byte{0, opI64Const, 5, opGlobalSet, 0, opEnd}, nil),
		"reads the local":    moduleOf([]byte{0, opLoop, emptyBlock, opEnd, opLocalGet, 0, 0x1a, opEnd}, nil),
		"writes the local":   moduleOf([]byte{1, 1, typeI32, opI64Const, 5, opLocalSet, 1, opEnd}, nil),
		"exports the global": moduleOf([]byte{0, opEnd}, []byte{1, 1, 'x', 3, 0}),
		"exports the name":   moduleOf([]byte{0, opEnd}, append(append([]byte{1, byte(len(Export))}, Export...), 0, 0)),
		"exports the start":  moduleOf([]byte{0, opEnd}, append(append([]byte{1, byte(len(Start))}, Start...), 0, 0)),
		"exports the stack":  moduleOf([]byte{0, opEnd}, append(append([]byte{1, byte(len(StackExport))}, StackExport...), 0, 0)),
		"writes the stack":   moduleOf([]byte{0, opI32Const, 5, opGlobalSet, 1, opEnd}, nil),
		"exports a function": moduleOf([]byte{0, opEnd}, []byte{1, 1, 'x', 0, 1}),
		"refers to nobody":   moduleOf([]byte{0, opRefFunc, 1, 0x1a, opEnd}, nil),
		"branches too far":   moduleOf([]byte{0, opBr, 1, opEnd}, nil),
		"calls nobody":       moduleOf([]byte{0, opCall, 1, opEnd}, nil),
		"goes on":            moduleOf([]byte{0, opEnd, opEnd}, nil),
		"has no end":         moduleOf([]byte{0, opNop}, nil),
		// What engines read otherwise could hide instructions from the rewriter.
		"a long vector instruction": moduleOf(append([]byte{0, opVector, 0x8c, 0}, make([]byte, 17)...), nil),
		"a type of a reference":     moduleOf([]byte{1, 1, 0x63, 0x70, opEnd}, nil),
		"a block of a reference":    moduleOf([]byte{0, opBlock, 0x63, 0x70, opEnd, opEnd}, nil),
		"a select of a reference":   moduleOf([]byte{0, opSelectTyped, 1, 0x63, 0x70, opEnd}, nil),
		"a select of two":           moduleOf([]byte{0, opSelectTyped, 2, typeI32, typeI32, opEnd}, nil),
		"a section with more":       moduleOf([]byte{0, opEnd}, []byte{1, 1, 'x', 0, 0, 12}),
		"has no bodies":             append([]byte(header), typeSection, 4, 1, 0x60, 0, 0, functionSection, 2, 1, 0),
		"is cut":                    work(t)[:200],
		"is empty":                  {},
	} {
		if _, err := Inject(code, 1); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Inject(moduleOf([]byte{1, 1, typeI64, opI64Const, 5, opLocalSet, 0, opEnd}, nil), 1); err != nil {
		t.Error(err)
	}
}

// FuzzInject: what is a module is one with fuel, and what is none is none.
func FuzzInject(f *testing.F) {
	f.Add(work(f))
	for _, pattern := range []string{"../testdata/*.wasm", "../../../plugins/*/*.wasm", "../../../sdk/c/examples/*.wasm"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			f.Fatalf("no modules: %s, %v", pattern, err)
		}
		for _, name := range names {
			code, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			if len(code) < 20_000 {
				f.Add(code)
			}
		}
	}
	names, err := filepath.Glob(filepath.Join(specDir(f), "v2", "testdata", "*.wasm"))
	if err != nil {
		f.Fatal(err)
	}
	for i, name := range names {
		if code, err := os.ReadFile(name); err == nil && i%10 == 0 {
			f.Add(code)
		}
	}
	r := wazero.NewRuntimeWithConfig(context.Background(), wazero.NewRuntimeConfigInterpreter().WithMemoryLimitPages(16))
	f.Fuzz(func(t *testing.T, code []byte) {
		compiles := func(code []byte) error {
			m, err := r.CompileModule(t.Context(), code)
			if err == nil {
				err = m.Close(t.Context())
			}
			return err
		}
		metered, err := Inject(code, plenty)
		if errors.Is(err, errShort) || errors.Is(err, ErrTooLarge) {
			return // the engine would take the memory first
		}
		plain := compiles(code)
		if err == nil {
			err = compiles(metered.Code)
		}
		if (plain == nil) != (err == nil) {
			t.Errorf("without fuel: %v; with: %v", plain, err)
		}
	})
}
