package author

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/abi/tck"
	"github.com/seed-6a2d649b/pharos/host/plugin"
	"github.com/seed-6a2d649b/pharos/host/wasm"
)

// Settings are what a plugin gets beside beacons.
type Settings struct {
	Config json.RawMessage   // nil is {}
	Data   map[string][]byte // data files by name
}

// guest is a compiled module.
type guest struct {
	runtime *wasm.Runtime
	module  *wasm.Module
}

// compile compiles the module of a file. The sandbox is the host's; close it.
func compile(ctx context.Context, path string) (*guest, error) {
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if info.Size() > abi.MaxModuleBytes {
		return nil, fmt.Errorf("%s has %d bytes, a module may have %d", path, info.Size(), abi.MaxModuleBytes)
	}
	code, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return compileCode(ctx, path, code, tryFuel)
}

// tryFuel is so much that whole batches are answered by a plugin that a host gives
// few rows a call, and about what a host gives a single row before it blames it.
const tryFuel = 10 * wasm.DefaultFuel

// rulesFuel is enough for whole batches of the largest lists of rules, of which a host
// gives fewer rows a call: what is tried there is the answer, not the fuel.
const rulesFuel = 100 * tryFuel

func compileCode(ctx context.Context, name string, code []byte, fuel int64) (*guest, error) {
	runtime, err := wasm.NewRuntime(wasm.Options{})
	if err != nil {
		return nil, err
	}
	module, err := runtime.Compile(ctx, name, code, wasm.WithLimits(wasm.Limits{Fuel: fuel}))
	if err != nil {
		return nil, errors.Join(err, runtime.Close(ctx))
	}
	return &guest{runtime, module}, nil
}

func (g *guest) close(ctx context.Context) error {
	return errors.Join(g.module.Close(ctx), g.runtime.Close(ctx))
}

func (g *guest) kind() abi.Kind { return g.module.Manifest().Kind }

// instance makes an instance whose config the schema takes.
func (g *guest) instance(ctx context.Context, s Settings) (*wasm.Instance, error) {
	config := s.Config
	if len(config) == 0 {
		config = json.RawMessage("{}")
	}
	if err := plugin.CheckConfig(g.module.Manifest(), config); err != nil {
		return nil, fmt.Errorf("config %s: %w", config, err)
	}
	return g.module.Instantiate(ctx, config, s.Data)
}

// plan is what the guest plans with the settings.
func (g *guest) plan(ctx context.Context, s Settings) (*abi.Plan, error) {
	i, err := g.instance(ctx, s)
	if err != nil {
		return nil, err
	}
	return i.Plan(), i.Close(ctx)
}

// tooLarge says whether a guest's memory is too small for a batch, which a host gives
// it in parts.
func tooLarge(err error) bool {
	var size *abi.SizeError
	return errors.As(err, &size)
}

// subject is the guest as the conformance kit wants it.
func (g *guest) subject(plan *abi.Plan, s Settings) tck.Subject {
	instance := func(tight bool) tck.Make {
		return func(ctx context.Context) (tck.Guest, func() error, error) {
			i, err := g.instance(ctx, s)
			if err != nil {
				return nil, nil, err
			}
			if tight {
				i.Tighten()
			}
			return i, func() error { return i.Close(ctx) }, nil
		}
	}
	return tck.Subject{Kind: g.kind(), Plan: plan, Closes: g.module.Closes(), New: instance(false), Tight: instance(true)}
}
