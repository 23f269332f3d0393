package expr

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/parser"
)

// maxSyntaxErrors are said of one expression: later ones mostly follow from
// the first.
const maxSyntaxErrors = 3

// parse parses by cel-go's grammar without macros, so that has() and whatever
// else is a macro in CEL comes out as the call that was written. cel-go has a
// second parser that takes a little more, but says better what is wrong with
// the rest: the errors are its.
func parse(source string) (*ast.AST, []*common.Error) {
	tree, errs := parseBy(source, parser.EnablePrattParser(false))
	if len(errs) == 0 {
		return tree, nil
	}
	if _, better := parseBy(source, parser.EnablePrattParser(true)); len(better) > 0 {
		errs = better
	}
	return nil, errs
}

func parseBy(source string, choice parser.Option) (*ast.AST, []*common.Error) {
	p, err := parser.NewParser(choice, parser.MaxRecursionDepth(MaxDepth), parser.ExpressionSizeCodePointLimit(MaxExpression))
	if err != nil {
		return nil, []*common.Error{{Location: common.NoLocation, Message: err.Error()}}
	}
	tree, errs := p.Parse(common.NewTextSource(source))
	return tree, errs.GetErrors()
}

// parse parses the source and checks it by check or checkAny.
func (k *checker) parse(check func(ast.Expr) *Node) *Node {
	if len(k.source) > MaxExpression {
		return k.fail(0, 0, fmt.Sprintf("an expression of %d bytes, and %d are allowed", len(k.source), MaxExpression))
	}
	if !utf8.ValidString(k.source) {
		return k.fail(0, 0, "the expression is not UTF-8")
	}
	tree, found := parse(k.source)
	for _, e := range found[:min(len(found), maxSyntaxErrors)] {
		line, column := max(e.Location.Line(), 1), max(e.Location.Column(), 0)+1
		k.fail(line, column, parseMessage(e.Message)+k.hint(line, column))
	}
	if len(found) > 0 {
		return nil
	}
	k.info = tree.SourceInfo()
	k.doubled(k.source)
	n := check(tree.Expr())
	if n == nil {
		return nil
	}
	switch nodes, depth := n.measure(); {
	case nodes > MaxNodes:
		return k.fail(0, 0, fmt.Sprintf("the expression comes to more than %d operations, with those of the definitions that it uses", MaxNodes))
	case depth > 2*MaxDepth:
		return k.fail(0, 0, fmt.Sprintf("the expression is more than %d levels deep, with the definitions that it uses", 2*MaxDepth))
	}
	return n
}

// parseMessage is what the parser says, in the tone of our own messages.
func parseMessage(message string) string {
	message = strings.TrimPrefix(message, "Syntax error: ")
	if name, ok := strings.CutPrefix(message, "reserved identifier: "); ok {
		return fmt.Sprintf("%q is a reserved word of CEL: give the field a further name in its source", name)
	}
	if strings.HasPrefix(message, "unsupported syntax '") && strings.Contains(message, "?'") {
		return "rules have no optional fields: any field may be missing"
	}
	if strings.HasPrefix(message, "expression recursion limit") {
		return fmt.Sprintf("the expression is more than %d levels deep", MaxDepth)
	}
	return message
}

// otherwise is how rules say what other languages do.
var otherwise = map[string]string{"=": "==", "and": "&&", "or": "||", "&": "&&", "|": "||", "<>": "!=", "not": "!"}

var mistakable = regexp.MustCompile(`^(=|&|\||<>|(and|or|not)\b)`)

// hint says what somebody may have meant by what stands at a place.
func (k *checker) hint(line, column int) string {
	rest := []rune(strings.Split(k.source, "\n")[line-1])
	word := mistakable.FindString(string(rest[min(column-1, len(rest)):]))
	if word == "" {
		return ""
	}
	return fmt.Sprintf("; for %s write %s", word, otherwise[word])
}

// checker turns the tree of one expression into nodes.
type checker struct {
	scope  *Scope
	source string
	info   *ast.SourceInfo
	errors Errors
}

func (k *checker) fail(line, column int, message string) *Node {
	k.errors = append(k.errors, &Error{line, column, message})
	return nil
}

// refuse notes a fault at a character offset.
func (k *checker) refuse(offset int32, format string, args ...any) *Node {
	l := k.info.GetLocationByOffset(offset)
	return k.fail(l.Line(), l.Column()+1, fmt.Sprintf(format, args...))
}

// offset is where an expression's own token stands: an operator, a dot, a name.
func (k *checker) offset(e ast.Expr) int32 {
	r, _ := k.info.GetOffsetRange(e.ID())
	return r.Start
}

// doubled refuses `!!x` and `--x`. CEL's parser takes both for x, which holds
// of CEL's types, but not of a rule's: `!!x` would be true of what x is not.
func (k *checker) doubled(source string) {
	const operand = 'x'
	last := rune(0) // the last token: '!' or '-' if unary, operand, or another operator's character
	for i := 0; i < len(source); {
		rest := source[i:]
		ch, size := utf8.DecodeRuneInString(rest)
		switch {
		case ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r' || ch == '\f':
		case strings.HasPrefix(rest, "//"):
			if size = strings.IndexByte(rest, '\n'); size < 0 {
				size = len(rest)
			}
		case strings.HasPrefix(rest, "!="):
			size, last = 2, '='
		case ch == '!' || ch == '-' && last != operand && last != ')' && last != ']':
			if last == ch {
				k.refuse(int32(utf8.RuneCountInString(source[:i])), "%c%c is no double negation here: %s", ch, ch,
					map[rune]string{'!': "write x == true", '-': "leave both out"}[ch])
				return
			}
			last = ch
		case ch == '-': // of two operands
			last = '+'
		case ch == '"' || ch == '\'' || ch == '`':
			size, last = literal(rest, false), operand
		case isWord(ch):
			for size < len(rest) && isWord(rune(rest[size])) {
				size++
			}
			if size < len(rest) && (rest[size] == '"' || rest[size] == '\'') { // the prefix of a literal
				size += literal(rest[size:], strings.ContainsAny(rest[:size], "rR"))
			}
			last = operand
		default:
			last = ch
		}
		i += size
	}
}

func isWord(ch rune) bool {
	return ch == '_' || ch >= '0' && ch <= '9' || ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z'
}

// literal is the length of the quoted literal that s starts with.
func literal(s string, raw bool) int {
	quote := s[:1]
	if strings.HasPrefix(s, strings.Repeat(quote, 3)) && quote != "`" {
		quote = s[:3]
	}
	i := len(quote)
	for i < len(s) && !strings.HasPrefix(s[i:], quote) {
		if s[i] == '\\' && !raw {
			i++
		}
		i++
	}
	return min(i+len(quote), len(s))
}
