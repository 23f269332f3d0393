package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/seed-6a2d649b/pharos/host/wasm"
)

// loading is a plugin of a module while it is loaded.
type loading struct {
	*Plugin
	spec   *Spec
	loader *Loader
	supply *supply
	schema *schema
}

// run does the steps; the first that fails ends it.
func (l *loading) run(ctx context.Context) (err error) {
	l.supply, err = l.loader.supply(ctx, l.spec, &l.life)
	if l.digest = l.supply.digest; err != nil {
		return err
	}
	if err := l.compile(ctx); err != nil {
		return err
	}
	if err := l.life.do(StepConfigure, func() (string, error) { return "", l.configure(ctx) }); err != nil {
		return err
	}
	return l.life.do(StepVectors, func() (string, error) { return l.proveVectors(ctx) })
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
	if l.module, err = l.loader.runtime.Compile(ctx, l.spec.Name, l.supply.got.Module.Content, wasm.WithLimits(limits), wasm.WithDone(done)); err != nil {
		l.life.EnterSince(Refused, next+": "+err.Error(), began)
		return err
	}
	l.supply.got.Module.Content = nil // which is large
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
	vectors, err := goldenVectors(l.module, l.supply.got.Golden.Content, l.supply.got.Golden.From)
	if err != nil {
		return "", err
	}
	l.vectors = len(vectors)
	return fmt.Sprintf("%d hold", l.vectors), l.checkVectors(ctx, l.schema, vectors, vectorsFuel)
}
