// Package written knows rules as a config, or a file of rules, has them: it gives the
// lists that they are, and finds the place in the file of what is wrong with these.
package written

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/rules"
)

// Lists are the lists of rules that a file has.
func Lists(r *config.Rules) *rules.Rules {
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

// File is a file that rules stand in.
type File interface {
	Faultf(keys []string, format string, args ...any) config.Fault
}

// Faults are those of rules, each at its place: within its expression, or at what
// else is at fault. The rules stand in the file below the keys.
func Faults(in File, below []string, r *config.Rules, errs rules.Errors) (faults config.Faults) {
	for _, e := range errs {
		list, expr := expression(r, e)
		keys := append(slices.Clip(below), list)
		if e.Rule >= 0 {
			keys = append(keys, fmt.Sprint(e.Rule))
			keys = append(keys, strings.SplitN(e.Part, ".", 2)...)
		}
		fault := in.Faultf(keys, "%s", e.Message)
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
