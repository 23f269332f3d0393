package plugin

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/abi/tck"
	"github.com/seed-6a2d649b/pharos/host/wasm"
)

// The guests of abi/testdata/handmade were written from abi/SPEC.md alone: if they
// do not work, either the host or that page is wrong.
const handmade = "../../abi/testdata/handmade"

var handmadeGuests = []struct {
	name, config string
	data         map[string]string
	words        []string // what its beacons may say
}{
	{name: "filter", words: []string{"test", "tester", "400", "399"}},
	{name: "split", words: []string{"app", "99.5", "100"}},
	{
		name: "extract", config: `{"currency": "E\u0055R"}`,
		data: map[string]string{"categories": "a-=shoes\nb=bags\n"}, words: []string{"a-1", "b", "3", "-2"},
	},
	{name: "wasi", words: []string{"clock", "random", "write", "read"}},
	{name: "session", words: []string{"1", "2.5", "-3"}},
}

func TestHandmadeGuests(t *testing.T) {
	for _, g := range handmadeGuests {
		t.Run(g.name, func(t *testing.T) {
			spec := Spec{Name: g.name, Module: filepath.Join(handmade, g.name+".wasm"), Config: []byte(g.config), Data: map[string]string{}}
			if g.config == "" {
				spec.Config = nil
			}
			files := map[string][]byte{}
			for name, text := range g.data {
				files[name] = []byte(text)
				spec.Data[name] = filepath.Join(t.TempDir(), name)
				if err := os.WriteFile(spec.Data[name], files[name], 0o600); err != nil {
					t.Fatal(err)
				}
			}
			p := load(t, spec)
			if p.Vectors() < 2 {
				t.Errorf("%d golden vectors", p.Vectors())
			}
			code, err := os.ReadFile(spec.Module)
			if err != nil {
				t.Fatal(err)
			}
			pure(t, code, spec.Config, files, g.words)
		})
	}
}

// pure tries the module on random rows of its plan.
func pure(t *testing.T, code, config []byte, files map[string][]byte, words []string) {
	t.Helper()
	ctx := t.Context()
	r, err := wasm.NewRuntime(wasm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.Compile(ctx, "pure", code)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	pool, err := m.NewPool(ctx, config, files, 1)
	if err != nil {
		t.Fatal(err)
	}
	subject := tck.Subject{Kind: m.Manifest().Kind, Plan: pool.Plan(), Closes: m.Closes(), New: func(ctx context.Context) (tck.Guest, func() error, error) {
		i, err := pool.Fresh(ctx)
		return i, func() error { return pool.Put(ctx, i) }, err
	}}
	var b abi.Batch
	abi.Build(subject.Plan.Fields, tck.Rows(rand.New(rand.NewPCG(1, 2)), len(subject.Plan.Fields), 500, words...), &b)
	failures, err := tck.Purity(ctx, subject, &b, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range failures {
		t.Error(f)
	}
}

// TestHandmadeBinaries builds the sources where the compiler is the one that built
// what is checked in.
func TestHandmadeBinaries(t *testing.T) {
	version, err := exec.Command("clang", "--version").Output()
	if err != nil {
		t.Fatalf("clang: %v: run scripts/deps.sh", err)
	}
	recorded, err := os.ReadFile("../../plugins/COMPILER")
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	if log, err := exec.Command(filepath.Join(handmade, "build.sh"), out).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, log)
	}
	if first, _, _ := strings.Cut("clang: "+string(version), "\n"); !slices.Contains(strings.Split(string(recorded), "\n"), first) {
		t.Logf("COMPILER has another version than %q: bytes not compared", first)
		return
	}
	for _, g := range handmadeGuests {
		checkedIn, err := os.ReadFile(filepath.Join(handmade, g.name+".wasm"))
		if err != nil {
			t.Fatal(err)
		}
		built, err := os.ReadFile(filepath.Join(out, g.name+".wasm"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(checkedIn, built) {
			t.Errorf("%s.wasm is not what its source builds: run abi/testdata/handmade/build.sh", g.name)
		}
	}
}
