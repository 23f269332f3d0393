// Package pipeline builds one immutable generation of a config: plugins loaded,
// experiments and formulas compiled. It wires the stages to plugins, topics and
// stores, and runs them: in one process, as a daemon, or over files.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/plugin"
	"github.com/seed-6a2d649b/pharos/host/query"
	"github.com/seed-6a2d649b/pharos/host/rollout"
	"github.com/seed-6a2d649b/pharos/host/rules/written"
	"github.com/seed-6a2d649b/pharos/host/session"
)

// Generation is all that a config means. It does not change.
type Generation struct {
	Config *config.Config
	Number uint64

	routes    []route
	plugins   map[string]*held // by name
	sources   []*beacon.Source
	keyspaces *query.Keyspaces
	own       *shelf // of a generation that stands alone

	record   *generationRecord // these: of a generation that a group has
	sessions *session.Config
}

// buildOptions say what a generation is built with.
type buildOptions struct {
	number  uint64
	routes  []route
	shelf   *shelf
	origins map[string]string       // where modules were fetched from, by plugin
	readers map[string]query.Reader // the stores of keyspaces; nil where none is read

	rollouts map[string]rolling // by plugin; one that it has not is live
}

// Build makes a generation of a config that stands alone: it loads every plugin,
// and compiles every experiment and formula. The error names every fault, with its
// place in the file.
func Build(ctx context.Context, cfg *config.Config) (*Generation, error) {
	s, err := newShelf(cfg)
	if err != nil {
		return nil, err
	}
	return buildAlone(ctx, cfg, s)
}

// buildAlone is Build with a shelf that becomes the generation's own.
func buildAlone(ctx context.Context, cfg *config.Config, s *shelf) (*Generation, error) {
	g, err := build(ctx, cfg, buildOptions{number: 1, routes: firstRoutes(cfg), shelf: s})
	if err != nil {
		return nil, errors.Join(err, s.close(ctx))
	}
	g.own = s
	return g, nil
}

// build makes a generation with the plugins of a shelf, to which they go back once
// nothing refers to what the generation gave the stages.
func build(ctx context.Context, cfg *config.Config, o buildOptions) (*Generation, error) {
	g := &Generation{Config: cfg, Number: o.number, routes: o.routes, plugins: map[string]*held{}, sources: sources(cfg)}
	faults := g.loadPlugins(ctx, o)
	faults = append(faults, g.checkUses()...)
	faults = append(faults, checkExperiments(cfg)...)
	more, err := g.compileKeyspaces(o.readers)
	faults = append(faults, more...)
	if len(faults) > 0 {
		err = errors.Join(err, faults)
	}
	if err != nil {
		return nil, err
	}
	return g, nil
}

// Close lets the plugins of a generation that stands alone go.
func (g *Generation) Close(ctx context.Context) error {
	if g.own == nil {
		return nil
	}
	return g.own.close(ctx)
}

// Check builds the generation of a config and lets it go.
func Check(ctx context.Context, cfg *config.Config) error {
	g, err := Build(ctx, cfg)
	if err != nil {
		return err
	}
	return g.Close(ctx)
}

// loadPlugins loads the versions of each plugin that this generation calls.
func (g *Generation) loadPlugins(ctx context.Context, o buildOptions) config.Faults {
	_, unread := written.ReadLists(g.Config, g.Config.Lists)
	faults := slices.Clone(unread)
	var taken []*shelved
	made := map[string]*rollout.Plugin{}
	for name, p := range g.Config.Plugins.All() {
		spec := pluginSpec(g.Config, name, p)
		spec.Origin = o.origins[name]
		if readsOne(spec, unread) {
			continue
		}
		loaded, err := o.shelf.take(ctx, spec)
		if err != nil {
			faults = append(faults, pluginFaults(g.Config, name, p, err)...)
			continue
		}
		taken = append(taken, loaded)
		of, known := o.rollouts[name]
		if !known {
			of.state.Phase = rollout.Live
		}
		var old *plugin.Plugin
		if of.state.NeedsOld() {
			before, err := o.shelf.take(ctx, of.old)
			if err != nil {
				faults = append(faults, g.Config.Faultf([]string{"plugins", name}, "the version before: %v", err))
				continue
			}
			taken, old = append(taken, before), before.Plugin
		}
		if made[name], err = rollout.New(of.state, rolloutSettings(p), loaded.Plugin, old, of.watch); err != nil {
			faults = append(faults, g.Config.Faultf([]string{"plugins", name}, "%v", err))
		}
	}
	a := newAnchor(o.shelf, taken)
	for name, p := range made {
		g.plugins[name] = &held{Plugin: p, generation: a}
	}
	return faults
}

// readsOne tells whether the rules of a plugin look up a list that can not be read.
func readsOne(spec plugin.Spec, unread config.Faults) bool {
	for name := range spec.Lists {
		if unread.Within("lists", name) {
			return true
		}
	}
	return false
}

// checkUses finds plugins that are used as what they are not.
func (g *Generation) checkUses() (faults config.Faults) {
	use := func(name string, want abi.Kind, keys ...string) {
		p := g.plugins[name]
		if p != nil && p.Kind() != want {
			faults = append(faults, g.Config.Faultf(keys, "plugin %s is a %s plugin, and a %s plugin is wanted here", name, p.Kind(), want))
		}
	}
	d := g.Config.Dispatch
	for i, name := range d.Filters {
		use(name, abi.Filter, "dispatch", "filters", fmt.Sprint(i))
	}
	use(d.Split, abi.Split, "dispatch", "split")
	if p := g.plugins[d.Split]; p != nil && p.Kind() == abi.Split {
		for _, route := range p.Plan().Routes {
			if d.Routes.Get(route) == nil {
				faults = append(faults, g.Config.Faultf([]string{"dispatch", "split"},
					"plugin %s sends beacons to the route %q, which dispatch.routes does not have: it has %v", d.Split, route, d.Routes.Names()))
			}
		}
	}
	for name, t := range g.Config.Tenants.All() {
		for i, filter := range t.Filters {
			use(filter, abi.Filter, "tenants", name, "filters", fmt.Sprint(i))
		}
		use(t.Extract, abi.Extract, "tenants", name, "extract")
		faults = append(faults, g.checkPoints(name, t)...)
	}
	return faults
}

// checkPoints finds points that a tenant names and its extractor never measures.
func (g *Generation) checkPoints(tenant string, t *config.Tenant) (faults config.Faults) {
	p := g.plugins[t.Extract]
	if p == nil || p.Kind() != abi.Extract {
		return nil
	}
	var points []string
	for _, point := range p.Points() {
		points = append(points, point.Name)
	}
	known := func(point string, keys ...string) {
		if !slices.Contains(points, point) {
			faults = append(faults, g.Config.Faultf(keys, "the extractor %s has no point %q; it has %v", t.Extract, point, points))
		}
	}
	for id, e := range t.Experiments.All() {
		if e.Qualify != "" {
			known(e.Qualify, "tenants", tenant, "experiments", id, "qualify")
		}
	}
	for i, pair := range t.Pairs {
		known(pair[0], "tenants", tenant, "pairs", fmt.Sprint(i), "0")
		known(pair[1], "tenants", tenant, "pairs", fmt.Sprint(i), "1")
	}
	return faults
}

// routeNames are the names of the routes, in the order of the config.
func (g *Generation) routeNames() (names []string) {
	for _, r := range g.routes {
		names = append(names, r.Name)
	}
	return names
}
