package metric

import "slices"

// Selector says which figures a reader wants.
type Selector struct {
	Tenant      string
	Experiments []string // empty: all
	Points      []string // empty: all
	Stats       []string // names of stats; empty: all
	Status      string   // empty: all
	From, To    int64    // minutes, [From, To)
}

// Matches tells whether the selector takes the series. Series of a point with
// attributes match beside the point itself.
func (sel *Selector) Matches(s *Series) bool {
	return s.Tenant == sel.Tenant &&
		(sel.Status == "" || s.Status == sel.Status) &&
		(len(sel.Experiments) == 0 || slices.Contains(sel.Experiments, s.Experiment)) &&
		(len(sel.Points) == 0 || slices.Contains(sel.Points, s.Point))
}

// WantsStat tells whether the selector takes the stat.
func (sel *Selector) WantsStat(name string) bool {
	return len(sel.Stats) == 0 || slices.Contains(sel.Stats, name)
}

// Holds tells whether the minute lies in [From, To).
func (sel *Selector) Holds(minute int64) bool { return sel.From <= minute && minute < sel.To }
