package plugin

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/host/rules"
)

// answers asks a plugin of any kind and writes down what it says, a line each.
func answers(t testing.TB, p *Plugin, b *beacon.Batch, sel []int) []string {
	t.Helper()
	got, err := ask(context.Background(), p, b, sel)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func ask(ctx context.Context, p *Plugin, b *beacon.Batch, sel []int) (got []string, err error) {
	say := func(format string, args ...any) { got = append(got, fmt.Sprintf(format, args...)) }
	refuse := func(row int, d beacon.Drop) { say("%d %s%s", row, d.Reason, d.Cause) }
	switch p.Kind() {
	case "filter":
		err = p.Filter(ctx, b, sel, refuse)
	case "split":
		err = p.Split(ctx, b, sel, func(row int, name string) { say("%d to %s", row, name) }, refuse)
	default:
		err = p.Extract(ctx, b, sel, func(m metric.Measurement) {
			say("%d %s=%v %s", m.Row, p.Points()[m.Point].Name, m.Value, m.Attributes)
		}, func(row int) { say("%d bad", row) }, refuse)
	}
	return got, err
}

func TestAnswers(t *testing.T) {
	things := []string{"", "yes", "trap", "x", "wrong", "trap in a used instance", "fail", "trap in company", "yes"}
	for _, test := range []struct {
		spec Spec
		want []string
	}{
		{Spec{Module: "testdata/filter.wasm"}, []string{
			"1 yes", "2 plugin moody: trap", "4 plugin moody: bad output", "6 plugin moody: error", "8 yes"}},
		{Spec{Module: "testdata/filter.wasm", OnError: Pass}, []string{"1 yes", "8 yes"}},
		{Spec{Module: "testdata/filter.wasm", OnError: Filtered}, []string{
			"1 yes", "2 plugin moody", "4 plugin moody", "6 plugin moody", "8 yes"}},
		{Spec{Module: "testdata/split.wasm"}, []string{
			"1 to yes", "2 plugin moody: trap", "4 plugin moody: bad output", "6 plugin moody: error", "8 to yes"}},
		{Spec{Module: "testdata/split.wasm", OnError: Pass}, []string{"1 to yes", "8 to yes"}},
		{Spec{Module: "testdata/extract.wasm"}, []string{
			"1 yes=2.5 [yes ]", "2 plugin moody: trap", "4 plugin moody: bad output", "6 plugin moody: error", "8 yes=2.5 [yes ]"}},
		{Spec{Module: "testdata/extract.wasm", OnError: Pass}, []string{"1 yes=2.5 [yes ]", "8 yes=2.5 [yes ]"}},
	} {
		p := load(t, test.spec)
		b, sel := beacons(t, p, doing(things...)...)
		for range 3 { // the instances are used by then
			if diff := cmp.Diff(test.want, answers(t, p, b, sel)); diff != "" {
				t.Errorf("%s, on_error %s: %s", test.spec.Module, test.spec.OnError, diff)
			}
		}
		if got := answers(t, p, b, []int{8, 2, 0})[0]; !strings.HasPrefix(got, "8 ") {
			t.Errorf("the rows of a selection are not in its order: %s", got)
		}
		if got := answers(t, p, b, nil); got != nil {
			t.Errorf("no rows: %s", got)
		}
	}
}

func TestBadValues(t *testing.T) {
	p := load(t, Spec{Module: "testdata/extract.wasm"})
	b, sel := beacons(t, p, doing("nan", "yes", "infinite", "huge", "large")...)
	want := []string{"0 bad", "1 yes=2.5 [yes ]", "2 bad", "3 bad", "4 no=-1e+09 []"}
	if diff := cmp.Diff(want, answers(t, p, b, sel)); diff != "" {
		t.Error(diff)
	}
}

func TestRules(t *testing.T) {
	for _, test := range []struct {
		rules rules.Rules
		want  []string
	}{
		{rules.Rules{Drop: []rules.Drop{{Reason: "small", When: "n < 2"}, {Reason: "text", When: "s == 'x'"}}}, []string{"0 small", "2 text"}},
		{rules.Rules{Split: []rules.Split{{Route: "a", When: "n < 2"}, {Route: "b", When: "has(s)"}}}, []string{"0 to a", "2 to b"}},
		{rules.Rules{Extract: []rules.Extract{
			{Point: "all", When: "true", Attributes: map[string]string{"s": "s", "n": "n"}},
			{Point: "n", When: "has(n)", Value: "n * 1000000"},
			{Point: "bad", When: "has(n)", Value: "n / 0"},
			{Point: "none", When: "has(s)", Value: "s"},
		}}, []string{
			"0 all=1 [1 ]", "0 n=1e+06 []", "0 bad", "1 all=1 [2000 ]", "1 bad", "1 bad", "2 all=1 [ x]", "2 bad",
		}},
	} {
		p := load(t, Spec{Rules: &test.rules})
		b, sel := beacons(t, p, `{"n": 1}`, `{"n": 2000}`, `{"s": "x"}`)
		if diff := cmp.Diff(test.want, answers(t, p, b, sel)); diff != "" {
			t.Error(diff)
		}
	}
}

// TestGuilty compares random batches with what each beacon says alone.
func TestGuilty(t *testing.T) {
	p := load(t, Spec{Module: "testdata/filter.wasm"})
	alone := map[string]string{
		"": "", "x": "", "trap in company": "", "trap in a used instance": "",
		"yes": "yes", "trap": "plugin moody: trap", "fail": "plugin moody: error", "wrong": "plugin moody: bad output",
	}
	var names []string
	for name := range alone {
		names = append(names, name)
	}
	slices.Sort(names)
	rapid.Check(t, func(t *rapid.T) {
		some := rapid.OneOf(rapid.Just("x"), rapid.Just("yes"), rapid.Just(""), rapid.SampledFrom(names))
		things := rapid.SliceOfN(some, 1, 40).Draw(t, "beacons")
		var want []string
		for row, thing := range things {
			if alone[thing] != "" {
				want = append(want, fmt.Sprintf("%d %s", row, alone[thing]))
			}
		}
		b, sel := beacons(t, p, doing(things...)...)
		got, err := ask(context.Background(), p, b, sel)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Fatalf("%v %s", err, diff)
		}
	})
}

