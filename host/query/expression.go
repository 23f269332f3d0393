package query

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
)

// number computes a number from the values of the variables. NaN is null: it
// stands for what cannot be computed, and no expression makes anything else of
// it but `??`.
type number func(vars []float64) float64

// condition is what chooses a branch; where known is false, it cannot be told.
type condition func(vars []float64) (holds, known bool)

var null = math.NaN()

// reserved are the words that no metric, formula or parameter may have as its
// name.
var reserved = map[string]bool{
	"true": true, "false": true, "nil": true, "not": true, "and": true, "or": true, "in": true,
	"let": true, "if": true, "else": true, "matches": true, "contains": true, "startsWith": true, "endsWith": true,
	"abs": true, "ceil": true, "floor": true, "round": true, "min": true, "max": true, "sqrt": true, "log": true, "exp": true,
}

// compileExpr parses an expression and compiles it; names gives the slots of
// the variables. It returns the slots that the expression uses, ascending.
func compileExpr(source string, names map[string]int) (number, []int, *FormulaError) {
	if strings.TrimSpace(source) == "" {
		return nil, nil, &FormulaError{Line: 1, Column: 1, Message: "there is no expression"}
	}
	if len(source) > maxExpr || !utf8.ValidString(source) {
		return nil, nil, &FormulaError{Line: 1, Column: 1, Message: fmt.Sprintf("an expression is UTF-8 and at most %d bytes long: split it into several formulas", maxExpr)}
	}
	tree, err := parser.Parse(source)
	if err != nil {
		at := &FormulaError{Line: 1, Column: 1, Message: err.Error()}
		var syntax *file.Error
		if errors.As(err, &syntax) {
			at.Line, at.Column = position(source, syntax.From)
			at.Message = syntax.Message
		}
		return nil, nil, at
	}
	c := &compiler{source: source, names: names}
	eval := c.number(tree.Node)
	if c.fault != nil {
		return nil, nil, c.fault
	}
	slices.Sort(c.uses)
	return eval, slices.Compact(c.uses), nil
}

// compiler turns a parsed expression into functions; the first fault is kept.
type compiler struct {
	source string
	names  map[string]int
	uses   []int
	fault  *FormulaError
}

func (c *compiler) refuse(n ast.Node, format string, args ...any) {
	if c.fault != nil {
		return
	}
	line, column := position(c.source, n.Location().From)
	c.fault = &FormulaError{Line: line, Column: column, Message: fmt.Sprintf(format, args...)}
}

func (c *compiler) number(n ast.Node) number {
	switch n := n.(type) {
	case *ast.IntegerNode:
		return constant(float64(n.Value))
	case *ast.FloatNode:
		if math.IsInf(n.Value, 0) {
			c.refuse(n, "the number is beyond float64")
		}
		return constant(n.Value)
	case *ast.IdentifierNode:
		return c.variable(n)
	case *ast.UnaryNode:
		switch n.Operator {
		case "+":
			return c.number(n.Node)
		case "-":
			x := c.number(n.Node)
			return func(v []float64) float64 { return -x(v) }
		}
	case *ast.BinaryNode:
		if op := arithmetic[n.Operator]; op != nil {
			l, r := c.number(n.Left), c.number(n.Right)
			return func(v []float64) float64 { return finite(op(l(v), r(v))) }
		}
		switch n.Operator {
		case "??":
			l, r := c.number(n.Left), c.number(n.Right)
			return func(v []float64) float64 {
				if x := l(v); !math.IsNaN(x) {
					return x
				}
				return r(v)
			}
		case "%":
			c.refuse(n, "%% is no operator of formulas")
			return nil
		}
	case *ast.ConditionalNode:
		cond, yes, no := c.condition(n.Cond), c.number(n.Exp1), c.number(n.Exp2)
		return func(v []float64) float64 {
			holds, known := cond(v)
			switch {
			case !known:
				return null
			case holds:
				return yes(v)
			}
			return no(v)
		}
	case *ast.BuiltinNode:
		return c.call(n, n.Name, n.Arguments)
	case *ast.CallNode:
		if callee, ok := n.Callee.(*ast.IdentifierNode); ok {
			return c.call(n, callee.Value, n.Arguments)
		}
	}
	if isCondition(n) {
		c.refuse(n, "a number is needed here, and this is a condition: write `condition ? 1 : 0`")
	} else {
		c.refuse(n, "formulas know numbers only: metrics, formulas, + - * / **, comparisons in `a ? b : c`, ??, and the functions %s", strings.Join(sortedKeys(functions), ", "))
	}
	return nil
}

func (c *compiler) condition(n ast.Node) condition {
	switch n := n.(type) {
	case *ast.BoolNode:
		return func([]float64) (bool, bool) { return n.Value, true }
	case *ast.UnaryNode:
		if n.Operator == "!" || n.Operator == "not" {
			x := c.condition(n.Node)
			return func(v []float64) (bool, bool) {
				holds, known := x(v)
				return !holds, known
			}
		}
	case *ast.BinaryNode:
		if op := comparisons[n.Operator]; op != nil {
			l, r := c.number(n.Left), c.number(n.Right)
			return func(v []float64) (bool, bool) {
				a, b := l(v), r(v)
				return op(a, b), !math.IsNaN(a) && !math.IsNaN(b)
			}
		}
		switch n.Operator {
		case "&&", "and", "||", "or":
			l, r := c.condition(n.Left), c.condition(n.Right)
			decided := n.Operator == "||" || n.Operator == "or"
			return func(v []float64) (bool, bool) {
				if holds, known := l(v); !known || holds == decided {
					return holds, known
				}
				return r(v)
			}
		}
	}
	c.refuse(n, "a condition is needed here, such as `visitors > 100`")
	return nil
}

