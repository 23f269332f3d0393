package module_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/rules"
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
	"github.com/seed-6a2d649b/pharos/host/rules/module"
	"github.com/seed-6a2d649b/pharos/host/rules/rulestest"
	"github.com/seed-6a2d649b/pharos/host/wasm"
)

// wide is n parts.
func wide(n int, part func(i int) string, between string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = part(i)
	}
	return strings.Join(parts, between)
}

// choice is nested choices with so many ends.
func choice(condition, end func() string, ends int) string {
	if ends < 2 {
		return end()
	}
	return "(" + condition() + "?" + choice(condition, end, ends/2) + ":" + choice(condition, end, ends-ends/2) + ")"
}

// The largest expressions compile to functions that a host takes.
func TestLargeExpressionsCompile(t *testing.T) {
	r := random()
	field := func() string { return []string{"a", "b", "c", "n"}[r.IntN(4)] }
	condition := func() string { return field() + "<" + field() }
	number := func(i int) string { return fmt.Sprint(i) }
	any := func(int) string { return field() }
	for name, when := range map[string]string{
		"or of numbers":     wide(1200, func(i int) string { return fmt.Sprintf("a+b>%d", i) }, "||"),
		"and of texts":      wide(2400, func(int) string { return "a<b" }, "&&"),
		"list of numbers":   "n in [" + wide(6000, number, ",") + "]",
		"list of fields":    "n in [" + wide(1500, any, ",") + "]",
		"list of texts":     "a in [" + wide(4000, func(i int) string { return fmt.Sprintf("%q", fmt.Sprint(i)) }, ",") + "]",
		"sum":               sum(4500) + ">b",
		"choice of texts":   choice(condition, func() string { return `"` + field() + `"` }, 700) + `=="a"`,
		"choice of fields":  choice(condition, field, 1400) + "==a",
		"choice of numbers": choice(condition, func() string { return "1" }, 700) + ">a",
		"search in choices": choice(condition, field, 700) + ".contains(b)",
		"scans of one text": wide(1000, func(i int) string { return fmt.Sprintf("a.contains(%q)", fmt.Sprint(i)) }, "||"),
		"lower":             wide(800, func(int) string { return "a.lowerAscii()==b.lowerAscii()" }, "||"),
	} {
		t.Run(name, func(t *testing.T) {
			program, err := rules.Compile(abi.Filter, rules.Rules{Drop: []rules.Drop{{Reason: "r", When: when}}})
			if err != nil {
				t.Fatal(err)
			}
			g := load(t, program, plenty)
			defer g.close(t)
			rows := rulestest.Rows(r, program.Plan().Fields, 50)
			compare(t, r, program, g, rows, func(row int) string { return fmt.Sprint(rows[row]) })
		})
	}
}

// sum is a balanced sum of so many fields.
func sum(n int) string {
	if n == 1 {
		return "a"
	}
	return "(" + sum(n/2) + "+" + sum(n-n/2) + ")"
}

// The largest lists compile, or are refused with what to do.
func TestLargeListsCompile(t *testing.T) {
	var list rules.Rules
	for i := range rules.MaxRules {
		list.Drop = append(list.Drop, rules.Drop{Reason: "r", When: fmt.Sprintf(`a == "x%d" && (b == "y" || n > %d || a.contains("z%d") && n + m < %d) && p%d != q`, i, i, i%50, i, i%50)})
	}
	program, err := rules.Compile(abi.Filter, list)
	if err != nil {
		t.Fatal(err)
	}
	g := load(t, program)
	defer g.close(t)
	r := random()
	rows := rulestest.Rows(r, program.Plan().Fields, 50)
	for i := range rows {
		rows[i][0] = abi.Value{Kind: abi.String, Text: fmt.Appendf(nil, "x%d", r.IntN(1000))}
	}
	compare(t, r, program, g, rows, func(row int) string { return fmt.Sprint(rows[row]) })
}

