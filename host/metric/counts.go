package metric

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Counts are sums of Count by tenant, outcome and reason. The zero value is
// empty and ready. Not for concurrent use.
type Counts struct{ n map[Count]int64 } // key: a Count of N 0

// Add books a count.
func (c *Counts) Add(d Count) {
	if c.n == nil {
		c.n = map[Count]int64{}
	}
	key := d
	key.N = 0
	if n := c.n[key] + d.N; n != 0 {
		c.n[key] = n
	} else {
		delete(c.n, key)
	}
}

// Get returns the count of a tenant's outcome for one reason.
func (c *Counts) Get(tenant string, o Outcome, reason string) int64 {
	return c.n[Count{Tenant: tenant, Outcome: o, Reason: reason}]
}

// Total returns the count of a tenant's outcome over all reasons.
func (c *Counts) Total(tenant string, o Outcome) int64 {
	var sum int64
	for k, n := range c.n {
		if k.Tenant == tenant && k.Outcome == o {
			sum += n
		}
	}
	return sum
}

// All returns what is not zero, by tenant, outcome and reason.
func (c *Counts) All() []Count {
	out := slices.SortedFunc(maps.Keys(c.n), func(a, b Count) int {
		return cmp.Or(strings.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Outcome, b.Outcome), strings.Compare(a.Reason, b.Reason))
	})
	for i, k := range out {
		out[i].N = c.n[k]
	}
	return out
}
