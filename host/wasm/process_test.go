package wasm

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
)

func TestFilter(t *testing.T) {
	i := instantiate(t, compile(t, "filter"), "")
	var out abi.Output
	for _, n := range []int{1, 3, 8, 9, 64, 1000, 20000, 5} {
		rows := make([]string, n)
		odd := uint64(0)
		for r := range rows {
			rows[r] = fmt.Sprintf(`{"n":%d}`, r%3)
			if r%5 == 4 {
				rows[r] = `{"n":"1"}` // a string is no number
			} else if r%3 == 1 {
				odd++
			}
		}
		if err := i.Process(t.Context(), batch(t, abi.Filter, i.Plan(), rows...), &out); err != nil {
			t.Fatal(err)
		}
		for r := range rows {
			keep, reason := r%3 != 1, uint8(1)
			if r%5 == 4 {
				keep, reason = false, 0
			}
			if keep {
				reason = 0
			}
			if abi.Bit(out.Keep, r) != keep || out.Reasons[r] != reason {
				t.Errorf("%d rows, row %d: kept %t, reason %d", n, r, abi.Bit(out.Keep, r), out.Reasons[r])
			}
		}
		if out.Counters[0] != odd {
			t.Errorf("%d rows: counted %d, want %d", n, out.Counters[0], odd)
		}
	}
}

func TestSplit(t *testing.T) {
	i := instantiate(t, compile(t, "split"), "")
	var out abi.Output
	b := batch(t, abi.Split, i.Plan(), `{"platform":"web"}`, `{}`, `{"platform":"mobile"}`, `{"platform":""}`, `{"platform":"tv"}`, `{"platform":"web"}`)
	if err := i.Process(t.Context(), b, &out); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(out.Routes), fmt.Sprint([]uint16{0, abi.NoRoute, 1, abi.NoRoute, abi.NoRoute, 0}); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	// A dictionary without entries.
	if err := i.Process(t.Context(), batch(t, abi.Split, i.Plan(), `{}`), &out); err != nil || out.Routes[0] != abi.NoRoute {
		t.Error(err, out.Routes)
	}
}

func TestExtract(t *testing.T) {
	i := instantiate(t, compile(t, "extract"), "")
	var out abi.Output
	line := `{"beacons":[{"price":1.5,"img":"ab"},{},{"price":1e999},{"img":"ü"}],` +
		`"expect":[[{"point":"order","value":1.5},{"point":"click","attributes":{"image":"ab","slot":"top"}},{"point":"click","attributes":{"image":"ab","slot":"top"}}],` +
		`[],[{"point":"order","value":null}],[{"point":"click","attributes":{"image":"ü","slot":"top"}},{"point":"click","attributes":{"image":"ü","slot":"top"}}]]}`
	vectors, err := abi.ParseVectors(abi.Extract, []byte(line))
	if err != nil {
		t.Fatal(err)
	}
	var b abi.Batch
	if err := vectors[0].Batch(i.Plan().Fields, &b); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := i.Process(t.Context(), &b, &out); err != nil {
			t.Fatal(err)
		}
		if err := vectors[0].Check(abi.Extract, i.Plan(), &out); err != nil {
			t.Error(err)
		}
	}
}

// The outputs are enlarged until they fit, and the answer is as if they had
// fitted at once.
func TestExtractGrows(t *testing.T) {
	i := instantiate(t, compile(t, "extract"), "")
	var out abi.Output
	for _, n := range []int{1, 100, 256, 3} {
		b := batch(t, abi.Extract, i.Plan(), `{"img":"`+strings.Repeat("x", n)+`"}`, `{"price":7}`)
		if err := i.Process(t.Context(), b, &out); err != nil {
			t.Fatal(err)
		}
		if len(out.Measurements) != n+1 || out.Measurements[n].Value != 7 || out.Measurements[n].Row != 1 {
			t.Fatalf("%d measurements, want %d", len(out.Measurements), n+1)
		}
		for _, m := range out.Measurements[:n] {
			a := out.Attributes[m.Attributes-1]
			if len(a) != 2 || len(a[0]) != n || string(a[1]) != "top" {
				t.Fatalf("attributes %q", a)
			}
		}
	}
	// One more than a row may have.
	err := i.Process(t.Context(), batch(t, abi.Extract, i.Plan(), `{"img":"`+strings.Repeat("x", 257)+`"}`), &out)
	var trap *TrapError
	if !errors.As(err, &trap) || trap.Cause != Violation || !strings.Contains(trap.Detail, "at most 256") {
		t.Error(err)
	}
}

