package main

import (
	"strconv"

	"github.com/seed-6a2d649b/pharos/host/pipeline"
	"github.com/spf13/cobra"
)

func newRepartition() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "repartition ROUTE N -c FILE",
		Short: "Give a route another number of partitions while it runs",
		Long: `Repartition gives a route a new topic with N partitions, and publishes that as the
next generation. The hosts that run write the route's beacons there from then on,
and move its sessions; no session is torn, and no figure changes by it.

Then write partitions: N for the route in the config file.`,
		Example: `  pharos repartition web 8 -c pharos.yaml`,
		Args:    takes("the route", "its number of partitions"),
		RunE: func(c *cobra.Command, args []string) error {
			n, err := strconv.ParseInt(args[1], 10, 32)
			if err != nil {
				return usagef("%q is no number of partitions", args[1])
			}
			cfg, err := load(c.Context(), file)
			if err != nil {
				return err
			}
			return pipeline.Repartition(c.Context(), cfg, pipeline.RepartitionOptions{
				Route: args[0], Partitions: int32(n), Log: newLogger("warn"), Out: c.OutOrStdout(),
			})
		},
	}
	configFlag(c, &file)
	return c
}
