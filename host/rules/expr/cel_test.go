package expr_test

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"
	"cel.dev/cel-go/parser"
	"pgregory.net/rapid"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
	"github.com/seed-6a2d649b/pharos/host/rules/rulestest"
)

// TestAgreesWithCEL compares the tree walk with cel-go's interpreter wherever
// the two languages are the same: every field is there, has the type that the
// expression uses it as, and numbers are doubles.
func TestAgreesWithCEL(t *testing.T) {
	env, err := cel.NewEnv(
		cel.Variable("n", cel.DynType), cel.Variable("m", cel.DynType),
		cel.Variable("s", cel.DynType), cel.Variable("u", cel.DynType),
		cel.Variable("b", cel.DynType), cel.Variable("z", cel.DynType),
		cel.Variable("o", cel.DynType), cel.Variable("q", cel.DynType), cel.Variable("ip", cel.DynType),
		cel.Variable("ts", cel.TimestampType),
		ext.Strings(), ext.Network())
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		num := func(name string) float64 { return rapid.SampledFrom(numbers).Draw(t, name) }
		text := func(name string) string { return rapid.SampledFrom(texts).Draw(t, name) }
		n, m, on := num("n"), num("m"), num("o.n")
		s, u, os := text("s"), text("u"), text("o.s")
		q, ip := rapid.SampledFrom(numerals).Draw(t, "q"), rapid.SampledFrom(addresses).Draw(t, "ip")
		ts := rapid.OneOf(rapid.Int64Range(0, time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()), rapid.SampledFrom([]int64{0, 1e12, 1782863999999})).Draw(t, "ts")
		b := rapid.Bool().Draw(t, "b")
		source := boolExpr(t, rapid.IntRange(1, 5).Draw(t, "depth"))

		tree, issues := env.Parse(strings.ReplaceAll(source, "time()", "ts"))
		if issues.Err() != nil {
			t.Fatalf("%s: %v", source, issues.Err())
		}
		program, err := env.Program(tree)
		if err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		out, _, err := program.Eval(map[string]any{
			"n": n, "m": m, "s": s, "u": u, "b": b, "z": nil, "o": map[string]any{"n": on, "s": os},
			"q": q, "ip": ip, "ts": time.UnixMilli(ts).UTC(),
		})
		if err != nil {
			// CEL refuses to order NaN, where a rule's comparison is false.
			if strings.Contains(err.Error(), "NaN") {
				return
			}
			t.Fatalf("%s: %v", source, err)
		}

		node, errs := (&expr.Scope{}).Parse(source)
		if node == nil {
			t.Fatalf("%s: %v", source, errs)
		}
		beacon := map[string]abi.Value{
			"n": numberField(n), "m": numberField(m), "o.n": numberField(on),
			"s": textField(s), "u": textField(u), "o.s": textField(os),
			"b": {Kind: map[bool]abi.ValueKind{true: abi.True, false: abi.False}[b]},
			"z": {Kind: abi.Null}, "q": textField(q), "ip": textField(ip),
			abi.FieldTime: {Kind: abi.Number, Text: strconv.AppendInt(nil, ts, 10)},
		}
		got := rulestest.Show(eval(node, func(path string) abi.Value { return beacon[path] }))
		if want := showCEL(t, out); got != want {
			t.Fatalf("%s\nrules: %s\nCEL:   %s", source, got, want)
		}
	})
}

var (
	numbers = []float64{0, 1, -1, 2, 3.5, 0.1, 1e300, -1e-300, 9007199254740993, math.Copysign(0, -1)}
	texts   = []string{"", "a", "b", "ab", "aB", "naïve", "日本", "z", "\x00", "5", "ÄZ@[`{"}
	// what both take for a number, and for an address
	numerals  = []string{"5", "-1.5", "2e3", "0", "1E-7", "9007199254740993"}
	addresses = []string{"10.1.2.3", "11.0.0.0", "255.255.255.255", "0.0.0.0", "::1", "2001:db8::7", "2001:DB8:0::ffff"}
)

func numberField(f float64) abi.Value {
	return abi.Value{Kind: abi.Number, Text: strconv.AppendFloat(nil, f, 'g', -1, 64)}
}

func textField(s string) abi.Value { return abi.Value{Kind: abi.String, Text: []byte(s)} }

