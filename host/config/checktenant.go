package config

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

func (c *checker) tenants() {
	if len(c.Tenants) == 0 && c.given(keyPath{"tenants"}) {
		c.at(keyPath{"tenants"}, "there are no tenants: every beacon would be undecodable")
	}
	for name, t := range c.Tenants.All() {
		at := keyPath{"tenants", name}
		extractor := c.plugin(at.to("extract"), t.Extract, extractPlugin)
		c.filters(at.to("filters"), t.Filters)
		for i, f := range t.Filters {
			if slices.Contains(c.Dispatch.Filters, f) {
				c.at(at.to("filters").to(strconv.Itoa(i)), "%s is one of dispatch.filters, which see this tenant's beacons already", f)
			}
		}
		c.pairs(at.to("pairs"), t.Pairs)
		for dim, d := range t.Dimensions.All() {
			c.dimension(at.to("dimensions").to(dim), dim, d)
		}
		for id, e := range t.Experiments.All() {
			c.experiment(at.to("experiments").to(id), id, e, t, extractor)
		}
	}
}

func (c *checker) pairs(at keyPath, pairs []Pair) {
	seen := map[Pair]bool{}
	for i, p := range pairs {
		here := at.to(strconv.Itoa(i))
		c.point(here.to("0"), p[0])
		c.point(here.to("1"), p[1])
		if seen[p] {
			c.at(here, "the pair is listed twice")
		}
		seen[p] = true
	}
}

func (c *checker) dimension(at keyPath, name string, d *Dimension) {
	c.label(at, name)
	if why := badPath(d.Path); why != "" && c.given(at.to("path")) {
		c.at(at.to("path"), "%s", why)
	}
	seen := map[string]bool{}
	for i, v := range d.Values {
		here := at.to("values").to(strconv.Itoa(i))
		if v == "" {
			c.at(here, "the value is empty; a beacon without the field has the default")
		}
		if seen[v] {
			c.at(here, "%q is listed twice", v)
		}
		seen[v] = true
	}
}

func (c *checker) experiment(at keyPath, id string, e *Experiment, t *Tenant, extractor *Plugin) {
	if strings.HasPrefix(id, "_") {
		c.atKey(at, "ids that begin with _ are for Pharos itself, such as _all; take another")
	}
	if e.Assign != "hash" {
		for _, key := range []string{"salt", "unit", "layer", "buckets"} {
			if c.given(at.to(key)) {
				c.atKey(at.to(key), "only with assign: hash, where Pharos assigns")
			}
		}
	}
	if why := badPath(e.Unit); why != "" && e.Unit != "" {
		c.at(at.to("unit"), "%s", why)
	}
	if e.Layer != "" && t.Layers.Get(e.Layer) == nil {
		c.at(at.to("layer"), "the tenant has no layer %q%s", e.Layer, suggest(e.Layer, t.Layers.Names()))
	}
	if e.Buckets != nil && !c.given(at.to("layer")) {
		c.atKey(at.to("buckets"), "buckets are a part of a layer; name the layer")
	}
	if e.Qualify != "" {
		c.point(at.to("qualify"), e.Qualify)
		points := extractor.points()
		switch {
		case isReserved(e.Qualify):
		case t.Extract == "":
			c.at(at.to("qualify"), "the tenant has no extractor that could measure %s", e.Qualify)
		case len(points) > 0 && !slices.Contains(points, e.Qualify):
			c.at(at.to("qualify"), "the rules of %s give no point %q%s", t.Extract, e.Qualify, suggest(e.Qualify, points))
		}
	}
	if e.Start.Set && e.End.Set && e.Start.MS >= e.End.MS {
		c.at(at.to("end"), "the end is not after the start")
	}
	for i, p := range e.Phases {
		here := at.to("phases").to(strconv.Itoa(i))
		if i > 0 && p.From.Set && p.From.MS <= e.Phases[i-1].From.MS {
			c.at(here.to("from"), "the phase does not begin after the one before")
		}
		if p.Buckets != nil && !c.given(at.to("layer")) {
			c.atKey(here.to("buckets"), "buckets are a part of a layer; the experiment has none")
		}
		if c.given(here.to("variants")) {
			c.sameVariants(here.to("variants"), e.Variants, p.Variants)
		} else if p.Buckets == nil {
			c.atKey(here, "the phase changes nothing; give variants or buckets")
		}
	}
}

// sameVariants checks that a phase lists each of the experiment's variants.
func (c *checker) sameVariants(at keyPath, base, phase Shares) {
	names := func(list Shares) (names []string) {
		for _, s := range list {
			names = append(names, s.Name)
		}
		return names
	}
	for _, name := range names(phase) {
		if !slices.Contains(names(base), name) {
			c.atKey(at.to(name), "the experiment has no such variant%s", suggest(name, names(base)))
		}
	}
	for _, name := range names(base) {
		if !slices.Contains(names(phase), name) {
			c.atKey(at, "the variant %q is missing; a phase changes weights, 0 among them", name)
		}
	}
}

// span is a time in which an experiment has a part of its layer.
type span struct {
	from, to int64 // ms
	buckets  Range
}

// spans are the times of an experiment's phases.
func (e *Experiment) spans() (list []span) {
	last := span{from: math.MinInt64, buckets: Range{0, Buckets}}
	if e.Buckets != nil {
		last.buckets = *e.Buckets
	}
	for _, p := range e.Phases {
		last.to = p.From.MS
		list = append(list, last)
		last.from = p.From.MS
		if p.Buckets != nil {
			last.buckets = *p.Buckets
		}
	}
	last.to = math.MaxInt64
	list = append(list, last)
	for i := range list {
		if e.Start.Set {
			list[i].from = max(list[i].from, e.Start.MS)
		}
		if e.End.Set {
			list[i].to = min(list[i].to, e.End.MS)
		}
	}
	return list
}

// overlaps gives the experiments of one layer that can share units at one time:
// the later of the two in the file first.
func (t *Tenant) overlaps() (pairs [][2]string) {
	for i := range t.Experiments {
		a := &t.Experiments[i]
		for j := range i {
			b := &t.Experiments[j]
			if a.Value.Assign == "hash" && b.Value.Assign == "hash" && a.Value.Layer != "" && a.Value.Layer == b.Value.Layer &&
				overlap(a.Value.spans(), b.Value.spans()) {
				pairs = append(pairs, [2]string{a.Name, b.Name})
			}
		}
	}
	return pairs
}

func overlap(a, b []span) bool {
	for _, x := range a {
		for _, y := range b {
			if max(x.from, y.from) < min(x.to, y.to) &&
				max(x.buckets.From, y.buckets.From) < min(x.buckets.To, y.buckets.To) {
				return true
			}
		}
	}
	return false
}
