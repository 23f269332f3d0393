package query

import "github.com/seed-6a2d649b/pharos/host/metric"

// look is one consistent look at the view.
type look struct {
	from      []int64 // by partition: minutes from there on are the view's
	complete  int64   // first minute that is not final
	final     bool    // complete is known
	newest    int64   // newest minute with a figure of the tenant
	hasNewest bool
}

// holds tells whether the look, not the store, has a series' minute.
func (k *look) holds(s *metric.Series, minute int64) bool {
	return minute >= k.from[metric.PartitionOf(s, int32(len(k.from)))]
}

// look gives each the figures that a selector with one experiment, its points
// and its status takes.
func (l *Live) look(sel *metric.Selector, each func(s *metric.Series, minute int64, f metric.Figure)) look {
	l.mu.RLock()
	defer l.mu.RUnlock()
	k := l.moment(sel.Tenant)
	for _, experiment := range sel.Experiments {
		for _, point := range sel.Points {
			for _, e := range l.groups[group{sel.Tenant, experiment, sel.Status, point}] {
				for i := range e.minutes {
					if m := &e.minutes[i]; sel.Holds(m.minute) {
						each(e.series, m.minute, m.figure)
					}
				}
			}
		}
	}
	return k
}

// lookAll gives each the figures of a selector's tenant and range.
func (l *Live) lookAll(sel *metric.Selector, each func(s *metric.Series, minute int64, f metric.Figure)) look {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for g, members := range l.groups {
		if g.tenant != sel.Tenant {
			continue
		}
		for _, e := range members {
			for i := range e.minutes {
				if m := &e.minutes[i]; sel.Holds(m.minute) {
					each(e.series, m.minute, m.figure)
				}
			}
		}
	}
	return l.moment(sel.Tenant)
}

// moment is what the view holds now; the lock is held.
func (l *Live) moment(tenant string) look {
	k := look{from: make([]int64, len(l.parts))}
	k.complete, k.final = l.complete, l.final
	for i := range l.parts {
		if k.from[i] = l.parts[i].from; l.parts[i].cut {
			k.from[i] = unheld
		}
	}
	k.newest, k.hasNewest = l.newest[tenant]
	return k
}

// edge returns the newest minute that is known for a tenant: with a figure, or
// final.
func (l *Live) edge(tenant string) (minute int64, ok bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	minute, ok = l.newest[tenant]
	if l.final && (!ok || l.complete-1 > minute) {
		minute, ok = l.complete-1, true
	}
	return minute, ok
}