func isCondition(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.BoolNode:
		return true
	case *ast.UnaryNode:
		return n.Operator == "!" || n.Operator == "not"
	case *ast.BinaryNode:
		return comparisons[n.Operator] != nil || slices.Contains([]string{"&&", "and", "||", "or"}, n.Operator)
	}
	return false
}

func (c *compiler) variable(n *ast.IdentifierNode) number {
	slot, ok := c.names[n.Value]
	if !ok {
		if near := nearest(n.Value, c.names); near != "" {
			c.refuse(n, "there is no metric, formula or parameter %q; did you mean %q?", n.Value, near)
		} else {
			c.refuse(n, "there is no metric, formula or parameter %q", n.Value)
		}
		return nil
	}
	c.uses = append(c.uses, slot)
	return func(v []float64) float64 { return v[slot] }
}

func (c *compiler) call(n ast.Node, name string, args []ast.Node) number {
	f, ok := functions[name]
	if !ok {
		c.refuse(n, "there is no function %s: formulas know %s", name, strings.Join(sortedKeys(functions), ", "))
		return nil
	}
	if len(args) < f.least || len(args) > f.most {
		c.refuse(n, "%s takes %s", name, f.takes)
		return nil
	}
	var in []number
	for _, a := range args {
		in = append(in, c.number(a))
	}
	return func(v []float64) float64 {
		x := in[0](v)
		if f.one != nil {
			return finite(f.one(x))
		}
		for _, next := range in[1:] {
			x = f.two(x, next(v))
		}
		return finite(x)
	}
}

// finite makes null of what is no finite number, so that x/0 is null also
// where something more is computed with it.
func finite(x float64) float64 {
	if math.IsInf(x, 0) {
		return null
	}
	return x
}

func constant(x float64) number { return func([]float64) float64 { return x } }

var arithmetic = map[string]func(a, b float64) float64{
	"+": func(a, b float64) float64 { return a + b },
	"-": func(a, b float64) float64 { return a - b },
	"*": func(a, b float64) float64 { return a * b },
	"/": func(a, b float64) float64 { return a / b },
	// math.Pow makes 1 of NaN to the power of 0, and of 1 to that of NaN
	"**": pow, "^": pow,
}

func pow(a, b float64) float64 {
	if math.IsNaN(a) || math.IsNaN(b) {
		return null
	}
	return math.Pow(a, b)
}

var comparisons = map[string]func(a, b float64) bool{
	"==": func(a, b float64) bool { return a == b },
	"!=": func(a, b float64) bool { return a != b },
	"<":  func(a, b float64) bool { return a < b },
	"<=": func(a, b float64) bool { return a <= b },
	">":  func(a, b float64) bool { return a > b },
	">=": func(a, b float64) bool { return a >= b },
}

type function struct {
	least, most int
	takes       string
	one         func(float64) float64
	two         func(a, b float64) float64 // folded over the arguments
}

var functions = map[string]function{
	"abs":   {least: 1, most: 1, takes: "one number", one: math.Abs},
	"ceil":  {least: 1, most: 1, takes: "one number", one: math.Ceil},
	"floor": {least: 1, most: 1, takes: "one number", one: math.Floor},
	"round": {least: 1, most: 1, takes: "one number", one: math.Round},
	"sqrt":  {least: 1, most: 1, takes: "one number", one: math.Sqrt},
	"log":   {least: 1, most: 1, takes: "one number", one: math.Log},
	"exp":   {least: 1, most: 1, takes: "one number", one: math.Exp},
	"min":   {least: 2, most: 16, takes: "2 to 16 numbers", two: math.Min},
	"max":   {least: 2, most: 16, takes: "2 to 16 numbers", two: math.Max},
}

// position turns an offset in characters into line and column, from 1.
func position(source string, at int) (line, column int) {
	line, column = 1, 1
	for i, r := range []rune(source) {
		if i == at {
			break
		}
		if column++; r == '\n' {
			line, column = line+1, 1
		}
	}
	return line, column
}

// findName gives the offset in characters at which a variable is first used,
// or -1.
func findName(source, name string) int {
	tree, err := parser.Parse(source)
	if err != nil {
		return -1
	}
	find := &finder{name: name, at: -1}
	ast.Walk(&tree.Node, find)
	return find.at
}

type finder struct {
	name string
	at   int
}

// Visit is called by ast.Walk for each node.
func (f *finder) Visit(n *ast.Node) {
	if id, ok := (*n).(*ast.IdentifierNode); ok && id.Value == f.name && (f.at < 0 || id.Location().From < f.at) {
		f.at = id.Location().From
	}
}

// nearest finds the name that is the least edits away, if that is near enough
// to be meant.
func nearest[V any](name string, names map[string]V) string {
	best, distance := "", 1+len(name)/3
	for _, other := range sortedKeys(names) {
		if d := edits(name, other); d <= distance && (best == "" || d < distance) {
			best, distance = other, d
		}
	}
	return best
}

func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
