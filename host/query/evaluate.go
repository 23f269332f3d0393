package query

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"net/http"
	"slices"
	"strings"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// Reader reads a store. It calls each with every sample that the selector
// takes, in any order, and stops at its error. The series may be reused.
type Reader interface {
	Read(ctx context.Context, sel metric.Selector, each func(s *metric.Series, stat string, minute int64, v float64) error) error
}

// Answer is the answer to a Request. Times are ms since 1970.
type Answer struct {
	Keyspace   string `json:"keyspace"`
	Experiment string `json:"experiment"`
	Status     string `json:"status"`
	From       *int64 `json:"from"` // start of the first bucket; null: there is no figure
	To         *int64 `json:"to"`   // end of the last bucket, known or not
	Step       string `json:"step"`
	Timezone   string `json:"timezone"`
	// CompleteThrough is the last final minute (its start); null: none is known.
	CompleteThrough *int64 `json:"complete_through"`
	// Newest is the newest minute that is known; no bucket begins after it.
	Newest *int64   `json:"newest"`
	Series []Series `json:"series"`
}

// Series is one line of a chart.
type Series struct {
	Formula string            `json:"formula"`
	Labels  map[string]string `json:"labels"`
	Points  []Point           `json:"points"`
	// Total is the formula computed over the whole range.
	Total *float64 `json:"total"`
	// ProvisionalFrom is the start of the first bucket of Points that is not
	// final; null: all are.
	ProvisionalFrom *int64 `json:"provisional_from"`
	Meta            Meta   `json:"meta"`
}

// Point is a bucket: when it begins, and the formula's value or null.
type Point struct {
	Millis int64
	Value  *float64
}

// MarshalJSON writes [ms, value].
func (p Point) MarshalJSON() ([]byte, error) { return json.Marshal([2]any{p.Millis, p.Value}) }

// Meta is how a chart shows a formula.
type Meta struct {
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	Expr        string `json:"expr"`
	Format      string `json:"format"`
	Currency    string `json:"currency,omitempty"`
	Better      string `json:"better,omitempty"`
}

func (f *formula) meta() Meta {
	return Meta{Title: f.Title, Description: f.Description, Expr: f.Expr, Format: f.Format, Currency: f.Currency, Better: f.Better}
}

// gather sums figures exactly, by labels, metric and bucket.
type gather struct {
	q      *question
	wanted map[pointStat][]int // indices in q.metrics
	bounds []int64             // of buckets; nil while sums are kept by minute
	rows   map[string]*row
	key    []byte
	first  int64 // lowest and highest minute with a figure that is not zero
	last   int64
	some   bool
}

type pointStat struct{ point, stat string }

// row is what is summed for one set of labels.
type row struct {
	values []string               // of q.by
	sums   []map[int64]metric.Int // by metric of q.metrics: bucket or minute -> sum
}

func newGather(q *question, bounds []int64) *gather {
	g := &gather{q: q, wanted: map[pointStat][]int{}, bounds: bounds, rows: map[string]*row{}}
	for i, m := range q.metrics {
		k := pointStat{q.space.Metrics[m].Point, q.space.Metrics[m].Stat}
		g.wanted[k] = append(g.wanted[k], i)
	}
	return g
}

// selector is the one fetch that the question needs.
func (g *gather) selector(from, to int64) metric.Selector {
	sel := metric.Selector{Tenant: g.q.space.Tenant, Experiments: []string{g.q.experiment.ID}, Status: g.q.status, From: from, To: to}
	for k := range g.wanted {
		if !slices.Contains(sel.Points, k.point) {
			sel.Points = append(sel.Points, k.point)
		}
		if !slices.Contains(sel.Stats, k.stat) {
			sel.Stats = append(sel.Stats, k.stat)
		}
	}
	slices.Sort(sel.Points)
	slices.Sort(sel.Stats)
	return sel
}

