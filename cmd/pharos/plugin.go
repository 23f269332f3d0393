package main

import (
	"errors"
	"fmt"
	"io/fs"
	"text/tabwriter"

	"github.com/seed-6a2d649b/pharos/host/plugin"
	"github.com/spf13/cobra"
)

func newPlugin() *cobra.Command {
	c := &cobra.Command{Use: "plugin", Short: "For authors of plugins", Args: cobra.ArbitraryArgs, RunE: helpOrUnknown}
	c.AddCommand(newPluginNew(), newPluginBuild(), newPluginTest(), newPluginRun(), newPluginBench())
	c.AddCommand(newPluginKeygen(), newPluginSign(), newPluginVerify(), newPluginPush(), newPluginPull(), newPluginLs())
	c.AddCommand(&cobra.Command{
		Use:     "inspect FILE.wasm",
		Short:   "Say what a module is, wants and answers, and what is wrong with it",
		Example: "  pharos plugin inspect plugins/bots/bots.wasm",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			i, err := plugin.Inspect(c.Context(), args[0])
			if errors.Is(err, fs.ErrNotExist) {
				return usageError{err}
			}
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			writeInspection(w, i)
			if err := w.Flush(); err != nil {
				return fmt.Errorf("write: %w", err)
			}
			if len(i.Problems) > 0 {
				return fmt.Errorf("%s would not load: see each PROBLEM above", args[0])
			}
			return nil
		},
	})
	return c
}
