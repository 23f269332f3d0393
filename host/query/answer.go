package query

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"slices"
	"strings"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

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

// answer computes the formulas over the sums.
func (g *gather) answer(ctx context.Context, bounds []int64, step Step, k look) (*Answer, error) {
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
		return a, nil
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
	rows := g.sorted()
	if n := len(q.order) * len(rows) * shown; n > maxValues {
		return nil, refuse("take a longer step, fewer formulas, or split by fewer dimensions", "the answer has %d series of %d points for %d formulas, those they need included: more than %d values", len(rows), shown, len(q.order), maxValues)
	}
	for _, r := range rows {
		if ctx.Err() != nil {
			return nil, late("the answer was not computed in time")
		}
		a.Series = append(a.Series, r.series(q, values, bounds[:shown], provisional)...)
	}
	slices.SortStableFunc(a.Series, func(x, y Series) int {
		at := func(s Series) int {
			return slices.IndexFunc(q.formulas, func(f *formula) bool { return f.Name == s.Formula })
		}
		return cmp.Compare(at(x), at(y))
	})
	return a, nil
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
