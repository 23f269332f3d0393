package automaton

import (
	"fmt"
	"regexp/syntax"
	"strings"
)

// Regexp gives the automaton of a regular expression: of a text in UTF-8 it
// says what regexp.MatchString says. Of any other bytes it says something.
func Regexp(pattern string) (*DFA, error) {
	program, err := program(pattern)
	if err != nil {
		return nil, err
	}
	d, err := determined(program)
	if err != nil {
		return nil, fmt.Errorf("%w: anchor it with ^, make repetitions such as {20} smaller, write [a-z] for \\pL, or make several of it", err)
	}
	return d, nil
}

func determined(program *syntax.Prog) (*DFA, error) {
	g, err := determine(program)
	if err != nil {
		return nil, err
	}
	return g.minimize().pack()
}

// program is a pattern's, if it is not too large.
func program(pattern string) (*syntax.Prog, error) {
	if len(pattern) > MaxPattern {
		return nil, fmt.Errorf("a regular expression of %d bytes, and %d are allowed", len(pattern), MaxPattern)
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("%s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	if n := steps(tree); n > MaxSteps {
		return nil, fmt.Errorf("a regular expression of %d steps, its repetitions written out, and %d are allowed: make them smaller", n, MaxSteps)
	}
	return syntax.Compile(tree.Simplify())
}

// steps is about the size of the program that syntax.Compile makes.
func steps(tree *syntax.Regexp) int {
	n := 1
	switch tree.Op {
	case syntax.OpLiteral:
		return max(1, len(tree.Rune))
	case syntax.OpConcat:
		n = 0
	}
	for _, sub := range tree.Sub {
		n += steps(sub)
	}
	if tree.Op == syntax.OpRepeat {
		return n * max(1, tree.Min, tree.Max)
	}
	return n
}
