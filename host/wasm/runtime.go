// Package wasm runs plugins: WebAssembly modules of the ABI in abi/SPEC.md, in
// a sandbox without files, network, clock or randomness, with a bound on memory
// and on work.
//
// A Module is compiled once; each Instance of it is configured once and used by
// one goroutine at a time; a Pool gives instances to workers.
package wasm

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/wasm/fuel"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// DefaultFuel is how much work one call of a guest may do: see package fuel.
const DefaultFuel = 10_000_000

// StartFuel is how much each of the calls before the first batch may do: starting a
// language runtime and reading lists takes more than a batch.
const StartFuel = 2_000_000_000

// Options of a Runtime.
type Options struct {
	CacheDir string // of compiled modules; made if absent. Empty: kept in memory only
}

// Runtime compiles modules and keeps what it compiled. It is safe for
// concurrent use.
type Runtime struct {
	cache wazero.CompilationCache
}

// NewRuntime returns a runtime. An error is of the cache directory.
func NewRuntime(o Options) (*Runtime, error) {
	if o.CacheDir == "" {
		return &Runtime{cache: wazero.NewCompilationCache()}, nil
	}
	cache, err := wazero.NewCompilationCacheWithDir(o.CacheDir)
	if err != nil {
		return nil, fmt.Errorf("compile cache %s: %w: make it a directory that pharos can write", o.CacheDir, err)
	}
	return &Runtime{cache: cache}, nil
}

// Close lets the compiled code go; all modules must be closed before.
func (r *Runtime) Close(ctx context.Context) error { return r.cache.Close(ctx) }

// Limits bound one instance.
type Limits struct {
	Memory int64 // bytes; default abi.DefaultMemory, cut to whole pages
	Fuel   int64 // of one batch, and of each text of an error; default DefaultFuel
}

// Option changes the limits of a module.
type Option func(*Limits)

// WithLimits sets the limits; zero fields keep the default.
func WithLimits(l Limits) Option {
	return func(to *Limits) {
		if l.Memory != 0 {
			to.Memory = l.Memory
		}
		if l.Fuel != 0 {
			to.Fuel = l.Fuel
		}
	}
}

func (l Limits) validate() error {
	var errs []error
	if l.Memory < abi.PageBytes || l.Memory > abi.MaxMemory {
		errs = append(errs, fmt.Errorf("memory limit of %d bytes: it must be %d to %d", l.Memory, abi.PageBytes, abi.MaxMemory))
	}
	if l.Fuel <= 0 {
		errs = append(errs, fmt.Errorf("fuel of %d: it must be more than 0", l.Fuel))
	}
	return errors.Join(errs...)
}

// Compile checks and compiles a module, and reads its manifest. The name is
// that of the plugin, for errors. Each module has a wazero runtime of its own
// (memory limits are a runtime's), and all share the compiled code.
func (r *Runtime) Compile(ctx context.Context, name string, code []byte, opts ...Option) (*Module, error) {
	limits := Limits{Memory: abi.DefaultMemory, Fuel: DefaultFuel}
	for _, o := range opts {
		o(&limits)
	}
	m, err := r.compile(ctx, name, code, limits)
	if err != nil {
		return nil, fmt.Errorf("plugin %s: %w", name, err)
	}
	return m, nil
}

func (r *Runtime) compile(ctx context.Context, name string, code []byte, limits Limits) (_ *Module, err error) {
	if err := limits.validate(); err != nil {
		return nil, err
	}
	if len(code) > abi.MaxModuleBytes {
		return nil, fmt.Errorf("the module has %d bytes, at most %d are allowed", len(code), abi.MaxModuleBytes)
	}
	metered, err := fuel.Inject(code, StartFuel)
	if err != nil {
		return nil, fmt.Errorf("not a module that can run here: %w", err)
	}
	tables, tablesErr := tablesOf(code)
	features := api.CoreFeaturesV2
	if tables.unbounded {
		// Without them no instruction can make a table grow, and the compiler tells.
		features = features.SetEnabled(api.CoreFeatureReferenceTypes, false)
	}
	config := wazero.NewRuntimeConfig().
		WithCoreFeatures(features).
		WithCompilationCache(r.cache).
		WithMemoryLimitPages(uint32(limits.Memory / abi.PageBytes)).
		WithCustomSections(true)
	m := &Module{name: name, limits: limits, runtime: wazero.NewRuntimeWithConfig(ctx, config)}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Close(ctx))
		}
	}()
	if err := instantiateWASI(ctx, m.runtime); err != nil {
		return nil, err
	}
	if m.compiled, err = m.runtime.CompileModule(ctx, metered); err != nil {
		if tables.unbounded {
			err = fmt.Errorf("%w (the module has a table without a maximum: give it one to use reference types)", err)
		}
		return nil, fmt.Errorf("not a module that can run here (memory limit %d pages of 64 KiB): %w", limits.Memory/abi.PageBytes, err)
	}
	if err := errors.Join(tablesErr, tables.check()); err != nil {
		return nil, err
	}
	if err := errors.Join(checkImports(m.compiled), checkExports(m.compiled)); err != nil {
		return nil, err
	}
	if m.golden, err = goldenSection(m.compiled); err != nil {
		return nil, err
	}
	if m.manifest, err = m.readManifest(ctx); err != nil {
		return nil, err
	}
	return m, nil
}