func TestMisbehaviour(t *testing.T) {
	m := compile(t, "bad", WithLimits(Limits{Fuel: DefaultFuel}))
	for _, c := range []struct {
		name, mode string
		cause      Cause
		want       string
	}{
		{"unreachable", "a", Trap, "unreachable"},
		{"loop", "b", OutOfFuel, "did more work than its fuel of"},
		{"error", "c", Failed, "code 5: broken on “purpose” "},
		{"more than the capacity", "d", Violation, "says it is done with 1073741824 measurements"},
		{"rows descend", "e", Violation, "measurement 1: row 0 after row 1"},
		{"row beyond", "f", Violation, "measurement 0: row 9 of 2"},
		{"point beyond", "g", Violation, "measurement 0: point 2, the plan has 2"},
		{"tuple beyond", "h", Violation, "measurement 0: tuple 1 of 1"},
		{"text beyond", "i", Violation, "outside of the batch"},
		{"too small for nothing", "j", Violation, "no count is beyond its capacity"},
		{"needs too much", "k", Violation, "at most 512 are allowed"},
		{"recursion", "l", Trap, "stack overflow: its calls go deeper than the stack of 8 MiB allows"},
		{"exit", "n", Trap, "called proc_exit(3): panic: of the guest"},
		{"reserved word", "p", Violation, "its reserved word is not 0"},
		{"257 of a row", "q", Violation, "row 0: more than 256 measurements"},
		{"error text beyond", "r", Violation, "outside of the memory"},
		{"not UTF-8", "s", Violation, "its text is not UTF-8"},
		{"attributes of a point without", "u", Violation, `attributes for the point "plain", which has none`},
		{"division by zero", "v", Trap, "integer divide by zero"},
		{"arena outside of memory", "I", Violation, "outside of the memory"},
		{"arena not aligned", "J", Violation, "no multiple of 8"},
		{"loop for an arena", "M", OutOfFuel, "did more work than its fuel of"},
		{"loop for a text", "N", OutOfFuel, "did more work than its fuel of"},
		{"store outside of memory", "w", Trap, "out of bounds memory access"},
	} {
		t.Run(c.name, func(t *testing.T) {
			i := instantiate(t, m, `{"mode":"#`+c.mode+`"}`)
			b := batch(t, abi.Extract, i.Plan(), `{"n":1}`, `{"n":2}`)
			var out abi.Output
			err := i.Process(t.Context(), b, &out)
			var trap *TrapError
			if !errors.As(err, &trap) || trap.Cause != c.cause || !strings.Contains(trap.Detail, c.want) {
				t.Fatalf("%v, want %s: %s", err, c.cause, c.want)
			}
			if strings.ContainsAny(trap.Detail, "\n\t") {
				t.Errorf("the detail is more than a line: %q", trap.Detail)
			}
			if c.cause == Trap && !strings.Contains(trap.Stack, "(i32) i32") {
				t.Errorf("stack %q", trap.Stack)
			}
			if c.mode == "n" && trap.Output != "panic: of the guest\n" {
				t.Errorf("output %q", trap.Output)
			}
			if !i.Dead() {
				t.Error("the instance lives")
			}
			if err := i.Process(t.Context(), b, &out); !errors.Is(err, ErrDead) {
				t.Errorf("a dead instance answers %v", err)
			}
		})
	}
}

