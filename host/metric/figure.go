package metric

import "strings"

// Add books g on top of f.
func (f *Figure) Add(g Figure) {
	f.Hits += g.Hits
	f.Sessions += g.Sessions
	f.Sum = f.Sum.Add(g.Sum)
	f.SumSq = f.SumSq.Add(g.SumSq)
}

// IsZero tells whether all four stats are zero.
func (f Figure) IsZero() bool {
	return f.Hits == 0 && f.Sessions == 0 && f.Sum.IsZero() && f.SumSq.IsZero()
}

// Neg returns the figure that takes f back.
func (f Figure) Neg() Figure {
	return Figure{Hits: -f.Hits, Sum: f.Sum.Neg(), Sessions: -f.Sessions, SumSq: f.SumSq.Neg()}
}

// Equal tells whether all four stats of f and g are the same.
func (f Figure) Equal(g Figure) bool {
	return f.Hits == g.Hits && f.Sessions == g.Sessions && f.Sum.Equal(g.Sum) && f.SumSq.Equal(g.SumSq)
}

// Sample returns the figure as stores hold it.
func (f Figure) Sample(s *Series, minute int64) Sample {
	return Sample{
		Series: s, Minute: minute,
		Hits: float64(f.Hits), Sum: f.Sum.Float64(s.SumDecimals()),
		Sessions: float64(f.Sessions), SumSq: f.SumSq.Float64(sumSqDecimals),
	}
}

// sumSqDecimals are the decimals of Figure.SumSq.
const sumSqDecimals = 12

// SumDecimals are the decimals of the series' Figure.Sum: 6, and 12 at the point
// a*b of a tenant's pairs. No other point has a "*" in its name.
func (s *Series) SumDecimals() int {
	if strings.Contains(s.Point, "*") {
		return 12
	}
	return 6
}

// The names of the stats, as stores and requests call them.
const (
	StatHits     = "hits"
	StatSum      = "sum"
	StatSessions = "sessions"
	StatSumSq    = "sumsq"
)

// Stats are the names of all stats, in the order of a figure.
var Stats = []string{StatHits, StatSum, StatSessions, StatSumSq}

// Stat returns the value of a stat by its name; false if there is none such.
func (s *Sample) Stat(name string) (float64, bool) {
	switch name {
	case StatHits:
		return s.Hits, true
	case StatSum:
		return s.Sum, true
	case StatSessions:
		return s.Sessions, true
	case StatSumSq:
		return s.SumSq, true
	}
	return 0, false
}
