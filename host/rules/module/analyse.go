package module

import (
	"fmt"
	"strings"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
)

// analysis is what is known of the nodes of a program.
type analysis struct {
	ids     map[string]int // by what a node does: nodes with one id are the same
	nodes   map[*expr.Node]*facts
	columns []abi.Column // one row, for evaluation
}

// facts are what is known of a node.
type facts struct {
	id     int
	kinds  expr.Kinds
	weight int  // nodes, those that are shared counted at each place
	fixed  bool // it reads nothing of a beacon
	// What it reads, if that is the entry of one field: its kind and its text,
	// not the number that the text is. "" is none.
	path  string
	entry bool
}

func newAnalysis(fields int) *analysis {
	return &analysis{ids: map[string]int{}, nodes: map[*expr.Node]*facts{}, columns: make([]abi.Column, fields)}
}

const maxWeight = 1 << 30

func (a *analysis) of(n *expr.Node) *facts {
	if f, ok := a.nodes[n]; ok {
		return f
	}
	f := &facts{kinds: n.Kinds(), weight: 1, fixed: n.Path == "" && n.Op != expr.OpCell && n.Op != expr.OpClosed, path: n.Path, entry: true}
	var key strings.Builder
	fmt.Fprintf(&key, "%d %q %d %x %q %d %d %p %p %d", n.Op, n.Path, n.Value.Kind, n.Value.Num, n.Value.Text, n.Cell, n.Field, n.Networks, n.Zone, n.Part)
	switch {
	case n.Set == nil:
	case n.Set.Name != "":
		fmt.Fprintf(&key, " %p", n.Set)
	default:
		fmt.Fprintf(&key, " %q", n.Set.Texts)
	}
	if n.Regexp != nil {
		fmt.Fprintf(&key, " %q", n.Regexp)
	}
	for _, arg := range n.Args {
		of := a.of(arg)
		fmt.Fprintf(&key, " %d", of.id)
		f.weight = min(f.weight+of.weight, maxWeight)
		f.fixed = f.fixed && of.fixed
		switch {
		case f.path == "":
			f.path = of.path
		case of.path != "" && of.path != f.path:
			f.entry = false
		}
		f.entry = f.entry && of.entry
	}
	f.entry = f.entry && a.readsEntry(n)
	id, ok := a.ids[key.String()]
	if !ok {
		id = len(a.ids)
		a.ids[key.String()] = id
	}
	f.id = id
	a.nodes[n] = f
	return f
}

// readsEntry says whether the operation, of operands that do, reads no more
// than an entry's kind and text.
func (a *analysis) readsEntry(n *expr.Node) bool {
	switch n.Op {
	case expr.OpTime, expr.OpTimePart, expr.OpCell, expr.OpClosed:
		return false
	case expr.OpDouble, expr.OpNegate, expr.OpAdd, expr.OpSubtract, expr.OpMultiply, expr.OpDivide, expr.OpModulo:
		return a.plainNumbers(n.Args...)
	case expr.OpEqual, expr.OpNotEqual, expr.OpLess, expr.OpLessEqual, expr.OpGreater, expr.OpGreaterEqual:
		return a.compareEntries(n.Args[0], n.Args[1])
	case expr.OpIn:
		for _, element := range n.Args[1:] {
			if !a.compareEntries(n.Args[0], element) {
				return false
			}
		}
	}
	return true
}

// compareEntries says whether two values are compared without the number of a field.
func (a *analysis) compareEntries(x, y *expr.Node) bool {
	return !comparesNumbers(a.of(x).kinds, a.of(y).kinds) || a.plainNumbers(x, y)
}

func comparesNumbers(x, y expr.Kinds) bool {
	return x&expr.Number != 0 && y&expr.Numeric != 0 || x&expr.Numeric != 0 && y&expr.Number != 0
}

