package pipeline

import (
	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/dispatch"
)

// dispatchConfig is the generation in the words of the dispatch stage. Topics that
// routes have left, and nobody reads any more, are handedOver.
func (g *Generation) dispatchConfig(handedOver func(topic string) bool) dispatch.Config {
	c := dispatch.Config{
		Generation: g.Number, Ahead: g.Config.Session.Ahead, Sources: g.sources,
		Tenants: map[string]dispatch.Tenant{}, Default: g.Config.Dispatch.Default,
	}
	var fields []string
	use := func(name string) *held {
		p := g.plugins[name]
		fields = append(fields, p.Fields()...)
		return p
	}
	for _, name := range g.Config.Dispatch.Filters {
		c.Filters = append(c.Filters, use(name))
	}
	if name := g.Config.Dispatch.Split; name != "" {
		c.Splitter = use(name)
	}
	for name, t := range g.Config.Tenants.All() {
		var tenant dispatch.Tenant
		for _, filter := range t.Filters {
			tenant.Filters = append(tenant.Filters, use(filter))
		}
		c.Tenants[name] = tenant
	}
	for _, r := range g.routes {
		to := dispatch.Route{Name: r.Name, Topic: r.Topic, Partitions: r.Partitions}
		if old := r.Replaces; old != nil && !handedOver(old.Topic) {
			to.Replaces = &dispatch.Replaced{Topic: old.Topic, Partitions: old.Partitions, Generation: r.Since}
		}
		c.Routes = append(c.Routes, to)
	}
	c.Fields = beacon.NewFields(fields...)
	return c
}
