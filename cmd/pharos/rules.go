package main

import (
	"errors"

	"github.com/seed-6a2d649b/pharos/host/author"
	"github.com/spf13/cobra"
)

func newRules() *cobra.Command {
	c := &cobra.Command{
		Use: "rules", Short: "For authors of rules: try them, explain them, build a module of them", Args: cobra.ArbitraryArgs, RunE: helpOrUnknown,
		Long: `Rules are conditions over a beacon's fields that drop beacons, send them to routes or
measure them; a plugin of the config has them in the place of a module. These commands
take a config, or a file of rules that stands on its own, tests beside them:

  # noise.yaml
  drop:
    - {reason: asset, when: 'path.endsWith(".css") || path.endsWith(".js")'}
    - {reason: probe, when: 'agent in ["uptime", "healthcheck"]'}
  tests:
    - {beacon: {path: /a.css, agent: Mozilla}, expect: asset}
    - {beacon: {path: /cart, agent: uptime}, expect: probe}
    - {beacon: {path: /cart}, expect: null}

  pharos rules test noise.yaml                    the tests, and whether all is pure
  pharos rules explain noise.yaml                 what is read, what it costs, what can not be
  pharos rules build noise.yaml -o noise.wasm     a module, as 'module:' takes it

In a config the same stands below 'rules:' of a plugin. docs/rules.md says the rest.`,
	}
	c.AddCommand(newRulesTest(), newRulesExplain(), newRulesBuild())
	return c
}

func pluginFlag(c *cobra.Command, plugin *string) {
	c.Flags().StringVar(plugin, "plugin", "", "of a config: the plugin whose rules are meant; without it all that have rules")
}

// loadRules reads rules; what is wrong with them is said as of a config.
func loadRules(path, plugin string) ([]*author.RuleSet, error) {
	all, err := author.LoadRules(path, plugin)
	var none *author.NoRulesError
	if errors.As(err, &none) {
		return nil, usageError{err}
	}
	return all, blamed(err)
}
