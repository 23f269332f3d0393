package wasm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/wasm/fuel"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// Module is a compiled plugin. It is safe for concurrent use.
type Module struct {
	name     string
	limits   Limits
	runtime  wazero.Runtime
	compiled wazero.CompiledModule
	manifest *abi.Manifest
	golden   []byte
	closes   bool

	startFuel int64    // of the calls before the first batch
	globals   []string // exported ones, which with the memory are all that changes in an instance
	hidden    string   // what else changes in one, unseen: each must then start anew
}

// Name returns the name that Compile was given.
func (m *Module) Name() string { return m.name }

// Manifest returns what the module says of itself.
func (m *Module) Manifest() *abi.Manifest { return m.manifest }

// Golden returns the golden vectors in the module's custom section
// pharos.golden; empty if there is none.
func (m *Module) Golden() []byte { return m.golden }

// Closes reports whether the module has a close function.
func (m *Module) Closes() bool { return m.closes }

// Limits returns the limits of each instance.
func (m *Module) Limits() Limits { return m.limits }

// Close closes all instances and lets the module go, its compiled code too: that
// is shared, and a runtime does not let go of it.
func (m *Module) Close(ctx context.Context) error {
	err := m.runtime.Close(ctx)
	if m.compiled != nil {
		err = errors.Join(err, m.compiled.Close(ctx))
	}
	return err
}

// readManifest asks an instance that is thrown away.
func (m *Module) readManifest(ctx context.Context) (*abi.Manifest, error) {
	i, err := m.start(ctx)
	if err != nil {
		return nil, err
	}
	text, err := i.text(abi.ExportManifest, abi.MaxManifestBytes)
	if err != nil {
		return nil, errors.Join(err, i.Close(ctx))
	}
	manifest, err := abi.ParseManifest(text)
	if err == nil && manifest.Kind != abi.Extract && m.Closes() {
		err = fmt.Errorf("exports %s, which is for the kind %s, not %s", abi.ExportClose, abi.Extract, manifest.Kind)
	}
	return manifest, errors.Join(err, i.Close(ctx))
}

type signature struct {
	params, results []api.ValueType
	optional        bool
}

func (s signature) String() string {
	list := func(types []api.ValueType) string {
		text := "("
		for i, t := range types {
			if i > 0 {
				text += ", "
			}
			text += api.ValueTypeName(t)
		}
		return text + ")"
	}
	return list(s.params) + " -> " + list(s.results)
}

var (
	i32 = api.ValueTypeI32
	i64 = api.ValueTypeI64
)

var exports = map[string]signature{
	abi.ExportInitialize: {optional: true},
	abi.ExportABI:        {results: []api.ValueType{i32}},
	abi.ExportManifest:   {results: []api.ValueType{i64}},
	abi.ExportConfigure:  {params: []api.ValueType{i32, i32}, results: []api.ValueType{i32}},
	abi.ExportPlan:       {results: []api.ValueType{i64}},
	abi.ExportAlloc:      {params: []api.ValueType{i32, i32}, results: []api.ValueType{i32}},
	abi.ExportProcess:    {params: []api.ValueType{i32}, results: []api.ValueType{i32}},
	abi.ExportClose:      {params: []api.ValueType{i32}, results: []api.ValueType{i32}, optional: true},
	abi.ExportError:      {results: []api.ValueType{i64}},
}

// checkExports finds every fault of what the module exports.
func checkExports(c wazero.CompiledModule) error {
	var errs []error
	if _, ok := c.ExportedMemories()[abi.ExportMemory]; !ok {
		errs = append(errs, fmt.Errorf("exports no memory %q", abi.ExportMemory))
	}
	have := c.ExportedFunctions()
	names := make([]string, 0, len(exports)+len(have))
	for name := range exports {
		names = append(names, name)
	}
	for name := range have {
		if _, known := exports[name]; !known && (bytes.HasPrefix([]byte(name), []byte(abi.ExportPrefix)) || name == "_start") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		want, known := exports[name]
		f, exported := have[name]
		switch {
		case name == fuel.Start: // the rewriter's
		case name == "_start":
			errs = append(errs, errors.New("exports _start: it is a command; build it as a reactor (Go: -buildmode=c-shared, C: -mexec-model=reactor)"))
		case !known:
			errs = append(errs, fmt.Errorf("exports %s, which version %d of the ABI does not know: the prefix %s is reserved", name, abi.Version, abi.ExportPrefix))
		case !exported && !want.optional:
			errs = append(errs, fmt.Errorf("exports no function %s %s", name, want))
		case exported:
			got := signature{params: f.ParamTypes(), results: f.ResultTypes()}
			if !slices.Equal(got.params, want.params) || !slices.Equal(got.results, want.results) {
				errs = append(errs, fmt.Errorf("exports %s %s, it must be %s", name, got, want))
			}
		}
	}
	return some(errs)
}

// maxFaults bounds what is told of a module's faults: one may have thousands.
const maxFaults = 20

func some(errs []error) error {
	if more := len(errs) - maxFaults; more > 0 {
		errs = append(errs[:maxFaults], fmt.Errorf("and %d more faults", more))
	}
	return errors.Join(errs...)
}

func goldenSection(c wazero.CompiledModule) ([]byte, error) {
	var golden []byte
	for _, s := range c.CustomSections() {
		if s.Name() == abi.GoldenSection {
			golden = append(golden, s.Data()...)
			golden = append(golden, '\n')
		}
	}
	if len(golden) > abi.MaxGoldenBytes {
		return nil, fmt.Errorf("custom section %s: %d bytes, at most %d are allowed", abi.GoldenSection, len(golden), abi.MaxGoldenBytes)
	}
	return golden, nil
}
