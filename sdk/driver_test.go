// Package sdk_test tries what the SDKs build: in the host, and in a driver of its
// own, which gives outputs as little room as it wants.
package sdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/abi/tck"
	"github.com/seed-6a2d649b/pharos/host/wasm/fuel"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// cacheDir has compiled code, shared by all tests and the host: compiling Go's
// runtime takes a while.
var (
	cacheDir string
	compiled wazero.CompilationCache
)

func TestMain(m *testing.M) {
	var err error
	if cacheDir, err = os.MkdirTemp("", "pharos-sdk"); err != nil {
		panic(err)
	}
	if compiled, err = wazero.NewCompilationCacheWithDir(cacheDir); err != nil {
		panic(err)
	}
	code := m.Run()
	if err := os.RemoveAll(cacheDir); err != nil {
		panic(err)
	}
	os.Exit(code)
}

// module is a compiled guest.
type module struct {
	runtime  wazero.Runtime
	compiled wazero.CompiledModule
}

func compile(t testing.TB, path string) *module {
	t.Helper()
	return compileCode(t, read(t, path), false)
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	code, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// compileCode compiles a module, which the engine can interrupt or not.
func compileCode(t testing.TB, code []byte, interruptible bool) *module {
	t.Helper()
	ctx := context.Background()
	config := wazero.NewRuntimeConfig().WithMemoryLimitPages(256).WithCloseOnContextDone(interruptible).WithCompilationCache(compiled)
	r := wazero.NewRuntimeWithConfig(ctx, config)
	t.Cleanup(func() {
		if err := r.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	wasi_snapshot_preview1.MustInstantiate(ctx, r)
	c, err := r.CompileModule(ctx, code)
	if err != nil {
		t.Fatal(err)
	}
	return &module{r, c}
}

// driver is one instance.
type driver struct {
	mod    api.Module
	kind   abi.Kind
	plan   *abi.Plan
	layout *abi.Layout
	room   abi.Capacity // of the first call of each batch
	again  int          // calls because an output was too small
	arena  uint32
	size   int
	busy   time.Duration // in pharos_process
}

func (d *driver) call(name string, params ...uint64) uint64 {
	results, err := d.mod.ExportedFunction(name).Call(context.Background(), params...)
	if err != nil {
		panic(fmt.Errorf("%s: %w", name, err))
	}
	return results[0]
}

func (d *driver) text(name string) string {
	v := d.call(name)
	b, ok := d.mod.Memory().Read(uint32(v>>32), uint32(v))
	if !ok {
		panic(name + ": the text is outside of the memory")
	}
	return string(b)
}

// start makes an instance and configures it with the config as it is written, in
// the form of abi/SPEC.md, section 2. The plan is its text. One that refuses the
// config is returned with the error.
func (m *module) start(config string, data map[string]string) (d *driver, plan string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	mod, err := m.runtime.InstantiateModule(context.Background(), m.compiled, wazero.NewModuleConfig().WithName("").WithStartFunctions(fuel.Start, "_initialize"))
	if err != nil {
		return nil, "", err
	}
	d = &driver{mod: mod}
	manifest, err := abi.ParseManifest([]byte(d.text(abi.ExportManifest)))
	if err != nil {
		return nil, "", err
	}
	d.kind = manifest.Kind
	document := func(base uint32) string {
		s, at := "", base
		for name, text := range data {
			key, err := json.Marshal(name)
			if err != nil {
				panic(err)
			}
			s += fmt.Sprintf("%s : {\n\"len\":%d ,\t\"ptr\": %d}", key, len(text), at)
		}
		return fmt.Sprintf(" { \"data\" :\r\n {%s} , \"config\":\t%s\n } ", s, config)
	}
	// At most one file, so that it begins with the block.
	files := ""
	for _, text := range data {
		files = text + "\x00\x00\x00\x00\x00\x00\x00"[:7-(len(text)+7)%8]
	}
	size := len(files) + len(document(1<<32-1))
	base := uint32(d.call(abi.ExportAlloc, uint64(size), 8))
	doc := document(base)
	if base == 0 || !mod.Memory().WriteString(base, files+doc) {
		return nil, "", errors.New("no memory for the config")
	}
	if code := d.call(abi.ExportConfigure, uint64(base)+uint64(len(files)), uint64(len(doc))); code != 0 {
		return d, "", fmt.Errorf("code %d: %s", code, d.text(abi.ExportError))
	}
	return d, d.text(abi.ExportPlan), nil
}

// instance is a configured guest with a plan that the host would take.
func (m *module) instance(config string) (*driver, error) {
	d, plan, err := m.start(config, nil)
	if err != nil {
		return nil, err
	}
	if d.plan, err = abi.ParsePlan(d.kind, []byte(plan)); err != nil {
		return nil, err
	}
	d.layout = abi.NewLayout(d.kind, d.plan)
	return d, nil
}

// Process answers a batch, with no more room at first than d.room, and what is
// needed from then on.
func (d *driver) Process(_ context.Context, b *abi.Batch, out *abi.Output) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	for room := d.room; ; d.again++ {
		size, err := d.layout.Place(b, room)
		if err != nil {
			return err
		}
		if size > d.size {
			d.size = size
			if d.arena = uint32(d.call(abi.ExportAlloc, uint64(size), 8)); d.arena == 0 {
				return &abi.SizeError{Bytes: size, Rows: b.Rows}
			}
		}
		mem, ok := d.mod.Memory().Read(d.arena, uint32(size))
		if !ok {
			return errors.New("the arena is outside of the memory")
		}
		d.layout.Write(mem, b)
		export := abi.ExportProcess
		if b.Closed {
			export = abi.ExportClose
		}
		f, stack := d.mod.ExportedFunction(export), []uint64{uint64(d.arena)}
		start := time.Now()
		if err := f.CallWithStack(context.Background(), stack); err != nil {
			return fmt.Errorf("%s: %w", export, err)
		}
		d.busy += time.Since(start)
		code := stack[0]
		if mem, ok = d.mod.Memory().Read(d.arena, uint32(size)); !ok {
			return errors.New("memory shrank")
		}
		switch code {
		case abi.Done:
			return d.layout.Read(mem, out)
		case abi.TooSmall:
			if room, err = d.layout.Needed(mem); err != nil {
				return err
			}
		default:
			return fmt.Errorf("code %d: %s", code, d.text(abi.ExportError))
		}
	}
}

// answers are the answers to each row, the counters, and the cells of beacons.
func (d *driver) answers(b *abi.Batch) ([]string, error) { return answersOf(d, d.kind, d.plan, b) }

func answersOf(g tck.Guest, kind abi.Kind, plan *abi.Plan, b *abi.Batch) ([]string, error) {
	var out abi.Output
	if err := g.Process(context.Background(), b, &out); err != nil {
		return nil, err
	}
	a, err := tck.Answers(kind, plan, b.Rows, &out)
	a = append(a, fmt.Sprint(out.Counters))
	if len(plan.Cells) > 0 && !b.Closed {
		a = append(a, fmt.Sprintf("%x", out.Cells))
	}
	return a, err
}

// closes tells whether there is a close function.
func (d *driver) closes() bool { return d.mod.ExportedFunction(abi.ExportClose) != nil }
