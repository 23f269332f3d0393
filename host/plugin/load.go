package plugin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/fetch"
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
	"github.com/seed-6a2d649b/pharos/host/wasm"
)

// Loader loads plugins that share compiled code. It is safe for concurrent use.
type Loader struct {
	runtime *wasm.Runtime
	fetcher *fetch.Fetcher
}

// NewLoader keeps compiled modules below a directory, in compiled, and those that it
// has fetched in fetched. If it is empty, compiled modules are kept in memory, and
// fetched ones not at all. An error is of that directory.
func NewLoader(dir string) (*Loader, error) {
	compiled, fetched := "", ""
	if dir != "" {
		compiled, fetched = filepath.Join(dir, "compiled"), filepath.Join(dir, "fetched")
	}
	runtime, err := wasm.NewRuntime(wasm.Options{CacheDir: compiled})
	if err != nil {
		return nil, err
	}
	return &Loader{runtime, fetch.New(fetched)}, nil
}

// Close lets the compiled code go. All plugins must be closed before.
func (l *Loader) Close(ctx context.Context) error { return l.runtime.Close(ctx) }

// Load makes a plugin that is ready for beacons. Rules are compiled to a module, which
// is then loaded as any other. A module's digest is verified
// before it is compiled, its exports and imports are checked, its config
// against the schema of its manifest, and its golden vectors must hold. The
// error, a *LoadError, says every fault that was found.
func (l *Loader) Load(ctx context.Context, spec Spec) (*Plugin, error) {
	p, err := l.load(ctx, &spec)
	if err == nil {
		p.life.Enter(Ready, "")
		return p, nil
	}
	p.life.Enter(Refused, err.Error())
	return nil, &LoadError{Name: spec.Name, Kind: p.kind, Version: p.version, Digest: p.digest, Life: &p.life, err: errors.Join(err, p.Close(ctx))}
}

// LoadError tells why a plugin is not loaded. What was not known yet when it failed
// is empty.
type LoadError struct {
	Name            string // in the config
	Kind            abi.Kind
	Version, Digest string
	Life            *Life
	err             error
}

// Error names the plugin, once.
func (e *LoadError) Error() string {
	prefix := "plugin " + e.Name + ": "
	return prefix + strings.TrimPrefix(e.err.Error(), prefix)
}

// Unwrap gives the cause.
func (e *LoadError) Unwrap() error { return e.err }

// load gives the plugin as far as it came.
func (l *Loader) load(ctx context.Context, spec *Spec) (*Plugin, error) {
	p := &Plugin{name: spec.Name, onError: spec.OnError}
	if p.onError == "" {
		p.onError = DeadLetter
	}
	err := spec.validate()
	if err == nil {
		err = (&loading{Plugin: p, spec: spec, loader: l}).run(ctx)
	}
	if err == nil && p.kind == abi.Extract && p.onError == Filtered {
		err = fmt.Errorf("on_error %s is not for extractors: a beacon counts whatever is made of it; use %s or %s", Filtered, DeadLetter, Pass)
	}
	if err != nil {
		return p, err
	}
	p.counters = make([]atomic.Uint64, len(p.plan.Counters))
	return p, nil
}

// readLists reads the lists that rules name, each from its file.
func readLists(paths map[string]string) (map[string]*expr.Set, error) {
	lists := make(map[string]*expr.Set, len(paths))
	for name, path := range paths {
		content, err := fetch.ReadFile(path, expr.MaxListBytes)
		if err == nil {
			lists[name], err = expr.ParseList(name, content)
		}
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", name, err)
		}
	}
	return lists, nil
}

// readData reads the data files by name.
func readData(paths map[string]string) (map[string][]byte, error) {
	files := make(map[string][]byte, len(paths))
	left := abi.MaxDataBytes
	for _, name := range slices.Sorted(maps.Keys(paths)) {
		data, err := fetch.ReadFile(strings.TrimPrefix(paths[name], "file://"), left)
		if err != nil {
			return nil, fmt.Errorf("data %s: %w", name, err)
		}
		files[name] = data
		left -= len(data)
	}
	return files, nil
}
