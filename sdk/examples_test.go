package sdk_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/abi/tck"
	"github.com/seed-6a2d649b/pharos/host/plugin"
	"pgregory.net/rapid"
)

var examples = []struct {
	name    string
	configs []string
	words   []string
}{
	{"filter", []string{`{}`, `{"prefix": "10."}`, `{"prefix": "é\u20ac"}`}, []string{"10.", "10.0.0.1", "é€", "110.0"}},
	{"split", []string{`{}`, `{"minimum": 5.5}`, `{"minimum": 1e2}`, `{"minimum":0}`}, []string{"5.5", "5.4999", "100", "99.99"}},
	{"extract", []string{`{}`}, []string{"click", "click", "click", "view"}},
}

// The examples load in the host, whose golden vectors are theirs, and are pure; those
// of one kind answer the same, whatever room there is for the answers.
func TestExamples(t *testing.T) {
	loader, err := plugin.NewLoader(cacheDir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := loader.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	for _, e := range examples {
		t.Run(e.name, func(t *testing.T) {
			var modules []*module
			for _, path := range []string{filepath.Join("c/examples", e.name+".wasm"), buildGo(t, e.name)} {
				p, err := loader.Load(t.Context(), plugin.Spec{Name: e.name, Module: path})
				if err != nil {
					t.Fatalf("%s: %v", path, err)
				}
				if p.Vectors() == 0 {
					t.Errorf("%s has no golden vectors", path)
				}
				if err := p.Close(context.Background()); err != nil {
					t.Error(err)
				}
				modules = append(modules, compile(t, path))
			}
			for _, config := range e.configs {
				t.Run(config, func(t *testing.T) { compare(t, modules[0], modules[1], config, e.words) })
			}
		})
	}
}

func compare(t *testing.T, c, golang *module, config string, words []string) {
	guests := make([]*driver, 2)
	for i, m := range []*module{c, golang} {
		var err error
		if guests[i], err = m.instance(config); err != nil {
			t.Fatal(err)
		}
		pure(t, m, config, words)
	}
	if a, b := fmt.Sprintf("%+v", guests[0].plan), fmt.Sprintf("%+v", guests[1].plan); a != b {
		t.Fatalf("the plans differ:\n%s\n%s", a, b)
	}
	again := 0
	rapid.Check(t, func(r *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed"), 0))
		rows := tck.Rows(rng, len(guests[0].plan.Fields), rapid.OneOf(rapid.IntRange(1, 20), rapid.IntRange(1, 3000)).Draw(r, "rows"), words...)
		var b abi.Batch
		abi.Build(guests[0].plan.Fields, rows, &b)
		room := abi.Capacity{
			Measurements: rapid.IntRange(0, 30).Draw(r, "measurements"), Tuples: rapid.IntRange(0, 30).Draw(r, "tuples"),
			Text: rapid.IntRange(0, 30).Draw(r, "text"),
		}
		var answers [2][]string
		for i, g := range guests {
			g.room, g.again = room, 0
			var err error
			if answers[i], err = g.answers(&b); err != nil {
				r.Fatal(err)
			}
			again += g.again
		}
		if !slices.Equal(answers[0], answers[1]) {
			r.Fatalf("C\n%q\nGo\n%q", answers[0], answers[1])
		}
	})
	if guests[0].kind == abi.Extract && again == 0 {
		t.Error("no output was ever too small")
	}
}

func pure(t *testing.T, m *module, config string, words []string) {
	t.Helper()
	first, err := m.instance(config)
	if err != nil {
		t.Fatal(err)
	}
	subject := tck.Subject{Kind: first.kind, Plan: first.plan, New: func(ctx context.Context) (tck.Guest, func() error, error) {
		d, err := m.instance(config)
		if err != nil {
			return nil, nil, err
		}
		return d, func() error { return d.mod.Close(ctx) }, nil
	}}
	var b abi.Batch
	abi.Build(first.plan.Fields, tck.Rows(rand.New(rand.NewPCG(7, 7)), len(first.plan.Fields), 300, words...), &b)
	failures, err := tck.Purity(t.Context(), subject, &b, 5)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range failures {
		t.Error(f)
	}
}
