package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/seed-6a2d649b/pharos/host/pipeline"
	"github.com/spf13/cobra"
)

func newReload() *cobra.Command {
	var host hostFlags
	var dry bool
	c := &cobra.Command{
		Use:   "reload [-c FILE | --addr URL] [--dry-run]",
		Short: "Have a running host read its config file anew",
		Long: `Reload has a running host read its config file anew, check it, and publish it as
the next generation, which all hosts of the group then put in force. Sessions go
on; no figure of the past changes. What is wrong with the file, or can not change
while Pharos runs, is said, and the generation before goes on.

The host is found by --addr, or by http.listen of the config FILE.`,
		Example: `  pharos reload --dry-run
  pharos reload -c pharos.yaml
  pharos reload --addr http://127.0.0.1:7071`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), 5*time.Minute)
			defer cancel()
			addr, err := host.address(c)
			if err != nil {
				return err
			}
			answer, err := pipeline.AskReload(ctx, addr, dry)
			if errors.Is(err, pipeline.ErrRefused) {
				return usageError{err}
			} else if err != nil {
				return err
			}
			return pipeline.WriteReload(c.OutOrStdout(), answer, dry)
		},
	}
	host.add(c)
	c.Flags().BoolVar(&dry, "dry-run", false, "only say what would change")
	return c
}

// hostFlags say which running host is meant.
type hostFlags struct{ file, addr string }

func (h *hostFlags) add(c *cobra.Command) {
	configFlag(c, &h.file)
	c.Flags().StringVar(&h.addr, "addr", "http://127.0.0.1:7070", "address of the host")
}

// address is where the host is.
func (h *hostFlags) address(c *cobra.Command) (string, error) {
	if h.file == "" || c.Flags().Changed("addr") {
		return withScheme(h.addr), nil
	}
	cfg, err := load(c.Context(), h.file)
	if err != nil {
		return "", err
	}
	return withScheme(cfg.HTTP.Listen), nil
}

func withScheme(addr string) string {
	if !strings.Contains(addr, "://") {
		return "http://" + addr
	}
	return addr
}
