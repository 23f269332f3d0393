package main

import (
	"encoding/json"
	"fmt"

	"github.com/seed-6a2d649b/pharos/host/pipeline"
	"github.com/spf13/cobra"
)

func newPluginDiff() *cobra.Command {
	var host hostFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "diff NAME [-c FILE | --addr URL]",
		Short: "Say how a new version of a plugin differs from the one before",
		Long: `Diff asks a running host how the versions of a plugin differ: in a shadow, of how
many beacons the new version says something else, what, and of which; in a canary,
at how many each version failed. It is of this host only, since the phase began.`,
		Example: `  pharos plugin diff bots
  pharos plugin diff bots --json --addr http://127.0.0.1:7071`,
		Args: takes("the plugin"),
		RunE: func(c *cobra.Command, args []string) error {
			addr, err := host.address(c)
			if err != nil {
				return err
			}
			report, err := pipeline.AskDiff(c.Context(), addr, args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(report)
			}
			return pipeline.WriteDiff(c.OutOrStdout(), report)
		},
	}
	host.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "as the API answers, with more samples")
	return c
}

func newPluginPromote() *cobra.Command {
	return newByHand("promote", "Have a new version of a plugin decide",
		`Promote has the version of a plugin that the config names decide, whatever its
shadow or canary says of it by now. One that was rolled back or taken out is live
again.`)
}

func newPluginRollback() *cobra.Command {
	return newByHand("rollback", "Have the version of a plugin before decide",
		`Rollback has the version of a plugin decide that was live before the one that the
config names. It stays so until the config names another one, or until the plugin is
promoted.`)
}

// newByHand is a command that publishes a generation in which a plugin is in another
// phase.
func newByHand(action, short, long string) *cobra.Command {
	var host hostFlags
	c := &cobra.Command{
		Use:   action + " NAME [-c FILE | --addr URL]",
		Short: short,
		Long: long + `

It is published as the next generation, which all hosts of the group put in force.`,
		Example: "  pharos plugin " + action + " bots",
		Args:    takes("the plugin"),
		RunE: func(c *cobra.Command, args []string) error {
			addr, err := host.address(c)
			if err != nil {
				return err
			}
			answer, err := pipeline.AskPhase(c.Context(), addr, args[0], action)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "published generation %d: %s is %s\n", answer.Generation, answer.Plugin, answer.Phase)
			return err
		},
	}
	host.add(c)
	return c
}
