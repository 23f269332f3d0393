package module_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/abi/tck"
	"github.com/seed-6a2d649b/pharos/host/rules"
	"github.com/seed-6a2d649b/pharos/host/rules/rulestest"
)

// TestModulesAreConforming tries modules of every kind with the conformance kit:
// with tight outputs, in pieces, in another order, in other instances.
func TestModulesAreConforming(t *testing.T) {
	tried := map[abi.Kind]int{}
	for seed := uint64(0); len(tried) < 3 || tried[abi.Extract] < 4; seed++ {
		r := rand.New(rand.NewPCG(seed, 8))
		kind, list := (&rulestest.Author{Rand: r}).Rules(12)
		tried[kind]++
		program, err := rules.Compile(kind, list)
		if err != nil {
			t.Fatal(err)
		}
		g := load(t, program)
		instance := func(tight bool) tck.Make {
			return func(ctx context.Context) (tck.Guest, func() error, error) {
				i, err := g.module.Instantiate(ctx, nil, nil)
				if err != nil {
					return nil, nil, err
				}
				if tight {
					i.Tighten()
				}
				return i, func() error { return i.Close(ctx) }, nil
			}
		}
		s := tck.Subject{Kind: kind, Plan: g.Plan(), New: instance(false)}
		if kind == abi.Extract {
			s.Tight = instance(true)
		}
		var b abi.Batch
		fields := program.Plan().Fields
		abi.Build(g.Plan().Fields, project(rulestest.Rows(r, fields, 60), fields, g.Plan().Fields), &b)
		report, err := tck.Try(t.Context(), s, &b, seed)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if len(report.Guilty) > 0 || len(report.Failures) > 0 {
			t.Errorf("seed %d: %+v\n%s", seed, report, describe(list, nil, nil))
		}
		g.close(t)
	}
}

// A module says what it is, and takes no config.
func TestModulesSayWhatTheyAre(t *testing.T) {
	program := filterOf(t, []string{`a == "x"`})
	g := load(t, program)
	defer g.close(t)
	m := g.module.Manifest()
	if m.Kind != abi.Filter || m.Name != "rules" || m.Version != "1" || len(m.Config) == 0 {
		t.Errorf("%+v", m)
	}
	if g.module.Closes() {
		t.Error("it has a close function")
	}
	var want []abi.Field
	want = append(want, abi.Field{Name: "a", Type: abi.Str, Dict: true})
	if got := g.Plan().Fields; len(got) != 1 || got[0] != want[0] {
		t.Errorf("it plans %v, want %v", got, want)
	}
	var b abi.Batch
	var out abi.Output
	if err := g.Process(t.Context(), &b, &out); err == nil {
		t.Error("a batch of another plan is taken")
	} else if errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// What is asked of a field is what its uses need.
func TestColumnsAreThoseOfTheUses(t *testing.T) {
	for when, want := range map[string][]abi.Field{
		`a == "x"`:                   {{Name: "a", Type: abi.Str, Dict: true}},
		`a == "5"`:                   {{Name: "a", Type: abi.Str, Dict: true}, {Name: "a", Type: abi.Kinds}},
		`a != "x"`:                   {{Name: "a", Type: abi.Str, Dict: true}, {Name: "a", Type: abi.Kinds}},
		`a > 5`:                      {{Name: "a", Type: abi.F64}},
		`a`:                          {{Name: "a", Type: abi.Kinds}},
		`has(a)`:                     {{Name: "a", Type: abi.Kinds}},
		`a.endsWith(".css")`:         {{Name: "a", Type: abi.Str, Dict: true}},
		`a.contains("1")`:            {{Name: "a", Type: abi.Str, Dict: true}, {Name: "a", Type: abi.Kinds}},
		`a in ["x", "y"] || a > 1`:   {{Name: "a", Type: abi.Str, Dict: true}, {Name: "a", Type: abi.F64}},
		`time().getHours() == 3`:     {{Name: abi.FieldTime, Type: abi.F64}},
		`a.contains(b)`:              {{Name: "a", Type: abi.Str}, {Name: "a", Type: abi.Kinds}, {Name: "b", Type: abi.Str}, {Name: "b", Type: abi.Kinds}},
		`a.lowerAscii() == "x"`:      {{Name: "a", Type: abi.Str, Dict: true}},
		`a == "x" && 1 > 2`:          nil,
		`a * 2 > b`:                  {{Name: "a", Type: abi.F64}, {Name: "b", Type: abi.F64}},
		`cidr("::/0").containsIP(a)`: {{Name: "a", Type: abi.Str, Dict: true}},
	} {
		g := load(t, filterOf(t, []string{when}))
		got := map[abi.Field]bool{}
		for _, f := range g.Plan().Fields {
			got[f] = true
		}
		for _, f := range want {
			if !got[f] {
				t.Errorf("%s: no column %+v", when, f)
			}
			delete(got, f)
		}
		if len(got) > 0 {
			t.Errorf("%s: columns %v, which nobody needs", when, got)
		}
		g.close(t)
	}
}
