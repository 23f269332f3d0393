// Package expr is the language of a rule's expressions: CEL's syntax over a
// beacon's fields, parsed by cel-go and checked into a tree. Beacons have no
// schema, so the meaning, which docs/rules.md gives, differs from CEL's in what
// is made of missing and differently typed values. Eval walks the tree: it is
// the reference of what an expression means, and not made to be fast.
package expr

// Bounds of an expression.
const (
	MaxExpression  = 32 << 10 // bytes of its source
	MaxDepth       = 100      // nesting
	MaxRegexp      = 1000     // bytes of a regular expression
	MaxRegexpSteps = 10_000   // instructions of a compiled regular expression
)

// Scope is what the expressions of a plugin may name beside a beacon's fields.
type Scope struct{}

// Parse parses and checks an expression. Where the expression is at fault the
// node is nil, and the faults are all that were found.
func (s *Scope) Parse(source string) (*Node, Errors) {
	k := &checker{scope: s, source: source}
	n := k.parse()
	if len(k.errors) > 0 {
		return nil, k.errors
	}
	return n, nil
}