// plainNumbers says whether values that are numbers are no field's.
func (a *analysis) plainNumbers(nodes ...*expr.Node) bool {
	for _, n := range nodes {
		switch n.Op {
		case expr.OpField:
			return false
		case expr.OpCond:
			if !a.plainNumbers(n.Args[1:]...) {
				return false
			}
		}
	}
	return true
}

// evaluate is the reference's answer where the beacon has a value at the one
// field that the node reads.
func (a *analysis) evaluate(n *expr.Node, field int, kind abi.ValueKind, text string) expr.Value {
	if field >= 0 {
		a.columns[field] = abi.Column{Kinds: []abi.ValueKind{kind}, Offsets: []uint32{0, uint32(len(text))}, Bytes: []byte(text)}
	}
	return n.Eval(expr.Row{Columns: a.columns})
}

// fieldOf is the field that a node reads that reads one, -1 if it reads none.
func fieldOf(n *expr.Node) int {
	if n.Path != "" {
		return n.Field
	}
	for _, arg := range n.Args {
		if field := fieldOf(arg); field >= 0 {
			return field
		}
	}
	return -1
}

// test is what a condition of one field asks of its text.
type test struct {
	// scans says that it looks at the text otherwise than by comparing it with
	// the constants.
	scans     bool
	constants []string
	// ambiguous says that the text of a number, or of true or false, does not
	// tell what the condition is: it is another one of a text that is the same.
	ambiguous bool
}

// testOf is what a condition asks, that reads the entry of one field.
func testOf(n *expr.Node) *test {
	t := &test{}
	t.walk(n)
	return t
}

func (t *test) walk(n *expr.Node) {
	switch n.Op {
	case expr.OpConst, expr.OpField, expr.OpHas:
		return
	case expr.OpNot, expr.OpAnd, expr.OpOr, expr.OpCond:
	case expr.OpEqual:
		t.equal(n.Args[0], n.Args[1])
	case expr.OpNotEqual:
		t.ambiguous = true
		t.equal(n.Args[0], n.Args[1])
	case expr.OpIn:
		if n.Set != nil {
			for _, text := range n.Set.Texts {
				t.equalText(n.Args[0], text)
			}
		}
		for _, element := range n.Args[1:] {
			t.equal(n.Args[0], element)
		}
	case expr.OpStartsWith, expr.OpEndsWith, expr.OpContains:
		t.scans = true
		arg := n.Args[1]
		t.ambiguous = t.ambiguous || arg.Op != expr.OpConst || isAmbiguous(string(arg.Value.Text))
	case expr.OpContainsAny:
		t.scans = true
		for _, text := range n.Set.Texts {
			t.ambiguous = t.ambiguous || isAmbiguous(text)
		}
	case expr.OpContainsIP: // no number is an address
		t.scans = true
	case expr.OpLowerASCII:
	default:
		t.scan()
	}
	for _, arg := range n.Args {
		t.walk(arg)
	}
}

func (t *test) scan() { t.scans, t.ambiguous = true, true }

// equal is a comparison of two values, of which one may be a constant.
func (t *test) equal(a, b *expr.Node) {
	if a.Op == expr.OpConst {
		a, b = b, a
	}
	switch {
	case b.Op != expr.OpConst || a.Op == expr.OpCond:
		t.scan()
	case b.Value.IsText():
		t.equalText(a, string(b.Value.Text))
	}
}

// equalText is a comparison of a value with a text.
func (t *test) equalText(a *expr.Node, text string) {
	switch a.Op {
	case expr.OpField:
		t.constants = append(t.constants, text)
		t.ambiguous = t.ambiguous || abi.IsNumber([]byte(text)) || text == "true" || text == "false"
	case expr.OpLowerASCII:
		t.scans = true
		t.ambiguous = t.ambiguous || isAmbiguous(text)
	default:
		t.scan()
	}
}

// isAmbiguous says whether the text may be a part of that of a number, of true
// or of false.
func isAmbiguous(part string) bool {
	return strings.Trim(part, "0123456789+-.eE") == "" || strings.Contains("true", part) || strings.Contains("false", part)
}
