// Package automaton builds the tables by which compiled rules look at texts:
// automata of regular expressions and of sets of substrings, perfect hashes of
// sets of texts, and ranges of addresses.
//
// Each is a few flat tables and one plain loop over them. The loops are
// written here in Go, and a compiler of rules emits the same loops over the
// same tables: what this package's tests say of the loops holds for both. The
// tables are a function of what they are built of, are bounded in size, and so
// is the work to build them.
package automaton

// Bounds of what is built.
const (
	MaxPattern = 1000    // bytes of a regular expression
	MaxSteps   = 10_000  // steps of a regular expression, its repetitions written out
	MaxStates  = 10_000  // states of its automaton
	MaxTable   = 1 << 20 // bytes of an automaton's table
)

// Bounds of the construction of a regular expression's automaton; what is
// within the bounds above but beyond these is most unusual.
const (
	maxCells = 1 << 20 // transitions, by class of bytes, before minimization
	maxWork  = 1 << 23 // instructions and items looked at
)
