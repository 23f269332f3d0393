package reach

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/rules"
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
)

// Text writes an expression of a program as one may write it in a rule: definitions in
// place of their names, the networks of a list written out, no brackets but those that
// are needed. Two expressions of one
// text are the same.
func Text(p *rules.Program, n *expr.Node) string { return writer{p.Plan(), 0}.text(n, 0) }

// Short is Text with no more than so many entries of a list of constants.
func Short(p *rules.Program, n *expr.Node, most int) string {
	return writer{p.Plan(), most}.text(n, 0)
}

// writer writes expressions.
type writer struct {
	plan *abi.Plan
	most int // entries of a list; 0: all
}

// infix are the operators that stand between their operands, and how much they bind.
var infix = map[expr.Op]struct {
	sign string
	bind int
}{
	expr.OpOr: {"||", 2}, expr.OpAnd: {"&&", 3},
	expr.OpEqual: {"==", 4}, expr.OpNotEqual: {"!=", 4}, expr.OpLess: {"<", 4}, expr.OpLessEqual: {"<=", 4}, expr.OpGreater: {">", 4}, expr.OpGreaterEqual: {">=", 4},
	expr.OpAdd: {"+", 5}, expr.OpSubtract: {"-", 5}, expr.OpMultiply: {"*", 6}, expr.OpDivide: {"/", 6}, expr.OpModulo: {"%", 6},
}

var called = map[expr.Op]string{
	expr.OpStartsWith: "startsWith", expr.OpEndsWith: "endsWith", expr.OpContains: "contains", expr.OpSizeMethod: "size", expr.OpLowerASCII: "lowerAscii",
}

var parts = map[expr.TimePart]string{
	expr.Milliseconds: "getMilliseconds", expr.Seconds: "getSeconds", expr.Minutes: "getMinutes", expr.Hours: "getHours", expr.DayOfWeek: "getDayOfWeek",
	expr.DayOfMonth: "getDayOfMonth", expr.Date: "getDate", expr.DayOfYear: "getDayOfYear", expr.Month: "getMonth", expr.FullYear: "getFullYear",
}

// text writes a node for a place that binds so much: what binds less is in brackets.
func (w writer) text(n *expr.Node, bind int) string {
	arg := func(i, bind int) string { return w.text(n.Args[i], bind) }
	wrap := func(own int, s string) string {
		if own < bind {
			return "(" + s + ")"
		}
		return s
	}
	if o, ok := infix[n.Op]; ok {
		left, right := o.bind, o.bind+1
		switch {
		case o.bind < 4: // it is the same however they are grouped
			right = o.bind
		case o.bind == 4: // comparisons of comparisons are hard to read
			left = right
		}
		return wrap(o.bind, arg(0, left)+" "+o.sign+" "+arg(1, right))
	}
	if name, ok := called[n.Op]; ok {
		rest := ""
		if len(n.Args) > 1 {
			rest = arg(1, 0)
		}
		return arg(0, 8) + "." + name + "(" + rest + ")"
	}
	switch n.Op {
	case expr.OpConst:
		if n.Value.Kind == abi.Number {
			return wrap(7, number(n.Value.Num))
		}
		return constant(n.Value)
	case expr.OpField:
		return path(n.Path)
	case expr.OpHas:
		return "has(" + path(n.Path) + ")"
	case expr.OpTime:
		return "time()"
	case expr.OpCell:
		return fmt.Sprintf("cell(%q)", w.plan.Cells[n.Cell].Name)
	case expr.OpClosed:
		if n.Field < 2 {
			return [...]string{"session.first", "session.last"}[n.Field]
		}
		return fmt.Sprintf("count(%q)", w.plan.Points[n.Field-2].Name)
	case expr.OpNot:
		return wrap(7, "!"+arg(0, 8))
	case expr.OpNegate:
		return wrap(7, "-"+arg(0, 8))
	case expr.OpCond:
		return wrap(1, arg(0, 2)+" ? "+arg(1, 2)+" : "+arg(2, 1))
	case expr.OpIn:
		return wrap(4, arg(0, 5)+" in "+w.elements(n))
	case expr.OpContainsAny:
		return arg(0, 8) + ".containsAny(" + w.elements(n) + ")"
	case expr.OpMatches:
		return arg(0, 8) + ".matches(" + strconv.Quote(n.Regexp.String()) + ")"
	case expr.OpContainsIP:
		var all []string
		for _, p := range n.Networks.Prefixes {
			all = append(all, strconv.Quote(p.String()))
		}
		networks := w.list(all)
		if len(all) == 1 {
			networks = all[0]
		}
		return "cidr(" + networks + ").containsIP(" + arg(0, 0) + ")"
	case expr.OpSize:
		return "size(" + arg(0, 0) + ")"
	case expr.OpDouble:
		return "double(" + arg(0, 0) + ")"
	case expr.OpTimePart:
		return "time()." + parts[n.Part] + "(" + strconv.Quote(n.Zone.Name) + ")"
	}
	return fmt.Sprintf("operation %d", n.Op)
}

// elements are what a text is looked up in.
func (w writer) elements(n *expr.Node) string {
	if n.Set != nil && n.Set.Name != "" {
		return "lists." + n.Set.Name
	}
	var all []string
	if n.Set != nil {
		for _, t := range n.Set.Texts {
			all = append(all, strconv.Quote(t))
		}
	}
	for i := 1; i < len(n.Args); i++ {
		all = append(all, w.text(n.Args[i], 0))
	}
	return w.list(all)
}

func (w writer) list(all []string) string {
	if more := len(all) - w.most; w.most > 0 && more > 0 {
		all = append(all[:w.most:w.most], fmt.Sprintf("%d more", more))
	}
	return "[" + strings.Join(all, ", ") + "]"
}

func constant(v expr.Value) string {
	switch v.Kind {
	case abi.Null:
		return "null"
	case abi.False:
		return "false"
	case abi.True:
		return "true"
	}
	return strconv.Quote(string(v.Text))
}

func number(f float64) string {
	switch {
	case f == 0 && math.Signbit(f):
		return "-0.0"
	case f == math.Trunc(f) && math.Abs(f) < 1e15:
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// path writes a path so that a rule may have it.
func path(p string) string {
	var b strings.Builder
	for i, name := range strings.Split(p, ".") {
		switch {
		case i == 0:
			b.WriteString(name)
		case name[0] >= '0' && name[0] <= '9' && strings.Trim(name, "0123456789") == "":
			b.WriteString("[" + name + "]")
		case strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" || name[0] <= '9':
			b.WriteString("[" + strconv.Quote(name) + "]")
		default:
			b.WriteString("." + name)
		}
	}
	return b.String()
}
