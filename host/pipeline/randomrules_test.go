package pipeline_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seed-6a2d649b/pharos/host/definition"
)

// expr is a random expression of a rule: its text, and what it comes to, written
// down a second time in plain Go. It comes to nil (no value), definition.Null,
// bool, float64, string, definition.Untyped or compound.
type expr struct {
	text string
	eval func(b definition.Beacon) any
}

// compound is an array or object.
type compound struct{}

// holds tells whether the expression, as a condition, holds.
func (e expr) holds(b definition.Beacon) bool { return e.eval(b) == true }

// exprs generates expressions over some fields.
type exprs struct {
	*rand.Rand
	fields []string
}

func pick[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

// chance is true once in n times.
func chance(r *rand.Rand, n int) bool { return r.IntN(n) == 0 }

// reference writes a path as CEL does.
func (g exprs) reference(path string) string {
	var b strings.Builder
	for i, part := range strings.Split(path, ".") {
		_, err := strconv.Atoi(part)
		switch {
		case i == 0:
			b.WriteString(part)
		case err == nil && chance(g.Rand, 2):
			b.WriteString("[" + part + "]")
		case err == nil || strings.ContainsAny(part, "-é ") || chance(g.Rand, 4):
			b.WriteString("[" + strconv.Quote(part) + "]")
		default:
			b.WriteString("." + part)
		}
	}
	return b.String()
}

func fieldValue(b definition.Beacon, path string) any {
	switch v := b.Field(path).V.(type) {
	case json.Number:
		f, _ := strconv.ParseFloat(v.String(), 64) // its only error is an infinity
		return f
	case []any, map[string]any:
		return compound{}
	default:
		return v
	}
}

func (g exprs) field() expr {
	path := pick(g.Rand, g.fields...)
	return expr{g.reference(path), func(b definition.Beacon) any { return fieldValue(b, path) }}
}

func constant(text string, v any) expr { return expr{text, func(definition.Beacon) any { return v }} }

func (g exprs) numberLiteral() expr {
	text := pick(g.Rand, "0", "1", "2", "3", "1.5", "-1", "1e3", "100", "0.1", "200", "1e9", "9007199254740993", "1e-7")
	v, _ := strconv.ParseFloat(text, 64)
	return constant(text, v)
}

func (g exprs) textLiteral() expr {
	v := pick(g.Rand, "", "view", "buy", "click", "web", "ios", "1", "1.50", "true", "é", "GET", "/a", "x y", "v1", "W")
	return constant(strconv.Quote(v), v)
}

// any is an operand of any type but the literal null.
func (g exprs) any(depth int) expr {
	switch g.IntN(9) {
	case 0, 1, 2, 3:
		return g.field()
	case 4:
		return g.numberLiteral()
	case 5, 6:
		return g.textLiteral()
	case 7:
		return constant("true", true)
	}
	if depth > 0 && chance(g.Rand, 2) {
		return g.condition(depth - 1)
	}
	return g.number(depth - 1)
}

// number is an operand of arithmetic.
func (g exprs) number(depth int) expr {
	if depth <= 0 || chance(g.Rand, 3) {
		if chance(g.Rand, 3) {
			return g.numberLiteral()
		}
		return g.field()
	}
	if chance(g.Rand, 8) {
		a := g.number(depth - 1)
		return expr{"-(" + a.text + ")", func(b definition.Beacon) any {
			if x, ok := number(a.eval(b)); ok {
				return -x
			}
			return nil
		}}
	}
	if chance(g.Rand, 8) {
		c, a, o := g.condition(depth-1), g.number(depth-1), g.number(depth-1)
		return choice(c, a, o)
	}
	if chance(g.Rand, 8) {
		a := g.any(depth - 1)
		return expr{"size(" + a.text + ")", func(b definition.Beacon) any {
			if s, ok := text(a.eval(b)); ok {
				return float64(utf8.RuneCountInString(s))
			}
			return nil
		}}
	}
	a, o, op := g.number(depth-1), g.number(depth-1), pick(g.Rand, "+", "-", "*", "/", "%")
	return expr{"(" + a.text + " " + op + " " + o.text + ")", func(b definition.Beacon) any {
		x, okX := number(a.eval(b))
		y, okY := number(o.eval(b))
		if !okX || !okY {
			return nil
		}
		switch op {
		case "+":
			return x + y
		case "-":
			return x - y
		case "*":
			return x * y
		case "/":
			return x / y
		}
		return math.Mod(x, y)
	}}
}

func choice(c, a, o expr) expr {
	return expr{fmt.Sprintf("(%s ? %s : %s)", c.text, a.text, o.text), func(b definition.Beacon) any {
		if c.holds(b) {
			return a.eval(b)
		}
		return o.eval(b)
	}}
}

// condition is true or false.
func (g exprs) condition(depth int) expr {
	if depth <= 0 || chance(g.Rand, 2) {
		return g.comparison(depth)
	}
	a := g.condition(depth - 1)
	switch g.IntN(6) {
	case 0:
		return expr{"!(" + a.text + ")", func(b definition.Beacon) any { return !a.holds(b) }}
	case 1, 2:
		o := g.condition(depth - 1)
		return expr{"(" + a.text + " && " + o.text + ")", func(b definition.Beacon) any { return a.holds(b) && o.holds(b) }}
	case 3:
		o := g.condition(depth - 1)
		return expr{"(" + a.text + " || " + o.text + ")", func(b definition.Beacon) any { return a.holds(b) || o.holds(b) }}
	case 4:
		return choice(a, g.condition(depth-1), g.condition(depth-1))
	}
	f := g.field()
	return expr{"!" + f.text, func(b definition.Beacon) any { return !f.holds(b) }}
}

func (g exprs) comparison(depth int) expr {
	switch g.IntN(9) {
	case 0:
		path := pick(g.Rand, g.fields...)
		return expr{"has(" + g.reference(path) + ")", func(b definition.Beacon) any {
			v := fieldValue(b, path)
			return v != nil && v != definition.Null{}
		}}
	case 1:
		f := g.field()
		return expr{f.text + " == null", func(b definition.Beacon) any { return f.eval(b) == definition.Null{} }}
	case 2:
		return g.in(depth)
	case 3, 4:
		return g.method(depth)
	case 5, 6:
		a, o := g.field(), g.any(0)
		return g.compare(a, o)
	}
	return g.compare(g.any(depth), g.any(depth))
}

func (g exprs) compare(a, o expr) expr {
	op := pick(g.Rand, "==", "==", "==", "!=", "<", "<=", ">", ">=")
	return expr{"(" + a.text + ") " + op + " (" + o.text + ")", func(b definition.Beacon) any { return compare(a.eval(b), op, o.eval(b)) }}
}

func (g exprs) in(depth int) expr {
	a := g.any(depth)
	var list []expr
	var texts []string
	for range g.IntN(4) {
		one := g.any(0)
		if chance(g.Rand, 6) {
			one = constant("null", definition.Null{})
		}
		list = append(list, one)
		texts = append(texts, one.text)
	}
	return expr{"(" + a.text + ") in [" + strings.Join(texts, ", ") + "]", func(b definition.Beacon) any {
		for _, one := range list {
			if compare(a.eval(b), "==", one.eval(b)) {
				return true
			}
		}
		return false
	}}
}

func (g exprs) method(depth int) expr {
	f := g.field()
	if chance(g.Rand, 3) {
		pattern := pick(g.Rand, "v", "^b", "[.](css|js)$", "(?i)VIEW", "é", "^$", "w.b|ios", `\d+`)
		re := regexp.MustCompile(pattern)
		return expr{f.text + ".matches(" + strconv.Quote(pattern) + ")", func(b definition.Beacon) any {
			s, ok := text(f.eval(b))
			return ok && re.MatchString(s)
		}}
	}
	if chance(g.Rand, 4) {
		return expr{f.text + ".size() == 4", func(b definition.Beacon) any {
			s, ok := text(f.eval(b))
			return ok && utf8.RuneCountInString(s) == 4
		}}
	}
	name, a := pick(g.Rand, "startsWith", "endsWith", "contains"), g.any(depth-1)
	return expr{f.text + "." + name + "(" + a.text + ")", func(b definition.Beacon) any {
		s, okS := text(f.eval(b))
		p, okP := text(a.eval(b))
		if !okS || !okP {
			return false
		}
		switch name {
		case "startsWith":
			return strings.HasPrefix(s, p)
		case "endsWith":
			return strings.HasSuffix(s, p)
		}
		return strings.Contains(s, p)
	}}
}

func text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case definition.Untyped:
		return string(v), true
	}
	return "", false
}

var jsonNumber = regexp.MustCompile(`^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$`)

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case definition.Untyped:
		if jsonNumber.MatchString(string(v)) {
			f, _ := strconv.ParseFloat(string(v), 64)
			return f, true
		}
	}
	return 0, false
}

// compare is docs/rules.md's table of what compares.
func compare(a any, op string, b any) bool {
	holds := func(less, equal, greater bool) bool {
		switch op {
		case "==":
			return equal
		case "!=":
			return !equal
		case "<":
			return less
		case "<=":
			return less || equal
		case ">":
			return greater
		}
		return greater || equal
	}
	s, okS := text(a)
	u, okU := text(b)
	if okS && okU {
		c := bytes.Compare([]byte(s), []byte(u))
		return holds(c < 0, c == 0, c > 0)
	}
	_, isA := a.(float64)
	_, isB := b.(float64)
	if isA || isB {
		x, okX := number(a)
		y, okY := number(b)
		return okX && okY && holds(x < y, x == y, x > y)
	}
	p, okP := a.(bool)
	q, okQ := b.(bool)
	if okP && okQ {
		return holds(!p && q, p == q, p && !q)
	}
	null := definition.Null{}
	return a == null && b == null && op == "=="
}