// TestFuel: a call has the module's fuel, for all that the guest does; what it used
// is known, and the same each time.
func TestFuel(t *testing.T) {
	m := compile(t, "filter", WithLimits(Limits{Fuel: 100_000}))
	var used [2]uint64
	for n := range used {
		i := instantiate(t, m, "")
		var out abi.Output
		for range 3 {
			before := i.Fuel()
			if err := i.Process(t.Context(), batch(t, abi.Filter, i.Plan(), `{"n":1}`, `{"n":2}`), &out); err != nil {
				t.Fatal(err)
			}
			if used[n] = i.Fuel() - before; used[n] == 0 {
				t.Error("it used none")
			}
		}
	}
	if used[0] != used[1] {
		t.Errorf("one instance used %d, another %d", used[0], used[1])
	}

	short := compile(t, "bad", WithLimits(Limits{Fuel: 5000}))
	i := instantiate(t, short, `"#b"`)
	before := i.Fuel()
	var out abi.Output
	var trap *TrapError
	if err := i.Process(t.Context(), batch(t, abi.Extract, i.Plan(), `{"n":1}`), &out); !errors.As(err, &trap) || trap.Cause != OutOfFuel || i.Fuel()-before != 5000 {
		t.Errorf("%v, having used %d", err, i.Fuel()-before)
	}
}

// What looks bad but is allowed: growing memory, and writing over what is for
// reading, which the host does not read back.
func TestHarmless(t *testing.T) {
	m := compile(t, "bad", WithLimits(Limits{Memory: 4 << 20}))
	for _, mode := range []string{"m", "o"} {
		i := instantiate(t, m, `"#`+mode+`"`)
		var out abi.Output
		for n := range 100 { // memory stops growing at the limit
			if err := i.Process(t.Context(), batch(t, abi.Extract, i.Plan(), `{"n":1}`), &out); err != nil {
				t.Fatalf("mode %s, call %d: %v", mode, n, err)
			}
			if len(out.Measurements) != 1 {
				t.Fatalf("mode %s: %d measurements", mode, len(out.Measurements))
			}
		}
		if mode == "m" && i.memory.Size() != 4<<20 {
			t.Errorf("memory of %d bytes", i.memory.Size())
		}
	}
}

func TestBatchTooLarge(t *testing.T) {
	m := compile(t, "empty", WithLimits(Limits{Memory: 1 << 20}))
	i := instantiate(t, m, "")
	var out abi.Output
	var size *abi.SizeError
	long := `{"path":"` + strings.Repeat("x", 1<<20) + `"}`
	if err := i.Process(t.Context(), batch(t, abi.Filter, i.Plan(), long), &out); !errors.As(err, &size) {
		t.Fatalf("%v", err)
	}
	if err := i.Process(t.Context(), batch(t, abi.Filter, i.Plan(), `{"path":"x"}`), &out); err != nil {
		t.Fatalf("the instance lives on: %v", err)
	}
	if err := i.Process(t.Context(), &abi.Batch{}, &out); !errors.As(err, &size) {
		t.Errorf("no rows: %v", err)
	}
	if err := i.Process(t.Context(), &abi.Batch{Rows: 1}, &out); err == nil || !strings.Contains(err.Error(), "0 columns, the plan 1 fields") {
		t.Errorf("batch of another plan: %v", err)
	}
}

func TestNoArena(t *testing.T) {
	i := instantiate(t, compile(t, "bad"), `"#H"`)
	var out abi.Output
	var size *abi.SizeError
	if err := i.Process(t.Context(), batch(t, abi.Extract, i.Plan(), `{}`), &out); !errors.As(err, &size) || i.Dead() {
		t.Error(err, i.Dead())
	}
}

