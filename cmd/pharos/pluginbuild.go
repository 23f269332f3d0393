package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/seed-6a2d649b/pharos/host/author"
	"github.com/spf13/cobra"
)

func newPluginBuild() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "build [DIR] [-o FILE.wasm]",
		Short: "Build the plugin of a folder, with its language's compiler",
		Long: `Build finds out by its files in which language the project of a folder is (the
working directory, if none is given), runs the compiler, and says how large the
module is and what its digest is. The module is NAME.wasm in the folder; NAME is that
of its golden vectors, else the folder's. What it runs is an ordinary command of
that language, which docs/plugins.md shows; use your own build if you like.`,
		Example: "  pharos plugin build\n  pharos plugin build plugins/bad-referers -o out/bad-referers.wasm",
		Args:    mayTake,
		RunE: func(c *cobra.Command, args []string) error {
			dir := folder(args)
			if info, err := os.Stat(dir); err == nil && !info.IsDir() {
				return usagef("%s is no folder: name that of the plugin's source, or none for the working directory", dir)
			}
			_, err := build(c.Context(), c.OutOrStdout(), dir, out)
			return err
		},
	}
	c.Flags().StringVarP(&out, "output", "o", "", "file to write the module to")
	return c
}

// folder is the first argument, or the working directory.
func folder(args []string) string {
	if len(args) > 0 {
		return args[0]
	}
	return "."
}

// build builds the project of a folder and says what came out.
func build(ctx context.Context, w io.Writer, dir, out string) (*author.Built, error) {
	built, err := author.Build(ctx, dir, out)
	if err != nil {
		return nil, blamed(err)
	}
	fmt.Fprintf(w, "built %s from %s: %s, %s\n", built.Path, built.Language, bytesOf(built.Size), built.Digest)
	return built, nil
}

// bytesOf writes a size for people.
func bytesOf(n int) string {
	switch {
	case n < 10_000:
		return fmt.Sprintf("%d bytes", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}