// TestBisection counts the calls: each guilty row of a full call costs two
// calls a halving at most.
func TestBisection(t *testing.T) {
	things := slices.Repeat([]string{"yes"}, chunkRows)
	for _, guilty := range [][]int{nil, {0}, {chunkRows - 1}, {1234}, {7, 8}, {1, 2000, 4000}} {
		p := load(t, Spec{Module: "testdata/filter.wasm"})
		these := slices.Clone(things)
		for _, row := range guilty {
			these[row] = "trap"
		}
		b, sel := beacons(t, p, doing(these...)...)
		if got := answers(t, p, b, sel); len(got) != chunkRows {
			t.Fatalf("%d answers", len(got))
		}
		s := p.Stats()
		most := uint64(1 + len(guilty)*(2*bits.Len(chunkRows)))
		if s.Calls > most || s.Guilty != uint64(len(guilty)) || s.Rows != uint64(chunkRows-len(guilty)) {
			t.Errorf("guilty %v: at most %d calls, got %+v", guilty, most, s)
		}
		if want := []Counter{{"beacons", uint64(chunkRows - len(guilty))}}; !slices.Equal(s.Counters, want) {
			t.Errorf("counters %v, want %v", s.Counters, want)
		}
		if s.Busy == 0 {
			t.Error("it took no time")
		}
	}
}

// TestManyGuilty: k guilty rows of n cost O(k log(n/k)) calls, wherever they are.
func TestManyGuilty(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, k := range []int{1, 10, 100, 1000} {
		p := load(t, Spec{Module: "testdata/filter.wasm"})
		things := slices.Repeat([]string{""}, chunkRows)
		for _, row := range random.Perm(chunkRows)[:k] {
			things[row] = "trap"
		}
		b, sel := beacons(t, p, doing(things...)...)
		got := answers(t, p, b, sel)
		s := p.Stats()
		most := 1 + 5*float64(k) + 2*float64(k)*math.Log2(chunkRows/float64(k))
		if len(got) != k || s.Guilty != uint64(k) || float64(s.Calls) > most {
			t.Errorf("%d of %d: %d answers, at most %.0f calls, got %+v", k, chunkRows, len(got), most, s)
		}
	}
}

func TestOutOfFuel(t *testing.T) {
	p := load(t, Spec{Module: "testdata/filter.wasm", Fuel: 1_000_000})
	b, sel := beacons(t, p, doing("yes", "loop", "", "yes")...)
	if diff := cmp.Diff([]string{"0 yes", "1 plugin moody: out of fuel", "3 yes"}, answers(t, p, b, sel)); diff != "" {
		t.Error(diff)
	}
}

