package metric

import (
	"maps"
	"slices"
)

// Totals are sums of deltas by series and minute. The zero value is empty and
// ready. Not for concurrent use.
type Totals struct {
	series  map[string]*held
	minutes map[int64]map[*held]Figure
	figures int
	key     []byte
	last    *held   // of the delta before, and
	lastOf  *Series // its series as it was given: those of a series come together
}

// held is a series that some minute of the totals has.
type held struct {
	series  *Series
	key     string
	minutes int
}

// Add books a delta. It keeps d.Series, which must not change any more.
func (t *Totals) Add(d Delta) {
	if t.series == nil {
		t.series = map[string]*held{}
		t.minutes = map[int64]map[*held]Figure{}
	}
	h := t.last
	if h == nil || t.lastOf != d.Series {
		t.key = d.Series.AppendKey(t.key[:0])
		h = t.series[string(t.key)]
		if h == nil {
			h = &held{series: d.Series, key: string(t.key)}
			t.series[h.key] = h
		}
		t.last, t.lastOf = h, d.Series
	}
	m := t.minutes[d.Minute]
	if m == nil {
		m = map[*held]Figure{}
		t.minutes[d.Minute] = m
	}
	f, ok := m[h]
	if !ok {
		h.minutes++
		t.figures++
	}
	f.Add(d.Figure)
	m[h] = f
}

// Len returns the number of figures held, zero ones included.
func (t *Totals) Len() int { return t.figures }

// Minutes returns the minutes that have figures, ascending.
func (t *Totals) Minutes() []int64 { return slices.Sorted(maps.Keys(t.minutes)) }

// Get returns one figure; zero if it has none.
func (t *Totals) Get(s *Series, minute int64) Figure {
	t.key = s.AppendKey(t.key[:0])
	h := t.series[string(t.key)]
	if h == nil {
		return Figure{}
	}
	return t.minutes[minute][h]
}

// Samples returns the figures of one minute that are not zero, in the order of
// their series.
func (t *Totals) Samples(minute int64) []Sample {
	var out []Sample
	for h, f := range t.minutes[minute] {
		if !f.IsZero() {
			out = append(out, f.Sample(h.series, minute))
		}
	}
	slices.SortFunc(out, func(a, b Sample) int { return a.Series.Compare(b.Series) })
	return out
}

// Drop lets go of all minutes before the given one.
func (t *Totals) Drop(before int64) { t.drop(func(minute int64) bool { return minute < before }) }

// DropFrom lets go of a minute and all later ones.
func (t *Totals) DropFrom(from int64) { t.drop(func(minute int64) bool { return minute >= from }) }

func (t *Totals) drop(goes func(minute int64) bool) {
	t.last, t.lastOf = nil, nil
	for minute, m := range t.minutes {
		if !goes(minute) {
			continue
		}
		for h := range m {
			if h.minutes--; h.minutes == 0 {
				delete(t.series, h.key)
			}
		}
		t.figures -= len(m)
		delete(t.minutes, minute)
	}
}

// Each calls each for the figures that are not zero, sorted by series then
// minute: the order of replay's output.
func (t *Totals) Each(each func(s *Series, minute int64, f Figure)) {
	series := slices.SortedFunc(maps.Values(t.series), func(a, b *held) int { return a.series.Compare(b.series) })
	at := make(map[*held]int, len(series))
	for i, h := range series {
		at[h] = i
	}
	type entry struct {
		minute int64
		figure Figure
	}
	rows := make([][]entry, len(series))
	for _, minute := range t.Minutes() {
		for h, f := range t.minutes[minute] {
			if !f.IsZero() {
				rows[at[h]] = append(rows[at[h]], entry{minute, f})
			}
		}
	}
	for i, h := range series {
		for _, e := range rows[i] {
			each(h.series, e.minute, e.figure)
		}
	}
}
