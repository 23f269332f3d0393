package wasm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/tetratelabs/wazero/sys"
)

// Cause is why an instance is dead.
type Cause string

// The causes.
const (
	Trap      Cause = "trap"          // the guest trapped, or called proc_exit
	Timeout   Cause = "timeout"       // a call took too long
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
	e := &TrapError{Module: i.module.name, Function: function, Cause: cause, err: err, Output: string(i.guard.output)}
	var exit *sys.ExitError
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &exit) && exit.ExitCode() == sys.ExitCodeDeadlineExceeded {
		e.Cause, e.Detail = Timeout, "took longer than is allowed"
	} else {
		detail, stack, _ := strings.Cut(err.Error(), stackMark)
		e.Detail = strings.TrimSuffix(strings.TrimPrefix(detail, "wasm error: "), " (recovered by wazero)")
		e.Stack = strings.ReplaceAll(stack, "\t", "")
		// A panic of a language is an "unreachable"; its text is in the output.
		if said, _, _ := strings.Cut(e.Output, "\n"); said != "" && cause == Trap {
			e.Detail += ": " + printable([]byte(said))
		}
	}
	i.dead = e
	return e
}

// printable is a guest's text as one line that is safe to log.
func printable(b []byte) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(b), "?"))
}
