package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/wasm"
)

// loading is a plugin of a module while it is loaded.
type loading struct {
	*Plugin
	spec    *Spec
	runtime *wasm.Runtime
	path    string
	code    []byte
	schema  *schema
}

// run does the steps; the first that fails ends it.
func (l *loading) run(ctx context.Context) error {
	for _, step := range []struct {
		name string
		do   func() (detail string, err error)
	}{
		{StepFetch, l.fetch},
		{StepDigest, l.checkDigest},
	} {
		if err := l.life.do(step.name, step.do); err != nil {
			return err
		}
	}
	if err := l.compile(ctx); err != nil {
		return err
	}
	if err := l.life.do(StepConfigure, func() (string, error) { return "", l.configure(ctx) }); err != nil {
		return err
	}
	return l.life.do(StepVectors, func() (string, error) { return l.proveVectors(ctx) })
}

func (l *loading) fetch() (detail string, err error) {
	if l.path, err = modulePath(l.spec.Module); err != nil {
		return "", err
	}
	l.code, err = readFile(l.path, abi.MaxModuleBytes)
	return l.path, err
}

func (l *loading) checkDigest() (string, error) {
	l.digest = digestOf(l.code)
	if want := l.spec.Digest; want != "" && !strings.EqualFold(want, l.digest) {
		return "", fmt.Errorf("%s has the digest %s, and the config wants %s", l.path, l.digest, want)
	}
	return l.digest, nil
}

// compile meters, compiles and checks the module.
func (l *loading) compile(ctx context.Context) (err error) {
	stages := [...]string{wasm.Metered: StepMetering, wasm.Compiled: StepCompile, wasm.Checked: StepABI}
	next, began := StepMetering, time.Now()
	done := func(s wasm.Stage) {
		l.life.did(stages[s], "", began)
		if began = time.Now(); int(s) < len(stages)-1 {
			next = stages[s+1]
		}
	}
	limits := wasm.Limits{Memory: l.spec.Memory, Fuel: l.spec.Fuel}
	if l.module, err = l.runtime.Compile(ctx, l.spec.Name, l.code, wasm.WithLimits(limits), wasm.WithDone(done)); err != nil {
		l.life.EnterSince(Refused, next+": "+err.Error(), began)
		return err
	}
	l.code = nil
	l.chunkBytes = int(l.module.Limits().Memory / memoryShare)
	manifest := l.module.Manifest()
	l.kind, l.version = manifest.Kind, manifest.Version
	return nil
}

// configure checks the config against the manifest's schema and hands it, with the
// data files, to a first instance.
func (l *loading) configure(ctx context.Context) (err error) {
	if l.data, err = readData(l.spec.Data); err != nil {
		return err
	}
	if l.config = l.spec.Config; emptyConfig(l.config) {
		l.config = json.RawMessage("{}")
	}
	if l.schema, err = compileSchema(l.module.Manifest().Config); err != nil {
		return err
	}
	if err := l.schema.check(l.config); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	if l.pool, err = l.module.NewPool(ctx, l.config, l.data, keptInstances); err != nil {
		return err
	}
	l.plan = l.pool.Plan()
	return nil
}

func (l *loading) proveVectors(ctx context.Context) (string, error) {
	vectors, err := goldenVectors(l.module, l.path)
	if err != nil {
		return "", err
	}
	l.vectors = len(vectors)
	return fmt.Sprintf("%d hold", l.vectors), l.checkVectors(ctx, l.schema, vectors)
}
