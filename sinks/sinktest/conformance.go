package sinktest

import (
	"context"
	"flag"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/sinks"
)

// Store is a sink under trial.
type Store interface {
	Write(ctx context.Context, samples []metric.Sample) error
	Read(ctx context.Context, sel metric.Selector, each func(s *metric.Series, stat string, minute int64, v float64) error) error
	Traits() sinks.Traits
}

// Trial says what is tried.
type Trial struct {
	Store Store
	// Later says that what was written is found some time later, and not at once.
	Later bool
	// Slow says that the server takes far fewer samples a second than others.
	Slow bool
}

// all asks for the whole trial, of slow servers too.
var all = flag.Bool("all", false, "50,000 series, and two days of minutes, for slow stores too")

// Run holds a store to what every sink promises: what Write has taken is read back,
// each value once, equal to the last bit, or as near as the store says it is;
// whatever the age within what it takes, the order, and how often it comes.
func Run(t *testing.T, trial Trial) {
	for _, part := range []struct {
		name string
		try  func(*testing.T, *Trial)
	}{
		{"the same again", rewritten}, {"old minutes", old}, {"nasty labels", nasty}, {"values", values}, {"selectors", selectors},
		{"many series", many}, {"a wide range", wide}, {"ends", ends},
	} {
		t.Run(part.name, func(t *testing.T) { part.try(t, &trial) })
	}
}

// now is the minute of this trial: of the present, since stores look at their clocks.
func now() int64 { return metric.MinuteOf(time.Now().UnixMilli()) - 2 }

// sample is the figure of a point of value v, and of one tenth of it.
func sample(s *metric.Series, minute int64, v float64) metric.Sample {
	micros := int64(math.Round(v * metric.Micro))
	return figure(s, minute, micros+micros/10, v*v+v*v/100)
}

// figure is one of so many units, as stores are given it.
func figure(s *metric.Series, minute, sum int64, squares float64) metric.Sample {
	exact, _ := new(big.Float).Mul(big.NewFloat(squares), big.NewFloat(metric.Micro*metric.Micro)).Int(nil)
	f := metric.Figure{Hits: sum % 1000, Sum: metric.NewInt(sum), Sessions: sum % 100, SumSq: metric.IntOfBig(exact)}
	return f.Sample(s, minute)
}

// of gives a series of a tenant of its own, so that the trials do not meet.
func of(tenant, variant string) *metric.Series {
	return &metric.Series{Tenant: tenant, Experiment: "e", Variant: variant, Status: metric.Assigned, Point: "order",
		Dims: []metric.Label{{Name: "platform", Value: "web"}}}
}

func (tr *Trial) write(t *testing.T, samples ...metric.Sample) {
	t.Helper()
	for part := range slices.Chunk(samples, tr.Store.Traits().Batch) {
		if err := tr.Store.Write(t.Context(), part); err != nil {
			t.Fatal(err)
		}
	}
}

// value names one stored value.
type value struct {
	series, stat string
	minute       int64
}

// patience is how long is waited for what is found later.
const patience = 30 * time.Second

// holds compares what a selector gives with what was written.
func (tr *Trial) holds(t *testing.T, sel metric.Selector, want ...metric.Sample) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		faults := tr.compare(t, sel, want)
		if len(faults) == 0 {
			return
		}
		if !tr.Later || time.Since(began) > patience {
			t.Fatalf("of %d samples %d values are at fault:\n%s", len(want), len(faults), strings.Join(faults[:min(len(faults), 5)], "\n"))
		}
	}
}

