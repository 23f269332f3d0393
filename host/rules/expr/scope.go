package expr

import (
	"maps"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/seed-6a2d649b/pharos/host/words"
)

// Scope is what the expressions of a plugin may name beside a beacon's fields.
type Scope struct {
	Lists map[string]*Set // named lists
	Cells []string        // names of session cells; none where there is no session

	// Closed says that the expressions are of sessions that have ended: these have no
	// fields and no time, but a first and last beacon, and counts of Points.
	Closed bool
	Points []string

	let map[string]*definition
}

// definition is a shared definition, checked when it is wanted first.
type definition struct {
	source string
	state  state
	node   *Node // nil where it is at fault
	errors Errors
}

type state uint8

const (
	unchecked state = iota
	underWay
	checked
)

// Define shares definitions with the expressions that are parsed from now on:
// the name of one stands for its expression, and hides a field of that name.
// They may use each other, in no circle. It gives the faults by name.
func (s *Scope) Define(sources map[string]string) map[string]Errors {
	s.let = make(map[string]*definition, len(sources))
	for name, source := range sources {
		s.let[name] = &definition{source: source}
	}
	faults := map[string]Errors{}
	for _, name := range slices.Sorted(maps.Keys(s.let)) {
		d := s.let[name]
		s.check(d)
		if len(d.errors) > 0 {
			faults[name] = d.errors
		}
	}
	return faults
}

// check checks a definition that has not been checked yet.
func (s *Scope) check(d *definition) {
	if d.state != unchecked {
		return
	}
	d.state = underWay
	k := &checker{scope: s, source: d.source}
	if n := k.parse(k.checkAny); len(k.errors) == 0 {
		d.node = n
	}
	d.errors, d.state = k.errors, checked
}

// Parse parses and checks an expression. Where it, or a definition that it
// uses, is at fault the node is nil; the faults are those of its own.
func (s *Scope) Parse(source string) (*Node, Errors) {
	k := &checker{scope: s, source: source}
	n := k.parse(k.check)
	if len(k.errors) > 0 {
		return nil, k.errors
	}
	return n, nil
}

// IsName says whether a shared definition can have this name: an expression
// could not say another.
func IsName(name string) bool {
	tree, errs := parse(name)
	return len(errs) == 0 && tree.Expr().Kind() == ast.IdentKind && tree.Expr().AsIdent() == name && !strings.HasPrefix(name, ".")
}

// shared is the definition that a name stands for, if there is one; nil where
// that is at fault.
func (k *checker) shared(e ast.Expr) (n *Node, is bool) {
	d := k.scope.let[e.AsIdent()]
	if d == nil {
		return nil, false
	}
	if d.state == underWay {
		return k.refuse(k.offset(e), "%s is defined by itself: a definition may use others, in no circle", e.AsIdent()), true
	}
	k.scope.check(d)
	if k.scope.Closed && len(d.errors) > 0 { // Define has been told of those of beacons
		return k.refuse(k.offset(e), "%s is nothing of a session that has ended: %s", e.AsIdent(), d.errors[0].Message), true
	}
	return d.node, true
}

// namedList is the list that lists.name names; nil where there is no such list.
func (k *checker) namedList(e ast.Expr) (set *Set, is bool) {
	name, is := listName(e)
	if !is {
		return nil, false
	}
	set = k.scope.Lists[name]
	if set == nil {
		known := slices.Sorted(maps.Keys(k.scope.Lists))
		if near := words.Nearest(name, known); near != "" {
			k.refuse(k.listOffset(e), "there is no list %q, did you mean %q?", name, near)
		} else {
			k.refuse(k.listOffset(e), "there is no list %q: name its file in lists", name)
		}
	}
	return set, true
}

// listOffset is where the name of a list begins.
func (k *checker) listOffset(e ast.Expr) int32 {
	if e.Kind() == ast.SelectKind {
		return k.offset(e.AsSelect().Operand())
	}
	return k.offset(e.AsCall().Args()[0])
}

// listName is the name in lists.name, and in lists["name"].
func listName(e ast.Expr) (name string, is bool) {
	switch {
	case e.Kind() == ast.SelectKind && isLists(e.AsSelect().Operand()):
		return e.AsSelect().FieldName(), true
	case e.Kind() == ast.CallKind && e.AsCall().FunctionName() == operators.Index && isLists(e.AsCall().Args()[0]):
		if index := e.AsCall().Args()[1]; index.Kind() == ast.LiteralKind {
			text, ok := index.AsLiteral().(types.String)
			return string(text), ok
		}
	}
	return "", false
}

func isLists(e ast.Expr) bool { return e.Kind() == ast.IdentKind && e.AsIdent() == "lists" }

// ListsNamed are the names of the lists that an expression may use, each once:
// also of a field lists.name. Of one that can not be parsed there are none.
func ListsNamed(source string) []string {
	tree, errs := parse(source)
	if len(errs) > 0 {
		return nil
	}
	var names []string
	ast.PreOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if name, is := listName(e); is && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}))
	return names
}
