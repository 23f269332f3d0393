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

// caretWidth is how many characters Caret shows on each side of the fault.
const caretWidth = 60

// Caret is the line of the source that the fault is in, of a long one what is
// around the fault, and below it a caret under the fault; empty where it is of
// the whole expression.
func (e *Error) Caret(source string) string {
	lines := strings.Split(source, "\n")
	if e.Line < 1 || e.Line > len(lines) {
		return ""
	}
	line := []rune(strings.TrimSuffix(lines[e.Line-1], "\r"))
	at := min(e.Column-1, len(line))
	first, end := max(at-caretWidth, 0), min(at+caretWidth, len(line))
	var above, below strings.Builder
	if first > 0 {
		above.WriteString("…")
		below.WriteString(" ")
	}
	for i, r := range line[first:end] {
		above.WriteRune(r)
		if first+i < at {
			below.WriteString(blank(r))
		}
	}
	if end < len(line) {
		above.WriteString("…")
	}
	return above.String() + "\n" + below.String() + "^"
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
