package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/plugin"
	"github.com/seed-6a2d649b/pharos/host/rules"
)

// pluginSpec says a config's plugin in the words of package plugin.
func pluginSpec(cfg *config.Config, name string, p *config.Plugin) plugin.Spec {
	spec := plugin.Spec{
		Name: name, Module: moduleAddress(p), Digest: p.Digest, Keys: cfg.SigningKeys(name),
		Golden: p.Golden.String(), Signature: p.Signature.String(), Config: json.RawMessage(p.Config),
		Memory: int64(p.Limits.Memory), Fuel: p.Limits.Fuel, OnError: plugin.OnError(p.OnError),
	}
	if p.Rules != nil {
		spec.Rules = ruleLists(p.Rules)
	}
	for file, path := range p.Data.All() {
		if spec.Data == nil {
			spec.Data = map[string]string{}
		}
		spec.Data[file] = path.String()
	}
	return spec
}

// moduleAddress is where the module of a plugin is: a path, or a URL.
func moduleAddress(p *config.Plugin) string {
	if path := p.Module.Path; !path.IsZero() {
		return path.String()
	}
	return p.Module.String()
}

func ruleLists(r *config.Rules) *rules.Rules {
	lists := &rules.Rules{}
	for _, d := range r.Drop {
		lists.Drop = append(lists.Drop, rules.Drop{Reason: d.Reason, When: d.When.Text})
	}
	for _, s := range r.Split {
		lists.Split = append(lists.Split, rules.Split{Route: s.Route, When: s.When.Text})
	}
	for _, e := range r.Extract {
		rule := rules.Extract{Point: e.Point, When: e.When.Text, Value: e.Value.Text}
		for name, path := range e.Attributes.All() {
			if rule.Attributes == nil {
				rule.Attributes = map[string]string{}
			}
			rule.Attributes[name] = *path
		}
		lists.Extract = append(lists.Extract, rule)
	}
	return lists
}

// pluginFaults gives the faults of a plugin that does not load, each at its place:
// those of rules within the expression, those of a module at its plugin.
func pluginFaults(cfg *config.Config, name string, p *config.Plugin, err error) (faults config.Faults) {
	var faulty rules.Errors
	if !errors.As(err, &faulty) {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			faults = append(faults, cfg.Faultf([]string{"plugins", name}, "%s", strings.TrimPrefix(line, "plugin "+name+": ")))
		}
		return faults
	}
	for _, e := range faulty {
		list, expr := expression(p.Rules, e)
		keys := []string{"plugins", name, "rules", list}
		if e.Rule >= 0 {
			keys = append(keys, fmt.Sprint(e.Rule))
			keys = append(keys, strings.SplitN(e.Part, ".", 2)...)
		}
		fault := cfg.Faultf(keys, "%s", e.Message)
		if e.Line > 0 && !expr.IsZero() {
			fault.Pos = expr.At(e.Line, e.Column)
		}
		faults = append(faults, fault)
	}
	return faults
}

// expression is the expression that a fault is in, and the list of its rule.
func expression(r *config.Rules, e *rules.Error) (list string, expr config.Expr) {
	switch {
	case len(r.Drop) > 0:
		list = "drop"
		if e.Rule >= 0 && e.Part == "when" {
			expr = r.Drop[e.Rule].When
		}
	case len(r.Split) > 0:
		list = "split"
		if e.Rule >= 0 && e.Part == "when" {
			expr = r.Split[e.Rule].When
		}
	default:
		list = "extract"
		switch {
		case e.Rule >= 0 && e.Part == "when":
			expr = r.Extract[e.Rule].When
		case e.Rule >= 0 && e.Part == "value":
			expr = r.Extract[e.Rule].Value
		}
	}
	return list, expr
}
