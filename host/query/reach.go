package query

import (
	"math"
	"slices"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// reachable is how far the routes are final that some tenants' beacons can take.
type reachable struct {
	routes   []string // sorted
	final    []int64  // by partition of the metrics topic: minutes before it are final; NoMinute: unknown
	complete int64    // first minute that is not final, of all partitions
	known    bool     // complete
}

// Reach says which routes the beacons of tenants can take. Those of others can take
// any, and those said before remain: their sessions are there. It may be called at
// any time, before the generation that brings a tenant to a route is used.
//
// A minute of a tenant is final when the routes are that its beacons can take:
// where sessions of another one are behind, that tenant's figures are complete all
// the same. Which sources a tenant's beacons come from makes no difference: one
// that lags holds the watermark of every route, so that nothing of it is late, and
// with it what can still be counted.
func (l *Live) Reach(routes map[string][]string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for tenant, more := range routes {
		before := l.reach[tenant]
		all := slices.Clone(more)
		if before != nil {
			all = append(all, before.routes...)
		}
		slices.Sort(all)
		all = slices.Compact(all)
		if before == nil || !slices.Equal(before.routes, all) {
			l.reach[tenant] = l.reachable(all, before)
		}
	}
}

// reachable finds or makes what is known of some routes. It is never less than what
// was said before.
func (l *Live) reachable(routes []string, before *reachable) *reachable {
	for _, r := range l.reach {
		if slices.Equal(r.routes, routes) && (before == nil || !before.known || r.known && r.complete >= before.complete) {
			return r
		}
	}
	r := &reachable{routes: routes, complete: l.complete, known: l.final}
	if before != nil && before.known && (!r.known || before.complete > r.complete) {
		r.complete, r.known = before.complete, true
	}
	for i := range l.parts {
		r.final = append(r.final, l.parts[i].final)
	}
	for i := range l.parts {
		r.advance(&l.parts[i], i)
	}
	return r
}

// advance takes note of what became final by a partition's progress.
func (r *reachable) advance(p *livePart, partition int) {
	if m, ok := p.horizon.FinalBeforeOf(r.routes); ok {
		r.final[partition] = max(r.final[partition], m)
	}
	r.final[partition] = max(r.final[partition], p.final)
	if low := slices.Min(r.final); low != metric.NoMinute && (!r.known || low > r.complete) {
		r.complete, r.known = low, true
	}
}

// completeOf returns a tenant's first minute that is not final. The lock is held.
func (l *Live) completeOf(tenant string) (minute int64, ok bool) {
	if r := l.reach[tenant]; r != nil {
		return r.complete, r.known
	}
	return l.complete, l.final
}

// FinalBeforeOf is FinalBefore of one tenant's figures.
func (l *Live) FinalBeforeOf(tenant string) (minute int64, ok bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.completeOf(tenant)
}

// waits returns the newest generation that the metrics topic names and nobody has
// made known, so that nothing becomes final; 0: none.
func (l *Live) waits() (generation uint64) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for i := range l.parts {
		if h := l.parts[i].horizon; h.Waits() {
			generation = max(generation, h.Named())
		}
	}
	return generation
}

// lowest is the lowest final minute of all partitions; false while one is unknown.
func (l *Live) lowest() (minute int64, ok bool) {
	minute = math.MaxInt64
	for i := range l.parts {
		minute = min(minute, l.parts[i].final)
	}
	return minute, minute != metric.NoMinute
}
