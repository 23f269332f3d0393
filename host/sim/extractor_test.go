package sim

import (
	"context"
	"math"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/definition"
	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/host/session"
)

// plugin is an extractor, twice: as the session stage calls it, and as the
// definition does. A generation has its own, whose factor shows in figures.
//
// A beacon of the type view or order is a measurement of that point, order's
// value times the factor; click has the attributes img and slot; both is a view
// and an order. With cells, a view's value hangs on how many the session had
// before. Where it closes sessions, their length is measured and, with cells, the
// highest value that they had.
type plugin struct {
	factor        float64
	fewer         bool // has no click
	cells, closes bool
	broken        func() error  // now and then; nil: never
	last          *atomic.Int64 // time of the last beacons of all, whose sessions never end; 0: not sent yet
}

var _ session.SessionExtractor = (*plugin)(nil)

var pluginFields = []string{"type", "value", "img", "slot"}

func (p *plugin) points() []abi.Point {
	all := []abi.Point{{Name: "view"}, {Name: "order"}}
	if !p.fewer {
		// Not last, so that numbers differ between generations.
		all = slices.Insert(all, 1, abi.Point{Name: "click", Attributes: []string{"slot", "img"}})
	}
	if p.closes {
		all = slices.Insert(all, 1, abi.Point{Name: "length"})
	}
	return all
}

func (p *plugin) Points() []abi.Point { return p.points() }

func (p *plugin) point(name string) int {
	return slices.IndexFunc(p.points(), func(q abi.Point) bool { return q.Name == name })
}

func (p *plugin) Cells() []abi.Cell {
	all := []abi.Cell{{Name: "views", Type: abi.I64}, {Name: "top", Type: abi.F64}}
	switch {
	case !p.cells:
		return nil
	case p.fewer:
		slices.Reverse(all) // numbers differ between generations
	}
	return all
}

func (p *plugin) Closes() bool { return p.closes }

// kept are the cells of a session.
type kept struct {
	views int64
	top   float64
}

func (p *plugin) kept(s *abi.Sessions, row int) (k kept) {
	for i, c := range p.Cells() {
		if bits := s.Cells[i][s.Slots[row]]; c.Name == "views" {
			k.views = int64(bits)
		} else {
			k.top = math.Float64frombits(bits)
		}
	}
	return k
}

func (p *plugin) keep(s *abi.Sessions, row int, k kept) {
	for i, c := range p.Cells() {
		if at := &s.Cells[i][s.Slots[row]]; c.Name == "views" {
			*at = uint64(k.views)
		} else {
			*at = math.Float64bits(k.top)
		}
	}
}

// view is the value of a view, and order the measured value of an order.
func (p *plugin) view(k *kept) float64 {
	k.views++
	if p.cells {
		return float64(1 + k.views%3)
	}
	return 1
}

func (p *plugin) order(k *kept, v float64) float64 {
	k.top = max(k.top, v)
	return v * p.factor
}

func (p *plugin) Extract(ctx context.Context, b *beacon.Batch, sel []int, emit func(metric.Measurement), bad func(int), fail func(int, beacon.Drop)) error {
	if p.cells {
		panic("an extractor with cells is called without")
	}
	return p.ExtractSessions(ctx, b, sel, nil, emit, bad, fail)
}

func (p *plugin) CloseSessions(_ context.Context, c *abi.Closed, emit func(metric.Measurement), _ func(int), _ func(int, beacon.Drop)) error {
	if err := p.broken(); err != nil {
		return err
	}
	views := p.point("view")
	for row := range c.First {
		for _, m := range p.ends(c.First[row], c.Last[row], c.Counts[views][row], p.kept(&c.Sessions, row)) {
			emit(metric.Measurement{Row: row, Point: p.point(m.Point), Value: m.Value})
		}
	}
	return nil
}

// ends is what is measured of a session.
func (p *plugin) ends(first, last, views int64, k kept) (all []definition.Measurement) {
	if last := p.last.Load(); last != 0 && first >= last {
		return nil
	}
	all = []definition.Measurement{{Point: "length", Value: float64(last-first)/1000 + float64(views)}}
	if k.top > 0 {
		all = append(all, definition.Measurement{Point: "order", Value: k.top})
	}
	return all
}

