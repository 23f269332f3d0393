package main

import (
	"fmt"
	"strings"

	"github.com/seed-6a2d649b/pharos/host/author"
	"github.com/spf13/cobra"
)

func newPluginNew() *cobra.Command {
	b := author.Beginning{}
	c := &cobra.Command{
		Use:   "new --lang " + strings.Join(author.Languages(), "|") + " [--kind " + strings.Join(author.Kinds(), "|") + "] NAME",
		Short: "Begin a plugin: a project that builds, with the SDK in it",
		Long: `New writes the folder NAME with a small plugin that works: its source, the SDK's
files, golden vectors, a README, and native tests where the language has them.
The language's own tools build it without a network, and nothing is written over.

A filter drops beacons, a splitter sends them to routes, an extractor turns them
into measurements; the kind session is an extractor that keeps cells with sessions and
measures them when they end. Where a condition on a few fields is enough, write rules in the
config instead: docs/rules.md.`,
		Example: `  pharos plugin new --lang c bad-referers
  cd bad-referers
  pharos plugin test`,
		Args: takes("the plugin"),
		RunE: func(c *cobra.Command, args []string) error {
			if b.Language == "" {
				return usagef("--lang is missing: one of %s", strings.Join(author.Languages(), ", "))
			}
			b.Dir = args[0]
			written, err := author.New(b)
			if err != nil {
				return usageError{err}
			}
			own := 0
			for _, path := range written {
				if !strings.HasPrefix(path, "pharos/") { // what is there is the SDK
					fmt.Fprintf(c.OutOrStdout(), "%s/%s\n", b.Dir, path)
					own++
				}
			}
			if sdk := len(written) - own; sdk > 0 {
				fmt.Fprintf(c.OutOrStdout(), "and %d files of the SDK\n", sdk)
			}
			fmt.Fprintf(c.OutOrStdout(), "\nNext:\n  cd %s\n  pharos plugin test\n", b.Dir)
			return nil
		},
	}
	c.Flags().StringVar(&b.Language, "lang", "", "language: "+strings.Join(author.Languages(), ", "))
	c.Flags().StringVar(&b.Kind, "kind", "filter", "kind of plugin: "+strings.Join(author.Kinds(), ", "))
	return c
}
