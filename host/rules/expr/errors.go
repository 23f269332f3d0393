package expr

import (
	"fmt"
	"strings"
)

// Error is one fault of an expression.
type Error struct {
	Line, Column int // from 1, the column in characters; 0 where it is of the whole expression
	Message      string
}

// Error says where the fault is, and what.
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
}

// Errors are all faults of an expression.
type Errors []*Error

// Error has a line for each fault.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}
