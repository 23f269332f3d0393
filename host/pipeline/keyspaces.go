package pipeline

import (
	"context"
	"errors"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/host/query"
)

// compileKeyspaces compiles the formulas; a fault of one stands at its place
// within the expression.
func (g *Generation) compileKeyspaces(readers map[string]query.Reader) (faults config.Faults, err error) {
	var all []query.Keyspace
	for name, k := range g.Config.Keyspaces.All() {
		reader := readers[k.Store]
		if reader == nil {
			reader = unread{}
		}
		all = append(all, g.keyspace(name, k, reader))
	}
	g.keyspaces, err = query.Compile(all)
	var joined interface{ Unwrap() []error }
	errs := []error{err}
	if errors.As(err, &joined) {
		errs = joined.Unwrap()
	}
	var other []error
	for _, e := range errs {
		var f *query.FormulaError
		if !errors.As(e, &f) {
			other = append(other, e)
			continue
		}
		fault := g.Config.Faultf([]string{"keyspaces", f.Keyspace, "formulas", f.Formula, "expr"}, "%s", f.Message)
		if formula := g.Config.Keyspaces.Get(f.Keyspace).Formulas.Get(f.Formula); f.Line > 0 && formula != nil {
			fault.Pos = formula.Expr.At(f.Line, f.Column)
		}
		faults = append(faults, fault)
	}
	return faults, errors.Join(other...)
}

func (g *Generation) keyspace(name string, k *config.Keyspace, store query.Reader) query.Keyspace {
	ks := query.Keyspace{Name: name, Tenant: k.Tenant, Store: store, Timezone: k.Timezone}
	for name, m := range k.Metrics.All() {
		ks.Metrics = append(ks.Metrics, query.Metric{
			Name: name, Point: m.Point, Stat: m.Stat, Dims: plain(m.Dimensions), Attributes: plain(m.Attributes),
		})
	}
	for name, f := range k.Formulas.All() {
		ks.Formulas = append(ks.Formulas, query.Formula{
			Name: name, Expr: f.Expr.Text, Title: f.Title, Description: f.Description, Format: f.Format,
			Currency: f.Currency, Better: f.Better, Params: plain(f.Params),
		})
	}
	t := g.Config.Tenants.Get(k.Tenant)
	if t == nil {
		return ks
	}
	for id, e := range t.Experiments.All() {
		x := query.Experiment{ID: id}
		for _, v := range e.Variants {
			x.Variants = append(x.Variants, v.Name)
		}
		ks.Experiments = append(ks.Experiments, x)
	}
	if t.AllTraffic {
		ks.Experiments = append(ks.Experiments, query.Experiment{ID: metric.AllExperiment, Variants: []string{metric.AllVariant}})
	}
	ks.Dimensions = t.Dimensions.Names()
	return ks
}

// unread is the store of keyspaces that are compiled to be checked only.
type unread struct{}

// Read implements query.Reader.
func (unread) Read(context.Context, metric.Selector, func(*metric.Series, string, int64, float64) error) error {
	return errors.New("this process reads no store")
}

func plain[T any](m config.Map[T]) map[string]T {
	if len(m) == 0 {
		return nil
	}
	all := map[string]T{}
	for name, v := range m.All() {
		all[name] = *v
	}
	return all
}
