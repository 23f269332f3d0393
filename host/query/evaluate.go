package query

import (
	"context"
	"fmt"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// Reader reads a store. It calls each with every sample that the selector
// takes, in any order, and stops at its error. The series may be reused.
type Reader interface {
	Read(ctx context.Context, sel metric.Selector, each func(s *metric.Series, stat string, minute int64, v float64) error) error
}

// answer runs a request against a keyspace: one look at the live view, one
// fetch of the store.
func (s *space) answer(ctx context.Context, live *Live, r *Request, now int64) (*Answer, error) {
	edge, ok := live.edge(s.Tenant)
	if !ok {
		edge = now
	}
	q, err := s.resolve(r, edge)
	if err != nil {
		return nil, err
	}
	cut := &cutter{location: s.location}
	var bounds []int64
	from, to := int64(0), q.to
	if q.from != nil {
		if bounds, err = q.buckets(cut, *q.from, to); err != nil {
			return nil, err
		}
		from, to = bounds[0], bounds[len(bounds)-1]
	}
	g := newGather(q, bounds)
	look, err := g.fetch(ctx, live, from, to)
	if err != nil {
		return nil, err
	}
	if bounds == nil && g.some {
		if bounds, err = q.buckets(cut, g.first, to); err != nil {
			return nil, err
		}
		g.rebucket(bounds)
	}
	return g.answer(ctx, bounds, cut.step, look)
}

// buckets finds the step where none is given, and cuts.
func (q *question) buckets(c *cutter, from, to int64) ([]int64, error) {
	c.step = autoStep(to-from, q.points)
	if q.step != nil {
		c.step = *q.step
	}
	bounds, ok := c.cut(from, to, maxPoints)
	if !ok {
		return nil, refuse(fmt.Sprintf("take a step of %s or more, or leave it out", autoStep(to-from, maxPoints)), "steps of %s cut the range into more than %d points", c.step, maxPoints)
	}
	return bounds, nil
}

// fetch looks at the live view first: what it lets go of later, the store has.
func (g *gather) fetch(ctx context.Context, live *Live, from, to int64) (look, error) {
	sel := g.selector(from, to)
	var bad error
	look := live.look(&sel, func(s *metric.Series, minute int64, f metric.Figure) {
		// as a store holds it, so that no bit changes when the store takes over
		sample := f.Sample(s, minute)
		for _, stat := range sel.Stats {
			if v, _ := sample.Stat(stat); bad == nil {
				bad = g.add(s, stat, minute, v)
			}
		}
	})
	if bad != nil || len(sel.Points) == 0 {
		return look, bad
	}
	err := g.q.space.Store.Read(ctx, sel, func(s *metric.Series, stat string, minute int64, v float64) error {
		if look.holds(s, minute) || !sel.Holds(minute) || !sel.Matches(s) {
			return nil
		}
		bad = g.add(s, stat, minute, v)
		return bad
	})
	switch {
	case bad != nil:
		return look, bad
	case ctx.Err() != nil:
		return look, late("the store did not answer in time")
	case err != nil:
		return look, fmt.Errorf("keyspace %s: reading the store: %w", g.q.space.Name, err)
	}
	return look, nil
}
