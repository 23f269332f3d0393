package metric

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Totals against a plain map from key and minute to figure.
func TestTotals(t *testing.T) {
	type at struct {
		key    string
		minute int64
	}
	rapid.Check(t, func(t *rapid.T) {
		series := rapid.SliceOfN(anySeries(), 1, 4).Draw(t, "series")
		var got Totals
		want := map[at]Figure{}
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			if rapid.IntRange(0, 9).Draw(t, "drop") == 0 {
				at := rapid.Int64Range(0, 6).Draw(t, "at")
				from := rapid.Bool().Draw(t, "from there on")
				if from {
					got.DropFrom(at)
				} else {
					got.Drop(at)
				}
				for k := range want {
					if from == (k.minute >= at) {
						delete(want, k)
					}
				}
				continue
			}
			d := Delta{Series: rapid.SampledFrom(series).Draw(t, "of"), Minute: rapid.Int64Range(0, 5).Draw(t, "minute"),
				Figure: Figure{Hits: rapid.Int64Range(-1, 1).Draw(t, "hits"), Sum: NewInt(rapid.Int64Range(-1, 1).Draw(t, "sum"))}}
			got.Add(d)
			k := at{key(d.Series), d.Minute}
			f := want[k]
			f.Add(d.Figure)
			want[k] = f
		}
		if got.Len() != len(want) {
			t.Fatalf("%d figures, want %d", got.Len(), len(want))
		}
		seen, live := 0, map[string]bool{}
		var lastSeries *Series
		var lastMinute int64
		got.Each(func(s *Series, minute int64, f Figure) {
			if w := want[at{key(s), minute}]; !w.Equal(f) || f.IsZero() {
				t.Fatalf("%+v at %d: %+v, want %+v", s, minute, f, w)
			}
			if lastSeries != nil && (s.Less(lastSeries) || key(s) == key(lastSeries) && minute <= lastMinute) {
				t.Fatal("out of order")
			}
			lastSeries, lastMinute = s, minute
			seen++
		})
		for k, f := range want {
			live[k.key] = true
			if !f.IsZero() {
				seen--
			}
		}
		if seen != 0 || len(got.series) != len(live) {
			t.Fatalf("%d figures too many, %d series held, want %d", seen, len(got.series), len(live))
		}
		for _, minute := range got.Minutes() {
			samples := got.Samples(minute)
			if !slices.IsSortedFunc(samples, func(a, b Sample) int { return a.Series.Compare(b.Series) }) {
				t.Fatal("samples out of order")
			}
			for _, s := range samples {
				f := want[at{key(s.Series), minute}]
				if s.Hits != float64(f.Hits) || s.Sum != f.Sum.Float64(6) || f.IsZero() {
					t.Fatalf("sample %+v of %+v", s, f)
				}
			}
		}
	})
}

func TestSampleStat(t *testing.T) {
	f := Figure{Hits: 2, Sum: NewInt(120_500_000), Sessions: 1, SumSq: NewInt(120_500_000).Mul(NewInt(120_500_000))}
	s := f.Sample(&Series{}, 7)
	want := map[string]float64{StatHits: 2, StatSum: 120.5, StatSessions: 1, StatSumSq: 14520.25}
	for _, name := range Stats {
		if v, ok := s.Stat(name); !ok || v != want[name] {
			t.Errorf("%s is %v, %v", name, v, ok)
		}
	}
	if _, ok := s.Stat("other"); ok {
		t.Error("a stat that there is none of")
	}
	back := f.Neg()
	back.Add(f)
	if !back.IsZero() || f.IsZero() {
		t.Errorf("a figure and its negation make %+v", back)
	}
}

// BenchmarkTotals: a frame's deltas, of series with some minutes each.
func BenchmarkTotals(b *testing.B) {
	var deltas []Delta
	for i := range 1000 {
		s := &Series{Tenant: "shop", Experiment: "checkout-button", Variant: "blue", Status: Assigned, Point: string(rune('a' + i%26)), Dims: []Label{{"dc", string(rune('0' + i/26))}, {"platform", "web"}}}
		for m := range int64(4) {
			deltas = append(deltas, Delta{Series: s, Minute: m, Figure: Figure{Hits: 1, Sum: NewInt(Micro)}})
		}
	}
	var t Totals
	b.ReportAllocs()
	for b.Loop() {
		for _, d := range deltas {
			t.Add(d)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(deltas)), "ns/delta")
}
