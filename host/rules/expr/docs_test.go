package expr_test

import (
	"os"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
	"github.com/seed-6a2d649b/pharos/host/rules/rulestest"
)

// TestDocs runs the examples of docs/rules.md: every row of three cells whose
// first two are code.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	scope := &expr.Scope{Cells: []string{"views"}, Lists: map[string]*expr.Set{
		"bots":   expr.NewSet("bots", []string{"curl", "wget"}),
		"office": expr.NewSet("office", []string{"10.0.0.0/8", "2001:db8::1"}),
	}}
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
		n, errs := scope.Parse(source)
		if n == nil {
			t.Errorf("line %d: %s: %v", i+1, source, errs)
			continue
		}
		lookup := func(path string) abi.Value { return rulestest.Lookup(t, beacon, path) }
		if got := rulestest.Show(eval(n, lookup)); got != want {
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
