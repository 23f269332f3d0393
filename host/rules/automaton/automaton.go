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

import "fmt"

// Bounds of what is built.
const (
	MaxPattern = 1000    // bytes of a regular expression
	MaxSteps   = 10_000  // steps of a regular expression, its repetitions written out
	MaxStates  = 10_000  // states of its automaton
	MaxTable   = 1 << 20 // bytes of an automaton's table

	MaxTexts     = 100_000   // of a list
	MaxTextBytes = 4 << 20   // of all texts of a list
	MaxNetworks  = 100_000   // of a list
	MaxNodes     = 2_500_000 // of a list's trie, of 9 bytes each
)

// Bounds of the construction of a regular expression's automaton; what is
// within the bounds above but beyond these is most unusual.
const (
	maxCells = 1 << 20 // transitions, by class of bytes, before minimization
	maxWork  = 1 << 23 // instructions and items looked at
)

// checkTexts says whether a list is too long.
func checkTexts(texts []string) error {
	if len(texts) > MaxTexts {
		return fmt.Errorf("a list of %d texts, and %d are allowed", len(texts), MaxTexts)
	}
	size := 0
	for _, text := range texts {
		size += len(text)
	}
	if size > MaxTextBytes {
		return fmt.Errorf("a list of texts of %d bytes, and %d are allowed", size, MaxTextBytes)
	}
	return nil
}
