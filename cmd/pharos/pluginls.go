package main

import (
	"context"
	"time"

	"github.com/seed-6a2d649b/pharos/host/pipeline"
	"github.com/spf13/cobra"
)

func newPluginLs() *cobra.Command {
	var host hostFlags
	var all bool
	c := &cobra.Command{
		Use:   "ls [NAME] [--all] [-c FILE | --addr URL]",
		Short: "List the plugins of a running host; of one, what it has gone through",
		Long: `Ls lists the versions of plugins that a host runs: what state each is in and since when,
how many beacons it has answered, with how much fuel a beacon, and at how many it failed.
With a NAME it shows the life of that plugin step by step with times: fetched, verified,
metered, compiled, checked, configured, tried by its golden vectors, live.

With --all also the versions that only open sessions still need, and the last ones that
were closed or refused.`,
		Example: `  pharos plugin ls
  pharos plugin ls clicks --all --addr http://127.0.0.1:7071`,
		Args: mayTake,
		RunE: func(c *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), 10*time.Second)
			defer cancel()
			addr, err := host.address(c)
			if err != nil {
				return err
			}
			s, _, err := pipeline.AskStatus(ctx, addr)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				return pipeline.WriteLives(c.OutOrStdout(), s, args[0], all)
			}
			return pipeline.WritePlugins(c.OutOrStdout(), s, all)
		},
	}
	host.add(c)
	c.Flags().BoolVar(&all, "all", false, "also versions that drain, were closed or refused")
	return c
}
