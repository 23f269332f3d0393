package fuel

import (
	"errors"
	"fmt"
)

// ErrTooLarge is a module that an engine could not compile in the time and memory
// that there are. An engine's work on a function grows with the square of its blocks,
// so a module of some KB could take minutes and GBs; what compilers make stays far
// below these bounds.
var ErrTooLarge = errors.New("the module is too large")

// Bounds of a function. The largest ones of SQLite and of Go's runtime have some 2000
// blocks, 20,000 instructions, and a width of 110,000.
const (
	maxInstructions = 65_536  // one more for each label of a br_table, each value of a call, each global after it
	maxBlocks       = 4_096   // block, loop, if, else, br_if, br_table
	maxWidth        = 1 << 20 // locals, globals that change, and a block's own values, of each block
	maxLocals       = 50_000
	maxValues       = 1_000 // parameters, results
)

// Bounds of a module. Locals, values and functions are as other engines bound them.
// https://webassembly.github.io/spec/js-api/#limits
const (
	maxTypes     = 10_000
	maxImports   = 1_000
	maxFunctions = 100_000
	maxGlobals   = 10_000
	maxExports   = 10_000
	maxSegments  = 100_000 // of data
	maxElements  = 4 << 20 // bytes of the section
	maxNames     = 8 << 20 // bytes of the section
	maxEffort    = 1 << 28 // of all functions together: see effort
)

// atMost fails where something is more than its bound.
func (r *reader) atMost(what string, n, most int) bool {
	if n > most && r.err == nil {
		r.fail("%w: %d %s, at most %d are allowed", ErrTooLarge, n, what, most)
	}
	return r.err == nil
}

// size is what a function costs an engine to compile.
type size struct {
	instructions, blocks, width int
	values                      int // the most that a block takes or gives
}

// add takes note of an instruction. arity is that of what it calls, or of the block
// that it begins; variables are locals, and globals that change: engines keep these
// too, and read them anew after each call.
func (s *size) add(i *instruction, locals, globals, arity int) {
	s.instructions++
	variables := locals + globals
	switch i.op {
	case opBlock, opLoop, opIf:
		s.values = max(s.values, arity)
		s.blocks++
		s.width += variables + arity
	case opElse, opBrIf:
		s.blocks++
		s.width += variables
	case opBrTable:
		s.blocks++
		s.width += variables
		s.instructions += int(i.index) * (1 + s.values)
	case opCall, opReturnCall, opCallIndirect, opReturnCallIndirect, opMemoryGrow, opBulk:
		s.instructions += arity + globals
	}
}

// check fails where a function is too large.
func (s *size) check(r *reader) {
	_ = r.atMost("instructions in a function, labels of tables, values of calls and globals at calls too", s.instructions, maxInstructions) &&
		r.atMost("blocks and branches in a function", s.blocks, maxBlocks) &&
		r.atMost("locals and globals in a function, counted at each of its blocks and branches", s.width, maxWidth)
}

// effort is about what a function takes an engine, beside what goes with its length.
func (s *size) effort() int { return s.blocks*s.blocks + 8*s.width }

// checkEffort fails where all functions together take too long.
func (m *module) checkEffort() error {
	if m.effort > maxEffort {
		return fmt.Errorf("%w: its functions together have %d square blocks, at most %d are allowed: make it of smaller functions", ErrTooLarge, m.effort, maxEffort)
	}
	return nil
}
