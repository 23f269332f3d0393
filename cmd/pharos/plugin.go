package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/seed-6a2d649b/pharos/host/plugin"
	"github.com/spf13/cobra"
)

func newPlugin() *cobra.Command {
	c := &cobra.Command{
		Use: "plugin", Short: "For authors of plugins, and for those who run them", Args: cobra.ArbitraryArgs, RunE: helpOrUnknown,
		Long: `A plugin is a WebAssembly module that drops beacons (a filter), sends them to routes
(a splitter) or turns them into measurements (an extractor). From nothing to one that
others run:

  pharos plugin new --lang c bad-referers && cd bad-referers
  pharos plugin test                                     build it and try it
  pharos plugin run bad-referers.wasm --in beacons.gz    what it decides
  pharos plugin bench bad-referers.wasm                  what it costs
  pharos plugin sign, push                               hand it out

docs/plugins.md says the rest. Where a condition on a few fields is enough, write rules
in the config: docs/rules.md.`,
	}
	c.AddCommand(newPluginNew(), newPluginBuild(), newPluginTest(), newPluginRun(), newPluginBench())
	c.AddCommand(newPluginKeygen(), newPluginSign(), newPluginVerify(), newPluginPush(), newPluginPull(), newPluginLs())
	c.AddCommand(newPluginDiff(), newPluginPromote(), newPluginRollback())
	c.AddCommand(&cobra.Command{
		Use:     "inspect FILE.wasm|URL",
		Short:   "Say what a module is, wants and answers, and what is wrong with it",
		Example: "  pharos plugin inspect plugins/bots/bots.wasm",
		Args:    takes("the module"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := moduleArgument(args[0]); err != nil {
				return err
			}
			i, err := plugin.Inspect(c.Context(), args[0])
			if err != nil {
				return blamed(err)
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