// add books one stat of a figure under every metric that takes it.
func (g *gather) add(s *metric.Series, stat string, minute int64, v float64) error {
	for _, i := range g.wanted[pointStat{s.Point, stat}] {
		m := &g.q.space.Metrics[g.q.metrics[i]]
		if v == 0 || !takes(m, s) {
			continue
		}
		if !g.some || minute < g.first {
			g.first = minute
		}
		if !g.some || minute > g.last {
			g.last = minute
		}
		g.some = true
		r, err := g.row(s)
		if err != nil {
			return err
		}
		decimals, _ := decimalsOf(stat, s.Point)
		sums := r.sums[i]
		if sums == nil {
			sums = map[int64]metric.Int{}
			r.sums[i] = sums
		}
		at := minute
		if g.bounds != nil {
			at = bucketOf(g.bounds, minute)
		}
		sums[at] = sums[at].Add(integer(v, decimals))
	}
	return nil
}

// takes tells whether a metric, of the series' point, selects the series.
func takes(m *Metric, s *metric.Series) bool {
	if (len(m.Attributes) == 0) != (len(s.Attributes) == 0) {
		return false
	}
	for name, value := range m.Attributes {
		if labelOf(s.Attributes, name) != value {
			return false
		}
	}
	for name, value := range m.Dims {
		if labelOf(s.Dims, name) != value {
			return false
		}
	}
	return true
}

func labelOf(labels []metric.Label, name string) string {
	for _, l := range labels {
		if l.Name == name {
			return l.Value
		}
	}
	return ""
}

func (g *gather) row(s *metric.Series) (*row, error) {
	g.key = g.key[:0]
	for _, name := range g.q.by {
		g.key = append(append(g.key, groupValue(s, name)...), 0xff) // no byte of UTF-8
	}
	r := g.rows[string(g.key)]
	if r == nil {
		if len(g.rows) >= maxSeries {
			return nil, refuse("split by fewer dimensions, or by ones with fewer values", "the answer has more than %d series a formula", maxSeries)
		}
		r = &row{sums: make([]map[int64]metric.Int, len(g.q.metrics))}
		for _, name := range g.q.by {
			r.values = append(r.values, groupValue(s, name))
		}
		g.rows[string(g.key)] = r
	}
	return r, nil
}

func groupValue(s *metric.Series, name string) string {
	if name == byVariant {
		return s.Variant
	}
	return labelOf(s.Dims, name)
}

// rebucket turns sums by minute into sums by bucket.
func (g *gather) rebucket(bounds []int64) {
	g.bounds = bounds
	for _, r := range g.rows {
		for i, byMinute := range r.sums {
			sums := map[int64]metric.Int{}
			for minute, v := range byMinute {
				at := bucketOf(bounds, minute)
				sums[at] = sums[at].Add(v)
			}
			r.sums[i] = sums
		}
	}
}

func bucketOf(bounds []int64, minute int64) int64 {
	i, found := slices.BinarySearch(bounds, minute)
	if !found {
		i--
	}
	return int64(i)
}

// integer takes a stored value back to the integer that it is the nearest
// float64 of, in units of 10^-decimals; beyond 2^51 units to the nearest one.
func integer(v float64, decimals int) metric.Int {
	if scaled := v * math.Pow10(decimals); math.Abs(scaled) < 1<<51 {
		return metric.NewInt(int64(math.RoundToEven(scaled)))
	}
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return metric.Int{} // no store was given such a figure
	}
	x, _ := new(big.Float).SetPrec(256).SetString("0.5")
	if v < 0 {
		x.Neg(x)
	}
	scaled := new(big.Float).SetPrec(256).SetFloat64(v)
	scaled.Mul(scaled, new(big.Float).SetFloat64(math.Pow10(decimals)))
	n, _ := scaled.Add(scaled, x).Int(nil)
	return metric.IntOfBig(n)
}

