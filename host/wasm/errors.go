package wasm

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/seed-6a2d649b/pharos/host/wasm/fuel"
)

// Cause is why an instance is dead.
type Cause string

// The causes.
const (
	Trap      Cause = "trap"          // the guest trapped, or called proc_exit
	OutOfFuel Cause = "out of fuel"   // a call did more work than it may
	Violation Cause = "abi violation" // the guest broke a rule of abi/SPEC.md
	Failed    Cause = "error"         // the guest said that it failed
)

// TrapError says that a guest failed. Its instance is dead: make a new one, and
// split the batch to find the guilty rows.
type TrapError struct {
	Module   string // the plugin's name
	Function string // the export that was called
	Cause    Cause
	Detail   string // one line
	Stack    string // wasm stack, a function a line; may be empty
	Output   string // the first 2 KiB that the call wrote to stdout and stderr
	err      error
}

func (e *TrapError) Error() string {
	return fmt.Sprintf("plugin %s: %s: %s: %s", e.Module, e.Function, e.Cause, e.Detail)
}

func (e *TrapError) Unwrap() error { return e.err }

// ConfigError says that a guest refused its config, in its own words. The
// instance is gone.
type ConfigError struct {
	Module string
	Text   string
	Fuel   uint64 // that it took to say so
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("plugin %s: refuses its config: %s", e.Module, e.Text)
}

// ErrDead is returned by calls of an instance that died or was closed.
var ErrDead = errors.New("the instance is dead")

// stackMark is what wazero puts between its message and the stack.
const stackMark = "\nwasm stack trace:\n"

// kill marks the instance dead and says why.
func (i *Instance) kill(function string, cause Cause, err error) *TrapError {
	e := &TrapError{Module: i.module.name, Function: function, Cause: cause, err: err, Output: string(i.output.text)}
	detail, stack, _ := strings.Cut(err.Error(), stackMark)
	e.Detail = strings.TrimSuffix(strings.TrimPrefix(detail, "wasm error: "), " (recovered by wazero)")
	e.Stack = strings.ReplaceAll(stack, "\t", "")
	switch { // where the trap is the host's
	case cause == OutOfFuel:
		e.Detail = fmt.Sprintf("did more work than its fuel of %d allows", i.allowed())
		if i.layout == nil && i.module.hidden != "" {
			e.Detail += " (it has less than others before the first batch, as each of its instances must start anew: " + i.module.hidden + ")"
		}
	case cause == Trap && i.overflowed():
		e.Detail = fmt.Sprintf("stack overflow: its calls go deeper than the stack of %d MiB allows", fuel.Stack>>20)
	}
	// A panic of a language is an "unreachable"; its text is in the output.
	if said, _, _ := strings.Cut(e.Output, "\n"); said != "" && cause == Trap {
		e.Detail += ": " + printable([]byte(said))
	}
	i.dead = e
	return e
}

// overflowed reports whether the last call went too deep.
func (i *Instance) overflowed() bool { return i.depth != nil && int32(i.depth.Get()) < 0 }

// printable is a guest's text as one line that is safe to log.
func printable(b []byte) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(b), "?"))
}
