package module_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/rules"
)

// typed writes random expressions that mean the same to CEL: fields are there, and
// used as what they are.
type typed struct{ *rand.Rand }

func (a typed) pick(list ...string) string { return list[a.IntN(len(list))] }

func (a typed) condition(depth int) string {
	if depth <= 0 {
		return a.pick("b", "true", "false", "has(o.n)", "has(o.x)", `s == "a"`, "n > 1.0")
	}
	condition := func() string { return a.condition(depth - 1) }
	compare := a.pick("==", "!=", "<", "<=", ">", ">=")
	switch a.IntN(10) {
	case 0, 1:
		return "(" + condition() + " && " + condition() + ")"
	case 2, 3:
		return "(" + condition() + " || " + condition() + ")"
	case 4:
		return "!(" + condition() + ")"
	case 5:
		return "(" + condition() + " ? " + condition() + " : " + condition() + ")"
	case 6:
		return "(" + a.number(depth-1) + " " + compare + " " + a.number(depth-1) + ")"
	case 7:
		return "(" + a.text(depth-1) + " " + compare + " " + a.text(depth-1) + ")"
	case 8:
		return "(" + a.text(depth-1) + " in [" + a.text(depth-1) + ", " + a.text(depth-1) + "])"
	}
	if a.IntN(3) == 0 {
		return "(" + a.text(depth-1) + ").matches(" + strconv.Quote(a.pick("a", "^a", "b$", "(?i)B", "[^a]", "")) + ")"
	}
	return "(" + a.text(depth-1) + ")." + a.pick("startsWith", "endsWith", "contains") + "(" + a.text(depth-1) + ")"
}

func (a typed) number(depth int) string {
	if depth <= 0 {
		return a.pick("n", "m", "o.n", "0.0", "1.0", "2.5", "-1.0", "1e9")
	}
	switch a.IntN(6) {
	case 0:
		return "(" + a.condition(depth-1) + " ? " + a.number(depth-1) + " : " + a.number(depth-1) + ")"
	case 1:
		return "-(" + a.number(depth-1) + ")"
	}
	return "(" + a.number(depth-1) + " " + a.pick("+", "-", "*", "/") + " " + a.number(depth-1) + ")"
}

func (a typed) text(depth int) string {
	if depth > 0 && a.IntN(4) == 0 {
		return "(" + a.condition(depth-1) + " ? " + a.text(depth-1) + " : " + a.text(depth-1) + ")"
	}
	return a.pick("s", "u", "o.s", `"a"`, `"b"`, `""`, `"naïve"`, `"5"`)
}

// TestModulesAnswerAsCEL compares modules with cel-go's own interpreter, where the
// two languages are the same.
func TestModulesAnswerAsCEL(t *testing.T) {
	env, err := cel.NewEnv(cel.Variable("n", cel.DynType), cel.Variable("m", cel.DynType), cel.Variable("s", cel.DynType),
		cel.Variable("u", cel.DynType), cel.Variable("b", cel.DynType), cel.Variable("o", cel.DynType))
	if err != nil {
		t.Fatal(err)
	}
	r := random()
	for range 15 {
		var list rules.Rules
		var programs []cel.Program
		for i := range 20 {
			source := typed{r}.condition(r.IntN(5))
			tree, issues := env.Parse(source)
			if issues.Err() != nil {
				t.Fatal(issues.Err())
			}
			program, err := env.Program(tree)
			if err != nil {
				t.Fatal(err)
			}
			programs = append(programs, program)
			list.Extract = append(list.Extract, rules.Extract{Point: fmt.Sprint("p", i), When: source})
		}
		program, err := rules.Compile(abi.Extract, list)
		if err != nil {
			t.Fatal(err)
		}
		tryTyped(t, r, program, list, programs)
	}
}

func tryTyped(t *testing.T, r *rand.Rand, program *rules.Program, list rules.Rules, programs []cel.Program) {
	g := load(t, program)
	defer g.close(t)
	number := func() float64 {
		return []float64{0, 1, -1, 2, 3.5, 0.1, 1e300, -1e-300, 9007199254740993}[r.IntN(9)]
	}
	text := func() string {
		return []string{"", "a", "b", "ab", "aB", "naïve", "日本", "z", "\x00", "5"}[r.IntN(10)]
	}
	var rows [][]abi.Value
	var activations []map[string]any
	for range 40 {
		n, m, on, s, u, os, b := number(), number(), number(), text(), text(), text(), r.IntN(2) == 0
		activations = append(activations, map[string]any{"n": n, "m": m, "s": s, "u": u, "b": b, "o": map[string]any{"n": on, "s": os}})
		var row []abi.Value
		for _, f := range g.Plan().Fields {
			num := func(x float64) abi.Value {
				return abi.Value{Kind: abi.Number, Text: strconv.AppendFloat(nil, x, 'g', -1, 64)}
			}
			str := func(s string) abi.Value { return abi.Value{Kind: abi.String, Text: []byte(s)} }
			truth := abi.Value{Kind: abi.False, Text: []byte("false")}
			if b {
				truth = abi.Value{Kind: abi.True, Text: []byte("true")}
			}
			row = append(row, map[string]abi.Value{"n": num(n), "m": num(m), "o.n": num(on), "s": str(s), "u": str(u), "o.s": str(os), "b": truth}[f.Name])
		}
		rows = append(rows, row)
	}
	var batch abi.Batch
	var out abi.Output
	abi.Build(g.Plan().Fields, rows, &batch)
	if err := g.Process(t.Context(), &batch, &out); err != nil {
		t.Fatal(err)
	}
	holds := map[[2]int]bool{}
	for _, m := range out.Measurements {
		holds[[2]int{int(m.Row), int(m.Point)}] = true
	}
	for row, activation := range activations {
		for i, p := range programs {
			want, _, err := p.Eval(activation)
			if err != nil {
				if strings.Contains(err.Error(), "NaN") { // which CEL refuses to order
					continue
				}
				t.Fatal(err)
			}
			if got := holds[[2]int{row, i}]; got != (want == types.True) {
				t.Fatalf("%s of %v: the module says %v, CEL %v", list.Extract[i].When, activation, got, want)
			}
		}
	}
}
