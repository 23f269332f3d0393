package reach

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
)

// class is some of the values that a field may have: one value, or all between two
// constants of the rules, which value stands for.
type class struct {
	value  abi.Value
	single bool // value is the only one
	spread bool // texts that are numbers, between which the rules name a text
}

// maxClasses bounds the work for one field: classes, times tests of it.
const maxClasses = 5_000_000

// classify finds the classes of each field's values, and of which of them each test
// may hold.
func (a *analysis) classify() {
	fields := a.program.Plan().Fields
	a.classes = make([][]class, len(fields))
	of := make([][]*test, len(fields))
	for _, t := range a.inOrder {
		if t.field >= 0 {
			of[t.field] = append(of[t.field], t)
		}
	}
	for f, tests := range of {
		if len(tests) == 0 {
			continue
		}
		classes := classesOf(tests)
		if len(classes)*len(tests) > maxClasses {
			for _, t := range tests {
				t.field = -1 // then it is compared with itself only
			}
			continue
		}
		a.classes[f] = classes
		columns := a.columns(f, classes)
		for _, t := range tests {
			t.judge(classes, columns)
		}
	}
}

// columns are rows that have one field's values, a class each.
func (a *analysis) columns(field int, classes []class) []abi.Column {
	fields := a.program.Plan().Fields
	rows := make([][]abi.Value, len(classes))
	for i, c := range classes {
		rows[i] = make([]abi.Value, len(fields))
		rows[i][field] = c.value
	}
	var b abi.Batch
	abi.Build(fields, rows, &b)
	return b.Columns
}

// judge finds out of which classes a test may hold, and may not: of one both, where
// its value does not stand for all of them.
func (t *test) judge(classes []class, columns []abi.Column) {
	t.may, t.mayNot = newBits(len(classes)), newBits(len(classes))
	form := formOf(t.node)
	for i, c := range classes {
		known := c.single || form == simple || form == ordered && !c.spread
		holds := t.node.Eval(expr.Row{Columns: columns, Index: i}).Holds()
		if holds || !known {
			t.may.set(i)
		}
		if !holds || !known {
			t.mayNot.set(i)
		}
	}
}

// form is how a test looks at a field's value.
type form int

const (
	complex form = iota // anyhow
	simple              // what kind it has, what constants it is equal to, or where a number stands among them
	ordered             // where a text stands among constants, by bytes
)

func formOf(n *expr.Node) form {
	switch n.Op {
	case expr.OpField, expr.OpHas:
		return simple
	case expr.OpEqual, expr.OpNotEqual:
		if _, c, ok := operands(n); ok && c != nil {
			return simple
		}
	case expr.OpLess, expr.OpLessEqual, expr.OpGreater, expr.OpGreaterEqual:
		if _, c, ok := operands(n); ok && c.Value.Kind == abi.Number {
			return simple
		} else if ok {
			return ordered
		}
	case expr.OpStartsWith:
		if field, c, ok := operands(n); ok && field == n.Args[0] && c.Value.IsText() {
			return ordered
		}
	case expr.OpIn:
		if n.Args[0].Op == expr.OpField && !slices.ContainsFunc(n.Args[1:], func(e *expr.Node) bool { return e.Op != expr.OpConst }) {
			return simple
		}
	}
	return complex
}

// operands are the field and the constant of an operation of two.
func operands(n *expr.Node) (field, constant *expr.Node, ok bool) {
	if len(n.Args) != 2 {
		return nil, nil, false
	}
	x, y := n.Args[0], n.Args[1]
	switch {
	case x.Op == expr.OpField && y.Op == expr.OpConst:
		return x, y, true
	case y.Op == expr.OpField && x.Op == expr.OpConst:
		return y, x, true
	}
	return nil, nil, false
}

// constants are those that the tests of a field name.
type constants struct {
	texts   map[string]bool
	numbers map[float64]bool
}

func (c *constants) note(n *expr.Node) {
	if n.Op == expr.OpConst {
		switch {
		case n.Value.Kind == abi.Number && !math.IsNaN(n.Value.Num):
			c.numbers[n.Value.Num+0] = true // -0 is 0
		case n.Value.IsText():
			c.texts[string(n.Value.Text)] = true
		}
	}
	if n.Set != nil {
		for _, text := range n.Set.Texts {
			c.texts[text] = true
		}
	}
	if n.Op == expr.OpStartsWith && n.Args[1].Op == expr.OpConst {
		if end := successor(string(n.Args[1].Value.Text)); end != "" {
			c.texts[end] = true
		}
	}
	for _, arg := range n.Args {
		c.note(arg)
	}
}

// successor is the least text behind all that begin with prefix; "" if there is none.
func successor(prefix string) string {
	b := []byte(prefix)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] < 0xFF {
			b[i]++
			return string(b[:i+1])
		}
	}
	return ""
}

