package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
)

// Compile checks the rules of a plugin of this kind and makes them a program.
// The error, if any, is of type Errors and holds every fault of the list.
func Compile(kind abi.Kind, rules Rules) (*Program, error) {
	c := &compiler{program: &Program{kind: kind}, scope: &expr.Scope{}}
	if got, err := rules.Kind(); err != nil {
		c.fail(-1, "rules", err.Error())
	} else if got != kind {
		c.fail(-1, "rules", fmt.Sprintf("these are rules of a %s, and a %s is wanted", got, kind))
	} else {
		c.compile(rules)
		c.bind()
	}
	if len(c.errors) == 0 {
		if err := c.program.plan.Validate(kind); err != nil {
			c.fail(-1, "rules", err.Error())
		}
	}
	if len(c.errors) > 0 {
		return nil, c.errors
	}
	return c.program, nil
}

// compiler gathers the program and the faults of a list.
type compiler struct {
	program *Program
	closing bool // the rules are those of sessions that have ended
	scope   *expr.Scope
	errors  Errors
}

func (c *compiler) fail(rule int, part, message string) {
	c.errors = append(c.errors, &Error{Rule: rule, Closing: c.closing, Part: part, Message: message})
}

// failAt notes the faults of an expression.
func (c *compiler) failAt(rule int, part, source string, errs expr.Errors) {
	for _, e := range errs {
		c.errors = append(c.errors, &Error{rule, c.closing, part, e.Line, e.Column, e.Message, e.Caret(source)})
	}
}

func (c *compiler) compile(rules Rules) {
	c.scope.Lists = rules.Lists
	c.cells(rules.Cells)
	c.define(rules.Let)
	n, limit := len(rules.Drop)+len(rules.Split), MaxRules
	if c.program.kind == abi.Extract {
		n, limit = len(rules.Extract), MaxMeasures
	}
	if n > limit {
		c.fail(-1, "rules", fmt.Sprintf("%d rules, and %d are allowed in one list", n, limit))
		return
	}
	for i, r := range rules.Drop {
		c.name(i, "reason", abi.Plan{Reasons: []string{r.Reason}})
		c.add(Checked{When: c.when(i, r.When), Answer: indexOf(&c.program.plan.Reasons, r.Reason)})
	}
	for i, r := range rules.Split {
		c.name(i, "route", abi.Plan{Routes: []string{r.Route}})
		c.add(Checked{When: c.when(i, r.When), Answer: indexOf(&c.program.plan.Routes, r.Route)})
	}
	c.points(rules.Extract, rules.Close)
	for i, r := range rules.Extract {
		c.extract(i, r)
	}
	c.close(rules)
}

// close compiles the rules for sessions that have ended.
func (c *compiler) close(rules Rules) {
	switch n := len(rules.Close); {
	case n == 0:
		return
	case c.program.kind != abi.Extract:
		c.fail(-1, "close", "close is beside the list extract: no other plugin sees sessions")
		return
	case n > MaxMeasures:
		c.fail(-1, "close", fmt.Sprintf("%d rules, and %d are allowed in one list", n, MaxMeasures))
		return
	}
	c.closing = true
	c.scope = &expr.Scope{Lists: c.scope.Lists, Cells: c.scope.Cells, Closed: true}
	for _, p := range c.program.plan.Points {
		c.scope.Points = append(c.scope.Points, p.Name)
	}
	c.scope.Define(rules.Let) // whose faults are known; those of beacons are none here until they are used
	for i, r := range rules.Close {
		c.name(i, "point", abi.Plan{Points: []abi.Point{{Name: r.Point}}})
		out := Checked{When: c.when(i, r.When), Answer: c.point(r.Point)}
		if r.Value != "" {
			out.Value = c.expression(i, "value", r.Value)
		}
		c.program.close = append(c.program.close, out)
	}
}

// cells plans the cells.
func (c *compiler) cells(names []string) {
	if len(names) == 0 {
		return
	}
	if c.program.kind != abi.Extract {
		c.fail(-1, "cells", "cells are of rules of the list extract: no other plugin sees sessions")
		return
	}
	for _, name := range names {
		c.program.plan.Cells = append(c.program.plan.Cells, abi.Cell{Name: name, Type: abi.F64})
	}
	c.name(-1, "cells", abi.Plan{Points: []abi.Point{{Name: "point"}}, Cells: c.program.plan.Cells})
	c.scope.Cells = names
}

// define shares the definitions with all expressions that follow.
func (c *compiler) define(sources map[string]string) {
	faults := c.scope.Define(sources)
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		if !expr.IsName(name) {
			c.fail(-1, "let."+name, fmt.Sprintf("no expression can say the name %q: take letters, digits and underscores, and no word of CEL", name))
		}
		c.failAt(-1, "let."+name, sources[name], faults[name])
	}
}

func (c *compiler) add(r Checked) { c.program.rules = append(c.program.rules, r) }

