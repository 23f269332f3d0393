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
		rule.Set = texts(e.Set)
		lists.Extract = append(lists.Extract, rule)
	}
	for _, c := range r.Close {
		lists.Close = append(lists.Close, rules.Close{Point: c.Point, When: c.When.Text, Value: c.Value.Text})
	}
	lists.Let, lists.Cells = texts(r.Let), r.Cells
	return lists
}

// texts are named expressions; nil if there are none.
func texts(exprs config.Map[config.Expr]) map[string]string {
	if len(exprs) == 0 {
		return nil
	}
	all := make(map[string]string, len(exprs))
	for name, e := range exprs.All() {
		all[name] = e.Text
	}
	return all
}

// File is a file that rules stand in.
type File interface {
	Faultf(keys []string, format string, args ...any) config.Fault
}

// Faults are those of rules, each at its place: within its expression, or at what
// else is at fault, with a caret below that place. The rules stand in the file below
// the keys.
func Faults(in File, below []string, r *config.Rules, errs rules.Errors) (faults config.Faults) {
	for _, e := range errs {
		keys, part := slices.Clip(below), strings.SplitN(e.Part, ".", 2)
		switch {
		case e.Rule >= 0:
			keys = append(append(keys, list(r, e), fmt.Sprint(e.Rule)), part...)
		case e.Part == "rules":
			keys = append(keys, list(r, e))
		default:
			keys = append(keys, part...)
		}
		expr := expression(r, e)
		fault := in.Faultf(keys, "%s", e.Message)
		if e.Line > 0 && !expr.IsZero() {
			fault.Pos = expr.At(e.Line, e.Column)
		}
		if e.Caret != "" {
			fault.Message += "\n    " + strings.ReplaceAll(e.Caret, "\n", "\n    ")
		}
		faults = append(faults, fault)
	}
	return faults
}

// list is the list that a fault is in.
func list(r *config.Rules, e *rules.Error) string {
	switch {
	case e.Closing:
		return "close"
	case len(r.Drop) > 0:
		return "drop"
	case len(r.Split) > 0:
		return "split"
	}
	return "extract"
}

// expression is the expression that a fault is in; none where it is in none.
func expression(r *config.Rules, e *rules.Error) (expr config.Expr) {
	part, name, _ := strings.Cut(e.Part, ".")
	var named *config.Expr
	switch {
	case part == "let":
		named = r.Let.Get(name)
	case e.Rule < 0:
	case e.Closing && part == "when":
		named = &r.Close[e.Rule].When
	case e.Closing && part == "value":
		named = &r.Close[e.Rule].Value
	case e.Closing:
	case part == "when" && len(r.Drop) > 0:
		named = &r.Drop[e.Rule].When
	case part == "when" && len(r.Split) > 0:
		named = &r.Split[e.Rule].When
	case part == "when":
		named = &r.Extract[e.Rule].When
	case part == "value":
		named = &r.Extract[e.Rule].Value
	case part == "set":
		named = r.Extract[e.Rule].Set.Get(name)
	}
	if named == nil {
		return expr
	}
	return *named
}
