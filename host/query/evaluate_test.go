package query

import (
	"context"
	"errors"
	"math"
	"math/big"
	"net/http"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

var (
	ios = metric.Label{Name: "platform", Value: "ios"}
	web = metric.Label{Name: "platform", Value: "web"}
)

// demoStore has the minutes 100 to 104: of control 10 visitors each and 2
// orders of 10.5 but in 103, of blue 8 visitors each and 2 orders of 12.
func demoStore(t rapid.TB) *fakeStore {
	store := &fakeStore{}
	for m := int64(100); m < 105; m++ {
		store.write(t,
			metric.Sample{Series: series("control", "visit", ios), Minute: m, Hits: 4, Sessions: 4, Sum: 4},
			metric.Sample{Series: series("control", "visit", web), Minute: m, Hits: 6, Sessions: 6, Sum: 6},
			metric.Sample{Series: series("blue", "visit", web), Minute: m, Hits: 8, Sessions: 8, Sum: 8},
			metric.Sample{Series: series("blue", "order", web), Minute: m, Hits: 2, Sessions: 2, Sum: 24, SumSq: 288},
		)
		if m != 103 {
			store.write(t, metric.Sample{Series: series("control", "order", ios), Minute: m, Hits: 2, Sessions: 1, Sum: 21, SumSq: 441})
		}
	}
	return store
}

func TestAggregateFirstThenCompute(t *testing.T) {
	store := demoStore(t)
	k := mustCompile(t, testKeyspace(store))
	a := ask(t, k, readyLive(105), Request{From: at(100), To: at(105), Step: &Step{2}, Formulas: []string{"conversion", "aov", "net"}})
	if len(a.Series) != 6 {
		t.Fatalf("%d series", len(a.Series))
	}
	if a.Series[0].Formula != "conversion" || a.Series[0].Labels["variant"] != "control" || a.Series[1].Labels["variant"] != "blue" {
		t.Errorf("not in the order of formulas and variants: %+v", a.Series)
	}
	control := a.find(t, "conversion", "variant", "control")
	if got, want := control.numbers(), []float64{0.2, 0.1, 0.2}; !slices.Equal(got, want) {
		t.Errorf("conversion of control is %v, want %v", got, want)
	}
	if got := *control.Total; got != 8.0/50 {
		t.Errorf("in total %v", got)
	}
	if got := *a.find(t, "aov", "variant", "control").Total; got != 10.5 {
		t.Errorf("average order value in total %v", got)
	}
	if got, fee := *a.find(t, "net", "variant", "blue").Total, 0.1; got != 120*(1-fee) {
		t.Errorf("net in total %v", got)
	}
	if control.Points[1].Millis != 102*minute || *a.From != 100*minute || *a.To != 106*minute || a.Step != "2m" {
		t.Errorf("times are %d, %d to %d by %s", control.Points[1].Millis, *a.From, *a.To, a.Step)
	}
	if m := control.Meta; m.Title != "Conversion" || m.Format != "percent" || m.Better != "up" || m.Expr != "orders / visitors" {
		t.Errorf("meta %+v", m)
	}
}

func TestOneFetchARequest(t *testing.T) {
	store := demoStore(t)
	k := mustCompile(t, testKeyspace(store))
	ask(t, k, readyLive(105), Request{From: at(100), To: at(105), Formulas: []string{"conversion", "aov", "per_visitor", "order_count", "ios"}, By: &[]string{"platform", "variant"}})
	if len(store.reads) != 1 {
		t.Fatalf("the store is read %d times", len(store.reads))
	}
	sel := store.reads[0]
	if !slices.Equal(sel.Points, []string{"order", "visit"}) || !slices.Equal(sel.Stats, []string{"hits", "sessions", "sum"}) ||
		!slices.Equal(sel.Experiments, []string{"exp"}) || sel.Status != "assigned" || sel.Tenant != "shop" || sel.From != 100 || sel.To != 105 {
		t.Errorf("it asks for %+v", sel)
	}
	ask(t, k, readyLive(105), Request{Formulas: []string{"conversion"}})
	if len(store.reads) != 2 {
		t.Errorf("a range without a start reads the store %d times", len(store.reads)-1)
	}
}

func TestParams(t *testing.T) {
	k := mustCompile(t, testKeyspace(demoStore(t)))
	a := ask(t, k, readyLive(105), Request{From: at(100), To: at(105), Formulas: []string{"per_visitor", "net"}, Params: map[string]float64{"fee": 0.5, "cost": 1}})
	if got := *a.find(t, "net", "variant", "blue").Total; got != 60-10 {
		t.Errorf("net is %v", got)
	}
	if got := *a.find(t, "per_visitor", "variant", "blue").Total; got != 50.0/40 {
		t.Errorf("per visitor %v", got)
	}
	r := Request{Formulas: []string{"aov"}, Experiment: "exp", Params: map[string]float64{"fee": 1}}
	if _, err := k.byName["shop"].answer(context.Background(), readyLive(105), &r, 0); err == nil {
		t.Error("a parameter that no formula asked for has is taken")
	}
}

func TestSplits(t *testing.T) {
	store := demoStore(t)
	k := mustCompile(t, testKeyspace(store))
	live := readyLive(105)
	r := Request{From: at(100), To: at(105), Step: &Step{5}, Formulas: []string{"conversion", "ios"}}
	r.By = &[]string{}
	a := ask(t, k, live, r)
	if len(a.Series) != 2 || len(a.Series[0].Labels) != 0 || *a.Series[0].Total != 18.0/90 {
		t.Errorf("unsplit: %+v", a.Series)
	}
	r.By = &[]string{"variant", "platform"}
	a = ask(t, k, live, r)
	var got []string
	for _, s := range a.Series[:3] {
		got = append(got, s.Labels["variant"]+"/"+s.Labels["platform"])
	}
	if want := []string{"control/ios", "control/web", "blue/web"}; !slices.Equal(got, want) {
		t.Errorf("split into %v, want %v", got, want)
	}
	if *a.Series[0].Total != 8.0/20 || *a.Series[1].Total != 0 {
		t.Errorf("control on ios %v, on web %v", *a.Series[0].Total, *a.Series[1].Total)
	}
	r.By = &[]string{"dc"}
	if a = ask(t, k, live, r); len(a.Series) != 2 || a.Series[0].Labels["dc"] != "" {
		t.Errorf("an absent dimension gives %+v", a.Series)
	}
	if got := ask(t, k, live, Request{From: at(100), To: at(105), Formulas: []string{"ios"}}).find(t, "ios", "variant", "control"); *got.Total != 8 {
		t.Errorf("orders on ios are %v", *got.Total)
	}
}

func TestAttributesAreNotCountedTwice(t *testing.T) {
	store := &fakeStore{}
	hero, other := series("blue", "click"), series("blue", "click")
	hero.Attributes = []metric.Label{{Name: "image", Value: "hero"}, {Name: "slot", Value: "1"}}
	other.Attributes = []metric.Label{{Name: "image", Value: "small"}}
	store.write(t, metric.Sample{Series: series("blue", "click"), Minute: 100, Hits: 5}, metric.Sample{Series: hero, Minute: 100, Hits: 3}, metric.Sample{Series: other, Minute: 100, Hits: 2})
	a := ask(t, mustCompile(t, testKeyspace(store)), readyLive(105), Request{From: at(100), To: at(101), Formulas: []string{"click_count", "hero"}})
	if all, some := *a.find(t, "click_count", "variant", "blue").Total, *a.find(t, "hero", "variant", "blue").Total; all != 5 || some != 3 {
		t.Errorf("%v clicks, %v of them on the hero image", all, some)
	}
}

func TestZeroAndNotYetKnown(t *testing.T) {
	k := mustCompile(t, testKeyspace(demoStore(t)))
	live := readyLive(105)
	live.Observe(0, 0, live.now(), &metric.Frame{Deltas: []metric.Delta{{Series: series("blue", "visit", web), Minute: 107, Figure: metric.Figure{Hits: 1, Sessions: 1}}}})
	a := ask(t, k, live, Request{From: at(98), To: at(120), Step: &Step{1}, Formulas: []string{"order_count", "conversion"}})
	orders, conversion := a.find(t, "order_count", "variant", "control"), a.find(t, "conversion", "variant", "blue")
	if got, want := orders.numbers(), []float64{0, 0, 2, 2, 2, 0, 2, 0, 0, 0}; !slices.Equal(got, want) {
		t.Errorf("orders %v, want %v: nothing later is known", got, want)
	}
	if *a.CompleteThrough != 104*minute || *a.Newest != 107*minute || *orders.ProvisionalFrom != 105*minute {
		t.Errorf("complete through %d, newest %d, provisional from %d", *a.CompleteThrough/minute, *a.Newest/minute, *orders.ProvisionalFrom/minute)
	}
	got := conversion.numbers()
	if !math.IsNaN(got[0]) || got[9] != 0 {
		t.Errorf("conversion %v: without visitors it is null, without orders 0", got)
	}
	a = ask(t, k, live, Request{From: at(100), To: at(105), Step: &Step{1}, Formulas: []string{"order_count"}})
	if p := a.Series[0].ProvisionalFrom; p != nil {
		t.Errorf("final minutes are provisional from %d", *p)
	}
	a = ask(t, k, live, Request{From: at(300), To: at(305), Formulas: []string{"order_count"}})
	if s := a.Series[0]; len(s.Points) != 0 || s.Total != nil {
		t.Errorf("of what is not known yet: %+v", s)
	}
}

func TestRangesWithoutEnds(t *testing.T) {
	k := mustCompile(t, testKeyspace(demoStore(t)))
	a := ask(t, k, readyLive(120), Request{Formulas: []string{"order_count"}})
	if *a.From != 100*minute || *a.To != 120*minute || a.Step != "1m" || len(a.Series[0].Points) != 20 {
		t.Errorf("all data is from %d to %d by %s", *a.From/minute, *a.To/minute, a.Step)
	}
	a = ask(t, k, readyLive(104), Request{From: &Instant{Back: 3 * 60e9}, Formulas: []string{"order_count"}, Points: 2})
	if *a.From != 100*minute || *a.To != 104*minute || a.Step != "2m" {
		t.Errorf("the last 3 minutes are from %d to %d by %s", *a.From/minute, *a.To/minute, a.Step)
	}
	a = ask(t, mustCompile(t, testKeyspace(&fakeStore{})), newTestLive(1, &clockAt{}), Request{Formulas: []string{"order_count"}})
	if a.From != nil || a.To != nil || a.CompleteThrough != nil || a.Newest != nil || len(a.Series) != 0 {
		t.Errorf("without any data: %+v", a)
	}
}

func TestSeriesAreBounded(t *testing.T) {
	store := &fakeStore{}
	for i := range maxSeries + 1 {
		dc := metric.Label{Name: "dc", Value: string(rune('0' + i))}
		store.write(t, metric.Sample{Series: series("blue", "order", dc), Minute: 100, Hits: 1})
	}
	k := mustCompile(t, testKeyspace(store))
	r := Request{Experiment: "exp", From: at(100), To: at(101), Formulas: []string{"order_count"}, By: &[]string{"dc"}}
	_, err := k.byName["shop"].answer(context.Background(), readyLive(105), &r, 0)
	var refused *Error
	if !errors.As(err, &refused) || refused.Status != http.StatusBadRequest {
		t.Errorf("%v", err)
	}
}

// Sums are those of the exact figures, whatever order they come in.
func TestSumsAreExact(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		micros := rapid.SliceOfN(rapid.Int64Range(-1<<50, 1<<50), 1, 40).Draw(rt, "micros")
		store, exact := &fakeStore{}, new(big.Int)
		for i, v := range micros {
			exact.Add(exact, big.NewInt(v))
			f := metric.Figure{Hits: 1, Sum: metric.NewInt(v), SumSq: metric.NewInt(v)}
			store.write(t, f.Sample(series("blue", "order"), int64(100+i)))
		}
		a := ask(t, mustCompile(t, testKeyspace(store)), readyLive(1000), Request{From: at(100), To: at(200), Formulas: []string{"sales", "sum_of_squares"}})
		if got, want := *a.find(t, "sales", "variant", "blue").Total, metric.IntOfBig(exact).Float64(6); got != want {
			rt.Errorf("sum %v, want %v", got, want)
		}
		if got, want := *a.find(t, "sum_of_squares", "variant", "blue").Total, metric.IntOfBig(exact).Float64(12); got != want {
			rt.Errorf("sum of squares %v, want %v", got, want)
		}
	})
}

func TestLargeStoredValues(t *testing.T) {
	for _, v := range []float64{0, 1, -1, 0.1, 1e9, -1e9, 1e15, 1e30, 5e-7, math.MaxFloat64, 4503599.627370497} {
		got := integer(v, 12)
		want, _ := new(big.Float).SetPrec(2000).SetString("1e12")
		want.Mul(want, new(big.Float).SetPrec(2000).SetFloat64(v))
		diff := new(big.Float).SetPrec(2000).Sub(want, new(big.Float).SetPrec(2000).SetInt(got.Big()))
		if d, _ := diff.Abs(diff).Float64(); d > 0.5 {
			t.Errorf("%v is taken for %v", v, got)
		}
	}
}
