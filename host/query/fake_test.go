package query

import (
	"context"
	"time"

	"pgregory.net/rapid"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// fakeStore is a store in memory that counts how often it is read.
type fakeStore struct {
	samples map[string]metric.Sample // by series and minute; written once
	reads   []metric.Selector
	err     error
	wait    bool // until the context ends
}

func (f *fakeStore) write(t rapid.TB, samples ...metric.Sample) {
	if f.samples == nil {
		f.samples = map[string]metric.Sample{}
	}
	for _, s := range samples {
		key := string(s.Series.AppendKey(nil)) + time.Unix(s.Minute*60, 0).String()
		if old, ok := f.samples[key]; ok && old != s {
			old.Series, s.Series = nil, nil
			if old != s {
				t.Fatalf("a second write of a minute differs: %v, %v", old, s)
			}
			continue
		}
		f.samples[key] = s
	}
}

func (f *fakeStore) Read(ctx context.Context, sel metric.Selector, each func(*metric.Series, string, int64, float64) error) error {
	f.reads = append(f.reads, sel)
	if f.wait {
		<-ctx.Done()
		return ctx.Err()
	}
	for _, s := range f.samples {
		if !sel.Matches(s.Series) || !sel.Holds(s.Minute) {
			continue
		}
		for _, stat := range metric.Stats {
			if v, _ := s.Stat(stat); sel.WantsStat(stat) {
				if err := each(s.Series, stat, s.Minute, v); err != nil {
					return err
				}
			}
		}
	}
	return f.err
}

// clockAt is a wall clock that a test sets.
type clockAt struct{ t time.Time }

func (c *clockAt) now() time.Time { return c.t }

const testRoute = "web"

func newTestLive(partitions int32, clock *clockAt) *Live {
	return NewLive(LiveOptions{Partitions: partitions, Lateness: 10 * time.Minute, Generation: 1, Routes: []string{testRoute}, Now: clock.now})
}

// readyLive is a live view of one partition that has seen nothing and knows
// that minutes before a minute are final and in the store.
func readyLive(final int64) *Live {
	l := newTestLive(1, &clockAt{time.Unix(0, 0)})
	l.Start(0, metric.SafePoint{Horizon: final - 1}, 0)
	return l
}

func progress(watermark int64) []metric.Progress {
	return []metric.Progress{{Route: testRoute, TopicID: [16]byte{1}, Partitions: 1, Watermark: watermark}}
}

func series(variant, point string, dims ...metric.Label) *metric.Series {
	return &metric.Series{Tenant: "shop", Experiment: "exp", Variant: variant, Status: metric.Assigned, Point: point, Dims: dims}
}

func testKeyspace(store Reader) Keyspace {
	return Keyspace{
		Name: "shop", Tenant: "shop", Store: store, Timezone: "America/Chicago",
		Metrics: []Metric{
			{Name: "visitors", Point: "visit", Stat: metric.StatSessions},
			{Name: "orders", Point: "order", Stat: metric.StatHits},
			{Name: "revenue", Point: "order", Stat: metric.StatSum},
			{Name: "squares", Point: "order", Stat: metric.StatSumSq},
			{Name: "ios_orders", Point: "order", Stat: metric.StatHits, Dims: map[string]string{"platform": "ios"}},
			{Name: "hero_clicks", Point: "click", Stat: metric.StatHits, Attributes: map[string]string{"image": "hero"}},
			{Name: "clicks", Point: "click", Stat: metric.StatHits},
		},
		Formulas: []Formula{
			{Name: "conversion", Expr: "orders / visitors", Title: "Conversion", Format: "percent", Better: "up"},
			{Name: "aov", Expr: "revenue / orders", Format: "currency", Currency: "USD"},
			{Name: "sales", Expr: "revenue", Format: "currency", Currency: "USD"},
			{Name: "net", Expr: "sales * (1 - fee) - orders * cost", Params: map[string]float64{"fee": 0.1, "cost": 0}},
			{Name: "per_visitor", Expr: "net / visitors"},
			{Name: "order_count", Expr: "orders"},
			{Name: "ios", Expr: "ios_orders"},
			{Name: "hero", Expr: "hero_clicks"},
			{Name: "click_count", Expr: "clicks"},
			{Name: "sum_of_squares", Expr: "squares"},
		},
		Experiments: []Experiment{{ID: "exp", Variants: []string{"control", "blue"}}, {ID: "other", Variants: []string{"a"}}},
		Dimensions:  []string{"platform", "dc"},
	}
}

func mustCompile(t rapid.TB, k ...Keyspace) *Keyspaces {
	t.Helper()
	c, err := Compile(k)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func at(m int64) *Instant { return &Instant{Millis: m * minute} }

func ask(t rapid.TB, k *Keyspaces, live *Live, r Request) *Answer {
	t.Helper()
	if r.Experiment == "" {
		r.Experiment = "exp"
	}
	a, err := k.byName["shop"].answer(context.Background(), live, &r, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// find returns the values of the line of a formula with a label's value.
func (a *Answer) find(t rapid.TB, formula, label, value string) Series {
	t.Helper()
	for _, s := range a.Series {
		if s.Formula == formula && s.Labels[label] == value {
			return s
		}
	}
	t.Fatalf("no series of %s with %s=%q in %+v", formula, label, value, a.Series)
	return Series{}
}

// numbers gives the values of points, NaN for null.
func (s Series) numbers() []float64 {
	out := make([]float64, len(s.Points))
	for i, p := range s.Points {
		out[i] = orNull(p.Value)
	}
	return out
}

func orNull(v *float64) float64 {
	if v == nil {
		return null
	}
	return *v
}
