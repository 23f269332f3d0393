package pipeline

import (
	"errors"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/session"
)

// sessionConfig is the generation in the words of the session stage. oneSource
// makes all sources one source partition, as in a replay.
func (g *Generation) sessionConfig(oneSource bool) (*session.Config, error) {
	s := g.Config.Session
	c := &session.Config{
		Generation: g.Number, Gap: s.Gap, Lateness: s.Lateness, MaxSessions: s.MaxSessions, MaxBeacons: s.MaxBeacons,
		OneSource: oneSource, Tenants: map[string]session.Tenant{}, Routes: map[string]session.RouteTopic{},
	}
	for _, r := range g.routes {
		c.Routes[r.Name] = *r.sessionTopic()
	}
	for _, source := range g.sources {
		from := session.Source{Source: source}
		if oneSource {
			from.Partitions = 1
		}
		c.Sources = append(c.Sources, from)
	}
	var errs []error
	for name, t := range g.Config.Tenants.All() {
		tenant, err := g.sessionTenant(name, t)
		errs = append(errs, err)
		c.Tenants[name] = tenant
	}
	if err := errors.Join(append(errs, c.Prepare())...); err != nil {
		return nil, err
	}
	return c, nil
}

func (g *Generation) sessionTenant(name string, t *config.Tenant) (session.Tenant, error) {
	tenant := session.Tenant{AllTraffic: t.AllTraffic}
	if p := g.plugins[t.Extract]; p != nil {
		tenant.Extractor, tenant.Fields = p, p.Fields()
	}
	for _, pair := range t.Pairs {
		tenant.Pairs = append(tenant.Pairs, pair)
	}
	for name, d := range t.Dimensions.All() {
		tenant.Dimensions = append(tenant.Dimensions, session.Dimension{
			Name: name, Path: d.Path, Default: d.Default, Values: d.Values, Limit: d.Limit,
		})
	}
	compiled, faults := compileExperiments(g.Config, name, t)
	if len(faults) > 0 {
		return tenant, faults
	}
	tenant.Experiments = compiled
	return tenant, nil
}

// tenants are the names of the config's tenants.
func (g *Generation) tenants() []string { return g.Config.Tenants.Names() }

// sourceByName finds a source by its name; "" is the only one.
func (g *Generation) sourceByName(name string) *beacon.Source {
	for _, s := range g.sources {
		if s.Name == name || name == "" && len(g.sources) == 1 {
			return s
		}
	}
	return nil
}
