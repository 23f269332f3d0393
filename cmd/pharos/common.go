package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/hashicorp/go-hclog"
	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/pipeline"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func configFlag(c *cobra.Command, file *string) {
	c.Flags().StringVarP(file, "config", "c", "", "config file (see 'pharos config docs')")
}

func load(ctx context.Context, file string) (*config.Config, error) {
	if file == "" {
		return nil, usagef("-c is missing: name the config file, or try 'pharos up --demo'")
	}
	cfg, err := pipeline.Load(ctx, file)
	if err != nil {
		return nil, usageError{err}
	}
	return cfg, nil
}

// loadFor is load for a host, which may be told to listen elsewhere.
func loadFor(ctx context.Context, file, listen string) (*config.Config, error) {
	cfg, err := load(ctx, file)
	return listenAt(cfg, err, listen)
}

func listenAt(cfg *config.Config, err error, listen string) (*config.Config, error) {
	if err == nil && listen != "" {
		cfg.HTTP.Listen = listen
	}
	return cfg, err
}

// hostOptions has SIGHUP, and changes of files, reload the config; stop ends that.
func hostOptions(read func(context.Context) (*config.Config, error), watch bool, losses []string) (o pipeline.HostOptions, stop func()) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	return pipeline.HostOptions{Load: read, Reload: hup, Watch: watch, AcceptLoss: losses}, func() { signal.Stop(hup) }
}

func watchFlag(c *cobra.Command, watch *bool) {
	c.Flags().BoolVar(watch, "watch", false, "reload when the config file changes, or a file that it includes, a module or a data file")
}

func lossFlag(c *cobra.Command, losses *[]string) {
	c.Flags().StringArrayVar(losses, "accept-loss", nil, "TOPIC/PARTITION to go on with although something of it is lost; may be repeated")
}

// newLogger logs for people on a terminal and as JSON otherwise.
func newLogger(level string) hclog.Logger {
	terminal := term.IsTerminal(int(os.Stderr.Fd()))
	o := &hclog.LoggerOptions{Name: "pharos", Level: hclog.LevelFromString(level), Output: os.Stderr, JSONFormat: !terminal}
	if terminal {
		o.Color = hclog.AutoColor
		o.TimeFormat = "15:04:05"
	}
	return hclog.New(o)
}

func logFlag(c *cobra.Command, level *string) {
	c.Flags().StringVar(level, "log-level", "info", "trace, debug, info, warn or error")
}

// progress shows how far a long job is: over one line on a terminal, a line each
// time otherwise.
func progress(out *os.File) func(format string, args ...any) {
	terminal := term.IsTerminal(int(out.Fd()))
	return func(format string, args ...any) {
		if terminal {
			fmt.Fprintf(out, "\r\x1b[K"+format, args...)
			return
		}
		fmt.Fprintf(out, format+"\n", args...)
	}
}
