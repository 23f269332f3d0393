package experiment

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
)

// Compiled is an experiment that has been checked. It never changes, so that
// goroutines may share it.
type Compiled struct {
	id        string
	names     []string
	index     map[string]int
	phases    []phase // phases[0] is the base, without a from
	prefix    string  // salt + ":", what is hashed before the unit
	layer     string  // the layer's salt + ":", empty without a layer
	unit      string
	qualify   string
	hash      bool
	exclude   bool
	start     int64
	end       int64
	hasStart  bool
	hasEnd    bool
	layerName string
}

// phase holds the shares in the order in which the phase lists them.
type phase struct {
	from    int64
	shares  []share
	total   uint64
	buckets [2]uint64
}

// share is a variant and the total weight up to it, itself included.
type share struct {
	variant    int
	weight     int64
	cumulative uint64
}

// Compile checks an experiment and prepares it. The error joins everything that
// is wrong with it.
func Compile(e Experiment) (*Compiled, error) {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("experiment %q: "+format, append([]any{e.ID}, args...)...))
	}
	switch {
	case e.ID == "":
		fault("has no id")
	case e.ID == reservedAll:
		fault("the id is reserved for all_traffic, take another")
	}
	if e.Qualify == reservedVisit || e.Qualify == reservedCrossover {
		fault("qualify: the point %q is reserved, name a point of the extractor", e.Qualify)
	}
	if e.HasStart && e.HasEnd && e.Start >= e.End {
		fault("start is not before end")
	}
	checkHashOnly(e, fault)

	c := &Compiled{
		id: e.ID, hash: e.Hash, unit: e.Unit, qualify: e.Qualify, exclude: e.Exclude,
		start: e.Start, end: e.End, hasStart: e.HasStart, hasEnd: e.HasEnd,
		index: make(map[string]int, len(e.Variants)),
	}
	for _, v := range e.Variants {
		if _, dup := c.index[v.Name]; dup {
			continue // setVariants says so
		}
		if v.Name == "" {
			fault("a variant has no name")
		}
		c.index[v.Name] = len(c.names)
		c.names = append(c.names, v.Name)
	}
	base := phase{from: math.MinInt64, buckets: [2]uint64{0, Buckets}}
	base.setVariants(e.Variants, c.index, func(format string, args ...any) { fault("variants: "+format, args...) })
	base.setBuckets(e.Buckets, func(format string, args ...any) { fault("buckets: "+format, args...) })
	c.phases = append(c.phases, base)
	for i, p := range e.Phases {
		at := func(format string, args ...any) {
			fault("phase %d: "+format, append([]any{i + 1}, args...)...)
		}
		next := c.phases[len(c.phases)-1]
		if p.From <= next.from {
			at("does not begin after the one before")
		}
		next.from = p.From
		if p.Variants != nil {
			next.setVariants(p.Variants, c.index, at)
		}
		next.setBuckets(p.Buckets, at)
		c.phases = append(c.phases, next)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}

	salt := e.Salt
	if salt == "" {
		salt = e.ID
	}
	c.prefix = salt + ":"
	if e.Layer != nil {
		c.layerName = e.Layer.Name
		salt = e.Layer.Salt
		if salt == "" {
			salt = e.Layer.Name
		}
		c.layer = salt + ":"
	}
	return c, nil
}

// checkHashOnly refuses what has a meaning only where the engine assigns.
func checkHashOnly(e Experiment, fault func(string, ...any)) {
	buckets := e.Buckets != nil
	for _, p := range e.Phases {
		buckets = buckets || p.Buckets != nil
	}
	if !e.Hash {
		for _, given := range []struct {
			name string
			is   bool
		}{{"salt", e.Salt != ""}, {"unit", e.Unit != ""}, {"layer", e.Layer != nil}} {
			if given.is {
				fault("%s needs assign: hash", given.name)
			}
		}
	}
	if buckets && e.Layer == nil {
		fault("buckets need a layer")
	}
	if e.Layer != nil && e.Layer.Name == "" {
		fault("the layer has no name")
	}
}

// setVariants replaces the phase's shares by a list that must name each of the
// experiment's variants once.
func (p *phase) setVariants(list []Variant, index map[string]int, fault func(string, ...any)) {
	if len(list) == 0 {
		fault("there are none")
		return
	}
	p.shares, p.total = make([]share, 0, len(list)), 0
	seen := make(map[int]bool, len(list))
	for _, v := range list {
		i, known := index[v.Name]
		switch {
		case !known:
			fault("%q is no variant of the experiment; a phase may change weights only", v.Name)
			continue
		case seen[i]:
			fault("variant %q is listed twice", v.Name)
			continue
		case v.Weight < 0:
			fault("the weight %d of %q is negative", v.Weight, v.Name)
			continue
		case p.total+uint64(v.Weight) > math.MaxInt64: // both are below 2^63: no overflow of uint64
			fault("the weights add up to more than fits 63 bits")
			continue
		}
		seen[i] = true
		p.total += uint64(v.Weight)
		p.shares = append(p.shares, share{variant: i, weight: v.Weight, cumulative: p.total})
	}
	for _, name := range slices.Sorted(maps.Keys(index)) {
		if !slices.ContainsFunc(list, func(v Variant) bool { return v.Name == name }) {
			fault("variant %q is missing; a phase that gives variants gives all", name)
		}
	}
	if p.total == 0 {
		fault("all weights are 0")
	}
}

// setBuckets replaces the phase's part of the layer, if one is given.
func (p *phase) setBuckets(b *[2]int64, fault func(string, ...any)) {
	if b == nil {
		return
	}
	if b[0] < 0 || b[0] >= b[1] || b[1] > Buckets {
		fault("buckets [%d, %d] are no range within 0 to %d", b[0], b[1], Buckets)
		return
	}
	p.buckets = [2]uint64{uint64(b[0]), uint64(b[1])}
}
