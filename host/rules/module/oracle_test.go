package module_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/rules"
	"github.com/seed-6a2d649b/pharos/host/rules/module"
	"github.com/seed-6a2d649b/pharos/host/rules/rulestest"
	"github.com/seed-6a2d649b/pharos/host/wasm"
)

var (
	pairs = flag.Int("pairs", 20_000, "how many pairs of an expression and a beacon modules are compared by")
	seed  = flag.Uint64("seed", 0, "of the random rules and beacons; 0 is another one each time")
)

// plenty of fuel, for batches that the host would split.
var plenty = wasm.WithLimits(wasm.Limits{Fuel: 100_000_000_000})

var sharedRuntime = sync.OnceValues(func() (*wasm.Runtime, error) { return wasm.NewRuntime(wasm.Options{}) })

// guest is a module that has been built of a program, and runs.
type guest struct {
	*wasm.Instance
	module *wasm.Module
}

func load(t testing.TB, program *rules.Program, options ...wasm.Option) *guest {
	t.Helper()
	code, err := module.Build(program, module.Options{Name: "rules", Version: "1"})
	if err != nil {
		t.Fatal(err)
	}
	return start(t, code, options...)
}

func start(t testing.TB, code []byte, options ...wasm.Option) *guest {
	t.Helper()
	r, err := sharedRuntime()
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.Compile(context.Background(), "rules", code, options...)
	if err != nil {
		t.Fatal(err)
	}
	i, err := m.Instantiate(context.Background(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &guest{i, m}
}

func (g *guest) close(t testing.TB) {
	if err := g.module.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// project gives the values of the fields, each by its name, of rows that have
// them in another order.
func project(rows [][]abi.Value, from, to []abi.Field) [][]abi.Value {
	all := make([][]abi.Value, len(rows))
	for i, row := range rows {
		for _, f := range to {
			at := slices.IndexFunc(from, func(g abi.Field) bool { return g.Name == f.Name })
			all[i] = append(all[i], row[at])
		}
	}
	return all
}

// show writes an answer in a form that does not hang on how it was made.
func show(kind abi.Kind, rows int, out *abi.Output) []string {
	lines := make([]string, rows)
	switch kind {
	case abi.Filter:
		for i := range rows {
			lines[i] = "kept"
			if !abi.Bit(out.Keep, i) {
				lines[i] = fmt.Sprint("dropped ", out.Reasons[i])
			}
		}
	case abi.Split:
		for i := range rows {
			lines[i] = fmt.Sprint("route ", out.Routes[i])
		}
	default:
		for _, m := range out.Measurements {
			if math.IsNaN(m.Value) {
				continue // with the bad values
			}
			lines[m.Row] += fmt.Sprintf("%d=%x", m.Point, math.Float64bits(m.Value))
			if m.Attributes > 0 {
				lines[m.Row] += fmt.Sprintf("%q", out.Attributes[m.Attributes-1])
			}
			lines[m.Row] += " "
		}
		bad := slices.Clone(out.BadValues)
		for _, m := range out.Measurements {
			if math.IsNaN(m.Value) {
				bad = append(bad, m.Row)
			}
		}
		for _, row := range bad {
			lines[row] += "bad "
		}
		lines = append(lines, fmt.Sprintf("cells %x counters %v", out.Cells, out.Counters))
	}
	return lines
}

// compare has the reference and the module answer the same rows.
func compare(t testing.TB, r *rand.Rand, program *rules.Program, g *guest, rows [][]abi.Value, what func(row int) string) {
	t.Helper()
	fields := program.Plan().Fields
	var plain, columns abi.Batch
	abi.Build(fields, rows, &plain)
	rulestest.Sessions(r, program.Plan(), &plain)
	abi.Build(g.Plan().Fields, project(rows, fields, g.Plan().Fields), &columns)
	columns.Sessions = plain.Sessions
	var want, got abi.Output
	if err := program.Process(context.Background(), &plain, &want); err != nil {
		t.Fatal(err)
	}
	if err := g.Process(context.Background(), &columns, &got); err != nil {
		t.Fatalf("%v\n%s", err, what(0))
	}
	w, h := show(program.Kind(), len(rows), &want), show(program.Kind(), len(rows), &got)
	for i := range w {
		if w[i] != h[i] {
			t.Fatalf("row %d: module  %s\nreference %s\n%s", i, h[i], w[i], what(min(i, len(rows)-1)))
		}
	}
}

// compareClosed has the reference and the module measure the same ended sessions.
func compareClosed(t testing.TB, program *rules.Program, g *guest, b *abi.Batch, what func() string) {
	t.Helper()
	var want, got abi.Output
	if err := program.Process(context.Background(), b, &want); err != nil {
		t.Fatal(err)
	}
	if err := g.Process(context.Background(), b, &got); err != nil {
		t.Fatalf("%v\n%s", err, what())
	}
	want.Cells, got.Cells = nil, nil // nobody looks at them
	if w, h := show(program.Kind(), b.Rows, &want), show(program.Kind(), b.Rows, &got); !slices.Equal(w, h) {
		t.Fatalf("module    %q\nreference %q\n%s", h, w, what())
	}
}

func describe(list rules.Rules, fields []abi.Field, row []abi.Value) string {
	var b bytes.Buffer
	for name, source := range list.Let {
		fmt.Fprintf(&b, "let %s = %s\n", name, source)
	}
	for _, x := range list.Drop {
		fmt.Fprintf(&b, "drop %s\n", x.When)
	}
	for _, x := range list.Split {
		fmt.Fprintf(&b, "split %s\n", x.When)
	}
	for _, x := range list.Extract {
		fmt.Fprintf(&b, "extract %+v\n", x)
	}
	for i, f := range fields {
		fmt.Fprintf(&b, "%s = %d %q\n", f.Name, row[i].Kind, row[i].Text)
	}
	return b.String()
}

// TestModulesAnswerAsTheReference compares random rules, compiled, with the
// plain tree walk: every answer, to the last bit. One list in ten is long: its
// bits take several words.
func TestModulesAnswerAsTheReference(t *testing.T) {
	from := *seed
	if from == 0 {
		from = rand.Uint64()
	}
	for i, done := uint64(0), 0; done < *pairs; i++ {
		rules, rows := 8, 50
		if i%10 == 9 {
			rules, rows = 70+int(i%150), 20
		}
		tryRandom(t, from+i, rules, rows)
		done += rules * rows
	}
}

// FuzzModules looks for rules, written by chance, that their module answers
// otherwise than the reference.
func FuzzModules(f *testing.F) {
	for i := range uint64(4) {
		f.Add(i, uint8(5), uint8(20))
	}
	f.Fuzz(func(t *testing.T, seed uint64, rules, rows uint8) {
		tryRandom(t, seed, 1+int(rules), 1+int(rows))
	})
}

// tryRandom compares one list of random rules, of rows in one batch and in
// batches of a few in another order.
func tryRandom(t testing.TB, seed uint64, n, rows int) {
	r := rand.New(rand.NewPCG(seed, 6))
	kind, list := (&rulestest.Author{Rand: r}).Rules(n)
	program, err := rules.Compile(kind, list)
	if err != nil {
		t.Fatalf("seed %d: %v\n%s", seed, err, describe(list, nil, nil))
	}
	g := load(t, program, plenty)
	defer g.close(t)
	fields := program.Plan().Fields
	if len(program.Closing()) > 0 {
		compareClosed(t, program, g, rulestest.Closed(r, program.Plan(), 1+rows/5), func() string {
			return fmt.Sprintf("seed %d\n%s\n%+v", seed, describe(list, nil, nil), list.Close)
		})
	}
	all := rulestest.Rows(r, fields, rows)
	try := func(rows [][]abi.Value) {
		compare(t, r, program, g, rows, func(row int) string {
			return fmt.Sprintf("seed %d\n%s", seed, describe(list, fields, rows[row]))
		})
	}
	try(all)
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for some := range slices.Chunk(all, 1+r.IntN(rows)) {
		try(some)
	}
}

// TestTextsLongerThanTheBatch: what is made of a text that is written in a rule has
// room, however small the batch.
func TestTextsLongerThanTheBatch(t *testing.T) {
	long := strings.Repeat("AbC", 5000)
	list := rules.Rules{Drop: []rules.Drop{
		{Reason: "long", When: fmt.Sprintf(`(a == "x" ? %q : b).lowerAscii() == (c == "y" ? %q : b).lowerAscii() && b != c`, long, strings.ToLower(long))},
		{Reason: "other", When: `b in ["b", "B"]`},
	}}
	program, err := rules.Compile(abi.Filter, list)
	if err != nil {
		t.Fatal(err)
	}
	g := load(t, program)
	defer g.close(t)
	r := rand.New(rand.NewPCG(1, 1))
	text := func(s string) abi.Value { return abi.Value{Kind: abi.String, Text: []byte(s)} }
	for _, rows := range [][][]abi.Value{
		{{text("x"), text("B"), text("y")}},
		{{text("x"), text("B"), text("y")}, {text("x"), text("b"), text("z")}, {text("a"), text("b"), text("z")}},
	} {
		compare(t, r, program, g, rows, func(row int) string { return describe(list, program.Plan().Fields, rows[row]) })
	}
}
