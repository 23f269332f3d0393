package main

import (
	"context"
	"time"

	"github.com/seed-6a2d649b/pharos/host/pipeline"
	"github.com/spf13/cobra"
)

func newStatus() *cobra.Command {
	var host hostFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "status [-c FILE | --addr URL]",
		Short: "Say what a running host does",
		Example: `  pharos status
  pharos status --addr http://127.0.0.1:7071 --json`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), 10*time.Second)
			defer cancel()
			addr, err := host.address(c)
			if err != nil {
				return err
			}
			s, text, err := pipeline.AskStatus(ctx, addr)
			if err != nil {
				return err
			}
			if asJSON {
				_, err := c.OutOrStdout().Write(text)
				return err
			}
			return pipeline.WriteStatus(c.OutOrStdout(), s)
		},
	}
	host.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print the answer as it is")
	return c
}
