package expr

import (
	"regexp"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/rules/automaton"
)

// opNetworks is cidr(…), which stands before .containsIP(x) only: no tree that
// leaves the checker has one.
const opNetworks Op = 255

// check turns an expression into a node, or notes why it can not be one.
func (k *checker) check(e ast.Expr) *Node {
	n := k.checkAny(e)
	if n != nil && n.Op == opNetworks {
		return k.refuse(k.offset(e), "networks are no value: cidr(…) stands before .containsIP(x)")
	}
	return n
}

// checkAny is check for a place where networks may stand.
func (k *checker) checkAny(e ast.Expr) *Node {
	switch e.Kind() {
	case ast.LiteralKind:
		return k.literal(e)
	case ast.IdentKind:
		if n, is := k.shared(e); is {
			return n
		}
		return k.path(e)
	case ast.SelectKind:
		return k.path(e)
	case ast.CallKind:
		return k.call(e)
	case ast.ListKind:
		return k.refuse(k.offset(e), "a list may only stand on the right of in, and in containsAny")
	case ast.MapKind:
		return k.refuse(k.offset(e), "rules have no maps")
	case ast.StructKind:
		return k.refuse(k.offset(e), "rules have no messages: %s{}", e.AsStruct().TypeName())
	}
	return k.refuse(k.offset(e), "rules have no comprehensions")
}

func (k *checker) literal(e ast.Expr) *Node {
	switch v := e.AsLiteral().(type) {
	case types.Bool:
		return &Node{Value: boolean(bool(v))}
	case types.Int:
		return &Node{Value: number(float64(v))}
	case types.Uint:
		return &Node{Value: number(float64(v))}
	case types.Double:
		return &Node{Value: number(float64(v))}
	case types.String:
		return &Node{Value: Value{Kind: abi.String, Text: []byte(v)}}
	case types.Null:
		return &Node{Value: Value{Kind: abi.Null}}
	}
	return k.refuse(k.offset(e), "rules have no %s", e.AsLiteral().Type().TypeName())
}

// node checks the operands of an operation. Those of arithmetic are not such
// as can never be numbers.
func (k *checker) node(o Op, args ...ast.Expr) *Node {
	n := &Node{Op: o}
	for _, arg := range args {
		a := k.check(arg)
		if a != nil && o >= OpAdd && o <= OpNegate && a.Op == OpConst && a.Value.Kind != abi.Number {
			a = k.refuse(k.offset(arg), "arithmetic is of numbers only")
		}
		if a != nil {
			n.Args = append(n.Args, a)
		}
	}
	if len(n.Args) < len(args) {
		return nil
	}
	return n
}

// binary are the operators of two operands, by cel-go's names for them.
var binary = map[string]Op{
	operators.LogicalAnd:    OpAnd,
	operators.LogicalOr:     OpOr,
	operators.Equals:        OpEqual,
	operators.NotEquals:     OpNotEqual,
	operators.Less:          OpLess,
	operators.LessEquals:    OpLessEqual,
	operators.Greater:       OpGreater,
	operators.GreaterEquals: OpGreaterEqual,
	operators.Add:           OpAdd,
	operators.Subtract:      OpSubtract,
	operators.Multiply:      OpMultiply,
	operators.Divide:        OpDivide,
	operators.Modulo:        OpModulo,
}

func (k *checker) call(e ast.Expr) *Node {
	call := e.AsCall()
	name, args := call.FunctionName(), call.Args()
	if o, ok := binary[name]; ok {
		return k.binary(e, o, args)
	}
	switch name {
	case operators.LogicalNot:
		return k.node(OpNot, args...)
	case operators.Negate:
		return k.node(OpNegate, args...)
	case operators.Conditional:
		return k.node(OpCond, args...)
	case operators.Index:
		return k.path(e)
	case operators.In:
		return k.in(args[0], args[1])
	}
	if call.IsMemberFunction() {
		return k.method(e, name, call.Target(), args)
	}
	return k.function(e, name, args)
}

// binary checks an operation of two operands, and refuses what CEL gives a
// meaning that rules do not have.
func (k *checker) binary(e ast.Expr, o Op, args []ast.Expr) *Node {
	n := k.node(o, args...)
	if n != nil && o >= OpNotEqual && o <= OpGreaterEqual && (n.Args[0].isNull() || n.Args[1].isNull()) {
		return k.refuse(k.offset(e), "null can only be compared by ==; that there is a value is has(path)")
	}
	return n
}

func (n *Node) isNull() bool { return n.Op == OpConst && n.Value.Kind == abi.Null }

// text is the text that is written out in a node.
func (n *Node) text() (string, bool) {
	return string(n.Value.Text), n.Op == OpConst && n.Value.Kind == abi.String
}

// in compares with each element of a list, its literal strings through a set.
func (k *checker) in(value, list ast.Expr) *Node {
	if set, is := k.namedList(list); is {
		n := k.node(OpIn, value)
		if n == nil || set == nil {
			return nil
		}
		n.Set = set
		return n
	}
	if list.Kind() != ast.ListKind {
		k.check(value)
		return k.refuse(k.offset(list), "the right side of in is a list, written out, or one of lists")
	}
	elements, ok := k.elements(list)
	if !ok {
		return nil
	}
	all := k.node(OpIn, append([]ast.Expr{value}, elements...)...)
	if all == nil {
		return nil
	}
	n := &Node{Op: OpIn, Args: all.Args[:1:1]}
	var texts []string
	for _, element := range all.Args[1:] {
		if text, ok := element.text(); ok {
			texts = append(texts, text)
		} else {
			n.Args = append(n.Args, element)
		}
	}
	if texts != nil {
		n.Set = NewSet("", texts)
	}
	return n
}

// elements are those of a list that is written out.
func (k *checker) elements(list ast.Expr) ([]ast.Expr, bool) {
	if len(list.AsList().OptionalIndices()) > 0 {
		k.refuse(k.offset(list), "rules have no optional elements")
		return nil, false
	}
	return list.AsList().Elements(), true
}

// regexp compiles a regular expression of which an automaton can be made.
func (k *checker) regexp(offset int32, pattern string) *regexp.Regexp {
	if _, err := automaton.Regexp(pattern); err != nil {
		k.refuse(offset, "%v", err)
		return nil
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		k.refuse(offset, "%v", err)
		return nil
	}
	return re
}
