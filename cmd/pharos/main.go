// Command pharos turns beacons into exact experiment figures: see pharos --help.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/fetch"
	"github.com/seed-6a2d649b/pharos/host/pipeline"
	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	ctx = fetch.Tell(ctx, func(text string) { fmt.Fprintln(os.Stderr, "pharos: "+text) })
	os.Exit(execute(ctx, os.Args[1:]))
}

func execute(ctx context.Context, args []string) int {
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	var faults config.Faults
	if errors.As(err, &faults) {
		fmt.Fprintln(os.Stderr, err)
		return exitUsage
	}
	fmt.Fprintln(os.Stderr, "pharos:", err)
	var usage usageError
	var asked *pipeline.UsageError
	if errors.As(err, &usage) || errors.As(err, &asked) {
		return exitUsage
	}
	return exitFailed
}

// usageError is a command line that is wrong.
type usageError struct{ error }

// Unwrap gives the cause.
func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:     "pharos",
		Version: pipeline.Version(),
		Short:   "Beacons in, exact experiment figures out",
		Long: `Pharos consumes beacons (page views, clicks, orders, server log lines) from
Kafka, filters and routes them with WebAssembly plugins, keeps sessions, and
turns them into figures of A/B experiments that are right to the last digit,
served as charts within seconds.

Start here:
  pharos up --demo                   everything in one process, with a generated shop
  pharos replay -c FILE --in F       figures of a file of beacons, no broker needed
  pharos check -c FILE               what a config file means
  pharos config docs                 every key of the config file`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.ArbitraryArgs,
		RunE:          helpOrUnknown,
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usagef("%w\nSee '%s --help'", err, c.CommandPath())
	})
	root.AddCommand(newUp(), newRun(), newReplay(), newSend(), newGenerate(), newCheck(), newConfig(), newPlugin(), newRules(), newInterest(), newStatus(), newReload(), newRepartition(), newSnapshots(), newStore(), newCompare())
	root.SuggestionsMinimumDistance = 2
	return root
}

// helpOrUnknown is what a command does that only has commands below it.
func helpOrUnknown(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return c.Help()
	}
	hint := ""
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf(", did you mean %q?", near[0])
	}
	return usagef("%s has no command %q%s\nSee '%s --help'", c.CommandPath(), args[0], hint, c.CommandPath())
}
