package compare

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// shelf is a store in memory.
type shelf []value

type value struct {
	series *metric.Series
	stat   string
	minute int64
	v      float64
}

func (s shelf) Read(_ context.Context, sel metric.Selector, each func(s *metric.Series, stat string, minute int64, v float64) error) error {
	for _, v := range s {
		if sel.Matches(v.series) && sel.Holds(v.minute) {
			if err := each(v.series, v.stat, v.minute, v.v); err != nil {
				return err
			}
		}
	}
	return nil
}

func series(tenant, variant string) *metric.Series {
	return &metric.Series{Tenant: tenant, Experiment: "e", Variant: variant, Status: metric.Assigned, Point: "order"}
}

func quiet(string, int64) {}

// What is the same, rounded, other, or in one store only is counted as that, wherever it
// lies in the range and in whatever order it comes; and nothing else is.
func TestCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var a, b shelf
		var want Result
		of := Range{Tenants: []string{"shop", "news"}, From: 100, To: 100 + rapid.Int64Range(1, 5000).Draw(t, "minutes")}
		for i := range rapid.IntRange(0, 60).Draw(t, "values") {
			v := value{series(rapid.SampledFrom([]string{"shop", "news", "other"}).Draw(t, "tenant"), fmt.Sprint(i)), rapid.SampledFrom(metric.Stats).Draw(t, "stat"),
				rapid.Int64Range(of.From-3, of.To+3).Draw(t, "minute"), rapid.SampledFrom([]float64{0, 1, 0.1, 52510089.403770}).Draw(t, "v")}
			w := v
			w.series = w.series.Clone()
			counted := v.minute >= of.From && v.minute < of.To && v.series.Tenant != "other"
			count := func(n *int64) {
				if counted {
					*n++
				}
			}
			switch rapid.IntRange(0, 4).Draw(t, "fate") {
			case 0:
				a, b = append(a, v), append(b, w)
				count(&want.Equal)
			case 1:
				if w.v = math.Nextafter(v.v, 1e10); v.v == 0 {
					count(&want.Different) // of nothing there is no rounding
				} else {
					count(&want.Rounded)
				}
				a, b = append(a, v), append(b, w)
			case 2:
				w.v = v.v*(1+1e-9) + 1e-9
				a, b = append(a, v), append(b, w)
				count(&want.Different)
			case 3:
				a = append(a, v)
				count(&want.MissingB)
			case 4:
				b = append(b, w)
				count(&want.MissingA)
			}
		}
		a, b = rapid.Permutation(a).Draw(t, "a"), rapid.Permutation(b).Draw(t, "b")
		got, err := Run(t.Context(), Side{"a", a, 0}, Side{"b", b, 1.0 / (1 << 52)}, of, quiet)
		if err != nil {
			t.Fatal(err)
		}
		if got.Equal != want.Equal || got.Rounded != want.Rounded || got.Different != want.Different || got.MissingA != want.MissingA || got.MissingB != want.MissingB {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		if got.Agree() != (want.Different+want.MissingA+want.MissingB == 0) {
			t.Fatal("agreement")
		}
	})
}

// endless is a store of very many values, which it does not hold.
type endless struct{ series, minutes int64 }

func (e endless) Read(_ context.Context, sel metric.Selector, each func(s *metric.Series, stat string, minute int64, v float64) error) error {
	for i := range e.series {
		s := series("shop", fmt.Sprint(i))
		for minute := max(sel.From, 0); minute < min(sel.To, e.minutes); minute++ {
			if err := each(s, metric.StatHits, minute, float64(minute)); err != nil {
				return err
			}
		}
	}
	return nil
}

// A range with more values than may be held is compared whole, in pieces.
func TestBounded(t *testing.T) {
	e := endless{1_300, 400}
	var before, m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	most := uint64(0)
	r, err := Run(t.Context(), Side{"a", e, 0}, Side{"b", e, 0}, Range{[]string{"shop"}, 0, 500}, func(string, int64) {
		runtime.GC()
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapAlloc)
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Equal != e.series*e.minutes || !r.Agree() {
		t.Errorf("%+v", r)
	}
	if most > before.HeapAlloc+200<<20 {
		t.Errorf("%d MB were held", (most-before.HeapAlloc)>>20)
	}
}

func TestWrite(t *testing.T) {
	one, two := 1.0, 2.5
	r := Result{A: "m3", B: "kairos", From: at(0), To: at(60), Equal: 12, Different: 1, MissingB: 1, Examples: []Example{
		{Figure: `{"tenant":"shop"}`, Stat: "sum", Time: at(5), A: &one, B: &two}, {Figure: `{}`, Stat: "hits", Time: at(6), A: &one},
	}}
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	want := `m3 and kairos, 1970-01-01T00:00Z to 1970-01-01T01:00Z

          12 values are equal
           1 differ
           1 are missing in kairos

examples
  sum of {"tenant":"shop"} at 1970-01-01T00:05Z: m3 1, kairos 2.5
  hits of {} at 1970-01-01T00:06Z: m3 1, kairos nothing
`
	if b.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", b.String(), want)
	}
}
