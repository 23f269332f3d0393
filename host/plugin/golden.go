package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/fetch"
	"github.com/seed-6a2d649b/pharos/host/wasm"
)

// GoldenPath is where the golden vectors of the module at a path are.
func GoldenPath(module string) string { return fetch.GoldenPath(module) }

// Vectors are the golden vectors of the module at a path, in it and beside it.
func Vectors(m *wasm.Module, path string) ([]*abi.Vector, error) {
	beside, err := fetch.ReadFile(GoldenPath(path), abi.MaxGoldenBytes)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return goldenVectors(m, beside, GoldenPath(path))
}

// CheckVector runs a golden vector of a module, as it is run when the module is
// loaded. The error joins an *abi.Mismatch for each answer that differs; other
// errors say that there was no answer.
func CheckVector(ctx context.Context, m *wasm.Module, v *abi.Vector) error {
	s, err := compileSchema(m.Manifest().Config)
	if err != nil {
		return err
	}
	_, err = (&Plugin{module: m, kind: m.Manifest().Kind}).checkVector(ctx, s, v)
	return err
}

// CheckConfig says every place where a config is not what the schema in a module's
// manifest wants.
func CheckConfig(m *abi.Manifest, config json.RawMessage) error {
	s, err := compileSchema(m.Config)
	if err != nil {
		return err
	}
	return s.check(config)
}

// goldenVectors are those of the module's custom section and those beside it, which
// come from somewhere.
func goldenVectors(m *wasm.Module, text []byte, from string) ([]*abi.Vector, error) {
	vectors, err := abi.ParseVectors(m.Manifest().Kind, m.Golden())
	if err != nil {
		return nil, fmt.Errorf("custom section %s: %w", abi.GoldenSection, err)
	}
	beside, err := abi.ParseVectors(m.Manifest().Kind, text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	return append(vectors, beside...), nil
}

// maxVectorErrors is how many failing vectors a load error tells.
const maxVectorErrors = 10

// vectorsFuel is what all golden vectors of a plugin may take together, starting an
// instance for each included: a plugin is loaded within minutes, whatever it brings.
const vectorsFuel = 50 * wasm.StartFuel

// checkVectors runs the golden vectors, each in an instance of its own config, with so
// much fuel for all.
func (p *Plugin) checkVectors(ctx context.Context, s *schema, vectors []*abi.Vector, fuel uint64) error {
	var errs []error
	all := uint64(0)
	for _, v := range vectors {
		if err := ctx.Err(); err != nil {
			return err
		}
		used, err := p.checkVector(ctx, s, v)
		if err != nil {
			errs = append(errs, err)
		}
		if all += used + uint64(s.workFor(v.Config)); all > fuel {
			errs = append(errs, fmt.Errorf("golden vector, line %d: with those before it takes more than the %d of fuel that there are for all: give fewer, or smaller lists", v.Line, fuel))
			break
		}
		if len(errs) == maxVectorErrors {
			errs = append(errs, errors.New("more golden vectors may fail"))
			break
		}
	}
	return errors.Join(errs...)
}

func (p *Plugin) checkVector(ctx context.Context, s *schema, v *abi.Vector) (used uint64, err error) {
	fail := func(format string, args ...any) (uint64, error) {
		return used, fmt.Errorf("golden vector, line %d: %w", v.Line, fmt.Errorf(format, args...))
	}
	// As outside of vectors, a guest sees no config that its schema refuses.
	if err := s.check(v.Config); err != nil {
		switch {
		case !v.Refused:
			return fail("its config does not fit the schema: %v", err)
		case !strings.Contains(err.Error(), v.ConfigError):
			return fail("the config does not fit the schema: %q, expected an error with %q", err, v.ConfigError)
		}
		return 0, nil
	}
	instance, err := p.module.Instantiate(ctx, v.Config, v.DataFiles())
	var refused *wasm.ConfigError
	switch {
	case errors.As(err, &refused) && v.Refused && strings.Contains(refused.Text, v.ConfigError):
		return refused.Fuel, nil
	case refused != nil && v.Refused:
		return fail("the config is refused with %q, expected an error with %q", refused.Text, v.ConfigError)
	case err != nil:
		return fail("%w", err)
	}
	defer func() { used, err = instance.Fuel(), errors.Join(err, instance.Close(ctx)) }()
	if v.Refused {
		return fail("the config is accepted, expected an error with %q", v.ConfigError)
	}
	return 0, v.Run(p.kind, instance.Plan(), func(b *abi.Batch, out *abi.Output) error {
		return instance.Process(ctx, b, out)
	})
}
