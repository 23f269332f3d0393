package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/seed-6a2d649b/pharos/host/fetch"
	"github.com/seed-6a2d649b/pharos/host/plugin"
	"github.com/spf13/cobra"
)

func newPluginPush() *cobra.Command {
	return &cobra.Command{
		Use:   "push FILE.wasm oci://REGISTRY/NAME:TAG",
		Short: "Put a module into a registry",
		Long: `Push puts a module into an OCI registry, with the golden vectors and the signature that
lie beside it (FILE.golden.ndjson, FILE.wasm.minisig), each a layer. The same files give
the same digest. It prints what to write in a config.

Log-ins are those of Docker's config file ('docker login'; DOCKER_CONFIG names another).`,
		Example: `  pharos plugin push clicks.wasm oci://registry.example/shop/clicks:1.4.0`,
		Args:    takes("the module", "its address"),
		RunE: func(c *cobra.Command, args []string) error {
			file, address := args[0], args[1]
			if !strings.HasPrefix(address, "oci://") && !strings.HasPrefix(address, "oci+http://") {
				return usagef("%s is no address in a registry: it is oci://REGISTRY/NAME:TAG", address)
			}
			in, err := sound(c.Context(), file)
			if err != nil {
				return err
			}
			got, err := fetchModule(c.Context(), file, true)
			if err != nil {
				return err
			}
			about := map[string]string{"org.opencontainers.image.title": in.Manifest.Name, "org.opencontainers.image.version": in.Manifest.Version}
			if in.Manifest.Description != "" {
				about["org.opencontainers.image.description"] = in.Manifest.Description
			}
			manifest, err := fetch.New("").Push(c.Context(), address, got, about)
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "pushed %s as %s, with %s; for a config:\nmodule: %s\ndigest: %s\n",
				file, manifest, beside(got), address, fetch.Digest(got.Module.Content))
			return nil
		},
	}
}

// beside says what goes with a module.
func beside(p *fetch.Package) string {
	vectors, signed := "no golden vectors", "no signature"
	if p.Golden.Content != nil {
		vectors = "golden vectors"
	}
	if p.Signature.Content != nil {
		signed = "a signature"
	}
	return vectors + " and " + signed
}

func newPluginPull() *cobra.Command {
	var out string
	var force bool
	c := &cobra.Command{
		Use:   "pull URL [-o FILE.wasm] [--force]",
		Short: "Get a module from a registry or a web server",
		Long: `Pull writes the module at a URL to a file, and what lies beside it there: golden vectors
to FILE.golden.ndjson, a signature to FILE.wasm.minisig. It prints the module's digest;
whether it is signed by whom you trust 'pharos plugin verify' says.`,
		Example: `  pharos plugin pull oci://registry.example/shop/clicks:1.4.0
  pharos plugin pull https://plugins.example/clicks-1.4.0.wasm -o clicks.wasm`,
		Args: takes("the URL of the module"),
		RunE: func(c *cobra.Command, args []string) error {
			if out == "" {
				out = pulledName(args[0])
			}
			got, err := fetchModule(c.Context(), args[0], true)
			if err != nil {
				return err
			}
			if err := writePackage(c.OutOrStdout(), out, got, force); err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), fetch.Digest(got.Module.Content))
			return nil
		},
	}
	c.Flags().StringVarP(&out, "output", "o", "", "file to write (default the last part of the URL)")
	c.Flags().BoolVar(&force, "force", false, "write over files that are there with other content")
	return c
}

// writePackage writes a module and what lies beside it. What is there already stays,
// unless it is the same or is to be written over.
func writePackage(w io.Writer, out string, p *fetch.Package, force bool) error {
	parts := []struct {
		path    string
		content []byte
	}{{out, p.Module.Content}, {fetch.GoldenPath(out), p.Golden.Content}, {out + fetch.SignatureSuffix, p.Signature.Content}}
	for _, part := range parts {
		if _, err := os.Lstat(part.path); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if part.content == nil {
			return fmt.Errorf("%s is there, and this module has none: it would be taken for this one's, so move it away, or write elsewhere with -o", part.path)
		}
		if force {
			continue
		}
		if is, err := os.ReadFile(part.path); err != nil || !bytes.Equal(is, part.content) {
			return usagef("%s is there already, and is another one: write elsewhere with -o, or over it with --force", part.path)
		}
	}
	for _, part := range parts {
		if part.content == nil {
			continue
		}
		if err := os.WriteFile(part.path, part.content, 0o644); err != nil {
			return err
		}
		fmt.Fprintf(w, "wrote %s\n", part.path)
	}
	return nil
}

// pulledName is the name of a file for what is at a URL.
func pulledName(url string) string {
	name, _, _ := strings.Cut(url, "?")
	name, _, _ = strings.Cut(path.Base(name), "@")
	name, _, _ = strings.Cut(name, ":")
	return strings.TrimSuffix(name, ".wasm") + ".wasm"
}

// baseName is the name of a file without folder and ending.
func baseName(file string) string {
	return strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
}

// fetchModule gets a module by its path or URL. It is always asked for: a person
// wants what is there now.
func fetchModule(ctx context.Context, address string, signed bool) (*fetch.Package, error) {
	if err := moduleArgument(address); err != nil {
		return nil, err
	}
	got, err := fetch.New("").Get(ctx, address, fetch.Want{Signature: signed, Fresh: true})
	return got, blamed(err)
}

// sound looks at a module, which must be one that loads.
func sound(ctx context.Context, file string) (*plugin.Inspection, error) {
	if err := moduleArgument(file); err != nil {
		return nil, err
	}
	in, err := plugin.Inspect(ctx, file)
	if err != nil {
		return nil, blamed(err)
	}
	if len(in.Problems) > 0 {
		return nil, fmt.Errorf("%s would not load: %w", file, errors.Join(in.Problems...))
	}
	return in, nil
}
