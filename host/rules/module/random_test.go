package module_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/abi/tck"
	"github.com/seed-6a2d649b/pharos/host/rules"
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
)

// author writes random rules, of every operation and every type of operand.
type author struct {
	*rand.Rand
	extract bool
}

func (a author) pick(list ...string) string { return list[a.IntN(len(list))] }

var (
	paths    = []string{"a", "b", "c", "d.e", "f[0]", "flag", "n"}
	literals = []string{`"a"`, `"b"`, `"ab"`, `"A"`, `""`, `"5"`, `"true"`, `"naïve"`, `"10.1.2.3"`, `"e"`, `"1"`, `"-"`, `"abcabcabd"`, `"2.5e1"`}
	needles  = []string{"a", "b", "ab", "A", "", "5", "true", "naïve", "10.1.2.3", "e", "1", "-", "abcabcabd", "::ffff:10.9.9.9", "2001:db8::7", "2.5e1", "ba", "cab", "aab"}
)

func (a author) field() string { return a.pick(paths...) }

// condition writes what mostly comes to true or false.
func (a author) condition(depth int) string {
	if depth <= 0 {
		return a.pick(a.field(), "true", "false", "has("+a.field()+")", a.field()+" == "+a.pick(literals...), a.field()+" == null",
			a.field()+" < "+a.literalNumber(), "shared")
	}
	c := func() string { return a.condition(depth - 1) }
	compare := a.pick("==", "!=", "<", "<=", ">", ">=")
	switch a.IntN(16) {
	case 0, 1:
		return "(" + c() + " && " + c() + ")"
	case 2, 3:
		return "(" + c() + " || " + c() + ")"
	case 4:
		return "!(" + c() + ")"
	case 5:
		return "(" + c() + " ? " + c() + " : " + c() + ")"
	case 6:
		return "(" + a.number(depth-1) + " " + compare + " " + a.number(depth-1) + ")"
	case 7:
		return "(" + a.text(depth-1) + " " + compare + " " + a.text(depth-1) + ")"
	case 8:
		return "(" + a.any(depth-1) + " " + compare + " " + a.any(depth-1) + ")"
	case 9:
		var list []string
		for range a.IntN(5) {
			list = append(list, a.pick(a.pick(literals...), a.literalNumber(), a.any(depth-1), "null", "true"))
		}
		return "(" + a.any(depth-1) + " in [" + strings.Join(list, ", ") + "])"
	case 10:
		return "(" + a.any(depth-1) + ").matches(" + strconv.Quote(a.pick("a", "^a", "b$", "(?i)B", "[^a]", "", `\d+`, `^(a|b)*c`, `\bab`, "^10\\.")) + ")"
	case 11:
		return "(" + a.any(depth-1) + " in lists.words)"
	case 12:
		return a.tests(depth)
	case 13:
		return a.field() + " " + compare + " " + a.pick(literals...)
	default:
		return "(" + a.any(depth-1) + ")." + a.pick("startsWith", "endsWith", "contains") + "(" + a.text(depth-1) + ")"
	}
}

// tests writes conditions of a text by lists.
func (a author) tests(depth int) string {
	switch a.IntN(3) {
	case 0:
		return "(" + a.any(depth-1) + `).containsAny([` + a.pick(literals...) + ", " + a.pick(literals...) + `])`
	case 1:
		return "(" + a.any(depth-1) + `).containsAny(lists.words)`
	default:
		return `cidr("` + a.pick("10.0.0.0/8", "10.1.2.3", "2001:db8::/32", "0.0.0.0/0") + `").containsIP(` + a.any(depth-1) + ")"
	}
}

func (a author) literalNumber() string {
	return a.pick("0", "1", "2.5", "-1", "5", "1e9", "0.1", "-0.0", "1e308", "5e-324", "100")
}