// answer runs a request against a keyspace: one look at the live view, one
// fetch of the store.
func (s *space) answer(ctx context.Context, live *Live, r *Request, now int64) (*Answer, error) {
	edge, ok := live.edge(s.Tenant)
	if !ok {
		edge = now
	}
	q, err := s.resolve(r, edge)
	if err != nil {
		return nil, err
	}
	cut := &cutter{location: s.location}
	var bounds []int64
	from, to := int64(0), q.to
	if q.from != nil {
		if bounds, err = q.buckets(cut, *q.from, to); err != nil {
			return nil, err
		}
		from, to = bounds[0], bounds[len(bounds)-1]
	}
	g := newGather(q, bounds)
	look, err := g.fetch(ctx, live, from, to)
	if err != nil {
		return nil, err
	}
	if bounds == nil && g.some {
		if bounds, err = q.buckets(cut, g.first, to); err != nil {
			return nil, err
		}
		g.rebucket(bounds)
	}
	return g.answer(bounds, cut.step, look), nil
}

// buckets finds the step where none is given, and cuts.
func (q *question) buckets(c *cutter, from, to int64) ([]int64, error) {
	c.step = autoStep(to-from, q.points)
	if q.step != nil {
		c.step = *q.step
	}
	bounds, ok := c.cut(from, to, maxPoints)
	if !ok {
		return nil, refuse(fmt.Sprintf("take a step of %s or more, or leave it out", autoStep(to-from, maxPoints)), "steps of %s cut the range into more than %d points", c.step, maxPoints)
	}
	return bounds, nil
}

// fetch looks at the live view first: what it lets go of later, the store has.
func (g *gather) fetch(ctx context.Context, live *Live, from, to int64) (look, error) {
	sel := g.selector(from, to)
	var bad error
	look := live.look(&sel, func(s *metric.Series, minute int64, f metric.Figure) {
		// as a store holds it, so that no bit changes when the store takes over
		sample := f.Sample(s, minute)
		for _, stat := range sel.Stats {
			if v, _ := sample.Stat(stat); bad == nil {
				bad = g.add(s, stat, minute, v)
			}
		}
	})
	if bad != nil || len(sel.Points) == 0 {
		return look, bad
	}
	err := g.q.space.Store.Read(ctx, sel, func(s *metric.Series, stat string, minute int64, v float64) error {
		if look.holds(s, minute) || !sel.Holds(minute) || !sel.Matches(s) {
			return nil
		}
		bad = g.add(s, stat, minute, v)
		return bad
	})
	switch {
	case bad != nil:
		return look, bad
	case ctx.Err() != nil:
		return look, &Error{http.StatusGatewayTimeout, "the store did not answer in time", "ask for a shorter range, or see the store's state in /api/v1/status"}
	case err != nil:
		return look, fmt.Errorf("keyspace %s: reading the store: %w", g.q.space.Name, err)
	}
	return look, nil
}

// answer computes the formulas over the sums.
func (g *gather) answer(bounds []int64, step Step, k look) *Answer {
	q := g.q
	a := &Answer{Keyspace: q.space.Name, Experiment: q.experiment.ID, Status: q.status, Step: step.String(), Timezone: q.space.location.String(), Series: []Series{}}
	known, hasKnown := k.newest, k.hasNewest
	if k.final {
		a.CompleteThrough = millis(k.complete - 1)
		if !hasKnown || k.complete-1 > known {
			known, hasKnown = k.complete-1, true
		}
	}
	if g.some && (!hasKnown || g.last > known) {
		known, hasKnown = g.last, true
	}
	if hasKnown {
		a.Newest = millis(known)
	}
	if len(bounds) == 0 {
		return a
	}
	a.From, a.To = millis(bounds[0]), millis(bounds[len(bounds)-1])
	shown := 0
	var provisional *int64
	for ; hasKnown && shown < len(bounds)-1 && bounds[shown] <= known; shown++ {
		if open := !k.final || bounds[shown+1] > k.complete; open && provisional == nil {
			provisional = millis(bounds[shown])
		}
	}
	values := make([]float64, q.space.vars)
	for _, p := range q.space.params {
		values[p.slot] = p.value
		if v, ok := q.params[p.name]; ok {
			values[p.slot] = v
		}
	}
	for _, r := range g.sorted() {
		a.Series = append(a.Series, r.series(q, values, bounds[:shown], provisional)...)
	}
	slices.SortStableFunc(a.Series, func(x, y Series) int {
		at := func(s Series) int {
			return slices.IndexFunc(q.formulas, func(f *formula) bool { return f.Name == s.Formula })
		}
		return cmp.Compare(at(x), at(y))
	})
	return a
}

