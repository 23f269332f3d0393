package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/seed-6a2d649b/pharos/host/author"
	"github.com/seed-6a2d649b/pharos/host/fetch"
	"github.com/seed-6a2d649b/pharos/host/plugin"
	"github.com/spf13/cobra"
)

// takes wants an argument for each thing that is named, no more and no fewer.
func takes(what ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < len(what) {
			return usagef("name %s: %s", strings.Join(what[len(args):], " and "), synopsis(c))
		}
		return noMore(c, args[len(what):])
	}
}

// mayTake allows for one argument.
func mayTake(c *cobra.Command, args []string) error { return noMore(c, args[min(len(args), 1):]) }

func noMore(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usagef("%q is one argument too many: %s", args[0], synopsis(c))
}

// synopsis is how a command is called, and where to read more.
func synopsis(c *cobra.Command) string {
	return fmt.Sprintf("%s %s\nSee '%s --help'", c.Parent().CommandPath(), c.Use, c.CommandPath())
}

// moduleArgument refuses a folder where a module is to be named.
func moduleArgument(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return usagef("%s is a folder: name the module, or build it first: pharos plugin build %s", path, path)
	}
	return nil
}

// blamed makes an error that the command line is to blame for one of usage: a file
// that is not there, an address that is none, a folder without a project, a config
// that the module's schema refuses.
func blamed(err error) error {
	var address *fetch.AddressError
	var config *plugin.SchemaError
	var project *author.NoProjectError
	if errors.Is(err, fs.ErrNotExist) || errors.As(err, &address) || errors.As(err, &project) || errors.As(err, &config) {
		return usageError{err}
	}
	return err
}
