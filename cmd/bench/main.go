// Command bench measures what the dispatch and session stages cost: CPU seconds
// per million beacons, beside a bare read and a bare copy of the same beacons
// by the same Kafka client.
//
//	go run ./cmd/bench [-beacons N] [-brokers ADDR] [-cpuprofile DIR]
//
// Every job is a process of its own, whose CPU time is what the system charged
// it with, start-up included. The broker is another process and counts for
// nobody. The command fails if a job has not done its work: everything read,
// nothing lost or doubled, and every figure equal to a replay of the same
// beacons. The table goes to standard output, progress to standard error.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	if spec := os.Getenv(childVariable); spec != "" {
		if err := child(spec); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := bench(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.As(err, new(usageError)):
		os.Exit(2) // said already
	default:
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// usageError is wrong use of the command.
type usageError struct{ error }

// options are those of the command line.
type options struct {
	beacons    int64
	brokers    string // empty: an embedded one
	profileDir string // empty: no profiles
	stderr     io.Writer
}

// bench runs the command with arguments.
func bench(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o := options{stderr: stderr}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Int64Var(&o.beacons, "beacons", 1_000_000, "how many beacons")
	flags.StringVar(&o.brokers, "brokers", "", "brokers of a Kafka cluster, `host:port,…`; without, an embedded one")
	flags.StringVar(&o.profileDir, "cpuprofile", "", "write CPU profiles of the stages to `DIR`")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return usageError{err}
	}
	if o.beacons < 1 || flags.NArg() > 0 {
		err := usageError{errors.New("bench takes flags only, and at least one beacon")}
		fmt.Fprintln(stderr, err)
		return err
	}
	rows, err := run(ctx, o)
	if err != nil {
		return err
	}
	_, err = io.WriteString(stdout, table(rows))
	return err
}

func (o *options) say(format string, args ...any) {
	fmt.Fprintf(o.stderr, strings.TrimSuffix(format, "\n")+"\n", args...)
}
