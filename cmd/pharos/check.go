package main

import (
	"fmt"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/pipeline"
	"github.com/spf13/cobra"
)

func newCheck() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "check -c FILE",
		Short: "Validate a config file and say what it means",
		Long: `Check reads a config file, loads its plugins, runs their golden vectors, compiles
its rules and formulas, and says in plain words what the file means. Every fault
is reported at once, with file, line and column.`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := load(c.Context(), file)
			if err != nil {
				return err
			}
			if err := pipeline.Check(c.Context(), cfg); err != nil {
				return err
			}
			fmt.Fprint(c.OutOrStdout(), config.Explain(cfg))
			return nil
		},
	}
	configFlag(c, &file)
	return c
}

func newConfig() *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "About the config file", Args: cobra.ArbitraryArgs, RunE: helpOrUnknown}
	c.AddCommand(&cobra.Command{
		Use:   "docs",
		Short: "Print the reference of every key, as Markdown",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(c.OutOrStdout(), config.Docs())
			return err
		},
	})
	return c
}
