package pipeline

import (
	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/experiment"
)

// sources are a config's raw topics in the words of package beacon.
func sources(cfg *config.Config) (all []*beacon.Source) {
	for _, s := range cfg.Sources {
		source := &beacon.Source{
			Name: s.Name, Topic: s.Topic, Format: beacon.Format(s.Format),
			Time: locator(s.Fields.Time), Tenant: locator(s.Fields.Tenant), Session: locator(s.Fields.Session),
			ID: locator(s.Fields.ID), Assignments: locator(s.Fields.Assignments),
			Names: map[string]beacon.Locator{},
		}
		for name, l := range s.Fields.Names.All() {
			source.Names[name] = locator(*l)
		}
		all = append(all, source)
	}
	return all
}

func locator(l config.Locator) beacon.Locator {
	return beacon.Locator{Paths: l.Paths, Const: l.Const, IsConst: l.IsConst}
}

// experimentOf is a config's experiment in the words of package experiment.
func experimentOf(t *config.Tenant, id string, e *config.Experiment) experiment.Experiment {
	x := experiment.Experiment{
		ID: id, Variants: variants(e.Variants), Hash: e.Assign == "hash", Salt: e.Salt, Unit: e.Unit,
		Buckets: buckets(e.Buckets), Qualify: e.Qualify, Exclude: e.Crossover == "exclude",
		Start: e.Start.MS, HasStart: e.Start.Set, End: e.End.MS, HasEnd: e.End.Set,
	}
	if l := t.Layers.Get(e.Layer); l != nil {
		x.Layer = &experiment.Layer{Name: e.Layer, Salt: l.Salt}
	}
	for _, p := range e.Phases {
		x.Phases = append(x.Phases, experiment.Phase{From: p.From.MS, Variants: variants(p.Variants), Buckets: buckets(p.Buckets)})
	}
	return x
}

func variants(shares config.Shares) (all []experiment.Variant) {
	for _, s := range shares {
		all = append(all, experiment.Variant{Name: s.Name, Weight: s.Weight})
	}
	return all
}

func buckets(r *config.Range) *[2]int64 {
	if r == nil {
		return nil
	}
	return &[2]int64{r.From, r.To}
}

// compileExperiments compiles a tenant's experiments in the order of the config.
func compileExperiments(cfg *config.Config, tenant string, t *config.Tenant) (all []*experiment.Compiled, faults config.Faults) {
	for id, e := range t.Experiments.All() {
		c, err := experiment.Compile(experimentOf(t, id, e))
		if err != nil {
			faults = append(faults, cfg.Faultf([]string{"tenants", tenant, "experiments", id}, "%v", err))
			continue
		}
		all = append(all, c)
	}
	return all, faults
}

// checkExperiments finds the faults of all tenants' experiments.
func checkExperiments(cfg *config.Config) (faults config.Faults) {
	for name, t := range cfg.Tenants.All() {
		_, more := compileExperiments(cfg, name, t)
		faults = append(faults, more...)
	}
	return faults
}
