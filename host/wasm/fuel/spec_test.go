package fuel

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// specDir is where wazero's source has the specification's test suite, as
// wast2json made it.
func specDir(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "internal", "integration_test", "spectest")
}

// suite is one file of the test suite.
type suite struct {
	Commands []struct {
		Type       string
		Line       int
		Name       string
		Filename   string
		As         string
		ModuleType string `json:"module_type"`
		Text       string
		Action     struct {
			Type, Field, Module string
			Args                []value
		}
	}
}

type value struct {
	Type     string
	LaneType string `json:"lane_type"`
	Value    any
}

// bits are the value as the engine takes it.
func (v value) bits() []uint64 {
	if v.Type != "v128" {
		text, _ := v.Value.(string)
		if n := number(text); v.Type != "externref" {
			return []uint64{n}
		} else if text != "null" {
			return []uint64{n + 1} // 0 is null
		}
		return []uint64{0}
	}
	lanes := v.Value.([]any)
	var both [2]uint64
	width := 128 / len(lanes)
	for i, lane := range lanes {
		both[i*width/64] |= number(lane.(string)) << (i * width % 64)
	}
	return both[:]
}

func number(text string) uint64 {
	switch {
	case strings.HasPrefix(text, "nan"):
		return uint64(math.Float32bits(float32(math.NaN())))
	case strings.HasPrefix(text, "-"):
		n, _ := strconv.ParseInt(text, 10, 64)
		return uint64(n)
	}
	n, _ := strconv.ParseUint(text, 10, 64)
	return n
}

// specWorld runs a suite with fuel or without.
type specWorld struct {
	runtime wazero.Runtime
	metered bool
	modules map[string]api.Module
	last    api.Module
}

func newSpecWorld(t *testing.T, dir string, metered bool) *specWorld {
	config := wazero.NewRuntimeConfig().WithCoreFeatures(api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall)
	w := &specWorld{runtime: wazero.NewRuntimeWithConfig(t.Context(), config), metered: metered, modules: map[string]api.Module{}}
	t.Cleanup(func() { w.runtime.Close(context.Background()) })
	code, err := os.ReadFile(filepath.Join(dir, "testdata", "spectest.wasm"))
	if err == nil {
		_, err = w.instantiate(t.Context(), code, "spectest")
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

const plenty = math.MaxInt64 / 2

// instantiate makes an instance of a module; one under its name is closed.
func (w *specWorld) instantiate(ctx context.Context, code []byte, name string) (api.Module, error) {
	if w.metered {
		metered, err := Inject(code, plenty)
		if err != nil {
			return nil, err
		}
		code = metered.Code
	}
	compiled, err := w.runtime.CompileModule(ctx, code)
	if err != nil {
		return nil, err
	}
	m, err := w.runtime.InstantiateModule(ctx, compiled, wazero.NewModuleConfig().WithName(name).WithStartFunctions())
	if err != nil {
		return nil, err
	}
	if start := m.ExportedFunction(Start); w.metered && start != nil {
		_, err = start.Call(ctx)
	}
	return m, err
}

// outcome is what a command comes to.
type outcome struct {
	results []uint64
	failed  string // empty: it did not
}

func (o outcome) equal(p outcome) bool {
	return slices.Equal(o.results, p.results) && o.failed == p.failed
}

// call calls an exported function, or reads an exported global.
func (w *specWorld) call(t *testing.T, action, module, field string, args []value) outcome {
	m := w.last
	if module != "" {
		m = w.modules[module]
	}
	if action == "get" {
		return outcome{results: []uint64{m.ExportedGlobal(field).Get()}}
	}
	var bits []uint64
	for _, a := range args {
		bits = append(bits, a.bits()...)
	}
	if w.metered {
		m.ExportedGlobal(Export).(api.MutableGlobal).Set(plenty)
		m.ExportedGlobal(StackExport).(api.MutableGlobal).Set(Stack)
	}
	results, err := m.ExportedFunction(field).Call(t.Context(), bits...)
	if err == nil {
		return outcome{results: slices.Clone(results)}
	}
	if w.metered && int64(m.ExportedGlobal(Export).Get()) < 0 {
		t.Errorf("%s: out of fuel: %v", field, err)
	}
	reason, _, _ := strings.Cut(err.Error(), "\n") // without the stack
	if w.metered && int32(m.ExportedGlobal(StackExport).Get()) < 0 {
		reason = "stack overflow"
	}
	return outcome{failed: reason}
}

// TestSpec runs WebAssembly's own test suite with fuel and without: nothing may
// differ. What is no module is none with fuel either.
func TestSpec(t *testing.T) {
	dir := specDir(t)
	files := 0
	for _, part := range []string{"v1", "v2", "tail-call"} {
		names, err := filepath.Glob(filepath.Join(dir, part, "testdata", "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		files += len(names)
		for _, name := range names {
			t.Run(part+"/"+strings.TrimSuffix(filepath.Base(name), ".json"), func(t *testing.T) {
				t.Parallel()
				runSuite(t, dir, name)
			})
		}
	}
	if files < 200 {
		t.Errorf("only %d files of the test suite were found in %s", files, dir)
	}
}

func runSuite(t *testing.T, dir, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var s suite
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	plain, metered := newSpecWorld(t, dir, false), newSpecWorld(t, dir, true)
	for i := range s.Commands {
		c := &s.Commands[i]
		where := fmt.Sprintf("%s:%d %s", filepath.Base(file), c.Line, c.Type)
		switch c.Type {
		case "module", "assert_invalid", "assert_malformed", "assert_unlinkable", "assert_uninstantiable":
			if c.ModuleType == "text" {
				continue
			}
			code, err := os.ReadFile(filepath.Join(filepath.Dir(file), c.Filename))
			if err != nil {
				t.Fatal(err)
			}
			as := ""
			if next := i + 1; next < len(s.Commands) && s.Commands[next].Type == "register" {
				as = s.Commands[next].As
			}
			one, errOne := plain.instantiate(t.Context(), code, as)
			two, errTwo := metered.instantiate(t.Context(), code, as)
			if (errOne == nil) != (errTwo == nil) {
				t.Errorf("%s: without fuel: %v; with: %v", where, errOne, errTwo)
			}
			if errOne != nil || errTwo != nil || c.Type != "module" {
				continue
			}
			plain.last, metered.last = one, two
			if c.Name != "" {
				plain.modules[c.Name], metered.modules[c.Name] = one, two
			}
		case "assert_return", "action", "assert_trap", "assert_exhaustion":
			one := plain.call(t, c.Action.Type, c.Action.Module, c.Action.Field, c.Action.Args)
			two := metered.call(t, c.Action.Type, c.Action.Module, c.Action.Field, c.Action.Args)
			if !one.equal(two) {
				t.Errorf("%s %s: without fuel %v, with %v", where, c.Action.Field, one, two)
			}
		}
	}
}
