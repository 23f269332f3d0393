package expr

import (
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/seed-6a2d649b/pharos/abi"
)

// path is the field that a chain of dots and constant indexes names.
func (k *checker) path(e ast.Expr) *Node {
	path, ok := k.pathOf(e)
	if !ok {
		return nil
	}
	if k.scope.Closed {
		return k.closed(e, path)
	}
	if len(path) > abi.MaxFieldBytes {
		return k.refuse(k.offset(e), "a path of %d bytes, and %d are allowed", len(path), abi.MaxFieldBytes)
	}
	return &Node{Op: OpField, Path: path}
}

// Columns of a session that has ended; behind them are the counts of the points.
const (
	closedFirst = iota
	closedLast
	closedCounts
)

// closed is what there is of a session that has ended.
func (k *checker) closed(e ast.Expr, path string) *Node {
	first, last := &Node{Op: OpClosed, Field: closedFirst}, &Node{Op: OpClosed, Field: closedLast}
	switch path {
	case "session.first":
		return first
	case "session.last":
		return last
	case "session.duration":
		return &Node{Op: OpSubtract, Args: []*Node{last, first}}
	}
	return k.refuse(k.offset(e), "a session that has ended has no fields: there are session.first, session.last, session.duration, count(\"point\") and cell(\"name\")")
}

// count is the number of measurements of a point that a session had.
func (k *checker) count(arg ast.Expr) *Node {
	n := k.check(arg)
	if n == nil {
		return nil
	}
	name, ok := n.text()
	if !ok {
		return k.refuse(k.offset(arg), "the name of a point is a string, written out")
	}
	i := slices.Index(k.scope.Points, name)
	if i < 0 {
		return k.refuse(k.offset(arg), "no rule measures the point %q; there are %s", name, strings.Join(k.scope.Points, ", "))
	}
	return &Node{Op: OpClosed, Field: closedCounts + i}
}

// pathOf is the dotted path that an expression names.
func (k *checker) pathOf(e ast.Expr) (string, bool) {
	var names []string
	for {
		switch e.Kind() {
		case ast.IdentKind:
			name, ok := k.first(e)
			names = append(names, name)
			slices.Reverse(names)
			return strings.Join(names, "."), ok
		case ast.SelectKind:
			if !k.segment(e, e.AsSelect().FieldName()) {
				return "", false
			}
			names = append(names, e.AsSelect().FieldName())
			e = e.AsSelect().Operand()
		case ast.CallKind:
			if e.AsCall().FunctionName() != operators.Index {
				k.refuse(k.offset(e), "a field can be taken of a path only")
				return "", false
			}
			name, ok := k.index(e.AsCall().Args()[1])
			if !ok {
				return "", false
			}
			names = append(names, name)
			e = e.AsCall().Args()[0]
		default:
			k.refuse(k.offset(e), "a field can be taken of a path only")
			return "", false
		}
	}
}

// first is the name that a path begins with, or the path that a shared
// definition of that name is.
func (k *checker) first(e ast.Expr) (string, bool) {
	name := e.AsIdent()
	if strings.HasPrefix(name, ".") {
		k.refuse(k.offset(e), "a path begins with a name, not with a dot")
		return "", false
	}
	n, is := k.shared(e)
	switch {
	case !is:
		return name, true
	case n == nil:
		return "", false
	case n.Op != OpField:
		k.refuse(k.offset(e), "%s is defined in let, and not as a path", name)
		return "", false
	}
	return n.Path, true
}

// index is the name that stands in the brackets of a path.
func (k *checker) index(e ast.Expr) (string, bool) {
	if e.Kind() == ast.LiteralKind {
		switch v := e.AsLiteral().(type) {
		case types.Int:
			if v >= 0 {
				return strconv.FormatInt(int64(v), 10), true
			}
		case types.String:
			return string(v), k.segment(e, string(v))
		}
	}
	k.refuse(k.offset(e), "the index of a path is a whole number from 0 or a string, written out")
	return "", false
}

// segment refuses a quoted name that a dotted path can not hold.
func (k *checker) segment(e ast.Expr, name string) bool {
	if name == "" || strings.Contains(name, ".") {
		k.refuse(k.offset(e), "%q is no name of a path: a path can not reach a key that is empty or has a dot", name)
		return false
	}
	return true
}

// has checks has(path).
func (k *checker) has(arg ast.Expr) *Node {
	switch {
	case k.scope.Closed:
		return k.refuse(k.offset(arg), "a session that has ended has no fields")
	case arg.Kind() == ast.IdentKind, arg.Kind() == ast.SelectKind,
		arg.Kind() == ast.CallKind && arg.AsCall().FunctionName() == operators.Index:
		if n := k.path(arg); n != nil {
			return &Node{Op: OpHas, Path: n.Path}
		}
		return nil
	}
	return k.refuse(k.offset(arg), "has() takes the path of a field")
}
