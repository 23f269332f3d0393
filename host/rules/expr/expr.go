// Package expr is the language of a rule's expressions: CEL's syntax over a
// beacon's fields, parsed by cel-go and checked into a tree. Beacons have no
// schema, so the meaning, which docs/rules.md gives, differs from CEL's in what
// is made of missing and differently typed values. Eval walks the tree: it is
// the reference of what an expression means, and not made to be fast.
package expr

// Bounds of an expression.
const (
	MaxExpression = 32 << 10 // bytes of its source
	MaxDepth      = 100      // nesting; twice as much with that of the definitions that it uses
	MaxNodes      = 20_000   // operations, with those of the definitions that it uses
)

// Bounds of a named list.
const (
	MaxListBytes   = 8 << 20 // of its file
	MaxListEntries = 100_000
	MaxEntryBytes  = 1024
)
