package pipeline

import (
	"context"
	"errors"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/rules"
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
	"github.com/seed-6a2d649b/pharos/host/rules/written"
)

// Load reads a config file. Where something is wrong with it, what is wrong with
// its modules, rules and formulas is said in the same go, as far as they could be
// read; of a config that is right, Build says it.
func Load(ctx context.Context, path string) (*config.Config, error) {
	return config.Load(path, func(cfg *config.Config, known config.Faults) config.Faults {
		g := &Generation{Config: cfg}
		more, _ := g.compileKeyspaces(nil) // other errors follow from what is known
		return append(more, faultyPlugins(ctx, cfg, known)...)
	})
}

// faultyPlugins gives the faults of expressions, and of modules with which nothing
// else is wrong.
func faultyPlugins(ctx context.Context, cfg *config.Config, known config.Faults) (faults config.Faults) {
	loader, err := newLoader(cfg)
	if err != nil {
		return nil // what the loader needs is no part of the config
	}
	defer func() { _ = loader.Close(ctx) }() // nothing runs
	lists, faults := written.ReadLists(cfg, cfg.Lists)
	for name, p := range cfg.Plugins.All() {
		switch {
		case p.Rules != nil:
			faults = append(faults, faultyExpressions(cfg, name, p, lists)...)
		case !p.Module.IsZero() && !known.Within("plugins", name):
			loaded, err := loader.Load(ctx, pluginSpec(cfg, name, p))
			if err != nil {
				faults = append(faults, pluginFaults(cfg, name, p, err)...)
				continue
			}
			_ = loaded.Close(ctx)
		}
	}
	return faults
}

// faultyExpressions gives the faults within the expressions of rules, and of their
// definitions and cells: the rest is known already.
func faultyExpressions(cfg *config.Config, name string, p *config.Plugin, lists map[string]*expr.Set) config.Faults {
	list := written.Lists(p.Rules)
	list.Lists = lists
	kind, err := list.Kind()
	if err != nil {
		return nil // said already
	}
	_, err = rules.Compile(kind, *list)
	var all, within rules.Errors
	if !errors.As(err, &all) {
		return nil
	}
	for _, e := range all {
		if e.Line > 0 || e.Rule < 0 && e.Part != "rules" {
			within = append(within, e)
		}
	}
	return pluginFaults(cfg, name, p, within)
}
