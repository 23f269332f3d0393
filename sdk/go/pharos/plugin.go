// Package pharos writes Pharos plugins (ABI version 1) in Go, for the standard
// toolchain:
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o NAME.wasm .
//
// A plugin is a main package that registers itself in init:
//
//	func init() {
//		pharos.Register(pharos.Plugin{
//			Manifest:  pharos.Manifest{Kind: abi.Filter, Name: "internal", Version: "1.0.0"},
//			Configure: configure,
//			Process:   process,
//		})
//	}
//
//	func main() {}
//
// What Process answers for a row must depend on the config, the data files and
// that row only, and on the cells of its session: the host splits, joins and repeats
// batches.
package pharos

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/sdk/go/internal/closing"
)

// Manifest says what a plugin is.
type Manifest struct {
	Kind        abi.Kind
	Name        string
	Version     string
	Description string
	Schema      string // JSON Schema of the config; "": any. Its defaults are not filled in
}

// Plugin is what a guest registers.
type Plugin struct {
	Manifest Manifest
	// Configure takes the config and gives the plan; an error refuses the config. It
	// is called once an instance.
	Configure func(Config) (abi.Plan, error)
	// Process answers for every row of a batch. An error or a panic makes the host
	// look for the guilty rows.
	Process func(*Batch) error
	// Close, of an extractor, measures sessions that have ended: a row each. It may be
	// nil; a module that has it must import package closes.
	Close func(*Batch) error
}

// Config is the plugin's config and data files.
type Config struct {
	JSON []byte            // as the schema wants it
	Data map[string][]byte // by name; valid as long as the instance
}

// Decode puts the config into v, as encoding/json does.
func (c Config) Decode(v any) error {
	if err := json.Unmarshal(c.JSON, v); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	return nil
}

var registered Plugin

// Register makes p the module's plugin. Call it once, from init.
func Register(p Plugin) {
	switch {
	case registered.Process != nil:
		panic("pharos: Register is called twice: a module is one plugin")
	case p.Configure == nil || p.Process == nil:
		panic("pharos: a plugin needs Configure and Process")
	case p.Close != nil && !closing.Linked:
		panic(`pharos: a plugin with Close must import _ "github.com/seed-6a2d649b/pharos/sdk/go/closes"`)
	case p.Close == nil && closing.Linked:
		panic("pharos: package closes is imported, and the plugin has no Close")
	}
	registered = p
}

// Registered gives the plugin that was registered, for tests.
func Registered() Plugin { return registered }

// Run processes a batch that is laid out as abi/SPEC.md says, and tells whether an
// output was too small. It is what the host calls in a module; natively it is for
// tests.
func (p Plugin) Run(mem []byte) (tooSmall bool, err error) { return p.process(new(Batch), mem) }

func (p Plugin) process(b *Batch, mem []byte) (tooSmall bool, err error) {
	b.set(mem)
	answer := p.Process
	if b.closed {
		answer = p.Close
	}
	if answer == nil {
		return false, errors.New("the plugin has no Close")
	}
	if err := answer(b); err != nil {
		return false, err
	}
	return b.finish(), nil
}

// manifestJSON gives the manifest as the host reads it.
func manifestJSON(m Manifest) []byte {
	out := struct {
		Kind        abi.Kind        `json:"kind"`
		Name        string          `json:"name"`
		Version     string          `json:"version"`
		Description string          `json:"description,omitempty"`
		Config      json.RawMessage `json:"config,omitempty"`
	}{m.Kind, m.Name, m.Version, m.Description, json.RawMessage(m.Schema)}
	b, err := json.Marshal(out)
	if err != nil {
		panic("pharos: the manifest's schema is not JSON: " + err.Error())
	}
	return b
}