// classesOf are the classes of the values of a field that these tests look at.
func classesOf(tests []*test) []class {
	c := constants{map[string]bool{"": true}, map[float64]bool{}}
	for _, t := range tests {
		c.note(t.node)
	}
	all := []class{
		{abi.Value{}, true, false}, {abi.Value{Kind: abi.Null}, true, false},
		{abi.Value{Kind: abi.False, Text: []byte("false")}, true, false}, {abi.Value{Kind: abi.True, Text: []byte("true")}, true, false},
		{abi.Value{Kind: abi.Array, Text: []byte("[]")}, true, false}, {abi.Value{Kind: abi.Object, Text: []byte("{}")}, true, false},
	}
	spread := false
	for text := range c.texts { // a JSON number begins with a digit or -
		spread = spread || text >= "-" && text <= ":"
	}
	for _, n := range c.numberClasses() {
		all = append(all, class{abi.Value{Kind: abi.Number, Text: n.text}, n.single, false})
		other := n.text
		for c.texts[string(other)] { // one that is a class of its own
			other = respelled(other)
		}
		all = append(all, class{abi.Value{Kind: abi.Untyped, Text: other}, false, spread})
	}
	for _, t := range c.textClasses() {
		all = append(all, class{abi.Value{Kind: abi.String, Text: t.text}, t.single, false}, class{abi.Value{Kind: abi.Untyped, Text: t.text}, t.single, false})
	}
	return all
}

type part struct {
	text   []byte
	single bool
}

// numberClasses are the constants and what lies between them.
func (c *constants) numberClasses() (all []part) {
	var points []float64
	for n := range c.numbers {
		points = append(points, n)
	}
	slices.Sort(points)
	add := func(n float64, single bool) {
		text := []byte(strconv.FormatFloat(n, 'g', -1, 64))
		switch {
		case math.IsInf(n, 1):
			text = []byte("1e999")
		case math.IsInf(n, -1):
			text = []byte("-1e999")
		case strings.HasPrefix(string(text), "+"):
			text = text[1:]
		}
		all = append(all, part{text, single})
	}
	if len(points) == 0 {
		add(0, false)
		return all
	}
	add(below(points[0]), false)
	for i, n := range points {
		add(n, n != 0) // which two numbers are
		if i+1 < len(points) {
			if m := between(n, points[i+1]); m < points[i+1] {
				add(m, false)
			}
		}
	}
	add(above(points[len(points)-1]), false)
	return all
}

func below(n float64) float64 {
	if m := math.Floor(n) - 1; m < n {
		return m
	}
	return math.Inf(-1)
}

func above(n float64) float64 {
	if m := math.Ceil(n) + 1; m > n {
		return m
	}
	return math.Inf(1)
}

// between is a number between two, a whole one if there is one that is near; b if there
// is none.
func between(a, b float64) float64 {
	for _, m := range []float64{math.Floor(a) + 1, a/2 + b/2} {
		if m > a && m < b {
			return m
		}
	}
	return math.Nextafter(a, b)
}

// respelled is the same number as a longer text.
func respelled(text []byte) []byte {
	e := slices.Index(text, 'e')
	if e < 0 {
		return append(slices.Clone(text), 'e', '0')
	}
	if e++; text[e] == '-' || text[e] == '+' {
		e++
	}
	return slices.Insert(slices.Clone(text), e, '0')
}

// textClasses are the constants and what lies between them. A text that is no UTF-8
// only bounds others: no beacon has it.
func (c *constants) textClasses() (all []part) {
	var points []string
	for text := range c.texts {
		points = append(points, text)
	}
	slices.Sort(points)
	for i, text := range points {
		if utf8.ValidString(text) {
			all = append(all, part{[]byte(text), true})
		}
		next := text + "\x00" // the least text behind it
		if i+1 < len(points) && next >= points[i+1] {
			continue
		}
		if readable := text + "~"; utf8.ValidString(text) && (i+1 == len(points) || readable < points[i+1]) {
			next = readable
		}
		all = append(all, part{[]byte(next), false})
	}
	return all
}

// left are the classes of each field's values of which literals may be fulfilled
// together; false where there are none.
func (c conjunction) left() (map[int]bits, bool) {
	left := make(map[int]bits, 4)
	for i, l := range c {
		for _, o := range c[:i] {
			if contrary(l, o) {
				return nil, false
			}
		}
		if l.test.field < 0 {
			continue
		}
		have, other := l.test.may, left[l.test.field]
		if l.not {
			have = l.test.mayNot
		}
		if other == nil {
			other = slices.Clone(have)
			left[l.test.field] = other
		}
		if !other.and(have) {
			return nil, false
		}
	}
	return left, true
}

// contrary tells whether two literals can not be fulfilled together.
func contrary(x, y literal) bool {
	if x.not == y.not {
		return false
	}
	if x.not {
		x, y = y, x
	}
	return x.test == y.test || implies(x.test.node, y.test.node)
}

// implies tells whether a test of the parts of a text holds wherever another does.
func implies(x, y *expr.Node) bool {
	s, okS := textPart(x)
	t, okT := textPart(y)
	if !okS || !okT || x.Args[0].Op != expr.OpField || y.Args[0].Op != expr.OpField || x.Args[0].Field != y.Args[0].Field {
		return false
	}
	switch y.Op {
	case expr.OpContains:
		return strings.Contains(s, t)
	case expr.OpStartsWith:
		return x.Op == expr.OpStartsWith && strings.HasPrefix(s, t)
	}
	return x.Op == expr.OpEndsWith && strings.HasSuffix(s, t)
}

// textPart is the constant that a text starts with, ends with or contains.
func textPart(n *expr.Node) (string, bool) {
	switch n.Op {
	case expr.OpStartsWith, expr.OpEndsWith, expr.OpContains:
		return string(n.Args[1].Value.Text), n.Args[1].Op == expr.OpConst && n.Args[1].Value.IsText()
	}
	return "", false
}
