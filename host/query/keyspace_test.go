package query

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestCycles(t *testing.T) {
	formulas := func(pairs ...string) (f []Formula) {
		for i := 0; i < len(pairs); i += 2 {
			f = append(f, Formula{Name: pairs[i], Expr: pairs[i+1]})
		}
		return f
	}
	for _, c := range []struct {
		formulas []Formula
		want     string // "" is fine
	}{
		{formulas("a", "b + 1", "b", "c * 2", "c", "orders"), ""},
		{formulas("a", "a"), "formula a: 1:1: formulas need each other in a cycle: a → a"},
		{formulas("a", "1 + b", "b", "a"), "formula a: 1:5: formulas need each other in a cycle: a → b → a"},
		{formulas("x", "b", "a", "c", "b", "a / 2", "c", "b"), "formula a: 1:1: formulas need each other in a cycle: a → c → b → a"},
		{formulas("a", "b + c", "b", "d", "c", "d", "d", "orders"), ""}, // a diamond is none
	} {
		k := testKeyspace(&fakeStore{})
		k.Formulas = c.formulas
		_, err := Compile([]Keyspace{k})
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%v: %v", c.formulas, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%v: %v; want %s", c.formulas, err, c.want)
		}
	}
}

func TestTwoCyclesAreBothSaid(t *testing.T) {
	k := testKeyspace(&fakeStore{})
	k.Formulas = []Formula{{Name: "a", Expr: "b"}, {Name: "b", Expr: "a"}, {Name: "c", Expr: "c + 1"}}
	_, err := Compile([]Keyspace{k})
	for _, want := range []string{"a → b → a", "c → c"} {
		if err == nil || strings.Count(err.Error(), want) != 1 {
			t.Errorf("%v does not say %s once", err, want)
		}
	}
	var fault *FormulaError
	if !errors.As(err, &fault) || fault.Keyspace != "shop" {
		t.Errorf("%v is no FormulaError", err)
	}
}

func TestAllFaultsOfAKeyspaceAreSaid(t *testing.T) {
	k := Keyspace{
		Name: "a/b", Timezone: "Mars/Base",
		Metrics: []Metric{{Name: "1x", Point: "p", Stat: "hits"}, {Name: "min", Stat: "mean"}, {Name: "m", Point: "p", Stat: "sum"}, {Name: "m", Point: "p", Stat: "sum"}},
		Formulas: []Formula{
			{Name: "m", Expr: "m"}, {Name: "f", Expr: "q"},
			{Name: "g", Expr: "m", Format: "euro", Better: "left"}, {Name: "h", Expr: "m", Format: "currency"}, {Name: "i", Expr: "m", Currency: "USD"},
			{Name: "j", Expr: "m", Params: map[string]float64{"m": 1, "x y": 2, "ok": math.Inf(1)}},
		},
	}
	_, err := Compile([]Keyspace{k, {Name: "a/b"}})
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{
		"its name stands in URLs", "it has no tenant", "it has no store", `timezone "Mars/Base"`, `metric "1x"`, `metric "min"`,
		"names no point", `stat "mean"`, `there is another "m"`, `formula f: 1:1: there is no metric`, `format "euro"`, `better "left"`,
		`currency "" is no ISO`, "say format: currency", `parameter "m" has the name`, `parameter "x y"`, `parameter "ok" has no finite`, "two of that name",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("not said: %s", want)
		}
	}
}

func TestDependenciesFindTheMetrics(t *testing.T) {
	s := mustCompile(t, testKeyspace(&fakeStore{})).byName["shop"]
	f := s.formula("per_visitor")
	var metrics, order []string
	for _, m := range f.metrics {
		metrics = append(metrics, s.Metrics[m].Name)
	}
	for _, i := range f.order {
		order = append(order, s.formulas[i].Name)
	}
	if want := []string{"visitors", "orders", "revenue"}; !slices.Equal(metrics, want) {
		t.Errorf("metrics %v, want %v", metrics, want)
	}
	if want := []string{"sales", "net", "per_visitor"}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
	if f.Title != "per_visitor" || f.Format != "number" {
		t.Errorf("defaults are %q, %q", f.Title, f.Format)
	}
}
