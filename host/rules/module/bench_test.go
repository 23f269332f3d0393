package module_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	exprlang "github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/rules"
	"github.com/seed-6a2d649b/pharos/host/rules/module"
	"github.com/seed-6a2d649b/pharos/host/rules/rulestest"
	"github.com/seed-6a2d649b/pharos/host/wasm/fuel"
)

// shop is a thousand real events of a shop.
type shop struct {
	lines []string
	rows  []map[string]any
}

func loadShop(b testing.TB) *shop {
	text, err := os.ReadFile("../../../../shared/data/shop.ndjson")
	if err != nil {
		b.Fatal(err)
	}
	s := &shop{}
	for line := range bytes.Lines(text) {
		var row map[string]any
		if err := json.Unmarshal(line, &row); err != nil {
			b.Fatal(err)
		}
		s.lines = append(s.lines, string(line))
		s.rows = append(s.rows, row)
	}
	return s
}

// tenRules are of many kinds; rules10.c has the same.
var tenRules = []string{
	`type == "purchase" && product.price > 100.0`,
	`product.category.startsWith("electronics.") && product.price < 5.0`,
	`product.brand in ["samsung", "apple", "xiaomi"] && type == "cart"`,
	`product.category.endsWith(".smartphone") && product.price >= 1500.0`,
	`type == "view" && product.price > 2000.0`,
	`product.category == "" && product.brand == ""`,
	`type == "cart" && visitor.contains("777")`,
	`product.category.contains("kids")`,
	`product.price * 1.2 > 1800.0 && type == "purchase"`,
	`product.brand == "bosch" || product.brand == "lg" && product.price < 300.0`,
}

// hundred are rules of the hundred most frequent brands, with the prices above
// which they hold.
type brand struct {
	name  string
	price float64
}

func (s *shop) hundred() []brand {
	prices := map[string][]float64{}
	for _, row := range s.rows {
		product := row["product"].(map[string]any)
		name := product["brand"].(string)
		prices[name] = append(prices[name], product["price"].(float64))
	}
	delete(prices, "")
	names := slices.SortedFunc(maps.Keys(prices), func(a, b string) int {
		return cmp.Or(len(prices[b])-len(prices[a]), strings.Compare(a, b))
	})[:100]
	brands := make([]brand, len(names))
	for i, name := range names {
		brands[i] = brand{name, slices.Max(prices[name]) / 2}
	}
	return brands
}

func hundredRules(brands []brand) []string {
	var list []string
	for _, b := range brands {
		list = append(list, fmt.Sprintf(`product.brand == %q && type == "view" && product.price > %.3f`, b.name, b.price))
	}
	return list
}

// brandsHeader is the table of rules100.c.
func brandsHeader(brands []brand) string {
	var h strings.Builder
	order := make([]int, len(brands))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(brands[a].name, brands[b].name) })
	for _, i := range order {
		fmt.Fprintf(&h, "{{%q, %d}, %.3f, %d},\n", brands[i].name, len(brands[i].name), brands[i].price, i)
	}
	return h.String()
}

// reasons are those of a list, the first ten of which rules10.c has.
func reasons(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint("r", i)
	}
	return list
}

