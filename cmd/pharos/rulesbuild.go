package main

import (
	"fmt"

	"github.com/seed-6a2d649b/pharos/host/author"
	"github.com/spf13/cobra"
)

func newRulesBuild() *cobra.Command {
	var out, plugin string
	c := &cobra.Command{
		Use:   "build FILE -o FILE.wasm [--plugin NAME]",
		Short: "Build a module of rules",
		Long: `Build compiles rules to a WebAssembly module: the same that a host makes of them when
it loads a config. The tests beside the rules become golden vectors in it, so every
host that loads the module runs them. Who has the module needs no rules: a config names
it as any other, with the digest that is said here.`,
		Example: "  pharos rules build noise.yaml -o noise.wasm\n  pharos rules build pharos.yaml --plugin noise -o noise.wasm",
		Args:    takes("the rules"),
		RunE: func(c *cobra.Command, args []string) error {
			if out == "" {
				return usagef("-o is missing: name the file of the module")
			}
			all, err := loadRules(args[0], plugin)
			if err != nil {
				return err
			}
			if len(all) > 1 {
				return usagef("%s has several plugins with rules: name one with --plugin: %s", args[0], ruleNames(all))
			}
			built, err := author.BuildRules(all[0], out)
			if err != nil {
				return blamed(err)
			}
			fmt.Fprintf(c.OutOrStdout(), "built %s from %s: %s of %s, %s, %s\n", built.Path, built.Language,
				whatItIs[all[0].Kind], counted(len(all[0].Program.Checked()), "rule"), bytesOf(built.Size), built.Digest)
			if n := all[0].Vectors(); n > 0 {
				fmt.Fprintf(c.OutOrStdout(), "with %s\n", counted(n, "golden vector"))
			}
			return nil
		},
	}
	c.Flags().StringVarP(&out, "output", "o", "", "file to write the module to")
	pluginFlag(c, &plugin)
	return c
}

func ruleNames(all []*author.RuleSet) string {
	names := ""
	for i, s := range all {
		if i > 0 {
			names += ", "
		}
		names += s.Name
	}
	return names
}
