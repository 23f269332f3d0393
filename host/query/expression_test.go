package query

import (
	"math"
	"strings"
	"testing"
)

func TestExpressions(t *testing.T) {
	names := map[string]int{"a": 0, "b": 1, "zero": 2, "none": 3, "big": 4}
	vars := []float64{6, 4, 0, null, 1e308}
	for expr, want := range map[string]float64{
		"a": 6, "-a": -6, "+a": 6, "a + b": 10, "a - b": 2, "a * b": 24, "a / b": 1.5, "a ** 2": 36, "a ^ 2": 36,
		"1 / 2": 0.5, "7 / 2 * 2": 7, "1.5e3 + 0x10": 1516, "(a + b) / 2": 5, "a + b * 2": 14,
		// null comes of what cannot be computed, and goes on
		"a / zero": null, "zero / zero": null, "1 / (a / zero)": null, "big * 10": null, "-(a / zero)": null, "none": null,
		"none + 1": null, "none * zero": null, "none ** zero": null, "1 ** none": null, "sqrt(-1)": null, "log(zero)": null,
		"min(none, 1)": null, "max(1, none, 2)": null, "round(none)": null,
		"none > 1 ? 1 : 2": null, "none == none ? 1 : 2": null, "none != 1 ? 1 : 2": null, "not (none > 1) ? 1 : 2": null,
		// ?? alone makes something of it; what is not reached does not count
		"none ?? 7": 7, "a ?? 7": 6, "(a / zero) ?? -1": -1, "a | max(b)": 6, "zero > 0 ? a / zero : 1": 1,
		"a > b ? 1 : 2": 1, "a >= 6 && b < 5 ? 1 : 2": 1, "a == 5 || b != 5 ? 1 : 2": 1, "a <= 5 and b == 4 ? 1 : 2": 2,
		"zero == 1 && none > 1 ? 1 : 2": 2, "a > 1 || none > 1 ? 1 : 2": 1, "none > 1 && zero == 1 ? 1 : 2": null,
		"!(a > b) ? 1 : 2": 2, "true ? 1 : 2": 1, "1 < a && a < 7 ? 1 : 0": 1,
		"abs(-a)": 6, "ceil(1.2)": 2, "floor(-1.2)": -2, "round(2.5)": 3, "min(a, b, 5)": 4, "max(a, b)": 6,
		"sqrt(a * a)": 6, "log(exp(1))": 1, "exp(1000)": null,
	} {
		eval, _, err := compileExpr(expr, names)
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		got := eval(vars)
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("%s = %v, want %v", expr, got, want)
		}
	}
}

func TestExpressionFaults(t *testing.T) {
	names := map[string]int{"orders": 0, "visitors": 1}
	for expr, want := range map[string]string{
		"":                                "1:1: there is no expression",
		" ":                               "1:1: there is no expression",
		"orders / visitor":                `1:10: there is no metric, formula or parameter "visitor"; did you mean "visitors"?`,
		"xyz":                             `1:1: there is no metric, formula or parameter "xyz"`,
		"orders /\n  foobar":              `2:3: there is no metric, formula or parameter "foobar"`,
		"orders /":                        "1:8: unexpected token EOF",
		"orders visitors":                 `1:8: unexpected token Identifier("visitors")`,
		`orders + "a"`:                    "1:10: formulas know numbers only",
		"orders.x":                        "1:8: formulas know numbers only",
		"[1, 2]":                          "1:1: formulas know numbers only",
		"nil":                             "1:1: formulas know numbers only",
		"orders > 1":                      "1:8: a number is needed here, and this is a condition",
		"orders + (orders > 1)":           "1:18: a number is needed here, and this is a condition",
		"orders ? 1 : 2":                  "1:1: a condition is needed here",
		"orders > 1 && visitors ? 1 : 2":  "1:15: a condition is needed here",
		"not orders":                      "1:1: a number is needed here, and this is a condition",
		"orders % 2":                      "1:8: % is no operator of formulas",
		"orders in [1]":                   "formulas know numbers only",
		"len(orders)":                     "1:1: there is no function len",
		"sin(orders)":                     "1:1: there is no function sin",
		"abs(orders, 1)":                  "1:1: abs takes one number",
		"min(orders)":                     "1:1: min takes 2 to 16 numbers",
		"let x = 1; x":                    "formulas know numbers only",
		"1; 2":                            "formulas know numbers only",
		"filter([1], # > 0)":              "there is no function filter",
		"1e999":                           "",
		"\xff":                            "1:1: an expression is UTF-8",
		strings.Repeat("1+", 3000) + "1":  "1:1: an expression is UTF-8 and at most 4096 bytes long",
		strings.Repeat("(", 4000):         "",
		"é + orders / visitor":            "1:1",
		"orders > 1 ? orders : visitorss": "1:23: there is no metric",
	} {
		_, _, err := compileExpr(expr, names)
		if err == nil {
			t.Errorf("%.40q is taken", expr)
			continue
		}
		if got := err.Error(); !strings.Contains(got, want) {
			t.Errorf("%.40q: %s; want %s", expr, got, want)
		}
	}
}

func FuzzExpression(f *testing.F) {
	for _, s := range []string{"a / b", "a > 1 ? b : -a ?? 2", "min(a, round(b)) ** 2", "a.b[1:2]", "let x = a; x", "\"", "1..2 | map(#)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		eval, uses, err := compileExpr(source, map[string]int{"a": 0, "b": 1})
		if err != nil {
			if err.Line < 1 || err.Column < 1 || err.Message == "" {
				t.Fatalf("%q: a fault without place or message: %+v", source, err)
			}
			return
		}
		for _, slot := range uses {
			if slot < 0 || slot > 1 {
				t.Fatalf("%q uses slot %d", source, slot)
			}
		}
		for _, vars := range [][]float64{{1, 2}, {0, 0}, {null, 1}, {1e308, -1e308}} {
			if v := eval(vars); math.IsInf(v, 0) {
				t.Fatalf("%q of %v is infinite", source, vars)
			}
		}
	})
}
