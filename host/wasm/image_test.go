package wasm

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/wasm/fuel"
)

// modules are guests in all languages that are here as modules.
func modules(t testing.TB) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	for _, pattern := range []string{"testdata/[efs]*t.wasm", "testdata/filter.wasm", "../../sdk/*/examples/*.wasm", "../../plugins/*/*.wasm"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("no modules: %s, %v", pattern, err)
		}
		for _, path := range paths {
			code, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			found[path] = code
		}
	}
	return found
}

// state is all that an instance has.
func state(i *Instance) (memory []byte, globals []uint64) {
	memory, _ = i.memory.Read(0, i.memory.Size())
	for _, name := range i.module.globals {
		globals = append(globals, i.mod.ExportedGlobal(name).Get())
	}
	return memory, globals
}

// TestImage: an instance by the image is what one is that has started anew, whatever
// others have done meanwhile, and has done no work for it.
func TestImage(t *testing.T) {
	r := newRuntime(t)
	tried := 0
	for path, code := range modules(t) {
		m, err := r.Compile(t.Context(), "image", code)
		if err != nil {
			if strings.HasPrefix(path, "testdata") { // of other tests, which are refused
				continue
			}
			t.Fatalf("%s: %v", path, err)
		}
		first, err := m.NewPool(t.Context(), nil, nil, 1)
		if err != nil { // it must have a config
			if err := m.Close(t.Context()); err != nil {
				t.Error(err)
			}
			continue
		}
		tried++
		used, err := first.Get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var out abi.Output
		sessions := abi.Sessions{Slots: []uint32{0, 0}}
		for range first.Plan().Cells {
			sessions.Cells = append(sessions.Cells, make([]uint64, 1))
		}
		b := batch(t, m.manifest.Kind, first.Plan(), `{"n":1,"type":"page"}`, `{}`)
		b.Sessions = sessions
		if err := used.Process(t.Context(), b, &out); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		anew, err := m.Instantiate(t.Context(), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		fresh, err := first.Fresh(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		memory, globals := state(anew)
		have, haveGlobals := state(fresh)
		if !bytes.Equal(have, memory) || len(haveGlobals) != len(globals) {
			t.Errorf("%s: the memory of %d bytes is another than that of %d", path, len(have), len(memory))
		}
		for g := range globals {
			if globals[g] != haveGlobals[g] {
				t.Errorf("%s: global %s is %d, not %d", path, m.globals[g], haveGlobals[g], globals[g])
			}
		}
		if anew.Fuel() == 0 || fresh.Fuel() != 0 {
			t.Errorf("%s: starting anew took %d of fuel, by the image %d", path, anew.Fuel(), fresh.Fuel())
		}
		for _, i := range []*Instance{used, fresh} {
			if err := first.Put(t.Context(), i); err != nil {
				t.Error(err)
			}
		}
		if err := m.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if tried < 15 {
		t.Errorf("only %d modules were tried", tried)
	}
}

// TestStartsOnce: a guest that works much before its first batch does so once, however
// often it fails after that.
func TestStartsOnce(t *testing.T) {
	m, err := newRuntime(t).Compile(t.Context(), "starts", hostileCode(t, "starts-and-traps"))
	if err != nil {
		t.Fatal(err)
	}
	p := newPool(t, m, "", 1)
	b := batch(t, abi.Filter, p.Plan(), `{"n":1}`)
	for n := range 20 {
		i, err := p.Get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		before := i.Fuel()
		var out abi.Output
		if err := i.Process(t.Context(), b, &out); err == nil || !i.Dead() {
			t.Fatalf("it answers: %v", err)
		}
		if first := n == 0; first != (before > 100_000) || !first && before != 0 {
			t.Errorf("instance %d has used %d of fuel before its first batch", n, before)
		}
		if err := p.Put(t.Context(), i); err != nil {
			t.Error(err)
		}
	}
}

// TestStartsAnew: where an instance changes what cannot be seen, each starts anew, and
// has less fuel for that.
func TestStartsAnew(t *testing.T) {
	m, err := newRuntime(t).Compile(t.Context(), "grow", hostileCode(t, "grow-table"))
	if err != nil {
		t.Fatal(err)
	}
	p := newPool(t, m, "", 1)
	if p.image != nil || m.startFuel != RestartFuel {
		t.Errorf("an image %v, fuel of %d", p.image, m.startFuel)
	}
	i, err := p.Fresh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out abi.Output
	if err := i.Process(t.Context(), batch(t, abi.Filter, p.Plan(), `{"n":1}`), &out); err != nil {
		t.Error(err)
	}
	if err := p.Put(t.Context(), i); err != nil {
		t.Error(err)
	}
}

// TestHidden says of which modules no instance can be made the equal of another.
func TestHidden(t *testing.T) {
	for path, code := range modules(t) {
		if m, err := fuel.Inject(code, 1); err != nil || m.Hidden != "" {
			t.Errorf("%s: %v, %s", path, err, m.Hidden)
		}
	}
	for guest, want := range map[string]string{"grow-table": "it changes its tables", "recurse-table": ""} {
		if m, err := fuel.Inject(hostileCode(t, guest), 1); err != nil || m.Hidden != want {
			t.Errorf("%s: %v, %q", guest, err, m.Hidden)
		}
	}
}

// BenchmarkFresh is what another instance takes, by the image and started anew.
func BenchmarkFresh(b *testing.B) {
	guests := map[string]string{
		"c": "../../sdk/c/examples/filter.wasm", "rust": "../../sdk/rust/examples/filter.wasm",
		"hostile": "../../abi/testdata/hostile/starts-and-traps.wasm",
	}
	for name, path := range guests {
		code, err := os.ReadFile(path)
		if err != nil {
			b.Fatal(err)
		}
		m, err := newRuntime(b).Compile(b.Context(), name, code)
		if err != nil {
			b.Fatal(err)
		}
		p := newPool(b, m, "", 1)
		b.Run(name+"/image", func(b *testing.B) {
			for b.Loop() {
				i, err := p.Fresh(b.Context())
				if err == nil {
					err = i.Close(b.Context())
				}
				p.gone()
				if err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/anew", func(b *testing.B) {
			for b.Loop() {
				i, err := m.Instantiate(b.Context(), nil, nil)
				if err == nil {
					err = i.Close(b.Context())
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
