package rules_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/rules"
	"github.com/seed-6a2d649b/pharos/host/rules/automaton"
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
		{`a.exists(x, x > 1)`, `when, line 1, column 3: rules have no exists: lists are for x in […] and x.containsAny([…])`},
		{`a.all(x, x > 1)`, `column 3: rules have no all: `},
		{`true && timestamp(a) > b`, `column 9: rules have no timestamp: time() is the beacon's own time`},
		{"é.b", `column 1: unexpected character`},
		{`"é" == lower( a )`, `column 8: rules have no function lower; they have cell, cidr, contains, `},
		{`int(a) == 1`, `column 1: rules have no int: there is one type of number: double(x) makes one of a text`},
		{`string(a) == "1"`, `column 1: rules have no string: there is no text of a number that was computed`},
		{`cel.bind(x, a, x == x)`, `column 5: rules have no bind: shared definitions stand in let`},
		{`optional.of(a).orValue(1)`, `column 16: rules have no orValue: any field may be missing`},
		{`duration("1h") > 1`, `column 1: rules have no duration: times are numbers of ms`},
		{`a.?b == 1`, `column 2: rules have no optional fields: any field may be missing`},
		{`a in [?b]`, `column 7: rules have no optional fields`},
		{`a = 1`, `column 3: unexpected token after expression; for = write ==`},
		{`a == 1 and b == 2`, `column 8: unexpected token after expression; for and write &&`},
		{`a == 1 & b == 2`, `; for & write &&`},
		{`a == 99999999999999999999`, `column 6: invalid int literal`},
		{`a.startswith("x")`, `column 3: rules have no function startswith, did you mean "startsWith"? It is called as x.startsWith(y)`},
		{`a.lowerAsci() == "x"`, `column 3: rules have no function lowerAsci, did you mean "lowerAscii"? It is called as x.lowerAscii()`},
		{`lowerAscii(a) == "x"`, `column 1: lowerAscii is called as x.lowerAscii()`},
		{`a.containsAny(["x", b])`, `column 21: the list of containsAny has strings, written out`},
		{`a.containsAny("x")`, `column 15: containsAny takes a list, written out, or one of lists`},
		{`a.containsAny(lists.bots)`, `column 15: there is no list "bots": name its file in lists`},
		{`a in lists.bots`, `column 6: there is no list "bots": name its file in lists`},
		{`cidr("10.0.0.0/33").containsIP(a)`, `column 6: "10.0.0.0/33" is neither a network, as 10.0.0.0/8 or 2001:db8::/32, nor an address`},
		{`cidr(a).containsIP(b)`, `column 6: cidr takes a string, written out, or one of lists`},
		{`a in lists["x.txt"]`, `column 6: there is no list "x.txt"`},
		{`cidr(lists.x).containsIP(b)`, `column 6: there is no list "x"`},
		{`cidr("10.0.0.0/8") == a`, `column 5: networks are no value: cidr(…) stands before .containsIP(x)`},
		{`cidr("10.0.0.0/8")`, `column 5: networks are no value`},
		{`a.containsIP("10.0.0.1")`, `column 1: containsIP is called as cidr("10.0.0.0/8").containsIP(x)`},
		{`isIP(a)`, `column 1: rules have no isIP: `},
		{`time(a) > 1`, `column 1: time is called as time()`},
		{`ts.getHours() == 1`, `column 1: the parts of a time are those of time()`},
		{`getHours(ts) == 1`, `column 1: getHours is called as time().getHours() or time().getHours("Europe/Berlin")`},
		{`time().getHours("Europe/Berlim") == 1`, `column 17: "Europe/Berlim" is no time zone: give UTC, an offset as +02:00, or a name as Europe/Berlin`},
		{`time().getHours("Local") == 1`, `column 17: "Local" is no time zone`},
		{`time().getHours("25:00") == 1`, `column 17: "25:00" is no time zone`},
		{`time().getHours(zone) == 1`, `column 17: a time zone is a string, written out`},
		{`cell("a") > 1`, `column 6: there are no cells here: rules of the list extract have those that stand in cells`},
		{`cell(a) > 1`, `column 6: the name of a cell is a string, written out`},
		{`double(a, b) > 1`, `column 1: double is called as double(x)`},
		{`a.startsWith()`, `column 3: startsWith is called as x.startsWith(y)`},
		{`startsWith(a, "x")`, `column 1: startsWith is called as x.startsWith(y)`},
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
		{`has(a, b)`, `column 1: has is called as has(path)`},
		{`has("x"[0])`, `column 5: a field can be taken of a path only`},
		{`a.matches(b)`, `column 11: the regular expression of matches is a string, written out`},
		{`a.matches("(")`, "column 11: missing closing ): `(`"},
		{`a.matches("(?=x)")`, "column 11: invalid or unsupported Perl syntax: `(?=`"},
		{`a.matches("` + strings.Repeat("a", automaton.MaxPattern+1) + `")`, `column 11: a regular expression of 1001 bytes, and 1000 are allowed`},
		{`a.matches("` + strings.Repeat("x{900}", 12) + `")`, `column 11: a regular expression of 21600 steps, its repetitions written out, and 10000 are allowed: make them smaller`},
		{`b == 1 && a.matches("(a|b)*a(a|b){20}")`, `column 21: its automaton needs more than 10000 states: anchor it with ^, make repetitions such as {20} smaller`},
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
		{extract(rules.Extract{When: "a"}), `rule 1, point: point "" is not 1 to 128 bytes`},
		{extract(rules.Extract{When: "a", Value: "1", Set: map[string]string{"x": "1"}}), `rule 1, point: a rule without a point measures nothing`},
		{extract(rules.Extract{Point: "p", When: "a", Set: map[string]string{"x": "1"}}), `rule 1, set.x: there is no cell "x": name it in cells`},
		{rules.Rules{Cells: []string{"x"}, Extract: []rules.Extract{{Point: "p", When: "a", Set: map[string]string{"x": "1 +"}}}}, `rule 1, set.x, line 1, column 4: `},
		{rules.Rules{Cells: []string{"x"}, Extract: []rules.Extract{{Point: "p", When: `cell("y") > 1`}}}, `rule 1, when, line 1, column 6: there is no cell "y"; cells has x`},
		{rules.Rules{Cells: []string{"x", "x"}, Extract: []rules.Extract{{Point: "p", When: "a"}}}, `cells: cell "x" is named twice`},
		{rules.Rules{Cells: []string{"x-y"}, Extract: []rules.Extract{{Point: "p", When: "a"}}}, `cells: cell "x-y" is not 1 to 64 letters`},
		{rules.Rules{Cells: []string{"x"}, Drop: []rules.Drop{{"r", "a"}}}, `cells: cells are of rules of the list extract`},
		{rules.Rules{Cells: []string{"x"}, Extract: []rules.Extract{{When: "a", Set: map[string]string{"x": "1"}}}}, `rules: a plugin of the kind extract needs at least one point`},
		{rules.Rules{Let: map[string]string{"x": "1 +"}, Drop: []rules.Drop{{"r", "a"}}}, `let.x, line 1, column 4: `},
		{rules.Rules{Let: map[string]string{"x-y": "1", "in": "1", "a.b": "1"}, Drop: []rules.Drop{{"r", "a"}}}, `let.x-y: no expression can say the name "x-y"`},
		{rules.Rules{Let: map[string]string{"x": "y + 1", "y": "2 * x"}, Drop: []rules.Drop{{"r", "x > 1"}}}, `let.y, line 1, column 5: x is defined by itself`},
		{rules.Rules{Let: map[string]string{"x": "x + 1"}, Drop: []rules.Drop{{"r", "a"}}}, `let.x, line 1, column 1: x is defined by itself`},
		{rules.Rules{Let: map[string]string{"x": "a == 1"}, Drop: []rules.Drop{{"r", "x.y == 1"}}}, `rule 1, when, line 1, column 1: x is defined in let, and not as a path`},
		{rules.Rules{Let: map[string]string{"x": "a == 1"}, Drop: []rules.Drop{{"r", "has(x)"}}}, `rule 1, when, line 1, column 5: x is defined in let, and not as a path`},
		{rules.Rules{Let: map[string]string{"x": `cidr("10.0.0.0/8")`}, Drop: []rules.Drop{{"r", "x"}}}, `rule 1, when, line 1, column 1: networks are no value`},
		{rules.Rules{Let: deepening(10), Drop: []rules.Drop{{"r", "x0 > 1"}}}, `the expression is more than 200 levels deep, with the definitions that it uses`},
		{rules.Rules{Drop: []rules.Drop{{"r", "a"}}, Close: []rules.Close{{"p", "true", ""}}}, `close: close is beside the list extract`},
		{closing(rules.Close{"", "true", ""}), `close, rule 1, point: point "" is not`},
		{closing(rules.Close{"q", "", ""}), `close, rule 1, when: a condition is wanted`},
		{closing(rules.Close{"q", "a > 1", ""}), `close, rule 1, when, line 1, column 1: a session that has ended has no fields: there are session.first, session.last, session.duration, count("point") and cell("name")`},
		{closing(rules.Close{"q", "has(session.first)", ""}), `close, rule 1, when, line 1, column 12: a session that has ended has no fields`},
		{closing(rules.Close{"q", "true", "time()"}), `close, rule 1, value, line 1, column 5: the times of a session that has ended are session.first and session.last`},
		{closing(rules.Close{"q", `count("x") > 0`, ""}), `close, rule 1, when, line 1, column 7: no rule measures the point "x"; there are p, q`},
		{closing(rules.Close{"q", `count(p) > 0`, ""}), `close, rule 1, when, line 1, column 7: a session that has ended has no fields`},
		{closing(rules.Close{"q", `beacon`, ""}), `close, rule 1, when, line 1, column 1: beacon is nothing of a session that has ended: a session that has ended has no fields`},
		{extract(rules.Extract{Point: "p", When: `count("p") > 1`}), `rule 1, when, line 1, column 6: count is of sessions that have ended: it stands in close only`},
		{rules.Rules{Let: doubling(20), Drop: []rules.Drop{{"r", "x0 > 1"}}}, `the expression comes to more than 20000 operations`},
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

// closing is a rule for sessions that have ended, beside one that measures p.
func closing(c rules.Close) rules.Rules {
	return rules.Rules{Let: map[string]string{"beacon": "a > 1"}, Extract: []rules.Extract{{Point: "p", When: "beacon"}}, Close: []rules.Close{c}}
}

// doubling are definitions of which each is the sum of the next with itself.
func doubling(n int) map[string]string {
	let := map[string]string{fmt.Sprint("x", n): "a"}
	for i := range n {
		let[fmt.Sprint("x", i)] = fmt.Sprintf("x%d + x%d", i+1, i+1)
	}
	return let
}

// deepening are definitions of which each is 30 levels above the next.
func deepening(n int) map[string]string {
	let := map[string]string{fmt.Sprint("x", n): "a"}
	for i := range n {
		let[fmt.Sprint("x", i)] = strings.Repeat("-(", 30) + fmt.Sprint("x", i+1) + strings.Repeat(")", 30)
	}
	return let
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