func filterOf(t testing.TB, conditions []string) *rules.Program {
	var list rules.Rules
	for i, name := range reasons(len(conditions)) {
		list.Drop = append(list.Drop, rules.Drop{Reason: name, When: conditions[i]})
	}
	program, err := rules.Compile(abi.Filter, list)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// engine answers all rows once: the reason of each, or -1.
type engine interface {
	run(t testing.TB)
	answers(t testing.TB) []int
}

// metered is a guest whose process function alone is called, over and over on one
// batch: what it costs is the guest's, not the host's.
type metered struct {
	runtime wazero.Runtime
	process api.Function
	memory  api.Memory
	fuel    api.MutableGlobal
	layout  *abi.Layout
	at      uint32
	size    int
	rows    int
}

func meter(t testing.TB, code []byte, s *shop) *metered {
	t.Helper()
	ctx := context.Background()
	injected, err := fuel.Inject(code, math.MaxInt64/2)
	if err != nil {
		t.Fatal(err)
	}
	g := &metered{runtime: wazero.NewRuntime(ctx), rows: len(s.lines)}
	m, err := g.runtime.Instantiate(ctx, injected.Code)
	if err != nil {
		t.Fatal(err)
	}
	call := func(name string, args ...uint64) uint64 {
		results, err := m.ExportedFunction(name).Call(ctx, args...)
		if err != nil {
			t.Fatal(err)
		}
		return results[0]
	}
	g.memory, g.process = m.Memory(), m.ExportedFunction(abi.ExportProcess)
	g.fuel = m.ExportedGlobal(fuel.Export).(api.MutableGlobal)
	config := `{"config":{},"data":{}}`
	at := call(abi.ExportAlloc, uint64(len(config)+8), 8)
	g.memory.WriteString(uint32(at), config)
	if code := call(abi.ExportConfigure, at, uint64(len(config))); code != 0 {
		t.Fatal("the config is refused")
	}
	packed := call(abi.ExportPlan)
	text, _ := g.memory.Read(uint32(packed>>32), uint32(packed))
	plan, err := abi.ParsePlan(abi.Filter, text)
	if err != nil {
		t.Fatal(err)
	}
	g.layout = abi.NewLayout(abi.Filter, plan)
	batch := rulestest.Batch(t, plan.Fields, s.lines...)
	if g.size, err = g.layout.Place(batch, abi.Capacity{}); err != nil {
		t.Fatal(err)
	}
	if g.at = uint32(call(abi.ExportAlloc, uint64(g.size), 8)); g.at == 0 {
		t.Fatal("no memory")
	}
	mem, _ := g.memory.Read(g.at, uint32(g.size))
	g.layout.Write(mem, batch)
	return g
}

func (g *metered) run(t testing.TB) {
	if results, err := g.process.Call(context.Background(), uint64(g.at)); err != nil || results[0] != 0 {
		t.Fatal(results, err)
	}
}

func (g *metered) answers(t testing.TB) []int {
	g.run(t)
	var out abi.Output
	mem, _ := g.memory.Read(g.at, uint32(g.size))
	if err := g.layout.Read(mem, &out); err != nil {
		t.Fatal(err)
	}
	return reasonsOf(&out, g.rows)
}

// called is a module as the host calls it: columns are copied in, and answers
// checked and copied out.
type called struct {
	*guest
	batch abi.Batch
	out   abi.Output
}

func (c *called) run(t testing.TB) {
	if err := c.Process(context.Background(), &c.batch, &c.out); err != nil {
		t.Fatal(err)
	}
}

func (c *called) answers(t testing.TB) []int {
	c.run(t)
	return reasonsOf(&c.out, c.batch.Rows)
}

// reasonsOf are the reasons of an answer's rows, -1 of those that are kept.
func reasonsOf(out *abi.Output, rows int) []int {
	all := make([]int, rows)
	for i := range all {
		if all[i] = -1; !abi.Bit(out.Keep, i) {
			all[i] = int(out.Reasons[i])
		}
	}
	return all
}

// interpreter asks an engine rule by rule, of rows that have been decoded.
type interpreter struct {
	rows  []map[string]any
	holds []func(row map[string]any) bool
	last  []int
}

func (p *interpreter) run(testing.TB) {
	for i, row := range p.rows {
		p.last[i] = slices.IndexFunc(p.holds, func(holds func(map[string]any) bool) bool { return holds(row) })
	}
}

func (p *interpreter) answers(t testing.TB) []int {
	p.run(t)
	return p.last
}

func celEngine(t testing.TB, conditions []string, s *shop) *interpreter {
	env, err := cel.NewEnv(cel.Variable("type", cel.StringType), cel.Variable("visitor", cel.StringType),
		cel.Variable("product", cel.MapType(cel.StringType, cel.DynType)))
	if err != nil {
		t.Fatal(err)
	}
	p := &interpreter{rows: s.rows, last: make([]int, len(s.rows))}
	for _, source := range conditions {
		tree, issues := env.Compile(source)
		if issues.Err() != nil {
			t.Fatal(issues.Err())
		}
		program, err := env.Program(tree, cel.EvalOptions(cel.OptOptimize))
		if err != nil {
			t.Fatal(err)
		}
		p.holds = append(p.holds, func(row map[string]any) bool {
			out, _, err := program.Eval(row)
			return err == nil && out == types.True
		})
	}
	return p
}

func exprEngine(t testing.TB, conditions []string, s *shop) *interpreter {
	p := &interpreter{rows: s.rows, last: make([]int, len(s.rows))}
	var machine vm.VM
	for _, source := range conditions {
		for _, method := range []string{"startsWith", "endsWith", "contains"} { // operators there
			source = strings.ReplaceAll(source, "."+method+"(", " "+method+" (")
		}
		program, err := exprlang.Compile(source, exprlang.Env(map[string]any{"type": "", "visitor": "", "product": map[string]any{}}), exprlang.AsBool())
		if err != nil {
			t.Fatal(err)
		}
		p.holds = append(p.holds, func(row map[string]any) bool {
			out, err := machine.Run(program, row)
			return err == nil && out == true
		})
	}
	return p
}

// handmade builds a guest of testdata as a project in C is built.
func handmade(t testing.TB, name string, brands []brand) []byte {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "brands.h"), []byte(brandsHeader(brands)), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := json.Marshal(reasons(100))
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "guest.wasm")
	quoted, err := json.Marshal(strings.Trim(string(list), "[]"))
	if err != nil {
		t.Fatal(err)
	}
	clang := exec.Command("clang", "--target=wasm32", "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-nostdlib", "-mbulk-memory",
		"-I../../../sdk/c", "-I"+dir, "-DREASONS="+string(quoted), "-Wl,--no-entry", "-Wl,--strip-all", "-Wl,--stack-first", "-Wl,-z,stack-size=16384",
		"-o", out, "testdata/"+name+".c")
	if log, err := clang.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	code, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func built(t testing.TB, program *rules.Program) []byte {
	code, err := module.Build(program, module.Options{Name: "rules", Version: "1"})
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// measure gives the ns a row of engines that take turns: the median of many.
func measure(t testing.TB, engines []engine, rows int) []float64 {
	const turns, long = 31, 5 * time.Millisecond
	times := make([][]float64, len(engines))
	for range turns {
		for i, e := range engines {
			runtime.GC() // of what others left
			n := 0
			begin := time.Now()
			for time.Since(begin) < long {
				e.run(t)
				n++
			}
			times[i] = append(times[i], float64(time.Since(begin).Nanoseconds())/float64(n*rows))
		}
	}
	medians := make([]float64, len(engines))
	for i := range times {
		slices.Sort(times[i])
		medians[i] = times[i][turns/2]
	}
	return medians
}

// BenchmarkRules compares what a row costs: rules as a module, by other engines
// that interpret them, and as a guest in C by hand; both guests are metered.
func BenchmarkRules(b *testing.B) {
	s := loadShop(b)
	brands := s.hundred()
	for _, c := range []struct {
		name       string
		conditions []string
	}{{"rules1", tenRules[:1]}, {"rules10", tenRules}, {"rules100", hundredRules(brands)}} {
		b.Run(c.name, func(b *testing.B) {
			program := filterOf(b, c.conditions)
			whole := &called{guest: load(b, program)}
			defer whole.close(b)
			whole.batch = *rulestest.Batch(b, whole.Plan().Fields, s.lines...)
			engines := []engine{
				meter(b, built(b, program), s),
				meter(b, handmade(b, c.name, brands), s),
				whole,
				exprEngine(b, c.conditions, s),
				celEngine(b, c.conditions, s),
			}
			for i, e := range engines[1:] {
				if got, want := e.answers(b), engines[0].answers(b); !slices.Equal(got, want) {
					b.Fatalf("engine %d answers otherwise: %v\n%v", i+1, got, want)
				}
			}
			var ns []float64
			for b.Loop() {
				ns = measure(b, engines, len(s.lines))
			}
			b.ReportMetric(0, "ns/op")
			for i, name := range []string{"module", "c", "whole-call", "expr", "cel"} {
				b.ReportMetric(ns[i], name+"-ns/row")
				if i > 0 {
					b.ReportMetric(ns[i]/ns[0], name+"/module")
				}
			}
		})
	}
	for _, n := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("field%d", n), func(b *testing.B) {
			var conditions []string
			for i := range n {
				name := fmt.Sprint("brand", i)
				if i < len(brands) {
					name = brands[i].name
				}
				conditions = append(conditions, fmt.Sprintf("product.brand == %q", name))
			}
			var list rules.Rules
			for _, when := range conditions {
				list.Drop = append(list.Drop, rules.Drop{Reason: "brand", When: when})
			}
			program, err := rules.Compile(abi.Filter, list)
			if err != nil {
				b.Fatal(err)
			}
			engines := []engine{meter(b, built(b, program), s)}
			var ns []float64
			for b.Loop() {
				ns = measure(b, engines, len(s.lines))
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(ns[0], "module-ns/row")
		})
	}
}
