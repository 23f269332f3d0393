// Package pharostest runs a plugin of the Go SDK natively, in ordinary tests:
//
//	func TestGolden(t *testing.T) { pharostest.Golden(t, "internal.golden.ndjson") }
//
// The batches are laid out as for a module, so that what runs here is what the
// host calls, but for the compiler.
package pharostest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/sdk/go/pharos"
)

// Guest is a plugin that was configured. It has the methods that the conformance
// kit abi/tck wants.
type Guest struct {
	plugin pharos.Plugin
	plan   abi.Plan
	layout *abi.Layout
	mem    []byte
	// Capacity is what outputs have room for at first; it grows as the plugin asks.
	Capacity abi.Capacity
	// Again counts how often a batch was given once more, with larger outputs.
	Again int
}

// New configures a plugin. What it keeps in variables is shared by all guests: use
// one config at a time. The config is JSON, empty for {}; it is not checked against
// the schema. An error that is a *Refused is the plugin's own.
func New(p pharos.Plugin, config []byte, data map[string][]byte) (*Guest, error) {
	if len(config) == 0 {
		config = []byte("{}")
	}
	if data == nil {
		data = map[string][]byte{}
	}
	plan, err := p.Configure(pharos.Config{JSON: config, Data: data})
	if err != nil {
		return nil, &Refused{err}
	}
	// As the host reads it: what JSON does not keep, the plugin must not count on.
	text, err := json.Marshal(plan)
	if err != nil {
		return nil, err
	}
	read, err := abi.ParsePlan(p.Manifest.Kind, text)
	if err != nil {
		return nil, err
	}
	return &Guest{plugin: p, plan: *read, layout: abi.NewLayout(p.Manifest.Kind, read)}, nil
}

// Refused is the error of a plugin that refuses its config.
type Refused struct{ err error }

func (r *Refused) Error() string { return "the config is refused: " + r.err.Error() }

// Unwrap gives the plugin's error.
func (r *Refused) Unwrap() error { return r.err }

// Plan is what the plugin wants and may answer.
func (g *Guest) Plan() *abi.Plan { return &g.plan }

// Process answers one batch, as the host has it answered. The error is the
// plugin's, or says what the host would not take.
func (g *Guest) Process(_ context.Context, b *abi.Batch, out *abi.Output) error {
	for {
		size, err := g.layout.Place(b, g.Capacity)
		if err != nil {
			return err
		}
		if size > len(g.mem) {
			g.mem = make([]byte, size)
		}
		g.layout.Write(g.mem[:size], b)
		tooSmall, err := g.plugin.Run(g.mem[:size])
		if err != nil {
			return err
		}
		if !tooSmall {
			return g.layout.Read(g.mem[:size], out)
		}
		if g.Capacity, err = g.layout.Needed(g.mem[:size]); err != nil {
			return err
		}
		g.Again++
	}
}

// T is what is needed of testing.T.
type T interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Golden runs the golden vectors of a file with the registered plugin. Vectors
// that expect the schema to refuse a config are for the host: there a plugin that
// accepts it is not at fault.
func Golden(t T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v", err)
		return
	}
	p := pharos.Registered()
	vectors, err := abi.ParseVectors(p.Manifest.Kind, text)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
		return
	}
	for _, v := range vectors {
		if err := run(p, v); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func run(p pharos.Plugin, v *abi.Vector) error {
	g, err := New(p, v.Config, v.DataFiles())
	var refused *Refused
	switch {
	case errors.As(err, &refused) && v.Refused && strings.Contains(refused.Error(), v.ConfigError):
		return nil
	case err != nil:
		return fmt.Errorf("golden vector, line %d: %w", v.Line, err)
	case v.Refused:
		return nil
	}
	return v.Run(p.Manifest.Kind, &g.plan, func(b *abi.Batch, out *abi.Output) error {
		return g.Process(context.Background(), b, out)
	})
}
