package interest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-6a2d649b/pharos/host/beacon"
)

// Rule drops the beacons of a proposal: a plugin of rules.
type Rule struct {
	Plugin string // its name
	Tenant string // "": it stands in dispatch.filters; else in this tenant's filters
	Reason string
	When   []string // conditions, each of a rule of its own
}

// valuesInRule bounds the values of a condition, so that it is not too long for a
// rule whatever they are.
const valuesInRule = 32

// Rules are the plugins that drop a proposal's kinds, with names that are not taken:
// one for dispatch, or where there are several tenants one for each of them, since
// a rule does not see whose a beacon is.
func (p *Proposal) Rules(tenants []string, taken func(name string) bool) (all []Rule) {
	reason := p.Class.reason()
	free := func(name string) string {
		tried := name
		for i := 2; taken(tried); i++ {
			tried = fmt.Sprintf("%s-%d", name, i)
		}
		return tried
	}
	for i, tenant := range tenants {
		when := p.conditions(tenant)
		if len(when) == 0 {
			continue
		}
		if len(tenants) == 1 {
			return []Rule{{Plugin: free(reason), Reason: reason, When: when}}
		}
		name := reason + "-" + tenant
		if len(name) > maxPluginName {
			name = fmt.Sprintf("%s-tenant-%d", reason, i+1)
		}
		all = append(all, Rule{Plugin: free(name), Tenant: tenant, Reason: reason, When: when})
	}
	return all
}

const maxPluginName = 100

// conditions hold of a tenant's kinds. What they have in common in all fields but
// the last stands once.
func (p *Proposal) conditions(tenant string) (all []string) {
	last := len(p.by) - 1
	untyped := slices.ContainsFunc(p.s.o.Sources, func(s *beacon.Source) bool { return s.Format != beacon.JSON })
	var order []string
	values := map[string][]Value{}
	for _, g := range p.groups {
		if g.Tenant != tenant {
			continue
		}
		var parts []string
		for n := range last {
			parts = append(parts, p.by[n].condition(g.Values[n:n+1], untyped))
		}
		common := strings.Join(parts, " && ")
		if _, there := values[common]; !there {
			order = append(order, common)
		}
		values[common] = append(values[common], g.Values[last])
	}
	for _, common := range order {
		for some := range slices.Chunk(values[common], valuesInRule) {
			when := p.by[last].condition(some, untyped)
			if common != "" {
				if strings.Contains(when, " || ") {
					when = "(" + when + ")"
				}
				when = common + " && " + when
			}
			all = append(all, when)
		}
	}
	return all
}

// Plugins is what rules are in a config: plugins.
func Plugins(rules []Rule) string {
	var b strings.Builder
	b.WriteString("plugins:\n")
	for _, r := range rules {
		fmt.Fprintf(&b, "  %s:\n    rules:\n      drop:\n", word(r.Plugin))
		for _, when := range r.When {
			fmt.Fprintf(&b, "        - {reason: %s, when: '%s'}\n", word(r.Reason), strings.ReplaceAll(when, "'", "''"))
		}
	}
	return b.String()
}

// Filters are the lists of filters of a config with rules behind those that are
// there: filters gives those of a tenant, or of dispatch.
func Filters(rules []Rule, filters func(tenant string) []string) string {
	var b strings.Builder
	lists, order := map[string][]string{}, []string{}
	for _, r := range rules {
		if lists[r.Tenant] == nil {
			order = append(order, r.Tenant)
			lists[r.Tenant] = slices.Clone(filters(r.Tenant))
		}
		lists[r.Tenant] = append(lists[r.Tenant], r.Plugin)
	}
	for i, tenant := range order {
		names := make([]string, len(lists[tenant]))
		for n, name := range lists[tenant] {
			names[n] = word(name)
		}
		list := "filters: [" + strings.Join(names, ", ") + "]\n"
		switch {
		case tenant == "":
			b.WriteString("dispatch:\n  " + list)
		case i == 0 || order[i-1] == "":
			b.WriteString("tenants:\n")
			fallthrough
		default:
			fmt.Fprintf(&b, "  %s:\n    %s", word(tenant), list)
		}
	}
	return b.String()
}

// word writes a name as YAML reads it.
func word(name string) string {
	if isName(strings.ReplaceAll(name, "-", "_")) && name[0] != '-' {
		switch strings.ToLower(name) {
		case "y", "n", "yes", "no", "on", "off", "true", "false", "null":
		default:
			return name
		}
	}
	return quote(name)
}

// Snippet is what rules are in a config.
func Snippet(rules []Rule, filters func(tenant string) []string) string {
	return Plugins(rules) + Filters(rules, filters)
}
