package main

import (
	"fmt"

	"github.com/seed-6a2d649b/pharos/host/pipeline"
	"github.com/spf13/cobra"
)

func newStore() *cobra.Command {
	c := &cobra.Command{
		Use:   "store",
		Short: "Prepare the stores of a config",
		Args:  cobra.ArbitraryArgs,
		RunE:  helpOrUnknown,
	}
	c.AddCommand(newStoreInit())
	return c
}

func newStoreInit() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "init -c FILE NAME",
		Short: "Make what a store needs before it is written",
		Long: `Init makes in a store of the config what must be there before Pharos writes to it:
in Elasticsearch the template of the indices, in InfluxDB the database, in M3DB the
namespace, each with the retention that the config names, where the store has one. It
says what it has made. The other stores need nothing. It may be run again.`,
		Example: "  pharos store init -c shop.yaml es",
		Args:    takes("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := load(c.Context(), file)
			if err != nil {
				return err
			}
			made, err := pipeline.InitStore(c.Context(), cfg, args[0], newLogger("warn"))
			if err != nil {
				return err
			}
			if len(made) == 0 {
				fmt.Fprintf(c.OutOrStdout(), "%s: a store of this type needs nothing\n", args[0])
			}
			for _, what := range made {
				fmt.Fprintf(c.OutOrStdout(), "%s: made %s\n", args[0], what)
			}
			return nil
		},
	}
	configFlag(c, &file)
	return c
}
