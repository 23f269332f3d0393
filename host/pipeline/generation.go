// Package pipeline builds one immutable generation of a config: plugins loaded,
// experiments and formulas compiled. It wires the stages to plugins, topics and
// stores, and runs them: in one process, as a daemon, or over files.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/plugin"
	"github.com/seed-6a2d649b/pharos/host/query"
)

// Generation is all that a config means. It does not change.
type Generation struct {
	Config *config.Config
	Number uint64

	loader    *plugin.Loader
	plugins   map[string]*plugin.Plugin // by name
	sources   []*beacon.Source
	keyspaces *query.Keyspaces
}

// Build makes a generation of a config: it loads every plugin, and compiles every
// experiment and formula. The error names every fault, with its place in the
// file. Readers gives the stores of keyspaces; nil where none is read.
func Build(ctx context.Context, cfg *config.Config, readers map[string]query.Reader) (*Generation, error) {
	loader, err := newLoader(cfg)
	if err != nil {
		return nil, err
	}
	g := &Generation{Config: cfg, Number: 1, loader: loader, plugins: map[string]*plugin.Plugin{}, sources: sources(cfg)}
	faults := g.loadPlugins(ctx)
	faults = append(faults, g.checkUses()...)
	faults = append(faults, checkExperiments(cfg)...)
	more, err := g.compileKeyspaces(readers)
	faults = append(faults, more...)
	if len(faults) > 0 {
		err = errors.Join(err, faults)
	}
	if err != nil {
		return nil, errors.Join(err, g.Close(ctx))
	}
	return g, nil
}

// newLoader keeps compiled modules below the data directory. That only saves
// time: where there are none, or nothing can be written, it keeps them in memory.
func newLoader(cfg *config.Config) (*plugin.Loader, error) {
	for _, p := range cfg.Plugins.All() {
		if p.Module.IsZero() {
			continue
		}
		if l, err := plugin.NewLoader(cfg.Data.Join("compiled").String()); err == nil {
			return l, nil
		}
		break
	}
	return plugin.NewLoader("")
}

// Close lets the plugins go.
func (g *Generation) Close(ctx context.Context) error {
	var err error
	for _, p := range g.plugins {
		err = errors.Join(err, p.Close(ctx))
	}
	return errors.Join(err, g.loader.Close(ctx))
}

// Check builds the generation of a config and lets it go.
func Check(ctx context.Context, cfg *config.Config) error {
	g, err := Build(ctx, cfg, nil)
	if err != nil {
		return err
	}
	return g.Close(ctx)
}

func (g *Generation) loadPlugins(ctx context.Context) (faults config.Faults) {
	for name, p := range g.Config.Plugins.All() {
		loaded, err := g.loader.Load(ctx, pluginSpec(name, p))
		if err != nil {
			faults = append(faults, pluginFaults(g.Config, name, p, err)...)
			continue
		}
		g.plugins[name] = loaded
	}
	return faults
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
	for _, point := range p.Plan().Points {
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

// ms is a duration in ms.
func ms(d time.Duration) int64 { return d.Milliseconds() }
