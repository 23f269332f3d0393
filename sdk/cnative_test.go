package sdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/abi/tck"
	"github.com/seed-6a2d649b/pharos/host/plugin"
	"github.com/seed-6a2d649b/pharos/sdk/c/native"
)

// Plugins in C answer natively as their modules do, under a sanitizer: the golden
// vectors hold, and so does what the kit says of purity; of random beacons the
// answers are the module's.
func TestNativeC(t *testing.T) {
	sources, err := filepath.Glob("c/examples/*.c")
	if err != nil {
		t.Fatal(err)
	}
	shipped, err := filepath.Glob("../plugins/*/*.c")
	if err != nil {
		t.Fatal(err)
	}
	if len(sources) == 0 || len(shipped) == 0 {
		t.Fatalf("%d examples, %d plugins", len(sources), len(shipped))
	}
	for _, source := range append(sources, shipped...) {
		base := strings.TrimSuffix(source, ".c")
		t.Run(filepath.Base(base), func(t *testing.T) {
			program := buildNative(t, source)
			manifest := startNative(t, program).Manifest
			vectors, err := abi.ParseVectors(manifest.Kind, read(t, base+".golden.ndjson"))
			if err != nil || len(vectors) == 0 {
				t.Fatalf("%d golden vectors: %v", len(vectors), err)
			}
			check := func(config json.RawMessage) error { return plugin.CheckConfig(manifest, config) }
			module := compile(t, base+".wasm")
			for _, v := range vectors {
				if err := native.CheckVector(t.Context(), program, v, check); err != nil {
					t.Errorf("line %d: %v", v.Line, err)
				}
			}
			for _, v := range vectors {
				if !v.Refused && len(v.Data) == 0 {
					compareNative(t, program, module, string(v.Config), vectors)
				}
			}
		})
	}
}

// A plugin that goes where it must not does not get away with it natively.
func TestNativeCatches(t *testing.T) {
	program := buildNative(t, "c/testdata/wild.c")
	for _, what := range []string{"reads behind the batch", "writes behind the batch", "reads behind its memory", "reads behind the config", "overflows", "reads behind an array"} {
		g := startNative(t, program)
		if err := g.Configure(json.RawMessage(fmt.Sprintf(`{"do": %q}`, what)), nil); err != nil {
			t.Fatal(err)
		}
		var b abi.Batch
		abi.Build(g.Plan.Fields, [][]abi.Value{{{}}}, &b)
		if err := g.Process(t.Context(), &b, new(abi.Output)); !errors.Is(err, native.ErrDied) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// buildNative builds a plugin in C as a native program, as native.c says.
func buildNative(t *testing.T, source string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "plugin")
	run(t, ".", nil, "clang", append([]string{"-g", "-fsanitize=undefined", "-fsanitize-trap=undefined", "-o", program, source, "c/native.c", "-Ic"}, strict...)...)
	return program
}

// startNative runs a program for the time of the test.
func startNative(t *testing.T, program string) *native.Guest {
	t.Helper()
	g, err := native.Start(context.WithoutCancel(t.Context()), program) // Close ends it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// compareNative gives program and module the same beacons, the vectors' and random ones.
func compareNative(t *testing.T, program string, m *module, config string, vectors []*abi.Vector) {
	t.Helper()
	guest, err := m.instance(config)
	if err != nil {
		t.Fatal(err)
	}
	g := startNative(t, program)
	if err := g.Configure(json.RawMessage(config), nil); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	rows := tck.Rows(rng, len(guest.plan.Fields), 300)
	for _, v := range vectors {
		more, err := v.Rows(guest.plan.Fields)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, more...)
	}
	var b abi.Batch
	abi.Build(guest.plan.Fields, rows, &b)
	if len(guest.plan.Cells) > 0 {
		withSessions(&b, guest.plan, 20, rng)
	}
	want, err := guest.answers(&b)
	if err != nil {
		t.Fatal(err)
	}
	got, err := answersOf(g, guest.kind, guest.plan, &b)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("config %s: natively\n%q\nthe module\n%q", config, got, want)
	}
	subject := tck.Subject{Kind: guest.kind, Plan: g.Plan, Closes: g.Closes, New: func(context.Context) (tck.Guest, func() error, error) {
		one := startNative(t, program)
		return one, one.Close, one.Configure(json.RawMessage(config), nil)
	}}
	failures, err := tck.Purity(t.Context(), subject, &b, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range failures {
		t.Errorf("config %s: %v", config, f)
	}
}