// sorted returns the rows in the order of the experiment's variants, then of
// their labels; variants without figures have a row too where figures are split
// by variant alone.
func (g *gather) sorted() []*row {
	if slices.Equal(g.q.by, []string{byVariant}) {
		for _, v := range g.q.experiment.Variants {
			if _, err := g.row(&metric.Series{Variant: v}); err != nil {
				break
			}
		}
	} else if len(g.q.by) == 0 && len(g.rows) == 0 {
		g.rows[""] = &row{sums: make([]map[int64]metric.Int, len(g.q.metrics))}
	}
	rows := make([]*row, 0, len(g.rows))
	for _, r := range g.rows {
		rows = append(rows, r)
	}
	variant := func(name string) int {
		if i := slices.Index(g.q.experiment.Variants, name); i >= 0 {
			return i
		}
		return len(g.q.experiment.Variants)
	}
	slices.SortFunc(rows, func(a, b *row) int {
		for i, name := range g.q.by {
			if name == byVariant {
				if c := cmp.Compare(variant(a.values[i]), variant(b.values[i])); c != 0 {
					return c
				}
			}
			if c := strings.Compare(a.values[i], b.values[i]); c != 0 {
				return c
			}
		}
		return 0
	})
	return rows
}

// series computes all formulas asked for over one row.
func (r *row) series(q *question, values []float64, starts []int64, provisional *int64) []Series {
	out := make([]Series, len(q.formulas))
	for i, f := range q.formulas {
		out[i] = Series{Formula: f.Name, Labels: map[string]string{}, Points: make([]Point, len(starts)), ProvisionalFrom: provisional, Meta: f.meta()}
		for j, name := range q.by {
			out[i].Labels[name] = r.values[j]
		}
	}
	if len(starts) == 0 {
		return out // nothing is known, so no total either
	}
	totals := make([]metric.Int, len(q.metrics))
	for at, start := range starts {
		for i := range q.metrics {
			v := r.sums[i][int64(at)]
			totals[i] = totals[i].Add(v)
			values[q.metrics[i]] = q.float(i, v)
		}
		for i, v := range q.compute(values) {
			out[i].Points[at] = Point{start * minute, v}
		}
	}
	for i, v := range totals {
		values[q.metrics[i]] = q.float(i, v)
	}
	for i, v := range q.compute(values) {
		out[i].Total = v
	}
	return out
}

// float gives the float64 nearest to the sum of a metric of q.metrics.
func (q *question) float(i int, v metric.Int) float64 {
	m := &q.space.Metrics[q.metrics[i]]
	decimals, _ := decimalsOf(m.Stat, m.Point)
	return finite(v.Float64(decimals))
}

// compute gives the formulas asked for from the metrics in values.
func (q *question) compute(values []float64) []*float64 {
	for _, i := range q.order {
		f := q.space.formulas[i]
		values[f.slot] = f.eval(values)
	}
	out := make([]*float64, len(q.formulas))
	for i, f := range q.formulas {
		if v := finite(values[f.slot]); !math.IsNaN(v) {
			v += 0 // no negative zero
			out[i] = &v
		}
	}
	return out
}

func millis(m int64) *int64 {
	ms := m * minute
	return &ms
}
