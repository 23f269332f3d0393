package interest

import (
	"context"
	"slices"

	"github.com/seed-6a2d649b/pharos/host/session"
)

// Proposal are the kinds that a rule drops.
type Proposal struct {
	Class    Class
	Sessions Change
	Left     int // kinds that touch something only if all are gone: they are not dropped

	by     []Field
	fields []int // of the sample's, what kinds are told apart by
	s      *Sample
	gone   []*group // that are dropped beside it
	groups []*group
	drops  map[kindKey]bool // the groups
}

// Change is what becomes of sessions.
type Change struct {
	All    int // that there are
	Later  int // of these: that begin later
	Sooner int // that end sooner
	Other  int // that are not there any more, or are cut otherwise
}

// Propose gives the kinds of a class, of which no beacon touches more than it may:
// neither one alone, nor all of them together, as far as it can be seen key by key.
// What other proposals drop is gone then, too.
func (s *Sample) Propose(ctx context.Context, c Choice, of Class, gone ...*Proposal) (*Proposal, error) {
	p := &Proposal{Class: of, by: c.By, fields: c.by, s: s}
	for _, other := range gone {
		p.gone = append(p.gone, other.groups...)
	}
	return p, p.settle(ctx, s.pick(c, of))
}

// pick gives the most frequent groups of a class that come to sessions.
func (s *Sample) pick(c Choice, of Class) (picked []*group) {
	if len(c.by) == 0 {
		return nil
	}
	for _, g := range s.groups(c.by) {
		if len(picked) < MaxDropped && g.class(s.o.Least) == of && g.routed() > 0 {
			picked = append(picked, g)
		}
	}
	return picked
}

// Beacons is how many beacons of the sample the rule drops that come to sessions
// without it.
func (p *Proposal) Beacons() (n int) {
	for _, g := range p.groups {
		n += g.routed()
	}
	return n
}

// Kinds are what is dropped.
func (p *Proposal) Kinds() (all []Kind) {
	for _, g := range p.groups {
		all = append(all, g.Kind)
	}
	return all
}

// Drops tells whether the rule drops a beacon.
func (p *Proposal) Drops(i int) bool { return p.drops[p.s.keyOf(i, p.fields, -1)] }

func (p *Proposal) set(groups []*group) {
	p.groups, p.drops = groups, map[kindKey]bool{}
	for _, g := range groups {
		p.drops[g.key] = true
	}
}

// None is the proposal without any kind.
func (p *Proposal) None() *Proposal {
	q := *p
	q.set(nil)
	q.Left, q.Sessions = q.Left+len(p.groups), Change{All: p.s.spans}
	return &q
}

// With adds kind number i of p to a proposal of others of its kinds.
func (p *Proposal) With(ctx context.Context, some *Proposal, i int) (*Proposal, error) {
	q := *some
	q.Left--
	return &q, q.settle(ctx, append(slices.Clone(some.groups), p.groups[i]))
}

// settle takes the groups of which all beacons together touch no more than they may,
// and counts what becomes of sessions.
func (p *Proposal) settle(ctx context.Context, groups []*group) error {
	p.set(groups)
	p.Sessions.All = p.s.spans
	apart := session.NewApart(p.s.o.Session)
	defer func() { _ = apart.Close() }() // its memory goes with it
	for len(p.groups) > 0 {
		bad, err := p.worst(ctx, apart)
		if err != nil || bad == nil {
			return err
		}
		p.set(slices.DeleteFunc(slices.Clone(p.groups), func(g *group) bool { return g == bad }))
		p.Left++
	}
	return nil
}

// worst gives a group with which too much is touched; nil: there is none, and
// p.Sessions says what becomes of sessions.
func (p *Proposal) worst(ctx context.Context, apart *session.Apart) (*group, error) {
	p.Sessions = Change{All: p.s.spans}
	for _, members := range p.s.members {
		if !slices.ContainsFunc(members, func(i int32) bool { return p.Drops(int(i)) }) {
			continue
		}
		w := without{p: p, apart: apart, members: members}
		if bad, err := w.try(ctx); err != nil || bad != nil {
			return bad, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// without are the beacons of a key without those of some groups.
type without struct {
	p       *Proposal
	apart   *session.Apart
	members []int32
	whole   basis
}

// try takes the groups out of the key's runs, and gives the first one with which too
// much is touched; nil: there is none.
func (w *without) try(ctx context.Context) (*group, error) {
	p := w.p
	runs, err := w.apart.Load(ctx, p.s.records(nil, w.members))
	if err != nil {
		return nil, err
	}
	for n := range runs {
		all, err := w.apart.Fold(ctx, n, nobody)
		if err != nil {
			return nil, err
		}
		w.whole.set(all)
		t, sessions, err := w.touches(ctx, n, p.groups)
		if err != nil {
			return nil, err
		}
		if t&^p.Class.may() == 0 {
			p.Sessions.add(w.whole.sessions, sessions)
			continue
		}
		for i := range p.groups {
			if t, _, err := w.touches(ctx, n, p.groups[:i+1]); err != nil || t&^p.Class.may() != 0 {
				return p.groups[i], err
			}
		}
	}
	return nil, nil
}

// touches says what run number n comes to without some groups, and those that are
// gone already.
func (w *without) touches(ctx context.Context, n int, groups []*group) (Touch, []session.Span, error) {
	out := map[kindKey]bool{}
	for _, g := range slices.Concat(w.p.gone, groups) {
		out[g.key] = true
	}
	now, err := w.apart.Fold(ctx, n, func(place int) bool {
		return out[w.p.s.keyOf(int(w.members[place]), w.p.fields, -1)]
	})
	return w.whole.differs(now), now.Sessions, err
}

// add counts what becomes of the sessions of a run.
func (c *Change) add(before, after []session.Span) {
	if len(before) != len(after) {
		c.Other += len(before)
		return
	}
	for i, b := range before {
		a := after[i]
		switch {
		case a.First > b.Last || a.Last < b.First:
			c.Other++
			continue
		case a.First > b.First:
			c.Later++
		}
		if a.Last < b.Last {
			c.Sooner++
		}
	}
}
