package written_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/rules"
	"github.com/seed-6a2d649b/pharos/host/rules/written"
)

// TestFaults: a fault stands where it is in the file, with a caret below it.
func TestFaults(t *testing.T) {
	cfg, err := config.Parse("x", ".", []byte(`sources: [{name: site}]
tenants: {shop: }
plugins:
  p:
    rules:
      let:
        good: a > 1
        bad: 'good && b ='
      cells: [views, x-y]
      extract:
        - {point: a, when: good, value: 'x +'}
        - point: b
          when: |
            good &&
              a.foo()
          set: {views: "1 + 'x'"}
      close:
        - {point: c, when: a.b > 1, value: count("d")}
  q:
    rules:
      drop: [{reason: r, when: cell("x") > 1}]
      close: []
`))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.TrimPrefix(`
x:9:14: plugins.p.rules.cells: cell "x-y" is not 1 to 64 letters, digits and underscores that begin with no digit
x:8:25: plugins.p.rules.let.bad: unexpected token after expression; for = write ==
    good && b =
              ^
x:11:45: plugins.p.rules.extract.0.value: mismatched input '<EOF>' expecting expression
    x +
       ^
x:15:17: plugins.p.rules.extract.1.when: rules have no function foo; they have LIST
      a.foo()
        ^
x:16:29: plugins.p.rules.extract.1.set.views: arithmetic is of numbers only
    1 + 'x'
        ^
x:18:29: plugins.p.rules.close.0.when: a session that has ended has no fields: there are session.first, session.last, session.duration, count("point") and cell("name")
    a.b > 1
     ^
x:18:50: plugins.p.rules.close.0.value: no rule measures the point "d"; there are a, b, c
    count("d")
          ^
x:21:37: plugins.q.rules.drop.0.when: there are no cells here: rules of the list extract have those that stand in cells
    cell("x") > 1
         ^
`, "\n")
	var got strings.Builder
	for name, p := range cfg.Plugins.All() {
		list := written.Lists(p.Rules)
		kind, err := list.Kind()
		if err != nil {
			t.Fatal(err)
		}
		_, err = rules.Compile(kind, *list)
		var errs rules.Errors
		if !errors.As(err, &errs) {
			t.Fatal(err)
		}
		for _, fault := range written.Faults(cfg, []string{"plugins", name, "rules"}, p.Rules, errs) {
			text := fault.Error()
			if before, rest, found := strings.Cut(text, "they have cell, "); found {
				_, rest, _ = strings.Cut(rest, "\n")
				text = before + "they have LIST\n" + rest
			}
			got.WriteString(text + "\n")
		}
	}
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Error(diff)
	}
}