func TestDrop(t *testing.T) {
	p := load(t, Spec{Name: "mine", Module: "testdata/filter.wasm"})
	b, sel := beacons(t, p, doing("yes", "trap", "fail")...)
	var drops []beacon.Drop
	if err := p.Filter(context.Background(), b, sel, func(_ int, d beacon.Drop) { drops = append(drops, d) }); err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		drop   beacon.Drop
		detail []string
	}{
		{beacon.Drop{Reason: "yes"}, nil},
		{beacon.Drop{Cause: "plugin mine: trap"}, []string{"pharos_process: ", "unreachable", "\n"}},
		{beacon.Drop{Cause: "plugin mine: error"}, []string{"code 2: I can not"}},
	} {
		got := drops[i]
		for _, part := range want.detail {
			if !strings.Contains(got.Detail, part) {
				t.Errorf("detail %q, want %q in it", got.Detail, part)
			}
		}
		got.Detail = ""
		want.drop.Plugin, want.drop.Version = "mine", "1.2.3"
		if want.drop.Cause != "" {
			want.drop.Digest = p.Digest()
		}
		if got != want.drop {
			t.Errorf("%+v, want %+v", got, want.drop)
		}
	}
}

// TestLargeBeacons: more rows than a call takes, more bytes than an instance
// has, and a beacon that does not fit at all.
func TestLargeBeacons(t *testing.T) {
	p := load(t, Spec{Module: "testdata/filter.wasm", Memory: 512 << 10})
	large := fmt.Sprintf(`{"do": "yes", "ballast": %q}`, strings.Repeat("x", 100_000))
	huge := fmt.Sprintf(`{"do": "yes", "ballast": %q}`, strings.Repeat("x", 600_000))
	raws := append(slices.Repeat([]string{large}, 30), huge)
	raws = append(raws, slices.Repeat([]string{`{"do": "yes"}`}, 2*chunkRows)...)
	b, sel := beacons(t, p, raws...)
	got := answers(t, p, b, sel)
	if len(got) != len(raws) {
		t.Fatalf("%d answers of %d", len(got), len(raws))
	}
	for row, answer := range got {
		want := fmt.Sprintf("%d yes", row)
		if row == 30 {
			want = "30 plugin moody: out of memory"
		}
		if answer != want {
			t.Fatalf("%s, want %s", answer, want)
		}
	}
}

func TestHostErrors(t *testing.T) {
	p := load(t, Spec{Module: "testdata/filter.wasm"})
	b, sel := beacons(t, p, doing("yes")...)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := ask(ctx, p, b, sel); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := p.Split(context.Background(), b, sel, nil, nil); err == nil || !strings.Contains(err.Error(), "plugin moody is a filter, and is called as a split") {
		t.Errorf("another kind: %v", err)
	}
	answers(t, p, b, sel) // it still works
	if err := p.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(context.Background(), p, b, sel); err == nil {
		t.Error("a closed plugin answers")
	}
}

// TestWorkers has several goroutines use one plugin.
func TestWorkers(t *testing.T) {
	list := rules.Rules{Drop: []rules.Drop{{Reason: "yes", When: "do == 'yes'"}, {Reason: "plugin moody: trap", When: "do == 'trap'"}}}
	for _, spec := range []Spec{{Module: "testdata/filter.wasm"}, {Rules: &list}} {
		p := load(t, spec)
		var wg sync.WaitGroup
		for range 8 {
			b, sel := beacons(t, p, doing("yes", "", "trap", "yes")...)
			wg.Go(func() {
				for range 20 {
					got, err := ask(context.Background(), p, b, sel)
					if diff := cmp.Diff([]string{"0 yes", "2 plugin moody: trap", "3 yes"}, got); diff != "" || err != nil {
						t.Error(err, diff)
						return
					}
				}
			})
		}
		wg.Wait()
	}
}

// TestLoops looks for beacons that loop in a full call: few calls fail, those
// alone are blamed, and the plugin is given full calls again.
func TestLoops(t *testing.T) {
	for _, loops := range [][]int{{0}, {1234}, {chunkRows - 1}, {3, 4, 700, 2000, 2001, 4095}} {
		p := load(t, Spec{Module: "testdata/filter.wasm"})
		things := slices.Repeat([]string{"yes"}, chunkRows)
		for _, row := range loops {
			things[row] = "loop"
		}
		b, sel := beacons(t, p, doing(things...)...)
		got := answers(t, p, b, sel)
		for row := range things {
			want := fmt.Sprintf("%d yes", row)
			if slices.Contains(loops, row) {
				want = fmt.Sprintf("%d plugin moody: out of fuel", row)
			}
			if row >= len(got) || got[row] != want {
				t.Fatalf("loops %v: row %d: %d answers, want %s", loops, row, len(got), want)
			}
		}
		s := p.Stats()
		// Halves, down to the row, and its proof.
		if most := uint64(14 * len(loops)); s.Failures > most || s.Guilty != uint64(len(loops)) {
			t.Errorf("loops %v: %+v", loops, s)
		}
		if s.Last == nil || !strings.HasPrefix(s.Last.Text, "out of fuel: pharos_process: did more work") || time.Since(s.Last.At) > time.Hour {
			t.Errorf("the last failure is %+v", s.Last)
		}
		calm, all := beacons(t, p, doing(slices.Repeat([]string{"x"}, 3*chunkRows)...)...)
		answers(t, p, calm, all)
		if p.pace.rows() != chunkRows {
			t.Errorf("a call has %d rows afterwards", p.pace.rows())
		}
	}
}

