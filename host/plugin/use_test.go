package plugin

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// used is what a plugin has used by tenant; all of it must add up to the whole.
func used(t interface {
	Helper()
	Errorf(string, ...any)
}, p *Plugin) map[string]Use {
	t.Helper()
	s := p.Stats()
	by, all := map[string]Use{}, Use{}
	for _, one := range s.Tenants {
		by[one.Tenant] = one
		all.Fuel += one.Fuel
		all.Busy += one.Busy
	}
	if all.Fuel != s.Fuel || all.Busy != s.Busy || len(by) != len(s.Tenants) {
		t.Errorf("tenants have used %+v, all together %d and %s: %+v", all, s.Fuel, s.Busy, s.Tenants)
	}
	return by
}

// TestUse: what calls use is the tenants' whose rows are in them, by rows, whether
// the calls fail or not, and nothing is lost.
func TestUse(t *testing.T) {
	p := load(t, Spec{Module: "testdata/filter.wasm"})
	rapid.Check(t, func(t *rapid.T) {
		tenants := rapid.SliceOfN(rapid.StringMatching(`[a-l]`), 1, 60).Draw(t, "tenants")
		things := make([]string, len(tenants))
		for i := range things {
			things[i] = rapid.SampledFrom([]string{"", "yes", "x", "trap", "fail"}).Draw(t, "thing")
		}
		b, sel := beacons(t, p, doing(things...)...)
		before := used(t, p)
		for i, tenant := range tenants {
			b.Row(i).Tenant = []byte(tenant)
		}
		if _, err := ask(context.Background(), p, b, sel); err != nil {
			t.Fatal(err)
		}
		after := used(t, p)
		for tenant := range after {
			if there := slices.Contains(tenants, tenant); there != (after[tenant].Fuel > before[tenant].Fuel) {
				t.Errorf("%q had rows in it: %t, and used %d before, %d after", tenant, there, before[tenant].Fuel, after[tenant].Fuel)
			}
		}
	})
}

// TestUseByRows: a call is shared out by rows.
func TestUseByRows(t *testing.T) {
	p := load(t, Spec{Module: "testdata/filter.wasm"})
	b, sel := beacons(t, p, doing("x", "x", "x", "x")...)
	for i, tenant := range []string{"a", "b", "a", "a"} {
		b.Row(i).Tenant = []byte(tenant)
	}
	answers(t, p, b, sel)
	by := used(t, p)
	if a, b := by["a"].Fuel, by["b"].Fuel; b == 0 || a > 3*b+3 || a+3 < 3*b {
		t.Errorf("of 3 rows %d, of one %d", a, b)
	}
}

// TestUseOfSessions: closed sessions are a tenant's too.
func TestUseOfSessions(t *testing.T) {
	p := load(t, Spec{Module: "testdata/sessions.wasm"})
	closed := &abi.Closed{Tenant: []byte("shop"), First: []int64{1, 2}, Last: []int64{3, 4}}
	for range p.Points() {
		closed.Counts = append(closed.Counts, []int64{0, 0})
	}
	closed.Slots = []uint32{0, 1}
	for range p.Cells() {
		closed.Cells = append(closed.Cells, []uint64{0, 0})
	}
	err := p.CloseSessions(t.Context(), closed, func(metric.Measurement) {}, func(int) {}, func(_ int, d beacon.Drop) { t.Error(d) })
	if by := used(t, p); err != nil || by["shop"].Fuel == 0 || by["shop"].Fuel != p.Stats().Fuel {
		t.Errorf("%v: %+v", err, by)
	}
}

// TestManyTenants: they are told apart up to a bound.
func TestManyTenants(t *testing.T) {
	var u uses
	for n := range 3 * maxTenants {
		var s shares
		for i := range 20 { // more than are looked at one by one
			s.add(fmt.Appendf(nil, "t%d", max(n-i, 0)), &u)
		}
		s.split(1000, uint64(time.Second))
	}
	all := u.all()
	fuel := uint64(0)
	for _, one := range all {
		fuel += one.Fuel
	}
	if len(all) != maxTenants+1 || !slices.ContainsFunc(all, func(one Use) bool { return one.Tenant == otherTenants && one.Fuel > 0 }) || fuel != 3*maxTenants*1000 {
		t.Errorf("%d tenants, fuel %d", len(all), fuel)
	}
}

// TestUseAllocates: telling tenants apart costs a beacon no memory.
func TestUseAllocates(t *testing.T) {
	p := load(t, Spec{Module: "testdata/filter.wasm"})
	b, sel := beacons(t, p, doing(slices.Repeat([]string{""}, 1000)...)...)
	perCall := func() float64 {
		return testing.AllocsPerRun(20, func() { answers(t, p, b, sel) })
	}
	answers(t, p, b, sel)
	one := perCall()
	for i := range sel {
		b.Row(i).Tenant = fmt.Appendf(nil, "t%d", i%50)
	}
	answers(t, p, b, sel)
	// A call may begin with new memory, which the race detector sees to.
	if many := perCall(); many > one+50 {
		t.Errorf("%v allocations a call with one tenant, %v with 50", one, many)
	}
}