func TestCancelled(t *testing.T) {
	i := instantiate(t, compile(t, "filter"), "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out abi.Output
	if err := i.Process(ctx, batch(t, abi.Filter, i.Plan(), `{}`), &out); !errors.Is(err, context.Canceled) || i.Dead() {
		t.Error(err, i.Dead())
	}
}

func TestConfigAndData(t *testing.T) {
	// The mode is taken from the text of the config, so it is given as it is.
	m := compile(t, "bad")
	for size := range 20 {
		i, err := m.Instantiate(t.Context(), []byte(`{"mode":"#m"}`), map[string][]byte{"b": make([]byte, size), "a": []byte("list")})
		if err != nil {
			t.Fatal(err)
		}
		var out abi.Output
		if err := i.Process(t.Context(), batch(t, abi.Extract, i.Plan(), `{}`), &out); err != nil || len(out.Measurements) != 1 {
			t.Fatal(err)
		}
	}
}

// Host and guest are reused; what is left is the goroutine and channel with
// which wazero watches over a call that can be ended.
func TestProcessAllocates(t *testing.T) {
	for _, guest := range []string{"filter", "split", "extract"} {
		i := instantiate(t, compile(t, guest), "")
		rows := make([]string, 500)
		for r := range rows {
			rows[r] = `{"n":1,"platform":"web","price":1,"img":"abc"}`
		}
		b := batch(t, i.module.manifest.Kind, i.Plan(), rows...)
		var out abi.Output
		if n := testing.AllocsPerRun(20, func() {
			if err := i.Process(t.Context(), b, &out); err != nil {
				t.Fatal(err)
			}
		}); n > 4 {
			t.Errorf("%s: %v allocations a call", guest, n)
		}
	}
}

// TestSessions: cells come back in the output, and stay in the batch as they were;
// closed sessions have a function of their own.
func TestSessions(t *testing.T) {
	code, err := os.ReadFile("../plugin/testdata/sessions.wasm")
	if err != nil {
		t.Fatal(err)
	}
	m, err := newRuntime(t).Compile(t.Context(), "sessions", code)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := m.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	i := instantiate(t, m, "")
	// Of the third row there is more than fits at first: what it wrote then is void.
	b := batch(t, abi.Extract, i.Plan(), `{"v":1}`, `{"v":2}`, `{"do":"many","v":4}`)
	b.Sessions = abi.Sessions{Slots: []uint32{0, 1, 0}, Cells: [][]uint64{{0, 5}, {0, 0}, {0, 0}}}
	var out abi.Output
	for _, process := range []func(context.Context, *abi.Batch, *abi.Output) error{i.Process, i.Prove} {
		if err := process(t.Context(), b, &out); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprint([][]uint64{{2, 6}, {math.Float64bits(5), math.Float64bits(2)}, {0, 0}})
		if got := fmt.Sprint(out.Cells); got != want || b.Cells[0][1] != 5 || out.Counters[0] != 3 {
			t.Errorf("%s, want %s; before %v, counted %d", got, want, b.Cells, out.Counters[0])
		}
	}
	closed := abi.Closed{First: []int64{3, 0}, Last: []int64{10, 0}, Counts: [][]int64{{7, 0}, {0, 0}, {0, 0}, {0, 0}}, Sessions: abi.Sessions{Slots: []uint32{1, 0}, Cells: b.Cells}}
	var ended abi.Batch
	for first := range 2 {
		closed.Batch(first, 2, &ended)
		if err := i.Process(t.Context(), &ended, &out); err != nil {
			t.Fatal(err)
		}
		if len(out.Measurements) != 3*(2-first) || out.Counters[1] != uint64(2-first) || first == 0 && (out.Measurements[1].Value != 7 || out.Measurements[2].Value != 7) {
			t.Errorf("%+v", out.Measurements)
		}
	}
	if err := instantiate(t, compile(t, "extract"), "").Process(t.Context(), &ended, &out); err == nil || !strings.Contains(err.Error(), "exports no pharos_close") {
		t.Error(err)
	}
}