// points plans each point once, with the attributes of all rules that name it:
// one that a rule does not give has no value in that rule's measurements.
func (c *compiler) points(rules []Extract, closing []Close) {
	plan := &c.program.plan
	add := func(name string) *abi.Point {
		if c.point(name) < 0 {
			plan.Points = append(plan.Points, abi.Point{Name: name})
		}
		return &plan.Points[c.point(name)]
	}
	for _, r := range rules {
		if r.Point == "" {
			continue
		}
		p := add(r.Point)
		p.Attributes = slices.Compact(slices.Sorted(slices.Values(slices.AppendSeq(p.Attributes, maps.Keys(r.Attributes)))))
	}
	for _, r := range closing {
		add(r.Point)
	}
}

// point is the index of the point in the plan, -1 if it is not there.
func (c *compiler) point(name string) int {
	return slices.IndexFunc(c.program.plan.Points, func(p abi.Point) bool { return p.Name == name })
}

func (c *compiler) extract(i int, r Extract) {
	out := Checked{Answer: -1}
	if r.Point != "" || len(r.Set) == 0 {
		c.name(i, "point", abi.Plan{Points: []abi.Point{{Name: r.Point}}})
	} else if r.Value != "" || len(r.Attributes) > 0 {
		c.fail(i, "point", "a rule without a point measures nothing: it has no value and no attributes")
	}
	out.When = c.when(i, r.When)
	if r.Value != "" {
		out.Value = c.expression(i, "value", r.Value)
	}
	if r.Point != "" {
		out.Answer = c.point(r.Point)
		out.Attributes = c.attributes(i, r.Attributes, c.program.plan.Points[out.Answer].Attributes)
	}
	out.Sets = c.sets(i, r.Set)
	c.add(out)
}

// attributes are where a rule finds those of the names of a point that it gives.
func (c *compiler) attributes(i int, paths map[string]string, names []string) (attributes []Attribute) {
	for slot, name := range names {
		path, ok := paths[name]
		if !ok {
			continue
		}
		part := "attributes." + name
		c.name(i, part, abi.Plan{Points: []abi.Point{{Name: "point", Attributes: []string{name}}}})
		if message := badPath(path); message != "" {
			c.fail(i, part, message)
			continue
		}
		attributes = append(attributes, Attribute{Slot: slot, Path: path})
	}
	return attributes
}

// sets compiles what a rule sets, in the order of the cells.
func (c *compiler) sets(i int, sources map[string]string) (sets []Set) {
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		cell, part := slices.Index(c.scope.Cells, name), "set."+name
		if cell < 0 {
			c.fail(i, part, fmt.Sprintf("there is no cell %q: name it in cells", name))
		}
		sets = append(sets, Set{cell, c.expression(i, part, sources[name])})
	}
	if len(sets) > 0 {
		c.program.plan.Counters = []string{BadSet}
	}
	slices.SortFunc(sets, func(a, b Set) int { return a.Cell - b.Cell })
	return sets
}

// when compiles a rule's condition, which it must have.
func (c *compiler) when(i int, source string) *expr.Node {
	if strings.TrimSpace(source) == "" {
		c.fail(i, "when", "a condition is wanted; one that always holds is `true`")
		return nil
	}
	return c.expression(i, "when", source)
}

// expression is the tree of one expression of a rule, nil where it is at fault.
func (c *compiler) expression(rule int, part, source string) *expr.Node {
	n, errs := c.scope.Parse(source)
	c.failAt(rule, part, source, errs)
	return n
}

// bind plans the columns that the rules read, in the order in which they name
// them first.
func (c *compiler) bind() {
	if len(c.errors) > 0 {
		return
	}
	var fields expr.Fields
	for i := range c.program.rules {
		r := &c.program.rules[i]
		fields.Bind(r.When)
		if r.Value != nil {
			fields.Bind(r.Value)
		}
		for j := range r.Attributes {
			r.Attributes[j].Field = fields.Add(r.Attributes[j].Path)
		}
		for _, set := range r.Sets {
			fields.Bind(set.Value)
		}
	}
	for _, path := range fields.Paths {
		c.program.plan.Fields = append(c.program.plan.Fields, abi.Field{Name: path, Type: abi.Any})
	}
}

// name refuses a name that no plan may have: the plan has nothing else.
func (c *compiler) name(i int, part string, of abi.Plan) {
	if err := of.Validate(c.program.kind); err != nil {
		c.fail(i, part, err.Error())
	}
}

// badPath says what is wrong with an attribute's path, if anything.
func badPath(path string) string {
	switch {
	case path == "":
		return "a path is wanted"
	case len(path) > abi.MaxFieldBytes:
		return fmt.Sprintf("a path of %d bytes, and %d are allowed", len(path), abi.MaxFieldBytes)
	case path[0] == '$':
		return fmt.Sprintf("%q: names that begin with $ are the engine's, and no attributes", path)
	case !utf8.ValidString(path) || slices.Contains(strings.Split(path, "."), ""):
		return fmt.Sprintf("%q is no path: a path is names with dots between them", path)
	}
	return ""
}

// indexOf is the index of name in list, appended if it is new.
func indexOf(list *[]string, name string) int {
	i := slices.Index(*list, name)
	if i < 0 {
		i = len(*list)
		*list = append(*list, name)
	}
	return i
}
