// Package rules is a plugin that needs no module: lists of conditions in CEL's
// syntax over a beacon's fields, that drop beacons, choose their route, or
// measure them. Package expr is the language of one expression; this package
// makes the lists a Program.
//
// A program answers batches through the same types as a WebAssembly plugin. It
// is the reference of what rules mean, a plain tree walk: the stream runs the
// module that is made of it, which must answer the same.
package rules

import (
	"fmt"
	"slices"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
)

// Bounds of a list of rules, beside those of every plan (package abi) and of an
// expression (package expr).
const (
	MaxRules    = 1000                      // of a drop or split list
	MaxMeasures = abi.MaxMeasurementsPerRow // rules of an extract list
)

// Drop is a rule of a filter: the first whose When holds drops the beacon.
type Drop struct {
	Reason string
	When   string
}

// Split is a rule of a splitter: the first whose When holds sends the beacon
// to Route.
type Split struct {
	Route string
	When  string
}

// Extract is a rule of an extractor: each whose When holds measures Point, and
// sets cells of the beacon's session.
type Extract struct {
	Point      string // "" measures nothing
	When       string
	Value      string            // an expression of a number; "" is 1
	Attributes map[string]string // name to the path, or further name, of its text
	Set        map[string]string `json:",omitempty"` // cell to an expression of its next value
}

// Close is a rule of an extractor for sessions that have ended: each whose When
// holds measures Point at the session's end.
type Close struct {
	Point string
	When  string
	Value string // an expression of a number; "" is 1
}

// Rules are the lists of one plugin; exactly one of Drop, Split and Extract may
// have rules, and Close only beside Extract.
type Rules struct {
	Drop    []Drop
	Split   []Split
	Extract []Extract
	Close   []Close              `json:",omitempty"`
	Let     map[string]string    `json:",omitempty"` // definitions that the expressions share, by name
	Cells   []string             `json:",omitempty"` // numbers that are kept with each session, of an extractor
	Lists   map[string]*expr.Set `json:",omitempty"` // named lists; those that no expression names do not matter
}

// ListsNamed are the names of the lists that the expressions may use, each once.
func (r Rules) ListsNamed() []string {
	var names []string
	for source := range r.expressions {
		names = append(names, expr.ListsNamed(source)...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// expressions are all that the rules have.
func (r Rules) expressions(yield func(string) bool) {
	for _, d := range r.Drop {
		if !yield(d.When) {
			return
		}
	}
	for _, s := range r.Split {
		if !yield(s.When) {
			return
		}
	}
	for _, e := range r.Extract {
		if !yield(e.When) || !yield(e.Value) || !each(e.Set, yield) {
			return
		}
	}
	for _, c := range r.Close {
		if !yield(c.When) || !yield(c.Value) {
			return
		}
	}
	each(r.Let, yield)
}

func each(sources map[string]string, yield func(string) bool) bool {
	for _, source := range sources {
		if !yield(source) {
			return false
		}
	}
	return true
}

// Kind says what the rules do. It is an error if they have no rules, or rules
// of several kinds.
func (r Rules) Kind() (abi.Kind, error) {
	var kinds []abi.Kind
	if len(r.Drop) > 0 {
		kinds = append(kinds, abi.Filter)
	}
	if len(r.Split) > 0 {
		kinds = append(kinds, abi.Split)
	}
	if len(r.Extract) > 0 {
		kinds = append(kinds, abi.Extract)
	}
	switch len(kinds) {
	case 0:
		return "", fmt.Errorf("no rules: give one of drop, split, extract")
	case 1:
		return kinds[0], nil
	}
	return "", fmt.Errorf("rules of several kinds (%v): give one of drop, split, extract, and the others to another plugin", kinds)
}

// Checked is one rule of a program. Where When holds it answers: a filter and a
// splitter by the first rule that holds, an extractor by every one, in order.
type Checked struct {
	When   *expr.Node
	Answer int // index of the reason, route or point in the plan; -1 of an extractor that measures nothing

	// Of an extractor's rule:
	Value      *expr.Node // the measurement's value, which is a bad one where it comes to no number; nil is 1
	Attributes []Attribute
	Sets       []Set // take effect after the rule's measurement, all at once
}

// Expressions are those of the rule.
func (c *Checked) Expressions(yield func(*expr.Node) bool) {
	if !yield(c.When) || c.Value != nil && !yield(c.Value) {
		return
	}
	for _, s := range c.Sets {
		if !yield(s.Value) {
			return
		}
	}
}

// Attribute is one attribute of a measurement: its text is that of the field,
// as Row.Attribute has it.
type Attribute struct {
	Slot  int    // index in the point's attributes
	Path  string // of the field
	Field int    // index of the path in the plan's fields
}

// Set gives a cell of the row's session another value. One that is no number, NaN
// or infinite leaves the cell as it is, and is counted by the counter BadSet.
type Set struct {
	Cell  int // index in the plan's cells
	Value *expr.Node
}

// BadSet is the name of the counter, the plan's only one where a rule has Sets.
const BadSet = "bad_set"

// Program is a compiled list of rules. It does not change, and may be used by
// any number of goroutines at once, each with an Output of its own.
type Program struct {
	kind  abi.Kind
	plan  abi.Plan
	rules []Checked
	close []Checked
}

// Kind is what the program does with a batch.
func (p *Program) Kind() abi.Kind { return p.kind }

// Plan is what the program needs of a beacon, all as columns of type any, and
// what it may answer. Reasons, routes and points are unique, in the order of
// the rules that name them first; a point's attributes are those of all its
// rules, sorted by name. The caller must not change it.
func (p *Program) Plan() *abi.Plan { return &p.plan }

// Checked are the rules, in order. The caller must not change them.
func (p *Program) Checked() []Checked { return p.rules }

// Closing are the rules for sessions that have ended, in order; none has attributes
// or sets cells. The caller must not change them.
func (p *Program) Closing() []Checked { return p.close }
