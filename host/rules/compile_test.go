package rules_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/rules"
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
)

func TestRefused(t *testing.T) {
	long := strings.Repeat("a", 300)
	for _, test := range []struct{ source, want string }{
		{``, `when: a condition is wanted; one that always holds is ` + "`true`"},
		{" \n", `when: a condition is wanted; one that always holds is ` + "`true`"},
		{`a ==`, `when, line 1, column 5: mismatched input '<EOF>' expecting expression`},
		{"a &&\n  b b", `when, line 2, column 5: unexpected token after expression`},
		{`a == "x`, `when, line 1, column 6: unterminated string literal`},
		{`package == 1`, `when, line 1, column 1: "package" is a reserved word of CEL: give the field a further name in its source`},
		{`a.exists(x, x > 1)`, `when, line 1, column 3: rules have no function exists with 2 arguments; they have x.startsWith(y), x.endsWith(y), x.contains(y), x.matches("re"), x.size()`},
		{`a.all(x, x > 1)`, `column 3: rules have no function all with 2`},
		{`true && timestamp(a) > b`, `column 9: rules have no function timestamp with 1 arguments; they have has(path), size(x), matches(x, "re")`},
		{"é.b", `column 1: unexpected character`},
		{`"é" == lower( a )`, `column 8: rules have no function lower`},
		{`int(a) == 1`, `column 1: rules have no function int`},
		{`a.startsWith()`, `column 3: rules have no function startsWith with 0`},
		{`startsWith(a, "x")`, `column 1: rules have no function startsWith with 2`},
		{`.a == 1`, `column 2: a path begins with a name, not with a dot`},
		{`{"a": 1}`, `column 1: rules have no maps`},
		{`M{a: 1}`, `rules have no messages: M{}`},
		{`b"x" == a`, `column 1: rules have no bytes`},
		{`[1] == a`, `column 1: a list may only stand on the right of in`},
		{`a in [[1]]`, `column 7: a list may only stand on the right of in`},
		{`a in b`, `column 6: the right side of in is a list, written out`},
		{`a in "abc"`, `column 6: the right side of in is a list, written out`},
		{`a[b] == 1`, `column 3: the index of a path is a whole number from 0 or a string, written out`},
		{`a[-1] == 1`, `column 3: the index of a path`},
		{`a[1.5] == 1`, `column 3: the index of a path`},
		{`a["b.c"] == 1`, `column 3: "b.c" is no name of a path`},
		{"a.`b.c` == 1", `column 2: "b.c" is no name of a path`},
		{`a[""] == 1`, `column 3: "" is no name of a path`},
		{`"abc"[0] == "a"`, `column 1: a field can be taken of a path only`},
		{`(a ? b : c).d`, `column 4: a field can be taken of a path only`},
		{`a.size().b`, `column 7: a field can be taken of a path only`},
		{`has(1)`, `column 5: has() takes the path of a field`},
		{`has(a == b)`, `column 7: has() takes the path of a field`},
		{`has(a, b)`, `column 1: rules have no function has with 2`},
		{`has("x"[0])`, `column 5: a field can be taken of a path only`},
		{`a.matches(b)`, `column 11: the regular expression of matches is a string, written out`},
		{`a.matches("(")`, "column 11: missing closing ): `(`"},
		{`a.matches("(?=x)")`, "column 11: invalid or unsupported Perl syntax: `(?=`"},
		{`a.matches("` + strings.Repeat("a", expr.MaxRegexp+1) + `")`, `column 11: a regular expression of 1001 bytes, and 1000 are allowed`},
		{`a.matches("` + strings.Repeat("x{900}", 12) + `")`, `column 11: the regular expression compiles to 10802 instructions, and 10000 are allowed`},
		{long + `.a`, `a path of 302 bytes, and 256 are allowed`},
		{`a != null`, `column 3: null can only be compared by ==; that there is a value is has(path)`},
		{`null < a`, `column 6: null can only be compared by ==`},
		{`a + "x" == "x"`, `column 5: arithmetic is of numbers only`},
		{`-"x" == a`, `column 2: arithmetic is of numbers only`},
		{`true * a == a`, `column 1: arithmetic is of numbers only`},
		{`!!a`, `column 2: !! is no double negation here: write x == true`},
		{`"!!" == r'\' && ! !a`, `column 19: !! is no double negation here`},
		{`1 - --a > 0`, `column 6: -- is no double negation here: leave both out`},
		{strings.Repeat("(", 200) + "a" + strings.Repeat(")", 200), `the expression is more than 100 levels deep`},
		{`a == "` + strings.Repeat("x", expr.MaxExpression) + `"`, `when: an expression of 32775 bytes, and 32768 are allowed`},
		{"a == '\xff'", `when: the expression is not UTF-8`},
	} {
		_, err := rules.Compile(abi.Filter, rules.Rules{Drop: []rules.Drop{{Reason: "r", When: test.source}}})
		if err == nil {
			t.Errorf("%.40q is not refused", test.source)
			continue
		}
		got := err.Error()
		if !strings.HasPrefix(got, "rule 1, when") || !strings.Contains(got, test.want) {
			t.Errorf("%.40q: %s\nwant: %s", test.source, got, test.want)
		}
	}
}

func TestNotRefused(t *testing.T) {
	for _, source := range []string{
		`a - -1 > 0`, `a--b > 0`, `!(!a)`, `!a != !b`, `-(-a) > 0`, `r"!!" == '\'!!' // !!`, `a["!!"].size() == 1e-5`,
		"'''--''' == a.`b-c` ? !b : -c > 0", `has(a) && has(a.b[0]["c"])`, `a in [1, -2, "x", b, null, true, c + 1]`, `1u == a`,
		strings.Repeat("a == 1 || ", 2000) + "b",
	} {
		if _, err := rules.Compile(abi.Filter, rules.Rules{Drop: []rules.Drop{{Reason: "r", When: source}}}); err != nil {
			t.Errorf("%.40q: %v", source, err)
		}
	}
}

