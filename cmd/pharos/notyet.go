package main

import "github.com/spf13/cobra"

// notYet are commands that will be there, and what helps until then.
var notYet = map[string][]struct{ name, instead string }{
	"pharos": {
		{"rules", "write rules in the config; 'pharos check' checks them, 'pharos replay' tries them on a file"},
	},
}

// addNotYet makes a command refuse what it will once do.
func addNotYet(c *cobra.Command) {
	for _, later := range notYet[c.CommandPath()] {
		c.AddCommand(&cobra.Command{
			Use: later.name, Hidden: true, DisableFlagParsing: true,
			RunE: func(c *cobra.Command, _ []string) error {
				return usagef("%s is not there yet: %s", c.CommandPath(), later.instead)
			},
		})
	}
}