// eval is the value of an expression for a beacon; a cell is 3.
func eval(n *expr.Node, lookup func(path string) abi.Value) expr.Value {
	var fields expr.Fields
	fields.Bind(n)
	row := make([]abi.Value, len(fields.Paths))
	for i, path := range fields.Paths {
		row[i] = lookup(path)
	}
	var b abi.Batch
	abi.Build(rulestest.AnyFields(fields.Paths), [][]abi.Value{row}, &b)
	return n.Eval(expr.Row{Columns: b.Columns, Cells: [][]uint64{{math.Float64bits(3)}}})
}

func showCEL(t *rapid.T, v ref.Val) string {
	b, ok := v.(types.Bool)
	if !ok {
		t.Fatalf("CEL gave %v", v)
	}
	return fmt.Sprint(bool(b))
}

// boolExpr draws an expression of a condition.
func boolExpr(t *rapid.T, depth int) string {
	if depth <= 0 {
		return rapid.SampledFrom([]string{"b", "true", "false", "has(o.n)", "has(o.x)"}).Draw(t, "bool")
	}
	condition := func() string { return boolExpr(t, depth-1) }
	number := func() string { return numExpr(t, depth-1) }
	text := func() string { return textExpr(t, depth-1) }
	compare := rapid.SampledFrom([]string{"==", "!=", "<", "<=", ">", ">="})
	switch rapid.IntRange(0, 13).Draw(t, "kind") {
	case 12:
		network := rapid.SampledFrom([]string{"10.0.0.0/8", "10.9.9.9/8", "0.0.0.0/0", "2001:db8::/32", "::/0", "10.1.2.3/32"}).Draw(t, "network")
		return `cidr("` + network + `").containsIP(ip)`
	case 13:
		part := rapid.SampledFrom([]string{"Milliseconds", "Seconds", "Minutes", "Hours", "DayOfWeek", "DayOfMonth", "Date", "DayOfYear", "Month", "FullYear"}).Draw(t, "part")
		zone := rapid.SampledFrom([]string{"", `"UTC"`, `"+02:00"`, `"-09:30"`, `"Europe/Berlin"`, `"America/New_York"`, `"Australia/Lord_Howe"`}).Draw(t, "zone")
		return "(time().get" + part + "(" + zone + ") " + compare.Draw(t, "op") + " " + rapid.SampledFrom([]string{"0", "1", "5", "12", "30", "1970", "2026"}).Draw(t, "than") + ")"
	case 0:
		return "(" + condition() + " && " + condition() + ")"
	case 1:
		return "(" + condition() + " || " + condition() + ")"
	case 2:
		return "!(" + condition() + ")"
	case 3:
		return "(" + condition() + " ? " + condition() + " : " + condition() + ")"
	case 4, 5:
		return "(" + number() + " " + compare.Draw(t, "op") + " " + number() + ")"
	case 6:
		return "(" + text() + " " + compare.Draw(t, "op") + " " + text() + ")"
	case 7:
		return "((" + condition() + ") " + compare.Draw(t, "op") + " (" + condition() + "))"
	case 8:
		return "(" + text() + " in [" + text() + ", " + text() + ", z, " + text() + "])"
	case 9:
		return "(" + number() + " in [" + number() + ", " + number() + "])"
	case 10:
		size := rapid.SampledFrom([]string{"size(%s)", "(%s).size()"}).Draw(t, "size")
		return "(" + fmt.Sprintf(size, text()) + " " + compare.Draw(t, "op") + " " + number() + ")"
	default:
		method := rapid.SampledFrom([]string{"startsWith", "endsWith", "contains"}).Draw(t, "method")
		if rapid.Bool().Draw(t, "regexp") {
			return "(" + text() + ").matches(" + strconv.Quote(rapid.SampledFrom([]string{"a", "^a", "b$", "(?i)B", "[^a]", ""}).Draw(t, "re")) + ")"
		}
		return "(" + text() + ")." + method + "(" + text() + ")"
	}
}