// compare gives the faults of what a selector gives: what is missing, differs, comes
// twice, or was not written.
func (tr *Trial) compare(t *testing.T, sel metric.Selector, want []metric.Sample) (faults []string) {
	got := map[value]float64{}
	err := tr.Store.Read(t.Context(), sel, func(s *metric.Series, stat string, minute int64, v float64) error {
		k := value{string(s.AppendKey(nil)), stat, minute}
		if _, twice := got[k]; twice {
			faults = append(faults, fmt.Sprintf("%s of %+v at minute %d comes twice", stat, s, minute))
		}
		got[k] = v
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		for _, stat := range metric.Stats {
			if !sel.WantsStat(stat) {
				continue
			}
			k := value{string(want[i].Series.AppendKey(nil)), stat, want[i].Minute}
			v, ok := got[k]
			delete(got, k)
			w, _ := want[i].Stat(stat)
			if !ok {
				faults = append(faults, fmt.Sprintf("%s of %+v at minute %d is missing", stat, want[i].Series, want[i].Minute))
			} else if !tr.same(v, w) {
				faults = append(faults, fmt.Sprintf("%s of %+v at minute %d is %v, and %v was written", stat, want[i].Series, want[i].Minute, v, w))
			}
		}
	}
	for k, v := range got {
		faults = append(faults, fmt.Sprintf("%s of %q at minute %d is %v, and was not written", k.stat, k.series, k.minute, v))
	}
	return faults
}

func (tr *Trial) same(got, written float64) bool {
	return math.Abs(got-written) <= tr.Store.Traits().Rounds*math.Abs(written)
}

func day(minute int64) metric.Selector {
	return metric.Selector{From: minute - 1440, To: minute + 1440}
}

func within(tenant string, sel metric.Selector) metric.Selector {
	sel.Tenant = tenant
	return sel
}

// rewritten: what comes again with the same value, at once and after others, changes
// nothing.
func rewritten(t *testing.T, tr *Trial) {
	minute := now()
	var all []metric.Sample
	for m := range int64(90) {
		all = append(all, sample(of("rewritten", "a"), minute-m, float64(m)*1.1), sample(of("rewritten", "b"), minute-m, float64(m)*1.3))
	}
	for range 2 {
		tr.write(t, all...)
		slices.Reverse(all)
		tr.write(t, all...)
		tr.holds(t, within("rewritten", day(minute)), all...)
	}
}

// old: minutes of any age that the store says it takes, in no order, of series that it
// has not seen.
func old(t *testing.T, tr *Trial) {
	most := 29 * 24 * time.Hour
	if age := tr.Store.Traits().MaxAge; age > 0 && age < most {
		most = age - time.Hour
	}
	minute := now()
	var all []metric.Sample
	for h := range int64(most / time.Hour) {
		all = append(all, sample(of("old", fmt.Sprint(h%3)), minute-60*h, float64(h)))
	}
	r := rand.New(rand.NewPCG(1, 1))
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for part := range slices.Chunk(all, 100) {
		tr.write(t, part...)
	}
	tr.holds(t, metric.Selector{Tenant: "old", From: minute - int64(most/time.Minute), To: minute + 1}, all...)
}

// nasty: values of labels, and names of dimensions, that have a meaning to somebody.
func nasty(t *testing.T, tr *Trial) {
	minute := now()
	var all []metric.Sample
	for i, v := range []string{
		"a", " ", "  a b ", "a,b=c d", `a\`, `\,`, `"\n{}`, "a\nb", "a\tb", "\x00", "a\x7fb", "é ✓ 日本", ".*", "a|b", "%25", "%", "100%", "a:b", "a/b?c#d&e",
		"'; DROP MEASUREMENT pharos", "$1", "<b>", "[1]", "(x)", "NULL", "null", "true", "1e5", strings.Repeat("x", 1000), "\U0010FFFF", "\u2028",
	} {
		all = append(all, sample(&metric.Series{
			Tenant: "nasty", Experiment: v, Variant: v, Status: metric.Qualified, Point: v,
			Attributes: []metric.Label{{Name: "img.id", Value: v}, {Name: "img_id", Value: "other"}},
			Dims:       []metric.Label{{Name: "__name__", Value: v}, {Name: "data-center", Value: v}, {Name: "time", Value: v}, {Name: "é", Value: v}},
		}, minute, float64(i)))
	}
	tr.write(t, all...)
	tr.holds(t, within("nasty", day(minute)), all...)
	for i := range all {
		s := all[i].Series
		tr.holds(t, metric.Selector{Tenant: "nasty", Experiments: []string{s.Experiment}, Points: []string{"none", s.Point}, From: minute, To: minute + 1}, all[i])
	}
	odd := sample(of(`te"n\a'nt`, "a"), minute, 1)
	tr.write(t, odd)
	tr.holds(t, within(odd.Series.Tenant, day(minute)), odd)
}

// values: what a figure may be.
func values(t *testing.T, tr *Trial) {
	minute := now()
	var all []metric.Sample
	for i, sum := range []int64{0, 1, -1, 100_000, 52_510_089_403_770, 1e15, -1e15, 123_456_789_123_456, 300_000, 1 << 53, math.MaxInt64, math.MinInt64} {
		v := float64(sum) / metric.Micro
		all = append(all, figure(of("values", fmt.Sprint(i)), minute, sum, v*v))
	}
	tr.write(t, all...)
	tr.holds(t, within("values", day(minute)), all...)
}

func selectors(t *testing.T, tr *Trial) {
	minute := now() - 10
	var all []metric.Sample
	for _, tenant := range []string{"selshop", "selnews"} {
		for _, experiment := range []string{"e", "f"} {
			for _, status := range []string{metric.Assigned, metric.Qualified} {
				for _, point := range []string{"order", "visit"} {
					for m := range int64(3) {
						series := &metric.Series{Tenant: tenant, Experiment: experiment, Variant: "a", Status: status, Point: point}
						all = append(all, sample(series, minute+m, float64(len(all))))
					}
				}
			}
		}
	}
	tr.write(t, all...)
	for _, sel := range []metric.Selector{
		{Tenant: "selshop"}, {Tenant: "none"}, {Tenant: "selnews", Status: metric.Qualified}, {Tenant: "selshop", Experiments: []string{"e", "f"}},
		{Tenant: "selshop", Experiments: []string{"f"}, Points: []string{"visit"}}, {Tenant: "selshop", Points: []string{"vis"}},
		{Tenant: "selshop", From: minute + 1, To: minute + 2}, {Tenant: "selshop", From: minute + 2, To: minute + 2},
		{Tenant: "selshop", From: minute + 3, To: minute + 9}, {Tenant: "selshop", Stats: []string{metric.StatSum}},
		{Tenant: "selshop", Points: []string{"order"}, Stats: []string{metric.StatSessions, metric.StatHits}, From: minute, To: minute + 2},
	} {
		if sel.To == 0 {
			sel.From, sel.To = minute-100, minute+100
		}
		var want []metric.Sample
		for _, a := range all {
			if sel.Matches(a.Series) && sel.Holds(a.Minute) {
				want = append(want, a)
			}
		}
		t.Run(fmt.Sprintf("%+v", sel), func(t *testing.T) { tr.holds(t, sel, want...) })
	}
}

// part is how much is tried.
func (tr *Trial) part(whole, some, slow int) int {
	switch {
	case *all:
		return whole
	case tr.Slow:
		return slow
	}
	return some
}

// many: one minute of very many series.
func many(t *testing.T, tr *Trial) {
	minute := now()
	samples := make([]metric.Sample, tr.part(50_000, 10_000, 1_000))
	for i := range samples {
		s := of("many", fmt.Sprint(i%7))
		s.Experiment = fmt.Sprint("e", i/1000)
		s.Dims = []metric.Label{{Name: "sku", Value: fmt.Sprint(i)}}
		samples[i] = sample(s, minute, float64(i))
	}
	tr.write(t, samples...)
	tr.holds(t, metric.Selector{Tenant: "many", From: minute, To: minute + 1}, samples...)
}

// wide: a range with far more values than may be held at once.
func wide(t *testing.T, tr *Trial) {
	const series = 10
	minutes := int64(tr.part(2*1440, 1000, 200))
	last := now()
	var all []metric.Sample
	for m := range minutes {
		for i := range series {
			all = append(all, sample(of("wide", fmt.Sprint(i)), last-m, float64(m)))
		}
	}
	tr.write(t, all...)
	tr.holds(t, metric.Selector{Tenant: "wide", From: last - minutes, To: last - minutes + 61}, all[len(all)-60*series:]...) // written last
	sel := metric.Selector{Tenant: "wide", From: last - minutes, To: last + 1}
	n, most, base := 0, uint64(0), heap()
	for began := time.Now(); n < len(all)*len(metric.Stats) && (n == 0 || tr.Later && time.Since(began) < patience); {
		n = 0
		if err := tr.Store.Read(t.Context(), sel, func(*metric.Series, string, int64, float64) error {
			if n++; n%20_000 == 0 {
				most = max(most, heap())
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if want := len(all) * len(metric.Stats); n != want {
		t.Errorf("%d values came, and %d were written", n, want)
	}
	if most > base+16<<20 {
		t.Errorf("reading %d values held %d MB", n, (most-base)>>20)
	}
}

// heap is what is in use, once what is not has gone.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// ends: whoever reads may stop, and so may who waits for him.
func ends(t *testing.T, tr *Trial) {
	minute := now()
	both := []metric.Sample{sample(of("ends", "a"), minute, 1), sample(of("ends", "a"), minute-1, 1)}
	tr.write(t, both...)
	tr.holds(t, within("ends", day(minute)), both...)
	stop, calls := fmt.Errorf("enough"), 0
	err := tr.Store.Read(t.Context(), metric.Selector{Tenant: "ends", From: minute - 5, To: minute + 1}, func(*metric.Series, string, int64, float64) error {
		calls++
		return stop
	})
	if err != stop || calls != 1 {
		t.Errorf("the error %v after %d calls", err, calls)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tr.Store.Write(ctx, []metric.Sample{sample(of("ends", "b"), minute, 1)}); err == nil {
		t.Error("a write is done for nobody")
	}
	if err := tr.Store.Read(ctx, metric.Selector{Tenant: "ends", From: minute, To: minute + 1}, func(*metric.Series, string, int64, float64) error { return nil }); err == nil {
		t.Error("a read is done for nobody")
	}
}