func (p *plugin) close(s definition.Session) []definition.Measurement {
	var k kept
	if p.cells {
		k = kept{int64(s.Cells["views i64"]), math.Float64frombits(s.Cells["top f64"])}
	}
	return p.ends(s.First, s.Last, s.Counts["view"], k)
}

// ExtractSessions is Extract where there are no sessions.
func (p *plugin) ExtractSessions(_ context.Context, b *beacon.Batch, sel []int, sessions *abi.Sessions, emit func(metric.Measurement), bad func(int), _ func(int, beacon.Drop)) error {
	if err := p.broken(); err != nil {
		return err
	}
	var at [4]int
	for i, name := range pluginFields {
		at[i] = b.Fields().Index(name)
	}
	for i, row := range sel {
		values := b.Row(row).Values
		kind := string(values[at[0]].Text)
		var k kept
		if sessions != nil {
			k = p.kept(sessions, i)
		}
		if kind == "view" || kind == "both" {
			emit(metric.Measurement{Row: row, Point: p.point("view"), Value: p.view(&k)})
		}
		if kind == "order" || kind == "both" {
			v, err := strconv.ParseFloat(string(values[at[1]].Text), 64)
			if err != nil || values[at[1]].Kind != abi.Number {
				bad(row)
			} else {
				emit(metric.Measurement{Row: row, Point: p.point("order"), Value: p.order(&k, v)})
			}
		}
		if kind == "click" && !p.fewer {
			emit(metric.Measurement{
				Row: row, Point: p.point("click"), Value: 1,
				Attributes: [][]byte{values[at[3]].Text, values[at[2]].Text},
			})
		}
		if sessions != nil {
			p.keep(sessions, i, k)
		}
	}
	return nil
}

// extract is the same in the words of the definition. Without cells those of
// another generation stay as they are.
func (p *plugin) extract(b definition.Beacon, cells definition.Cells) (all []definition.Measurement) {
	var k kept
	if p.cells {
		k = kept{int64(cells["views i64"]), math.Float64frombits(cells["top f64"])}
		defer func() { cells["views i64"], cells["top f64"] = uint64(k.views), math.Float64bits(k.top) }()
	}
	kind := b.Field("type").Text()
	if kind == "view" || kind == "both" {
		all = append(all, definition.Measurement{Point: "view", Value: p.view(&k)})
	}
	if kind == "order" || kind == "both" {
		v, ok := b.Field("value").Number()
		m := definition.Measurement{Point: "order", Bad: !ok}
		if ok {
			m.Value = p.order(&k, v)
		}
		all = append(all, m)
	}
	if kind == "click" && !p.fewer {
		all = append(all, definition.Measurement{
			Point: "click", Value: 1, Attributes: map[string]string{"img": b.Field("img").Text(), "slot": b.Field("slot").Text()},
		})
	}
	return all
}

// filter drops beacons of bots, splitter sends apps' to their route.
type filter struct {
	field  string
	broken func() error
}

func (f filter) Filter(_ context.Context, b *beacon.Batch, sel []int, drop func(int, beacon.Drop)) error {
	if err := f.broken(); err != nil {
		return err
	}
	at := b.Fields().Index(f.field)
	for _, row := range sel {
		if text := b.Row(row).Values[at].Text; len(text) > 0 {
			drop(row, beacon.Drop{Reason: f.field + " " + string(text)})
		}
	}
	return nil
}

func (f filter) dropped(b definition.Beacon) (string, bool) {
	if text := b.Field(f.field).Text(); text != "" {
		return f.field + " " + text, true
	}
	return "", false
}

type splitter struct{ *generation }

func (s splitter) Split(_ context.Context, b *beacon.Batch, sel []int, route func(int, string), _ func(int, beacon.Drop)) error {
	at := b.Fields().Index("app")
	for _, row := range sel {
		if name := s.split(string(b.Row(row).Values[at].Text)); name != "" {
			route(row, name)
		}
	}
	return nil
}

// split is the route of a beacon by what it says of its app; empty: no opinion.
func (g *generation) split(app string) string {
	switch {
	case app == "":
		return ""
	case app == "tv" && slices.Contains(g.routeNames(), "tv"):
		return "tv"
	}
	return "app"
}
