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
	"github.com/seed-6a2d649b/pharos/host/trim"
	"github.com/seed-6a2d649b/pharos/host/wasm/fuel"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// DefaultFuel is how much work one call of a guest may do: see package fuel.
const DefaultFuel = 10_000_000

// StartFuel is how much the calls before the first batch may do together: starting a
// language runtime and reading lists takes more than a batch.
const StartFuel = 2_000_000_000

// RestartFuel is the same for a module of which no instance can be made the equal of
// another: there it bounds what a row costs at which the guest fails, since that takes
// two fresh instances.
const RestartFuel = 50_000_000

// Options of a Runtime.
type Options struct {
	// CacheDir keeps compiled modules; made if absent. Empty: kept in memory only. What
	// is kept is found by wazero's version, the processor's features and the digest of
	// the metered module: neither a host nor a rewriter takes what another one made.
	CacheDir string
}

// Runtime compiles modules and keeps what it compiled. It is safe for
// concurrent use.
type Runtime struct {
	cache wazero.CompilationCache
	dir   string // of the cache; "": none
}

// maxCompiledBytes bounds the directory of compiled modules; the oldest go first.
const maxCompiledBytes = 2 << 30

// NewRuntime returns a runtime. An error is of the cache directory.
func NewRuntime(o Options) (*Runtime, error) {
	if o.CacheDir == "" {
		return &Runtime{cache: wazero.NewCompilationCache()}, nil
	}
	cache, err := wazero.NewCompilationCacheWithDir(o.CacheDir)
	if err != nil {
		return nil, fmt.Errorf("compile cache %s: %w: make it a directory that pharos can write", o.CacheDir, err)
	}
	return &Runtime{cache: cache, dir: o.CacheDir}, nil
}

// Close lets the compiled code go; all modules must be closed before.
func (r *Runtime) Close(ctx context.Context) error { return r.cache.Close(ctx) }

// Limits bound one instance.
type Limits struct {
	Memory int64 // bytes; default abi.DefaultMemory, cut to whole pages
	Fuel   int64 // of one batch, and of each text of an error; default DefaultFuel
}

// Option changes how a module is compiled.
type Option func(*options)

type options struct {
	limits Limits
	start  int64 // fuel of the calls before the first batch
	done   func(Stage)
}

// WithLimits sets the limits; zero fields keep the default.
func WithLimits(l Limits) Option {
	return func(to *options) {
		if l.Memory != 0 {
			to.limits.Memory = l.Memory
		}
		if l.Fuel != 0 {
			to.limits.Fuel = l.Fuel
		}
	}
}

// Stage is a part of Compile.
type Stage int

// The stages, in their order.
const (
	Metered  Stage = iota // the module counts its own work
	Compiled              // to machine code, or taken from the cache
	Checked               // exports, imports, tables and manifest are the ABI's
)

// WithDone has each stage told that is done.
func WithDone(done func(Stage)) Option { return func(to *options) { to.done = done } }

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
	how := options{limits: Limits{Memory: abi.DefaultMemory, Fuel: DefaultFuel}, start: StartFuel, done: func(Stage) {}}
	for _, o := range opts {
		o(&how)
	}
	m, err := r.compile(ctx, name, code, how)
	var trap *TrapError // which names the plugin
	if err != nil && !errors.As(err, &trap) {
		err = fmt.Errorf("plugin %s: %w", name, err)
	}
	return m, err
}

// MeteredSize is how large a module is once it counts its own work, in bytes.
func MeteredSize(code []byte) (int, error) {
	metered, err := fuel.Inject(code, StartFuel)
	if err != nil {
		return 0, fmt.Errorf("not a module that can run here: %w", err)
	}
	return len(metered.Code), nil
}

func (r *Runtime) compile(ctx context.Context, name string, code []byte, how options) (_ *Module, err error) {
	limits := how.limits
	if err := limits.validate(); err != nil {
		return nil, err
	}
	if len(code) > abi.MaxModuleBytes {
		return nil, fmt.Errorf("the module has %d bytes, at most %d are allowed", len(code), abi.MaxModuleBytes)
	}
	metered, err := fuel.Inject(code, how.start)
	if err != nil {
		return nil, fmt.Errorf("not a module that can run here: %w", err)
	}
	how.done(Metered)
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
	m := &Module{
		name: name, limits: limits, startFuel: how.start, runtime: wazero.NewRuntimeWithConfig(ctx, config),
		globals: metered.Globals, hidden: metered.Hidden,
	}
	if m.hidden != "" {
		m.startFuel = min(how.start, RestartFuel)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Close(ctx))
		}
	}()
	if err := instantiateWASI(ctx, m.runtime); err != nil {
		return nil, err
	}
	err = guarded(func() (err error) {
		m.compiled, err = m.runtime.CompileModule(ctx, metered.Code)
		return err
	})
	if err != nil {
		if tables.unbounded {
			err = fmt.Errorf("%w (the module has a table without a maximum: give it one to use reference types)", err)
		}
		return nil, fmt.Errorf("not a module that can run here (memory limit %d pages of 64 KiB): %w", limits.Memory/abi.PageBytes, err)
	}
	if r.dir != "" {
		if err := trim.Dir(r.dir, maxCompiledBytes); err != nil {
			return nil, fmt.Errorf("compile cache: %w", err)
		}
	}
	how.done(Compiled)
	if err := errors.Join(tablesErr, tables.check()); err != nil {
		return nil, err
	}
	if err := errors.Join(checkImports(code, m.compiled), checkExports(m.compiled)); err != nil {
		return nil, err
	}
	_, m.closes = m.compiled.ExportedFunctions()[abi.ExportClose]
	if m.golden, err = goldenSection(m.compiled); err != nil {
		return nil, err
	}
	if m.manifest, err = m.readManifest(ctx); err != nil {
		return nil, err
	}
	how.done(Checked)
	return m, nil
}

// guarded makes an error of a panic of the engine: a module that it is not made for
// ends no host.
func guarded(do func() error) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("the engine fails at it, which is no fault of the module's: %v", fault)
		}
	}()
	return do()
}