// numExpr draws an expression of a number.
func numExpr(t *rapid.T, depth int) string {
	if depth <= 0 {
		literal := rapid.SampledFrom([]string{"0.0", "1.0", "2.5", "-1.0", "1e9"})
		return rapid.OneOf(rapid.SampledFrom([]string{"n", "m", "o.n", `o["n"]`}), literal).Draw(t, "number")
	}
	if rapid.IntRange(0, 5).Draw(t, "kind") == 0 {
		return "(" + boolExpr(t, depth-1) + " ? " + numExpr(t, depth-1) + " : " + numExpr(t, depth-1) + ")"
	}
	op := rapid.SampledFrom([]string{"+", "-", "*", "/", "neg", "double", "doubleText"}).Draw(t, "op")
	switch op {
	case "double":
		return "double(" + numExpr(t, depth-1) + ")"
	case "doubleText":
		return "double(q)"
	}
	if op == "neg" {
		return "-(" + numExpr(t, depth-1) + ")"
	}
	return "(" + numExpr(t, depth-1) + " " + op + " " + numExpr(t, depth-1) + ")"
}

// textExpr draws an expression of a text.
func textExpr(t *rapid.T, depth int) string {
	if depth > 0 && rapid.IntRange(0, 3).Draw(t, "kind") == 0 {
		return "(" + boolExpr(t, depth-1) + " ? " + textExpr(t, depth-1) + " : " + textExpr(t, depth-1) + ")"
	}
	if depth > 0 && rapid.IntRange(0, 3).Draw(t, "lower") == 0 {
		return "(" + textExpr(t, depth-1) + ").lowerAscii()"
	}
	return rapid.SampledFrom([]string{"s", "u", "o.s", "q", "ip", `"a"`, `"b"`, `""`, `'naïve'`, `"5"`}).Draw(t, "text")
}

// FuzzCompile looks for sources that break the compile step, or that cel-go's
// other parser takes for another expression.
func FuzzCompile(f *testing.F) {
	for _, source := range []string{
		`type == "view"`, `!(a.b[0]["c"] in [1, "x", null]) && has(d)`, `a ? b : -c * 1.5e3`,
		`x.matches("(?i)a+") || size(y) > 3`, `a.exists(b, b)`, "a.`x-y` != 'z'", `!!a`, `a - -1`, `r'\d' == "\u00e9" // end`,
		`x.lowerAscii().containsAny(["a", "b"]) && double(y) > time().getHours("Europe/Berlin")`, `a in lists.bots || cidr(lists.bots).containsIP(b)`,
		`cidr("::/0").containsIP(a) ? cell("views") : d`, `let.x`, `lists["bots"].y`,
	} {
		f.Add(source)
	}
	f.Fuzz(func(t *testing.T, source string) {
		scope := &expr.Scope{Cells: []string{"views"}, Lists: map[string]*expr.Set{"bots": expr.NewSet("bots", []string{"10.0.0.0/8"})}}
		if faults := scope.Define(map[string]string{"d": "double(e)", "p": "a.b"}); len(faults) > 0 {
			t.Fatal(faults)
		}
		n, errs := scope.Parse(source)
		if (n == nil) != (len(errs) > 0) {
			t.Fatalf("%q: node %v, errors %v", source, n, errs)
		}
		for _, e := range errs {
			if e.Message == "" || (e.Line > 0) != (e.Column > 0) || (e.Line > 0) != (e.Caret(source) != "") {
				t.Fatalf("%q: %#v", source, e)
			}
		}
		if n == nil {
			return
		}
		for kind := abi.Missing; kind <= abi.Object; kind++ {
			v := eval(n, func(path string) abi.Value {
				if path == abi.FieldTime {
					return abi.Value{Kind: abi.Number, Text: []byte("1")}
				}
				return abi.Value{Kind: kind, Text: []byte("1")}
			})
			if !n.Kinds().Has(v.Kind) {
				t.Fatalf("%q comes to %s, and its kinds are %b", source, rulestest.Show(v), n.Kinds())
			}
		}
		if ours, theirs := unparse(t, source, false), unparse(t, source, true); ours != theirs {
			t.Fatalf("%q is %q, and %q to the other parser", source, ours, theirs)
		}
	})
}

// unparse parses a source by one of cel-go's parsers, and writes it out again.
func unparse(t *testing.T, source string, pratt bool) string {
	p, err := parser.NewParser(parser.EnablePrattParser(pratt), parser.MaxRecursionDepth(10*expr.MaxDepth))
	if err != nil {
		t.Fatal(err)
	}
	tree, errs := p.Parse(common.NewTextSource(source))
	if len(errs.GetErrors()) > 0 {
		return errs.ToDisplayString()
	}
	text, err := parser.Unparse(tree.Expr(), tree.SourceInfo())
	if err != nil {
		return err.Error()
	}
	return text
}
