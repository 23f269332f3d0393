package wasm

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
)

func newRuntime(t testing.TB) *Runtime {
	t.Helper()
	r, err := NewRuntime(Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}

func code(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".wasm"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func compile(t testing.TB, name string, opts ...Option) *Module {
	t.Helper()
	m, err := newRuntime(t).Compile(t.Context(), name, code(t, name), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return m
}

func instantiate(t testing.TB, m *Module, config string) *Instance {
	t.Helper()
	i, err := m.Instantiate(t.Context(), []byte(config), nil)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// batch builds a batch of the plan's fields; each row is its JSON by field.
func batch(t testing.TB, kind abi.Kind, plan *abi.Plan, rows ...string) *abi.Batch {
	t.Helper()
	empty := strings.TrimSuffix(strings.Repeat("null,", len(rows)), ",")
	if kind == abi.Extract {
		empty = strings.ReplaceAll(empty, "null", "[]")
	}
	v, err := abi.ParseVectors(kind, []byte(`{"beacons":[`+strings.Join(rows, ",")+`],"expect":[`+empty+`]}`))
	if err != nil {
		t.Fatal(err)
	}
	b := new(abi.Batch)
	if err := v[0].Batch(plan.Fields, b); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestGuestsAreBuilt rebuilds the guests in testdata.
func TestGuestsAreBuilt(t *testing.T) {
	sources, err := filepath.Glob("testdata/*.wat")
	own, hostileErr := filepath.Glob("../../abi/testdata/hostile/*.wat")
	if err = errors.Join(err, hostileErr); len(own) == 0 {
		t.Error("no hostile guests")
	}
	sources = append(sources, own...)
	if err != nil || len(sources) == 0 {
		t.Fatalf("no sources in testdata: %v", err)
	}
	tool, err := exec.LookPath("wat2wasm")
	if err != nil {
		t.Fatalf("%v: run scripts/deps.sh", err)
	}
	for _, src := range sources {
		have, err := os.ReadFile(strings.TrimSuffix(src, ".wat") + ".wasm")
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(src)
		if err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(t.TempDir(), "out.wasm")
		args := []string{src, "-o", out}
		if _, flags, ok := strings.Cut(string(text), ";; wat2wasm "); ok { // what is not of WebAssembly 2.0
			flag, _, _ := strings.Cut(flags, "\n")
			args = append(args, flag)
		}
		if text, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", src, err, text)
			continue
		}
		want, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(have, want) {
			t.Errorf("%s: its .wasm is another: build it with wat2wasm", src)
		}
	}
}
