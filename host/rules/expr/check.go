package expr

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/seed-6a2d649b/pharos/abi"
)

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

// methods are the functions of a text, called as text.name(argument).
var methods = map[string]Op{
	"startsWith": OpStartsWith,
	"endsWith":   OpEndsWith,
	"contains":   OpContains,
}

// check turns an expression into a node, or notes why it can not be one.
func (k *checker) check(e ast.Expr) *Node {
	switch e.Kind() {
	case ast.LiteralKind:
		return k.literal(e)
	case ast.IdentKind, ast.SelectKind:
		return k.path(e)
	case ast.CallKind:
		return k.call(e)
	case ast.ListKind:
		return k.refuse(k.offset(e), "a list may only stand on the right of in")
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

// path is the field that a chain of dots and constant indexes names.
func (k *checker) path(e ast.Expr) *Node {
	path, ok := k.pathOf(e)
	if !ok {
		return nil
	}
	if len(path) > abi.MaxFieldBytes {
		return k.refuse(k.offset(e), "a path of %d bytes, and %d are allowed", len(path), abi.MaxFieldBytes)
	}
	return &Node{Op: OpField, Path: path}
}

// pathOf is the dotted path that an expression names.
func (k *checker) pathOf(e ast.Expr) (string, bool) {
	var names []string
	for {
		switch e.Kind() {
		case ast.IdentKind:
			name := e.AsIdent()
			if strings.HasPrefix(name, ".") {
				k.refuse(k.offset(e), "a path begins with a name, not with a dot")
				return "", false
			}
			names = append(names, name)
			slices.Reverse(names)
			return strings.Join(names, "."), true
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

func (k *checker) call(e ast.Expr) *Node {
	call := e.AsCall()
	name, args := call.FunctionName(), call.Args()
	if call.IsMemberFunction() {
		return k.memberCall(e, name, call.Target(), args)
	}
	if o, ok := binary[name]; ok {
		return k.binary(e, o, args)
	}
	switch {
	case name == operators.LogicalNot:
		return k.node(OpNot, args)
	case name == operators.Negate:
		k.arithmetic(args)
		return k.node(OpNegate, args)
	case name == operators.Conditional:
		return k.node(OpCond, args)
	case name == operators.Index:
		return k.path(e)
	case name == operators.In:
		return k.in(args)
	case name == "has" && len(args) == 1:
		return k.has(args[0])
	case name == "size" && len(args) == 1:
		return k.node(OpSize, args)
	case name == "matches" && len(args) == 2:
		return k.matches(args[0], args[1])
	}
	return k.unknown(e, name, len(args), "has(path), size(x), matches(x, \"re\")")
}

func (k *checker) memberCall(e ast.Expr, name string, target ast.Expr, args []ast.Expr) *Node {
	switch o, ok := methods[name]; {
	case ok && len(args) == 1:
		return k.node(o, []ast.Expr{target, args[0]})
	case name == "size" && len(args) == 0:
		return k.node(OpSizeMethod, []ast.Expr{target})
	case name == "matches" && len(args) == 1:
		return k.matches(target, args[0])
	}
	return k.unknown(e, name, len(args), "x.startsWith(y), x.endsWith(y), x.contains(y), x.matches(\"re\"), x.size()")
}

// unknown refuses a call, at its name: the call itself stands at its bracket.
func (k *checker) unknown(e ast.Expr, name string, args int, known string) *Node {
	offset := k.offset(e)
	before := string([]rune(k.source)[:offset])
	if strings.HasSuffix(before, name) {
		offset -= int32(utf8.RuneCountInString(name))
	}
	return k.refuse(offset, "rules have no function %s with %d arguments; they have %s", name, args, known)
}

// node checks the operands of an operation.
func (k *checker) node(o Op, args []ast.Expr) *Node {
	n := &Node{Op: o}
	for _, arg := range args {
		if a := k.check(arg); a != nil {
			n.Args = append(n.Args, a)
		}
	}
	if len(n.Args) < len(args) {
		return nil
	}
	return n
}

// binary checks an operation of two operands, and refuses what CEL gives a
// meaning that rules do not have.
func (k *checker) binary(e ast.Expr, o Op, args []ast.Expr) *Node {
	switch {
	case o >= OpNotEqual && o <= OpGreaterEqual && (isNull(args[0]) || isNull(args[1])):
		return k.refuse(k.offset(e), "null can only be compared by ==; that there is a value is has(path)")
	case o >= OpAdd && o <= OpModulo:
		k.arithmetic(args)
	}
	return k.node(o, args)
}

func isNull(e ast.Expr) bool {
	return e.Kind() == ast.LiteralKind && e.AsLiteral().Type() == types.NullType
}

// arithmetic refuses operands that can never be numbers.
func (k *checker) arithmetic(args []ast.Expr) {
	for _, arg := range args {
		if arg.Kind() != ast.LiteralKind {
			continue
		}
		switch arg.AsLiteral().(type) {
		case types.Int, types.Uint, types.Double:
		default:
			k.refuse(k.offset(arg), "arithmetic is of numbers only")
		}
	}
}

func (k *checker) has(arg ast.Expr) *Node {
	switch {
	case arg.Kind() == ast.IdentKind, arg.Kind() == ast.SelectKind,
		arg.Kind() == ast.CallKind && arg.AsCall().FunctionName() == operators.Index:
		if n := k.path(arg); n != nil {
			return &Node{Op: OpHas, Path: n.Path}
		}
		return nil
	}
	return k.refuse(k.offset(arg), "has() takes the path of a field")
}

// in compares with each element of a list, its literal strings through a set.
func (k *checker) in(args []ast.Expr) *Node {
	if args[1].Kind() != ast.ListKind {
		k.refuse(k.offset(args[1]), "the right side of in is a list, written out")
		return nil
	}
	list := args[1].AsList()
	if len(list.OptionalIndices()) > 0 {
		return k.refuse(k.offset(args[1]), "rules have no optional elements")
	}
	all := k.node(OpIn, append([]ast.Expr{args[0]}, list.Elements()...))
	if all == nil {
		return nil
	}
	n := &Node{Op: OpIn, Args: all.Args[:1]}
	var texts []string
	for _, element := range all.Args[1:] {
		if element.Op != OpConst || element.Value.Kind != abi.String {
			n.Args = append(n.Args, element)
			continue
		}
		texts = append(texts, string(element.Value.Text))
	}
	if texts != nil {
		n.Set = NewSet("", texts)
	}
	return n
}

func (k *checker) matches(text, pattern ast.Expr) *Node {
	var re *regexp.Regexp
	if s, ok := pattern.AsLiteral().(types.String); pattern.Kind() != ast.LiteralKind || !ok {
		k.refuse(k.offset(pattern), "the regular expression of matches is a string, written out")
	} else {
		re = k.regexp(k.offset(pattern), string(s))
	}
	n := k.node(OpMatches, []ast.Expr{text})
	if n == nil || re == nil {
		return nil
	}
	n.Regexp = re
	return n
}

// regexp compiles a regular expression that is not too large.
func (k *checker) regexp(offset int32, pattern string) *regexp.Regexp {
	if len(pattern) > MaxRegexp {
		k.refuse(offset, "a regular expression of %d bytes, and %d are allowed", len(pattern), MaxRegexp)
		return nil
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		k.refuse(offset, "%s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		return nil
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		k.refuse(offset, "%v", err)
		return nil
	}
	if len(program.Inst) > MaxRegexpSteps {
		k.refuse(offset, "the regular expression compiles to %d instructions, and %d are allowed", len(program.Inst), MaxRegexpSteps)
		return nil
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		k.refuse(offset, "%v", err)
		return nil
	}
	return re
}
