package query

import (
	"math"
	"math/big"
	"slices"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

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
