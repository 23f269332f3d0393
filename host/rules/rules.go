// Package rules is a plugin that needs no module: lists of conditions in CEL's
// syntax over a beacon's fields, that drop beacons, choose their route, or
// measure them. cel-go parses them; a plain tree walk evaluates them, with the
// meaning that docs/rules.md gives: beacons have no schema, so rules differ
// from CEL in what they make of missing and differently typed values.
//
// A program answers batches through the same types as a WebAssembly plugin,
// and is the reference of what a rule means.
package rules

import (
	"fmt"

	"github.com/seed-6a2d649b/pharos/abi"
)

// Bounds of a list of rules, beside those of every plan (package abi).
const (
	MaxRules       = 1000                      // of a drop or split list
	MaxMeasures    = abi.MaxMeasurementsPerRow // rules of an extract list
	MaxExpression  = 32 << 10                  // bytes of one expression
	MaxDepth       = 100                       // nesting of one expression
	MaxRegexp      = 1000                      // bytes of a regular expression
	MaxRegexpSteps = 10_000                    // instructions of a compiled regular expression
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

// Extract is a rule of an extractor: each whose When holds measures Point.
type Extract struct {
	Point      string
	When       string
	Value      string            // an expression of a number; "" is 1
	Attributes map[string]string // name to the path, or further name, of its text
}

// Rules are the lists of one plugin; exactly one of them may have rules.
type Rules struct {
	Drop    []Drop
	Split   []Split
	Extract []Extract
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

// rule is one compiled rule.
type rule struct {
	when   *node
	answer int // index of the reason, route or point in the plan
	value  *node
	attrs  []attribute
}

// attribute is where the text of one attribute of a measurement is found.
type attribute struct {
	slot  int // index in the point's attributes
	field int // index in the plan's fields
}

// Program is a compiled list of rules. It does not change, and may be used by
// any number of goroutines at once, each with an Output of its own.
type Program struct {
	kind  abi.Kind
	plan  abi.Plan
	rules []rule
}

// Kind is what the program does with a batch.
func (p *Program) Kind() abi.Kind { return p.kind }

// Plan is what the program needs of a beacon, all as columns of type any, and
// what it may answer. Reasons, routes and points are unique, in the order of
// the rules that name them first; a point's attributes are those of all its
// rules, sorted by name. The caller must not change it.
func (p *Program) Plan() *abi.Plan { return &p.plan }
