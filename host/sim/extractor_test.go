package sim

import (
	"context"
	"slices"
	"strconv"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/definition"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// plugin is an extractor, twice: as the session stage calls it, and as the
// definition does. A generation has its own, whose factor shows in figures.
//
// A beacon of the type view or order is a measurement of that point, order's
// value times the factor; click has the attributes img and slot; both is a view
// and an order.
type plugin struct {
	factor float64
	fewer  bool         // has no click
	broken func() error // now and then; nil: never
}

var pluginFields = []string{"type", "value", "img", "slot"}

func (p *plugin) points() []abi.Point {
	all := []abi.Point{{Name: "view"}, {Name: "order"}}
	if !p.fewer {
		// Not last, so that numbers differ between generations.
		all = slices.Insert(all, 1, abi.Point{Name: "click", Attributes: []string{"slot", "img"}})
	}
	return all
}

func (p *plugin) Points() []abi.Point { return p.points() }

func (p *plugin) point(name string) int {
	return slices.IndexFunc(p.points(), func(q abi.Point) bool { return q.Name == name })
}

func (p *plugin) Extract(_ context.Context, b *beacon.Batch, sel []int, emit func(metric.Measurement), bad func(int), _ func(int, beacon.Drop)) error {
	if p.broken != nil {
		if err := p.broken(); err != nil {
			return err
		}
	}
	var at [4]int
	for i, name := range pluginFields {
		at[i] = b.Fields().Index(name)
	}
	for _, row := range sel {
		values := b.Row(row).Values
		kind := string(values[at[0]].Text)
		if kind == "view" || kind == "both" {
			emit(metric.Measurement{Row: row, Point: p.point("view"), Value: 1})
		}
		if kind == "order" || kind == "both" {
			v, err := strconv.ParseFloat(string(values[at[1]].Text), 64)
			if err != nil || values[at[1]].Kind != abi.Number {
				bad(row)
				continue
			}
			emit(metric.Measurement{Row: row, Point: p.point("order"), Value: v * p.factor})
		}
		if kind == "click" && !p.fewer {
			emit(metric.Measurement{
				Row: row, Point: p.point("click"), Value: 1,
				Attributes: [][]byte{values[at[3]].Text, values[at[2]].Text},
			})
		}
	}
	return nil
}

func (p *plugin) extract(b definition.Beacon) (all []definition.Measurement) {
	kind := b.Field("type").Text()
	if kind == "view" || kind == "both" {
		all = append(all, definition.Measurement{Point: "view", Value: 1})
	}
	if kind == "order" || kind == "both" {
		v, ok := b.Field("value").Number()
		all = append(all, definition.Measurement{Point: "order", Value: v * p.factor, Bad: !ok})
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
