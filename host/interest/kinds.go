package interest

import (
	"cmp"
	"slices"
)

// Kind are the beacons of one tenant and source that have the same values in the
// fields that kinds are told apart by.
type Kind struct {
	Tenant string // "": it can not be told
	Source string
	Values []Value // of the fields

	Beacons  int
	Filtered int // dropped already
	Refused  int // dead letters
	Late     int
	Looked   int // taken out one by one
	// Of those looked at: how many touch a figure, an assignment, a bound, anything.
	Figure, Assignment, Bounds, Any int
}

// routed is how many of the beacons come to sessions.
func (k *Kind) routed() int { return k.Beacons - k.Filtered - k.Refused - k.Late }

// add counts a beacon.
func (k *Kind) add(b *one) {
	k.Beacons++
	switch b.fate {
	case Filtered:
		k.Filtered++
	case Refused:
		k.Refused++
	case Late:
		k.Late++
	}
	if !b.looked {
		return
	}
	k.Looked++
	count := func(t Touch, n *int) {
		if b.touch&t != 0 {
			*n++
		}
	}
	count(Figure, &k.Figure)
	count(Assignment, &k.Assignment)
	count(Bounds, &k.Bounds)
	count(Figure|Assignment|Bounds, &k.Any)
}

// Class is what may be done about a kind.
type Class int

// The classes, from that of which something is needed to that of no use.
const (
	needed     Class = iota // some beacons touch figures of measurements, or too little is known
	VisitsOnly              // some touch assignments, and none a figure
	BoundsOnly              // some touch bounds, and none anything else
	Useless                 // none touches anything
)

// may is what the beacons of a class may touch.
func (c Class) may() Touch {
	switch c {
	case VisitsOnly:
		return Assignment | Bounds
	case BoundsOnly:
		return Bounds
	}
	return 0
}

// reason is what beacons are counted under that are dropped for it, and begins the
// names of the plugins that do so.
func (c Class) reason() string {
	return map[Class]string{Useless: "no-use", BoundsOnly: "bounds-only", VisitsOnly: "visits-only"}[c]
}

// class says what may be done about a kind of which so many beacons must have been
// looked at.
func (k *Kind) class(least int) Class {
	switch {
	case k.Looked < max(least, 1) || k.Figure > 0:
		return needed
	case k.Assignment > 0:
		return VisitsOnly
	case k.Bounds > 0:
		return BoundsOnly
	}
	return Useless
}

// kindKey is a kind, by numbers.
type kindKey struct {
	tenant, source int32
	values         [MaxBy]uint16
}

// keyOf is the kind of a beacon, told apart by fields; source -1 makes those of all
// sources one.
func (s *Sample) keyOf(i int, by []int, source int32) kindKey {
	k := kindKey{tenant: s.beacons[i].tenant, source: source}
	for n, f := range by {
		k.values[n] = s.columns[f].of[i]
	}
	return k
}

// kinds are the kinds by fields, those of most beacons first.
func (s *Sample) kinds(by []int) []*Kind {
	all := map[kindKey]*Kind{}
	var sorted []*Kind
	for i := range s.beacons {
		key := s.keyOf(i, by, s.beacons[i].source)
		k := all[key]
		if k == nil {
			k = &Kind{Source: s.o.Sources[key.source].Name, Values: s.valuesOf(key, by)}
			if key.tenant >= 0 {
				k.Tenant = s.tenants.names[key.tenant]
			}
			all[key] = k
			sorted = append(sorted, k)
		}
		k.add(&s.beacons[i])
	}
	slices.SortStableFunc(sorted, func(a, b *Kind) int { return cmp.Compare(b.Beacons, a.Beacons) })
	return sorted
}

func (s *Sample) valuesOf(key kindKey, by []int) []Value {
	values := make([]Value, len(by))
	for n, f := range by {
		values[n] = s.columns[f].values[key.values[n]]
	}
	return values
}

// Choice is what kinds are told apart by.
type Choice struct {
	By     []Field
	Asked  bool // that was asked for
	Plugin bool // plugins in force ask for the field
	Among  int  // how many fields it was chosen from
	// Separated are the beacons of the kinds that touch no figure.
	Separated int

	by []int
}

// Choose says what kinds are told apart by: what was asked for, or the one field
// that brings most beacons together that nothing is touched by.
func (s *Sample) Choose() Choice {
	if len(s.o.By) > 0 {
		c := Choice{By: s.o.By, Asked: true}
		for i := range s.fields {
			c.by = append(c.by, i)
		}
		return c
	}
	best, c := []int{-1}, Choice{}
	for i, f := range s.fields {
		if column := &s.columns[i]; column.full || len(column.values) < 2 || !f.CanWrite() {
			continue
		}
		c.Among++
		var of [Useless + 1]int
		for _, g := range s.groups([]int{i}) {
			of[g.class(s.o.Least)] += g.Beacons
		}
		all := of[Useless] + of[BoundsOnly] + of[VisitsOnly]
		// Of equal ones the first: what plugins ask for.
		if gain := []int{of[Useless] + of[BoundsOnly], of[Useless], all, min(1, max(0, s.o.Asked-i))}; slices.Compare(gain, best) > 0 {
			best = gain
			c.By, c.by, c.Plugin, c.Separated = []Field{f}, []int{i}, i < s.o.Asked, all
		}
	}
	return c
}

// group are the kinds that one condition of a rule tells from others: a rule of a
// tenant does not know of sources.
type group struct {
	Kind
	key kindKey
}

// groups are the groups by fields that a rule can be written for, those of most
// beacons first.
func (s *Sample) groups(by []int) []*group {
	all := map[kindKey]*group{}
	var sorted []*group
	for i := range s.beacons {
		key := s.keyOf(i, by, -1)
		g := all[key]
		if g == nil {
			g = &group{Kind: Kind{Values: s.valuesOf(key, by)}, key: key}
			if all[key] = g; key.tenant >= 0 && s.canWrite(g, by) {
				g.Tenant = s.tenants.names[key.tenant]
				sorted = append(sorted, g)
			}
		}
		g.add(&s.beacons[i])
	}
	slices.SortStableFunc(sorted, func(a, b *group) int { return cmp.Compare(b.Beacons, a.Beacons) })
	return sorted
}

func (s *Sample) canWrite(g *group, by []int) bool {
	for n, f := range by {
		if g.Values[n].Sort >= Others || !s.fields[f].CanWrite() {
			return false
		}
	}
	return true
}