func TestNames(t *testing.T) {
	extract := func(e rules.Extract) rules.Rules { return rules.Rules{Extract: []rules.Extract{e}} }
	for _, test := range []struct {
		rules rules.Rules
		want  string
	}{
		{rules.Rules{}, `rules: no rules: give one of drop, split, extract`},
		{rules.Rules{Drop: []rules.Drop{{"a", "b"}}, Split: []rules.Split{{"a", "b"}}}, `rules of several kinds ([filter split])`},
		{rules.Rules{Drop: []rules.Drop{{"", "a"}}}, `rule 1, reason: reason "" is not 1 to 128 bytes`},
		{rules.Rules{Split: []rules.Split{{"a\n", "a"}}}, `rule 1, route: route "a\n" is not`},
		{rules.Rules{Drop: make([]rules.Drop, rules.MaxRules+1)}, `rules: 1001 rules, and 1000 are allowed in one list`},
		{rules.Rules{Extract: make([]rules.Extract, rules.MaxMeasures+1)}, `rules: 257 rules, and 256 are allowed in one list`},
		{extract(rules.Extract{Point: "visit", When: "a"}), `rule 1, point: point "visit" is reserved`},
		{extract(rules.Extract{Point: "crossover", When: "a"}), `rule 1, point: point "crossover" is reserved`},
		{extract(rules.Extract{Point: "a*b", When: "a"}), `rule 1, point: point "a*b" must not contain *`},
		{extract(rules.Extract{Point: "p", When: "a", Value: "1 +"}), `rule 1, value, line 1, column 4: `},
		{extract(rules.Extract{Point: "p", When: "a", Attributes: map[string]string{"x-y": "a"}}), `rule 1, attributes.x-y: point "point": attribute "x-y" is not`},
		{extract(rules.Extract{Point: "p", When: "a", Attributes: map[string]string{"x": ""}}), `rule 1, attributes.x: a path is wanted`},
		{extract(rules.Extract{Point: "p", When: "a", Attributes: map[string]string{"x": "$session"}}), `rule 1, attributes.x: "$session": names that begin with $`},
		{extract(rules.Extract{Point: "p", When: "a", Attributes: map[string]string{"x": "a..b"}}), `rule 1, attributes.x: "a..b" is no path`},
	} {
		kind, err := test.rules.Kind()
		if err != nil {
			kind = abi.Filter
		}
		if _, err := rules.Compile(kind, test.rules); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v\nwant %s", err, test.want)
		}
	}
	if _, err := rules.Compile(abi.Split, rules.Rules{Drop: []rules.Drop{{"a", "b"}}}); err == nil || !strings.Contains(err.Error(), "these are rules of a filter, and a split is wanted") {
		t.Errorf("rules of another kind: %v", err)
	}
}

func TestAllErrorsAtOnce(t *testing.T) {
	_, err := rules.Compile(abi.Extract, rules.Rules{Extract: []rules.Extract{
		{Point: "good", When: "a == 1"},
		{Point: "", When: "a ==", Value: `"x" + foo(1)`},
		{Point: "p", When: "[1]", Attributes: map[string]string{"i": ""}},
	}})
	var errs rules.Errors
	if !errors.As(err, &errs) {
		t.Fatalf("%T: %v", err, err)
	}
	type place struct {
		Rule         int
		Part         string
		Line, Column int
	}
	var got []place
	for _, e := range errs {
		got = append(got, place{e.Rule, e.Part, e.Line, e.Column})
	}
	want := []place{{1, "point", 0, 0}, {1, "when", 1, 5}, {1, "value", 1, 1}, {1, "value", 1, 7}, {2, "when", 1, 1}, {2, "attributes.i", 0, 0}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s\n%v", diff, err)
	}
	var one *rules.Error
	if !errors.As(err, &one) || one != errs[0] {
		t.Errorf("the errors are not wrapped")
	}
}

func TestPlan(t *testing.T) {
	field := func(name string) abi.Field { return abi.Field{Name: name, Type: abi.Any} }
	for _, test := range []struct {
		kind  abi.Kind
		rules rules.Rules
		want  abi.Plan
	}{
		{abi.Filter, rules.Rules{Drop: []rules.Drop{{"x", `b.c[0] == a`}, {"y", `has(a)`}, {"x", `b["c"].d in [e]`}}},
			abi.Plan{Fields: []abi.Field{field("b.c.0"), field("a"), field("b.c.d"), field("e")}, Reasons: []string{"x", "y"}}},
		{abi.Split, rules.Rules{Split: []rules.Split{{"x", `true`}, {"x", `false`}}}, abi.Plan{Routes: []string{"x"}}},
		{abi.Extract, rules.Rules{Extract: []rules.Extract{
			{Point: "p", When: "a", Attributes: map[string]string{"y": "c", "x": "a"}},
			{Point: "q", When: "b"},
			{Point: "p", When: "a", Value: "d", Attributes: map[string]string{"x": "e", "a": "f"}},
		}}, abi.Plan{
			Fields: []abi.Field{field("a"), field("c"), field("b"), field("d"), field("f"), field("e")},
			Points: []abi.Point{{Name: "p", Attributes: []string{"a", "x", "y"}}, {Name: "q"}},
		}},
	} {
		p, err := rules.Compile(test.kind, test.rules)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, *p.Plan()); diff != "" {
			t.Errorf("%s: %s", test.kind, diff)
		}
		if p.Kind() != test.kind {
			t.Errorf("kind %s of a %s", p.Kind(), test.kind)
		}
	}
}