// number writes what mostly comes to a number.
func (a author) number(depth int) string {
	if depth <= 0 {
		return a.pick(a.field(), "n", a.literalNumber(), "time()")
	}
	switch a.IntN(10) {
	case 0:
		return "(" + a.condition(depth-1) + " ? " + a.number(depth-1) + " : " + a.any(depth-1) + ")"
	case 1:
		return "-(" + a.number(depth-1) + ")"
	case 2:
		return "size(" + a.any(depth-1) + ")"
	case 3:
		return "(" + a.any(depth-1) + ").size()"
	case 4:
		return "double(" + a.any(depth-1) + ")"
	case 5:
		return "time().get" + a.pick("Milliseconds", "Seconds", "Minutes", "Hours", "DayOfWeek", "DayOfMonth", "Date", "DayOfYear", "Month", "FullYear") +
			"(" + a.pick("", `"Europe/Berlin"`, `"America/Chicago"`, `"-03:30"`, `"Asia/Kathmandu"`) + ")"
	case 6:
		if a.extract {
			return `cell("` + a.pick("x", "y") + `")`
		}
	}
	return "(" + a.number(depth-1) + " " + a.pick("+", "-", "*", "/", "%") + " " + a.number(depth-1) + ")"
}

// text writes what mostly comes to a text.
func (a author) text(depth int) string {
	switch {
	case depth > 0 && a.IntN(4) == 0:
		return "(" + a.condition(depth-1) + " ? " + a.text(depth-1) + " : " + a.any(depth-1) + ")"
	case depth > 0 && a.IntN(4) == 0:
		return "(" + a.any(depth-1) + ").lowerAscii()"
	case a.IntN(2) == 0:
		return a.pick(literals...)
	}
	return a.field()
}

func (a author) any(depth int) string {
	switch a.IntN(6) {
	case 0:
		return a.number(depth)
	case 1:
		return "(" + a.condition(depth) + ")"
	case 2:
		return a.text(depth)
	}
	return a.field()
}

// rules writes a list of some kind.
func (a author) rules(n int) (abi.Kind, rules.Rules) {
	var list rules.Rules
	list.Lists = map[string]*expr.Set{"words": expr.NewSet("words", needles[:12+a.IntN(len(needles)-12)])}
	kind := []abi.Kind{abi.Filter, abi.Split, abi.Extract}[a.IntN(3)]
	a.extract = kind == abi.Extract
	list.Let = map[string]string{"shared": author{a.Rand, false}.condition(2)}
	if strings.Contains(list.Let["shared"], "shared") {
		list.Let["shared"] = "a == b"
	}
	for i := range n {
		when := a.condition(a.IntN(5))
		switch kind {
		case abi.Filter:
			list.Drop = append(list.Drop, rules.Drop{Reason: fmt.Sprint("r", i%7), When: when})
		case abi.Split:
			list.Split = append(list.Split, rules.Split{Route: fmt.Sprint("r", i%7), When: when})
		default:
			e := rules.Extract{Point: fmt.Sprint("p", i%5), When: when}
			if a.IntN(2) == 0 {
				e.Value = a.number(a.IntN(4))
			}
			for _, name := range []string{"x", "y", "z"}[:a.IntN(4)] {
				if e.Attributes == nil {
					e.Attributes = map[string]string{}
				}
				e.Attributes[name] = a.pick("a", "b", "c", "d.e", "other")
			}
			if a.IntN(3) == 0 {
				list.Cells = []string{"x", "y"}
				e.Set = map[string]string{a.pick("x", "y"): a.number(a.IntN(3))}
			}
			list.Extract = append(list.Extract, e)
		}
	}
	if a.extract {
		list.Cells = []string{"x", "y"}
	}
	return kind, list
}

// beacons makes rows of values for fields: those that the rules speak of, mostly.
func beacons(r *rand.Rand, fields []abi.Field, n int) [][]abi.Value {
	rows := tck.Beacons(r, fields, n, needles...)
	for _, row := range rows {
		for i := range row {
			if fields[i].Name[0] != '$' && r.IntN(2) == 0 {
				row[i] = []abi.Value{
					{Kind: abi.String, Text: []byte(needles[r.IntN(len(needles))])},
					{Kind: abi.Untyped, Text: []byte(needles[r.IntN(len(needles))])},
					{Kind: abi.Number, Text: []byte([]string{"0", "1", "5", "2.5", "2.5e1", "-1", "1e309", "7"}[r.IntN(8)])},
					{Kind: abi.True, Text: []byte("true")},
				}[r.IntN(4)]
			}
		}
	}
	return rows
}
