package sdk_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
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
	{"session", []string{`{}`}, []string{"order", "5", "20.5"}},
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
			modules := map[string]*module{}
			for _, l := range languages {
				path := l.example(t, e.name)
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
				if golden := golden(path); !bytes.Equal(read(t, golden), read(t, "c/examples/"+e.name+".golden.ndjson")) {
					t.Errorf("%s are not those of C", golden)
				}
				modules[l.name] = compile(t, path)
			}
			for _, config := range e.configs {
				t.Run(config, func(t *testing.T) { compare(t, modules, config, e.words) })
			}
		})
	}
}

// golden is the path of a module's golden vectors.
func golden(module string) string { return strings.TrimSuffix(module, ".wasm") + ".golden.ndjson" }

// compare wants all languages to answer as C does.
func compare(t *testing.T, modules map[string]*module, config string, words []string) {
	guests := map[string]*driver{}
	for language, m := range modules {
		var err error
		if guests[language], err = m.instance(config); err != nil {
			t.Fatal(err)
		}
		pure(t, m, config, words)
	}
	c := guests["c"]
	for language, g := range guests {
		if a, b := fmt.Sprintf("%+v", c.plan), fmt.Sprintf("%+v", g.plan); a != b {
			t.Fatalf("the plans differ:\nc    %s\n%s %s", a, language, b)
		}
	}
	rapid.Check(t, func(r *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed"), 0))
		rows := tck.Rows(rng, len(c.plan.Fields), rapid.OneOf(rapid.IntRange(1, 20), rapid.IntRange(1, 3000)).Draw(r, "rows"), words...)
		var b abi.Batch
		abi.Build(c.plan.Fields, rows, &b)
		room := abi.Capacity{
			Measurements: rapid.IntRange(0, 30).Draw(r, "measurements"), Tuples: rapid.IntRange(0, 30).Draw(r, "tuples"),
			Text: rapid.IntRange(0, 30).Draw(r, "text"),
		}
		answers := map[string][]string{}
		closed := sessions(r, c, &b)
		for language, g := range guests {
			g.room = room
			var err error
			if answers[language], err = g.answers(&b); err != nil {
				r.Fatalf("%s: %v", language, err)
			}
			if g.closes() {
				more, err := g.answers(closed)
				if err != nil {
					r.Fatalf("%s: %v", language, err)
				}
				answers[language] = append(answers[language], more...)
			}
		}
		for language, a := range answers {
			if !slices.Equal(answers["c"], a) {
				r.Fatalf("c\n%q\n%s\n%q", answers["c"], language, a)
			}
		}
	})
	for language, g := range guests {
		if g.kind == abi.Extract && g.again == 0 {
			t.Errorf("%s: no output was ever too small", language)
		}
	}
}

// sessions makes random sessions of the rows, where the guest has cells, and a batch
// of them as if they had ended.
func sessions(r *rapid.T, g *driver, b *abi.Batch) *abi.Batch {
	if len(g.plan.Cells) == 0 {
		return nil
	}
	n := rapid.IntRange(1, 9).Draw(r, "sessions")
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed of sessions"), 0))
	for range b.Rows {
		b.Slots = append(b.Slots, uint32(rng.IntN(n)))
	}
	closed := &abi.Closed{First: make([]int64, n), Last: make([]int64, n)}
	for i := range n {
		closed.Last[i] = rng.Int64N(1_000_000)
		closed.Slots = append(closed.Slots, uint32(n-1-i))
	}
	for range g.plan.Points {
		counts := make([]int64, n)
		for i := range counts {
			counts[i] = rng.Int64N(3)
		}
		closed.Counts = append(closed.Counts, counts)
	}
	for _, c := range g.plan.Cells {
		cell := make([]uint64, n)
		for i := range cell {
			cell[i] = uint64(rng.IntN(3))
			if c.Type == abi.F64 {
				cell[i] = math.Float64bits(rng.NormFloat64())
			}
		}
		b.Cells, closed.Cells = append(b.Cells, cell), append(closed.Cells, cell)
	}
	batch := new(abi.Batch)
	closed.Batch(0, n, batch)
	return batch
}

func pure(t *testing.T, m *module, config string, words []string) {
	t.Helper()
	first, err := m.instance(config)
	if err != nil {
		t.Fatal(err)
	}
	subject := tck.Subject{Kind: first.kind, Plan: first.plan, Closes: first.closes(), New: func(ctx context.Context) (tck.Guest, func() error, error) {
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