// TestMuchWork: a plugin that does more work than it has fuel is given fewer rows a
// call, and is blamed for none.
func TestMuchWork(t *testing.T) {
	one := load(t, Spec{Module: "testdata/filter.wasm", Fuel: 1 << 40})
	b, sel := beacons(t, one, doing(slices.Repeat([]string{"slow"}, 30)...)...)
	answers(t, one, b, sel[:1])
	each := one.Stats().Fuel

	p := load(t, Spec{Module: "testdata/filter.wasm", Fuel: int64(7 * each)})
	for range 2 {
		if got := answers(t, p, b, sel); got != nil {
			t.Error(got)
		}
	}
	if s := p.Stats(); s.Guilty != 0 || s.Rows != 60 || s.Failures == 0 || s.Fuel < 60*each/2 {
		t.Errorf("%+v, where a row takes %d", s, each)
	}
}

func TestPace(t *testing.T) {
	var p pace
	if p.rows() != chunkRows {
		t.Error(p.rows())
	}
	p.answered(chunkRows, 0, 1000)
	for _, step := range []struct{ ranOut, answered, want int }{
		{4096, 0, 256}, {1, 0, 256}, {256, 0, 16}, {10, 0, 1}, {0, 16, 32}, {0, 4, 32}, {0, 4096, 4096},
	} {
		if step.ranOut > 0 {
			p.ranOut(step.ranOut)
		} else {
			p.answered(step.answered, 1, 1000)
			p.answered(chunkRows, 500, 1000) // too much for more
		}
		if p.rows() != step.want {
			t.Errorf("%+v: %d", step, p.rows())
		}
	}
}

// TestLastFailure: it is kept, bounded, and one line.
func TestLastFailure(t *testing.T) {
	p := load(t, Spec{Module: "testdata/filter.wasm"})
	b, sel := beacons(t, p, doing("yes", "fail")...)
	if answers(t, p, b, sel[:1]); p.Stats().Last != nil {
		t.Errorf("%+v", p.Stats().Last)
	}
	answers(t, p, b, sel)
	if got := p.Stats().Last; got == nil || got.Text != "error: pharos_process: code 2: I can not" {
		t.Errorf("%+v", got)
	}
	p.failed(errors.New(strings.Repeat("ü", 1000)))
	if got := p.Stats().Last.Text; len(got) > maxFailureText || !strings.HasPrefix(got, "out of memory: üü") || !utf8.ValidString(got) {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}

// Rules have the limits of a module: a beacon that takes more fuel than a call has is
// found, and on_error says what becomes of it.
func TestRulesHaveLimits(t *testing.T) {
	list := rules.Rules{Drop: []rules.Drop{{Reason: "long", When: `do.lowerAscii().contains("zz") || do.lowerAscii().contains("yy")`}}}
	long := strings.Repeat("a", 900_000) // more than a row is given that is to prove itself
	for _, c := range []struct {
		onError OnError
		want    []string
	}{
		{DeadLetter, []string{"1 plugin mine: out of fuel", "2 long"}},
		{Pass, []string{"2 long"}},
		{Filtered, []string{"1 plugin mine", "2 long"}},
	} {
		p := load(t, Spec{Name: "mine", Rules: &list, Fuel: 20_000, OnError: c.onError})
		b, sel := beacons(t, p, doing("short", long, "zZ")...)
		got := answers(t, p, b, sel)
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, not %q", c.onError, got, c.want)
		}
		if s := p.Stats(); s.Fuel == 0 || s.Guilty != 1 {
			t.Errorf("%+v", s)
		}
	}
	if _, err := loader.Load(t.Context(), Spec{Name: "mine", Rules: &list, Memory: 1}); err == nil || !strings.Contains(err.Error(), "memory limit of 1 bytes") {
		t.Error(err)
	}
}
