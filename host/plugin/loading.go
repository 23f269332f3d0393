package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/seed-6a2d649b/pharos/host/fetch"
	"github.com/seed-6a2d649b/pharos/host/rules"
	"github.com/seed-6a2d649b/pharos/host/rules/module"
	"github.com/seed-6a2d649b/pharos/host/wasm"
)

// loading is a plugin while it is loaded.
type loading struct {
	*Plugin
	spec   *Spec
	loader *Loader
	got    *fetch.Package
	schema *schema
}

// run does the steps; the first that fails ends it.
func (l *loading) run(ctx context.Context) (err error) {
	if err := l.get(ctx); err != nil {
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

// get gets the module, or builds it of the rules.
func (l *loading) get(ctx context.Context) error {
	if l.spec.Rules != nil {
		return l.life.do(StepBuild, func() (string, error) { return l.build(*l.spec.Rules) })
	}
	s, err := l.loader.supply(ctx, l.spec, &l.life)
	l.got, l.digest = s.got, s.digest
	return err
}

// build makes the module of rules. Its version is that of the rules' text: another
// build of Pharos may make another module of them, that answers the same.
func (l *loading) build(list rules.Rules) (_ string, err error) {
	if l.kind, err = list.Kind(); err != nil {
		return "", err
	}
	if list.Lists, err = readLists(l.spec.Lists); err != nil {
		return "", err
	}
	program, err := rules.Compile(l.kind, list)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(list)
	if err != nil {
		return "", err
	}
	l.version = "rules-" + fetch.Digest(text)[len(digestPrefix):][:12]
	code, err := module.Build(program, module.Options{Name: l.name, Version: l.version})
	if err != nil {
		return "", err
	}
	l.got, l.digest = &fetch.Package{Module: fetch.Part{Content: code, From: "rules"}}, fetch.Digest(code)
	return fmt.Sprintf("%d bytes of %d rules", len(code), len(program.Checked())), nil
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
	if l.module, err = l.loader.runtime.Compile(ctx, l.spec.Name, l.got.Module.Content, wasm.WithLimits(limits), wasm.WithDone(done)); err != nil {
		l.life.EnterSince(Refused, next+": "+err.Error(), began)
		return err
	}
	l.got.Module.Content = nil // which is large
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
	vectors, err := goldenVectors(l.module, l.got.Golden.Content, l.got.Golden.From)
	if err != nil {
		return "", err
	}
	l.vectors = len(vectors)
	return fmt.Sprintf("%d hold", l.vectors), l.checkVectors(ctx, l.schema, vectors, vectorsFuel)
}
