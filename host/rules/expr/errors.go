package expr

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/width"
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

// Caret is the line of the source that the fault is in, and below it a caret
// under the fault; empty where it is of the whole expression.
func (e *Error) Caret(source string) string {
	lines := strings.Split(source, "\n")
	if e.Line < 1 || e.Line > len(lines) {
		return ""
	}
	line := strings.TrimSuffix(lines[e.Line-1], "\r")
	var below strings.Builder
	column := 1
	for _, r := range line {
		if column == e.Column {
			break
		}
		below.WriteString(blank(r))
		column++
	}
	return line + "\n" + below.String() + "^"
}

// blank is as wide as the character in a terminal: a tab is one itself.
func blank(r rune) string {
	if r == '\t' {
		return "\t"
	}
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return ""
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return "  "
	}
	return " "
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
