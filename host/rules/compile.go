package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seed-6a2d649b/pharos/abi"
)

// Compile checks the rules of a plugin of this kind and makes them a program.
// The error, if any, is of type Errors and holds every fault of the list.
func Compile(kind abi.Kind, rules Rules) (*Program, error) {
	c := &compiler{program: &Program{kind: kind}, fields: map[string]int{}}
	if got, err := rules.Kind(); err != nil {
		c.fail(-1, "rules", err.Error())
	} else if got != kind {
		c.fail(-1, "rules", fmt.Sprintf("these are rules of a %s, and a %s is wanted", got, kind))
	} else {
		c.compile(rules)
	}
	if len(c.errors) > 0 {
		return nil, c.errors
	}
	return c.program, nil
}

// compiler gathers the program and the faults of a list.
type compiler struct {
	program *Program
	fields  map[string]int // path to index in the plan
	errors  Errors
}

func (c *compiler) fail(rule int, part, message string) {
	c.errors = append(c.errors, &Error{Rule: rule, Part: part, Message: message})
}

func (c *compiler) compile(rules Rules) {
	switch c.program.kind {
	case abi.Filter:
		c.bound("drop", len(rules.Drop), MaxRules)
		for i, r := range rules.Drop {
			c.name(i, "reason", r.Reason)
			c.add(rule{when: c.when(i, r.When), answer: indexOf(&c.program.plan.Reasons, r.Reason)})
		}
		c.bound("distinct reasons of drop", len(c.program.plan.Reasons), MaxReasons)
	case abi.Split:
		c.bound("split", len(rules.Split), MaxRules)
		for i, r := range rules.Split {
			c.name(i, "route", r.Route)
			c.add(rule{when: c.when(i, r.When), answer: indexOf(&c.program.plan.Routes, r.Route)})
		}
	default:
		c.bound("extract", len(rules.Extract), MaxMeasures)
		c.points(rules.Extract)
		for i, r := range rules.Extract {
			c.extract(i, r)
		}
	}
}

func (c *compiler) add(r rule) { c.program.rules = append(c.program.rules, r) }

// bound refuses a list that is too long.
func (c *compiler) bound(what string, n, limit int) {
	if n > limit {
		c.fail(-1, "rules", fmt.Sprintf("%d %s, and %d are allowed", n, what, limit))
	}
}

// points plans each point once, with the attributes of all rules that name it:
// one that a rule does not give has no value in that rule's measurements.
func (c *compiler) points(rules []Extract) {
	plan := &c.program.plan
	for _, r := range rules {
		i := slices.IndexFunc(plan.Points, func(p abi.Point) bool { return p.Name == r.Point })
		if i < 0 {
			i = len(plan.Points)
			plan.Points = append(plan.Points, abi.Point{Name: r.Point})
		}
		p := &plan.Points[i]
		p.Attributes = slices.Compact(slices.Sorted(slices.Values(slices.AppendSeq(p.Attributes, maps.Keys(r.Attributes)))))
	}
}

func (c *compiler) extract(i int, r Extract) {
	c.name(i, "point", r.Point)
	if r.Point == "visit" || r.Point == "crossover" {
		c.fail(i, "point", fmt.Sprintf("%q is booked by the engine itself: take another name", r.Point))
	}
	point := slices.IndexFunc(c.program.plan.Points, func(p abi.Point) bool { return p.Name == r.Point })
	out := rule{when: c.when(i, r.When), answer: point}
	if r.Value != "" {
		out.value = c.expression(i, "value", r.Value)
	}
	for slot, name := range c.program.plan.Points[point].Attributes {
		path, ok := r.Attributes[name]
		if !ok {
			continue
		}
		part := "attributes." + name
		c.name(i, part, name)
		if message := badPath(path); message != "" {
			c.fail(i, part, message)
			continue
		}
		out.attrs = append(out.attrs, attribute{slot: slot, field: c.field(path)})
	}
	c.add(out)
}

// when compiles a rule's condition, which it must have.
func (c *compiler) when(i int, source string) *node {
	if strings.TrimSpace(source) == "" {
		c.fail(i, "when", "a condition is wanted; one that always holds is `true`")
		return nil
	}
	return c.expression(i, "when", source)
}

// field is the index of the path's column, planned if it is new.
func (c *compiler) field(path string) int {
	i, ok := c.fields[path]
	if !ok {
		i = len(c.program.plan.Fields)
		c.fields[path] = i
		c.program.plan.Fields = append(c.program.plan.Fields, abi.Field{Name: path, Type: abi.Any})
	}
	return i
}

// name refuses a reason, route, point or attribute that is no good name.
func (c *compiler) name(i int, part, name string) {
	switch {
	case name == "":
		c.fail(i, part, "a name is wanted")
	case len(name) > MaxName:
		c.fail(i, part, fmt.Sprintf("a name of %d bytes, and %d are allowed", len(name), MaxName))
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		c.fail(i, part, fmt.Sprintf("%q has characters that a name may not have", name))
	}
}

// badPath says what is wrong with an attribute's path, if anything.
func badPath(path string) string {
	switch {
	case path == "":
		return "a path is wanted"
	case len(path) > MaxPath:
		return fmt.Sprintf("a path of %d bytes, and %d are allowed", len(path), MaxPath)
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
