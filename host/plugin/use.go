package plugin

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Use is what a plugin has used for one tenant's beacons and sessions.
type Use struct {
	Tenant string
	Fuel   uint64
	Busy   time.Duration
}

// maxTenants bounds how many tenants are told apart; what more there are is of
// otherTenants together.
const (
	maxTenants   = 1000
	otherTenants = "_other"
)

// uses are what a plugin has used, by tenant. The zero value is ready.
type uses struct {
	mu sync.RWMutex
	by map[string]*use
}

type use struct {
	tenant            string
	fuel, nanoseconds atomic.Uint64
}

func (u *use) add(fuel, nanoseconds uint64) {
	u.fuel.Add(fuel)
	u.nanoseconds.Add(nanoseconds)
}

// of is that of a tenant.
func (u *uses) of(tenant []byte) *use {
	u.mu.RLock()
	found := u.by[string(tenant)]
	u.mu.RUnlock()
	if found != nil {
		return found
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.by == nil {
		u.by = map[string]*use{}
	}
	name := string(tenant)
	if u.by[name] == nil && len(u.by) >= maxTenants {
		name = otherTenants
	}
	if u.by[name] == nil {
		u.by[name] = &use{tenant: name}
	}
	return u.by[name]
}

// all are those of all tenants, by name.
func (u *uses) all() (list []Use) {
	u.mu.RLock()
	defer u.mu.RUnlock()
	for name, one := range u.by {
		list = append(list, Use{name, one.fuel.Load(), time.Duration(one.nanoseconds.Load())})
	}
	slices.SortFunc(list, func(a, b Use) int { return strings.Compare(a.Tenant, b.Tenant) })
	return list
}

// share is a tenant's part of a call.
type share struct {
	use  *use
	rows uint64
}

// shares are the rows of a call by tenant.
type shares struct {
	list []share
	at   map[*use]int // where it is in list
}

func (s *shares) reset() {
	s.list = s.list[:0]
	clear(s.at)
}

// fewTenants are so many that looking at each is quicker than a map.
const fewTenants = 8

// add counts a row of a tenant.
func (s *shares) add(tenant []byte, u *uses) {
	n := len(s.list)
	for i := n - 1; i >= max(n-fewTenants, 0); i-- {
		if string(tenant) == s.list[i].use.tenant {
			s.list[i].rows++
			return
		}
	}
	one := u.of(tenant)
	at, known := s.at[one]
	if !known {
		if s.at == nil {
			s.at = map[*use]int{}
		}
		at, s.at[one] = n, n
		s.list = append(s.list, share{use: one})
	}
	s.list[at].rows++
}

// split shares out what a call has used: by rows, to the last unit.
func (s *shares) split(fuel, nanoseconds uint64) {
	rows, before := uint64(0), uint64(0)
	for _, one := range s.list {
		rows += one.rows
	}
	part := func(of, rest, from, to uint64) uint64 { return of/rows*(to-from) + rest*to/rows - rest*from/rows }
	for _, one := range s.list {
		after := before + one.rows
		one.use.add(part(fuel, fuel%rows, before, after), part(nanoseconds, nanoseconds%rows, before, after))
		before = after
	}
}

// bill counts what a call has used for the tenants of its rows.
func (r *run) bill(first, end int, fuel uint64, busy time.Duration) {
	p, s := r.p, r.scratch
	p.nanoseconds.Add(uint64(busy))
	p.fuel.Add(fuel)
	s.shares.reset()
	if r.closed != nil {
		s.shares.add(r.closed.Tenant, &p.uses)
	} else {
		for _, row := range r.sel[first:end] {
			s.shares.add(r.beacons.Row(row).Tenant, &p.uses)
		}
	}
	s.shares.split(fuel, uint64(busy))
}