// As many fields, shapes and attributes as there can be.
func TestListsOfManyFieldsCompile(t *testing.T) {
	guards, mixed, numeric := rules.Rules{}, rules.Rules{}, rules.Rules{}
	for i := range rules.MaxRules {
		guards.Split = append(guards.Split, rules.Split{Route: fmt.Sprint(i), When: fmt.Sprintf(`f%d == "x" && f%d.endsWith("y%d")`, i%250, (i*7+1)%250, i%10)})
		numeric.Split = append(numeric.Split, rules.Split{Route: fmt.Sprint(i), When: fmt.Sprintf(`f%d > %d && f%d <= %d`, i%250, i%4, (i*7+1)%250, i%5)})
		shape := fmt.Sprintf("f%d * f%d", i%100, (i*3+1)%100)
		for range i % 10 {
			shape = "(" + shape + ") + " + shape
			if len(shape) > 1500 {
				break
			}
		}
		if i >= 150 {
			continue // enough for parts of several functions
		}
		mixed.Split = append(mixed.Split, rules.Split{Route: fmt.Sprint(i), When: shape + fmt.Sprintf(" > %d", i)})
	}
	measures := rules.Rules{Cells: []string{"a", "b", "c", "d"}}
	for i := range rules.MaxMeasures {
		e := rules.Extract{Point: fmt.Sprint(i), When: fmt.Sprintf("f%d + f%d > f%d || f%d == f%d", i%60, i%50, i%40, i%30, i%20), Value: fmt.Sprintf("f%d %% f%d", i%60, i%7), Attributes: map[string]string{}, Set: map[string]string{}}
		for j := range abi.MaxAttributes {
			e.Attributes[fmt.Sprint("a", j)] = fmt.Sprint("f", (i+j)%60)
		}
		for _, name := range measures.Cells {
			e.Set[name] = fmt.Sprintf(`cell("%s") + (f%d > 1 ? f%d : f%d)`, name, i%60, i%50, i%40)
		}
		measures.Extract = append(measures.Extract, e)
	}
	r := random()
	for name, list := range map[string]rules.Rules{"guards": guards, "numeric": numeric, "mixed": mixed, "measures": measures} {
		t.Run(name, func(t *testing.T) {
			kind, err := list.Kind()
			if err != nil {
				t.Fatal(err)
			}
			program, err := rules.Compile(kind, list)
			if err != nil {
				t.Fatal(err)
			}
			g := load(t, program, plenty)
			defer g.close(t)
			rows := rulestest.Rows(r, program.Plan().Fields, 30)
			for _, row := range rows {
				for i := range row {
					switch r.IntN(3) {
					case 0:
						row[i] = abi.Value{Kind: abi.String, Text: []byte([]string{"x", "y1", "xy2"}[r.IntN(3)])}
					case 1:
						row[i] = abi.Value{Kind: abi.Number, Text: fmt.Append(nil, r.IntN(6))}
					}
				}
			}
			compare(t, r, program, g, rows, func(row int) string { return fmt.Sprint(row) })
		})
	}
}

func TestTooMuchIsRefusedWithWhatToDo(t *testing.T) {
	var fields []string
	for i := range 200 {
		fields = append(fields, fmt.Sprintf("f%d == g%d", i%100, i))
	}
	long := make([]string, 5000)
	for i := range long {
		long[i] = fmt.Sprintf("%1000d", i)
	}
	for name, c := range map[string]struct {
		list rules.Rules
		want string
	}{
		"texts": {rules.Rules{
			Drop:  []rules.Drop{{Reason: "r", When: `a.containsAny(lists.long)`}},
			Lists: map[string]*expr.Set{"long": expr.NewSet("long", long)},
		}, "containsAny of lists.long: a list of texts of 5000000 bytes, and 4194304 are allowed"},
		"columns": {rules.Rules{Drop: []rules.Drop{{Reason: "r", When: strings.Join(fields[:84], " || ")}}}, "give some rules to another plugin"},
	} {
		t.Run(name, func(t *testing.T) {
			program, err := rules.Compile(abi.Filter, c.list)
			if err != nil {
				t.Fatal(err)
			}
			_, err = module.Build(program, module.Options{Name: "rules", Version: "1"})
			if err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 1000 {
				t.Errorf("%.2000v", err)
			}
		})
	}
}

func TestNamesThatAManifestCanNotHaveAreRefused(t *testing.T) {
	program := filterOf(t, []string{"true"})
	for _, o := range []module.Options{{}, {Name: "x"}, {Name: strings.Repeat("x", 200), Version: "1"}} {
		if _, err := module.Build(program, o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

// A batch for which there is no memory is refused before it is processed, so that
// the host gives fewer rows.
func TestBatchesBeyondTheMemoryAreSplit(t *testing.T) {
	var list rules.Rules
	for i := range 1000 {
		list.Drop = append(list.Drop, rules.Drop{Reason: "r", When: fmt.Sprintf(`a.contains("%d-") && b == "%d"`, i, i)})
	}
	program, err := rules.Compile(abi.Filter, list)
	if err != nil {
		t.Fatal(err)
	}
	g := load(t, program, wasm.WithLimits(wasm.Limits{Memory: 4 << 20, Fuel: 100_000_000_000}))
	defer g.close(t)
	r := rand.New(rand.NewPCG(1, 2))
	rows := make([][]abi.Value, 20_000)
	for i := range rows {
		rows[i] = []abi.Value{{Kind: abi.String, Text: fmt.Appendf(nil, "%d-%d", 5*r.IntN(2000), i)}, {Kind: abi.String, Text: fmt.Append(nil, r.IntN(1000))}}
	}
	var b abi.Batch
	var out abi.Output
	abi.Build(g.Plan().Fields, project(rows, program.Plan().Fields, g.Plan().Fields), &b)
	var size *abi.SizeError
	if err := g.Process(t.Context(), &b, &out); !errors.As(err, &size) {
		t.Fatalf("%v", err)
	}
	compare(t, r, program, g, rows[:2000], func(row int) string { return fmt.Sprint(row) })
}

func TestTheSameRulesGiveTheSameModule(t *testing.T) {
	for seed := range uint64(5) {
		var codes [2]string
		for i := range codes {
			kind, list := (&rulestest.Author{Rand: rand.New(rand.NewPCG(seed, 1))}).Rules(80)
			program, err := rules.Compile(kind, list)
			if err != nil {
				t.Fatal(err)
			}
			codes[i] = string(built(t, program))
		}
		if codes[0] != codes[1] {
			t.Errorf("seed %d: two builds differ", seed)
		}
	}
}
