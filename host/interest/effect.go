package interest

import (
	"math"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// Effect is what a rule changes of figures.
type Effect struct {
	Figures int       `json:"figures"` // that there are, with the rule or without it
	Changed int       `json:"changed"` // of these
	Series  []Changed `json:"series"`  // whose figures change, in order; at most MaxSeries
	More    int       `json:"more"`    // series that change and are not listed
}

// Changed is a series of which figures change.
type Changed struct {
	Tenant     string            `json:"tenant"`
	Experiment string            `json:"experiment"`
	Variant    string            `json:"variant"`
	Status     string            `json:"status"`
	Point      string            `json:"point"`
	Dims       map[string]string `json:"dims"`
	Attributes map[string]string `json:"attributes,omitempty"`
	Minutes    int               `json:"minutes"` // how many of its minutes change
	// The largest change of a minute, by stat, with its sign.
	Hits     int64   `json:"hits"`
	Sum      float64 `json:"sum"`
	Sessions int64   `json:"sessions"`
	SumSq    float64 `json:"sumsq"`
}

// MaxSeries bounds the series that an Effect lists.
const MaxSeries = 1000

// figure is one final figure.
type figure struct {
	series *metric.Series
	minute int64
	metric.Figure
}

func figures(t *metric.Totals) (all []figure) {
	t.Each(func(s *metric.Series, minute int64, f metric.Figure) { all = append(all, figure{s, minute, f}) })
	return all
}

func (f *figure) compare(o *figure) int {
	if c := f.series.Compare(o.series); c != 0 {
		return c
	}
	return int(f.minute - o.minute)
}

// Compare says which figures are otherwise after than before, to the last bit.
func Compare(before, after *metric.Totals) Effect {
	var e Effect
	b, a := figures(before), figures(after)
	var last *metric.Series
	for len(b) > 0 || len(a) > 0 {
		at, change := &figure{}, metric.Figure{}
		order := 0
		switch {
		case len(b) == 0:
			order = 1
		case len(a) == 0:
			order = -1
		default:
			order = b[0].compare(&a[0])
		}
		if order <= 0 {
			at, change = &b[0], b[0].Neg()
			b = b[1:]
		}
		if order >= 0 {
			at = &a[0]
			change.Add(a[0].Figure)
			a = a[1:]
		}
		e.Figures++
		if change.IsZero() {
			continue
		}
		e.Changed++
		if last == nil || last.Compare(at.series) != 0 {
			e.begin(at.series)
		}
		if last = at.series; e.More == 0 {
			e.Series[len(e.Series)-1].add(at.series, change)
		}
	}
	return e
}

// begin begins a series that changes.
func (e *Effect) begin(s *metric.Series) {
	if len(e.Series) == MaxSeries {
		e.More++
		return
	}
	e.Series = append(e.Series, Changed{
		Tenant: s.Tenant, Experiment: s.Experiment, Variant: s.Variant, Status: s.Status, Point: s.Point,
		Dims: labels(s.Dims), Attributes: labels(s.Attributes),
	})
}

func labels(all []metric.Label) map[string]string {
	named := map[string]string{}
	for _, l := range all {
		if l.Value != "" {
			named[l.Name] = l.Value
		}
	}
	return named
}

// add notes the change of a minute.
func (c *Changed) add(s *metric.Series, f metric.Figure) {
	c.Minutes++
	if abs(f.Hits) > abs(c.Hits) {
		c.Hits = f.Hits
	}
	if abs(f.Sessions) > abs(c.Sessions) {
		c.Sessions = f.Sessions
	}
	x := f.Sample(s, 0)
	if math.Abs(x.Sum) > math.Abs(c.Sum) {
		c.Sum = x.Sum
	}
	if math.Abs(x.SumSq) > math.Abs(c.SumSq) {
		c.SumSq = x.SumSq
	}
}

func abs(n int64) int64 { return max(n, -n) }
