package rules_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/rules"
	"github.com/seed-6a2d649b/pharos/host/rules/rulestest"
)

func compile(t testing.TB, list rules.Rules) *rules.Program {
	t.Helper()
	kind, err := list.Kind()
	if err != nil {
		t.Fatal(err)
	}
	p, err := rules.Compile(kind, list)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func process(t testing.TB, p *rules.Program, out *abi.Output, beacons ...string) {
	t.Helper()
	if err := p.Process(context.Background(), rulestest.Batch(t, p.Plan().Fields, beacons...), out); err != nil {
		t.Fatal(err)
	}
}

func TestFilter(t *testing.T) {
	p := compile(t, rules.Rules{Drop: []rules.Drop{
		{"asset", `path.endsWith(".css")`},
		{"bot", `agent.matches("(?i)bot")`},
		{"asset", `path == "/x.js"`},
	}})
	out := &abi.Output{Keep: []byte{0xFF, 0xFF, 0xFF}, Reasons: []uint8{9, 9, 9, 9, 9, 9, 9, 9, 9, 9}}
	process(t, p, out,
		`path=/a.css&agent=Bot`, `path=/`, `agent=robot`, `path=/x.js`, `a=b`,
		`path=/`, `path=/`, `path=/`, `path=/`, `agent=bot`)
	if diff := cmp.Diff([]byte{0b11110010, 0b01}, out.Keep); diff != "" {
		t.Error("keep", diff)
	}
	if diff := cmp.Diff([]uint8{0, 0, 1, 0, 0, 0, 0, 0, 0, 1}, out.Reasons); diff != "" {
		t.Error("reasons", diff)
	}
}

func TestSplit(t *testing.T) {
	p := compile(t, rules.Rules{Split: []rules.Split{{"mobile", `os in ["ios", "android"]`}, {"tv", `os == "tvos"`}, {"tv", `tv`}, {"mobile", `tv`}}})
	out := &abi.Output{}
	process(t, p, out, `{"os": "tvos"}`, `{"os": "android"}`, `{"os": 1}`, `{}`, `{"tv": true}`)
	if diff := cmp.Diff([]uint16{1, 0, abi.NoRoute, abi.NoRoute, 1}, out.Routes); diff != "" {
		t.Error(diff)
	}
}

func TestExtract(t *testing.T) {
	p := compile(t, rules.Rules{Extract: []rules.Extract{
		{Point: "view", When: `true`, Attributes: map[string]string{"image": "img.id", "slot": "slot"}},
		{Point: "order", When: `type == "purchase"`, Value: `qty * price`},
		{Point: "view", When: `has(other)`, Attributes: map[string]string{"slot": "other"}},
		{Point: "view", When: `again`},
	}})
	out := &abi.Output{}
	process(t, p, out,
		`{"type": "purchase", "qty": 2, "price": 1.5, "img": {"id": 7.50}, "slot": true}`,
		`{"type": "purchase", "qty": 2, "img": {"id": null}, "slot": ""}`,
		`{"type": "purchase", "qty": 0, "price": 1e999, "img": {"id": []}, "slot": {}}`,
		`{"type": "purchase", "qty": "2", "price": 1, "other": "o", "slot": false, "again": true}`,
	)
	text := func(values ...string) [][]byte {
		tuple := make([][]byte, len(values))
		for i, v := range values {
			if v != "" {
				tuple[i] = []byte(v)
			}
		}
		return tuple
	}
	want := &abi.Output{
		Measurements: []abi.Measurement{
			{Row: 0, Point: 0, Attributes: 1, Value: 1}, {Row: 0, Point: 1, Value: 3},
			{Row: 1, Point: 0, Value: 1},
			{Row: 2, Point: 0, Value: 1}, {Row: 2, Point: 1, Value: math.NaN()},
			{Row: 3, Point: 0, Attributes: 2, Value: 1}, {Row: 3, Point: 0, Attributes: 3, Value: 1}, {Row: 3, Point: 0, Value: 1},
		},
		Attributes: [][][]byte{text("7.50", "true"), text("", "false"), text("", "o")},
		BadValues:  []uint32{1, 3},
	}
	if diff := cmp.Diff(want, out, cmpopts.EquateNaNs(), cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(abi.Output{})); diff != "" {
		t.Error(diff)
	}
	process(t, p, out, `{"slot": "a"}`)
	want = &abi.Output{Measurements: []abi.Measurement{{Attributes: 1, Value: 1}}, Attributes: [][][]byte{text("", "a")}}
	if diff := cmp.Diff(want, out, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(abi.Output{})); diff != "" {
		t.Error("memory of an earlier batch shows:", diff)
	}
}

// TestCells: rules of one beacon see what the rules before them have set, and
// beacons of one session what the beacons before them have; sets of one rule,
// and its value, see the cells before it.
func TestCells(t *testing.T) {
	p := compile(t, rules.Rules{
		Cells: []string{"views", "spent", "last"},
		Let:   map[string]string{"nth": `cell("views")`},
		Extract: []rules.Extract{
			{When: `type == "view"`, Set: map[string]string{"views": `nth + 1`}},
			{Point: "third_view", When: `type == "view" && nth == 3`},
			{Point: "order", When: `type == "order"`, Value: `cell("spent")`, Set: map[string]string{"last": `cell("spent")`, "spent": `cell("spent") + price`}},
			{Point: "again", When: `cell("last") > 0`, Value: `cell("spent") - cell("last")`},
		},
	})
	b := rulestest.Batch(t, p.Plan().Fields,
		`{"type": "view"}`, `{"type": "view"}`, `{"type": "order", "price": 2.5}`, `{"type": "view"}`,
		`{"type": "order", "price": 4}`, `{"type": "order", "price": "x"}`, `{"type": "order", "price": 1e999}`)
	bits := math.Float64bits
	b.Sessions = abi.Sessions{
		Slots: []uint32{0, 1, 1, 0, 1, 1, 1},
		Cells: [][]uint64{{0, bits(7)}, {0, bits(10)}, {0, 0}},
	}
	out := &abi.Output{}
	if err := p.Process(context.Background(), b, out); err != nil {
		t.Fatal(err)
	}
	want := &abi.Output{
		Measurements: []abi.Measurement{
			{Row: 2, Point: 1, Value: 10}, {Row: 2, Point: 2, Value: 2.5},
			{Row: 4, Point: 1, Value: 12.5}, {Row: 4, Point: 2, Value: 4},
			{Row: 5, Point: 1, Value: 16.5}, {Row: 5, Point: 2, Value: 0},
			{Row: 6, Point: 1, Value: 16.5}, {Row: 6, Point: 2, Value: 0},
		},
		Cells:    [][]uint64{{bits(2), bits(8)}, {0, bits(16.5)}, {0, bits(16.5)}},
		Counters: []uint64{2},
	}
	if diff := cmp.Diff(want, out, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(abi.Output{})); diff != "" {
		t.Error(diff)
	}
	if b.Cells[0][0] != 0 {
		t.Error("the batch's own cells have changed")
	}
}

// TestClose measures sessions that have ended by their times, cells and counts.
func TestClose(t *testing.T) {
	p := compile(t, rules.Rules{
		Cells:   []string{"spent"},
		Let:     map[string]string{"seconds": "session.duration / 1000"}, // of beacons a field
		Extract: []rules.Extract{{Point: "page", When: "true"}, {Point: "order", When: "buy", Set: map[string]string{"spent": `cell("spent") + price`}}},
		Close: []rules.Close{
			{Point: "duration", When: "true", Value: "seconds"},
			{Point: "bounce", When: `count("page") == 1`},
			{Point: "order", When: `session.first < session.last`, Value: `cell("spent") > 0 ? cell("spent") / count("order") : "none"`},
		},
	})
	closed := abi.Closed{
		First: []int64{1000, 5000, 7000}, Last: []int64{1000, 65000, 9500},
		Counts:   [][]int64{{1, 2, 1}, {0, 2, 0}, {0, 0, 0}, {0, 0, 0}}, // page, order, duration, bounce
		Sessions: abi.Sessions{Slots: []uint32{2, 0, 1}, Cells: [][]uint64{{math.Float64bits(30), 0, 0}}},
	}
	var b abi.Batch
	closed.Batch(0, 3, &b)
	out := &abi.Output{}
	if err := p.Process(context.Background(), &b, out); err != nil {
		t.Fatal(err)
	}
	want := &abi.Output{
		Measurements: []abi.Measurement{{Row: 0, Point: 2, Value: 0}, {Row: 0, Point: 3, Value: 1}, {Row: 1, Point: 2, Value: 60}, {Row: 1, Point: 1, Value: 15}, {Row: 2, Point: 2, Value: 2.5}, {Row: 2, Point: 3, Value: 1}},
		BadValues:    []uint32{2},
		Counters:     []uint64{0},
	}
	if diff := cmp.Diff(want, out, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(abi.Output{})); diff != "" {
		t.Error(diff)
	}
	b.Columns = b.Columns[1:]
	if err := p.Process(context.Background(), &b, out); err == nil {
		t.Error("too few columns: no error")
	}
}

func TestProcessErrors(t *testing.T) {
	p := compile(t, rules.Rules{Drop: []rules.Drop{{"r", `a == 1 && b`}}})
	good := rulestest.Batch(t, p.Plan().Fields, `{}`, `{}`)
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if err := p.Process(cancelled, good, &abi.Output{}); err != context.Canceled {
		t.Errorf("a cancelled context: %v", err)
	}
	for name, b := range map[string]*abi.Batch{
		"too few columns": {Rows: 2, Columns: good.Columns[:1]},
		"too few rows":    {Rows: 3, Columns: good.Columns},
		"another type":    {Rows: 2, Columns: []abi.Column{good.Columns[0], {Type: abi.Str, Offsets: []uint32{0, 0, 0}}}},
	} {
		if err := p.Process(context.Background(), b, &abi.Output{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	cells := compile(t, rules.Rules{Cells: []string{"a"}, Extract: []rules.Extract{{Point: "p", When: `cell("a") > 1`}}})
	if err := cells.Process(context.Background(), &abi.Batch{Rows: 1}, &abi.Output{}); err == nil {
		t.Error("a batch without cells: no error")
	}
	if err := p.Process(context.Background(), rulestest.Batch(t, p.Plan().Fields), &abi.Output{}); err != nil {
		t.Errorf("no rows: %v", err)
	}
}

// TestNoGarbage: once the output has grown, a batch costs no allocation. It
// leaves out matches, whose machines regexp pools: the race detector empties
// pools at random.
func TestNoGarbage(t *testing.T) {
	var beacons []string
	for i := range 200 {
		beacons = append(beacons, fmt.Sprintf(`{"a": %d.25, "s": "text %d", "b": {"c": "%d"}, "n": null}`, i, i%7, i%3))
	}
	for _, list := range []rules.Rules{
		{Drop: []rules.Drop{{"r", `s.endsWith("3") || b.c in ["2", "x", 7, n] || a % 2 == 0.25 && size(s) > 3`}}},
		{Split: []rules.Split{{"r", `a * 2 + 1 > 100 ? s.contains("5") : !has(n)`}}},
		{Extract: []rules.Extract{{Point: "p", When: `a > 3`, Value: `-a / 2`, Attributes: map[string]string{"x": "b.c", "y": "s"}}, {Point: "q", When: `has(s)`, Value: `s`}}},
		{Cells: []string{"x"}, Extract: []rules.Extract{{Point: "p", When: `time().getHours("Europe/Berlin") == 1`, Set: map[string]string{"x": `double(s) + 1`}}}},
		{Drop: []rules.Drop{{"r", `s.containsAny(["9", "x"]) || cidr("10.0.0.0/8").containsIP(b.c)`}}},
	} {
		p := compile(t, list)
		b, out := rulestest.Batch(t, p.Plan().Fields, beacons...), &abi.Output{}
		b.Slots, b.Cells = make([]uint32, b.Rows), [][]uint64{{0}}
		ctx := context.Background()
		if n := testing.AllocsPerRun(20, func() {
			if err := p.Process(ctx, b, out); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%v: %v allocations a batch", list, n)
		}
	}
}

func BenchmarkFilter(b *testing.B) {
	p := compile(b, rules.Rules{Drop: []rules.Drop{{"asset", `path.endsWith(".css") || path.endsWith(".js")`}, {"bot", `status == 404 && agent.contains("bot")`}}})
	var beacons []string
	for i := range 1000 {
		beacons = append(beacons, fmt.Sprintf(`path=/a/%d&status=200&agent=Mozilla`, i))
	}
	in, out := rulestest.Batch(b, p.Plan().Fields, beacons...), &abi.Output{}
	for b.Loop() {
		if err := p.Process(context.Background(), in, out); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/beacon")
}
