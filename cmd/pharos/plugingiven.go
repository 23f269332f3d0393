package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/author"
	"github.com/spf13/cobra"
)

// given are the flags by which a plugin is given a config, data and beacons.
type given struct {
	config string
	data   map[string]string
	in     []string
	format string
	names  map[string]string
}

func (g *given) flags(c *cobra.Command) {
	c.Flags().StringVar(&g.config, "config", "", "config for the plugin, as JSON, or @ and a file of it")
	c.Flags().StringToStringVar(&g.data, "data", nil, "data files for the plugin, NAME=FILE")
	g.beaconFlags(c)
}

// beaconFlags are those of beacons only.
func (g *given) beaconFlags(c *cobra.Command) {
	c.Flags().StringSliceVar(&g.in, "in", nil, `files of beacons, one a line: .gz, .zst or plain; "-" is standard input`)
	c.Flags().StringVar(&g.format, "format", "json", "form of the beacons: json, query or clf")
	c.Flags().StringToStringVar(&g.names, "field", nil, "further names of fields, NAME=PATH, as a source's fields in a config; also time, tenant, session")
}

// settings reads the config and the data files.
func (g *given) settings() (s author.Settings, err error) {
	text := []byte(g.config)
	if path, ok := strings.CutPrefix(g.config, "@"); ok {
		if text, err = readUpTo(path, abi.MaxConfigBytes); err != nil {
			return s, fmt.Errorf("--config: %w", err)
		}
	}
	if len(text) > 0 {
		if !json.Valid(text) {
			return s, usagef("--config is no JSON: write it like '{\"extra\": [\"curl\"]}', or @FILE")
		}
		s.Config = text
	}
	s.Data = map[string][]byte{}
	for name, path := range g.data {
		if s.Data[name], err = readUpTo(path, abi.MaxDataBytes); err != nil {
			return s, fmt.Errorf("--data %s: %w", name, err)
		}
	}
	return s, nil
}

// inputs are the files of beacons.
func (g *given) inputs(stdin io.Reader) ([]author.Input, error) {
	switch g.format {
	case "json", "query", "clf":
	default:
		return nil, usagef("--format %q is none of json, query, clf", g.format)
	}
	all := make([]author.Input, len(g.in))
	for i, path := range g.in {
		all[i] = author.Input{Path: path, Format: g.format, Names: g.names, Stdin: stdin}
	}
	return all, nil
}

// readUpTo reads a file of at most so many bytes.
func readUpTo(path string, most int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, usageError{err}
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, int64(most)+1))
	if err == nil && len(text) > most {
		err = fmt.Errorf("%s has more than %d bytes", path, most)
	}
	return text, err
}
