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
	var file, addr string
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
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), 5*time.Minute)
			defer cancel()
			if file != "" && !c.Flags().Changed("addr") {
				cfg, err := load(ctx, file)
				if err != nil {
					return err
				}
				addr = cfg.HTTP.Listen
			}
			answer, err := pipeline.AskReload(ctx, withScheme(addr), dry)
			if errors.Is(err, pipeline.ErrRefused) {
				return usageError{err}
			} else if err != nil {
				return err
			}
			return pipeline.WriteReload(c.OutOrStdout(), answer, dry)
		},
	}
	configFlag(c, &file)
	c.Flags().StringVar(&addr, "addr", "http://127.0.0.1:7070", "address of the host")
	c.Flags().BoolVar(&dry, "dry-run", false, "only say what would change")
	return c
}

func withScheme(addr string) string {
	if !strings.Contains(addr, "://") {
		return "http://" + addr
	}
	return addr
}
