package rules

import (
	"fmt"
	"strings"
)

// Error is one fault of a list of rules.
type Error struct {
	Rule    int    // index of the rule in its list, from 0; -1 is none of them
	Closing bool   // the list is that of the rules for sessions that have ended
	Part    string // when, value, reason, route, point, "attributes.NAME" or "set.NAME"; of no rule rules, "let.NAME" or "cells.I"
	Line    int    // within the expression, from 1; 0 where no expression is at fault
	Column  int    // in characters, from 1
	Message string
	Caret   string // the expression's line and a caret below it; empty where there is no column
}

// Error says the rule by its place in the list, counted from 1.
func (e *Error) Error() string {
	var b strings.Builder
	switch {
	case e.Rule >= 0 && e.Closing:
		fmt.Fprintf(&b, "close, rule %d, ", e.Rule+1)
	case e.Rule >= 0:
		fmt.Fprintf(&b, "rule %d, ", e.Rule+1)
	}
	b.WriteString(e.Part)
	if e.Line > 0 {
		fmt.Fprintf(&b, ", line %d, column %d", e.Line, e.Column)
	}
	b.WriteString(": ")
	b.WriteString(e.Message)
	return b.String()
}

// Errors are all faults of a list of rules, in the order of the rules.
type Errors []*Error

// Error has a line for each fault.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives each fault as an *Error.
func (e Errors) Unwrap() []error {
	errs := make([]error, len(e))
	for i, err := range e {
		errs[i] = err
	}
	return errs
}
