package rules

import (
	"os"
	"strings"
	"testing"
)

// TestDocs runs the examples of docs/rules.md: every row of three cells whose
// first two are code.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := 0
	for i, line := range strings.Split(string(page), "\n") {
		cells := strings.Split(strings.ReplaceAll(line, `\|`, "\x00"), "|")
		if len(cells) != 5 {
			continue
		}
		source, beacon, want := code(cells[1]), code(cells[2]), strings.TrimSpace(cells[3])
		if source == "" || beacon == "" {
			continue
		}
		examples++
		c, n := compileExpression(source)
		if n == nil {
			t.Errorf("line %d: %s: %v", i+1, source, c.errors)
			continue
		}
		b := batch(t, &c.program.plan, beacon)
		if got := show(n.eval(row{b.Columns, 0})); got != want {
			t.Errorf("line %d: %s of %s is %s, and the page says %s", i+1, source, beacon, got, want)
		}
	}
	if examples < 100 {
		t.Errorf("found %d examples only", examples)
	}
}

// code is what stands between the backquotes of a cell; "" if it is no code.
func code(cell string) string {
	cell = strings.TrimSpace(strings.ReplaceAll(cell, "\x00", "|"))
	for _, quote := range []string{"``", "`"} {
		if len(cell) > 2*len(quote) && strings.HasPrefix(cell, quote) && strings.HasSuffix(cell, quote) {
			return strings.TrimSpace(cell[len(quote) : len(cell)-len(quote)])
		}
	}
	return ""
}
