package plugin

import (
	"context"
	"errors"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/fetch"
	"github.com/seed-6a2d649b/pharos/host/wasm"
)

// Inspection is what can be told of a module without a config.
type Inspection struct {
	Path   string
	Digest string
	Size   int // bytes
	Binary
	Manifest *abi.Manifest // nil where Problems say why
	Plan     *abi.Plan     // with an empty config and no data; nil if it refuses that
	Closes   bool          // it has a close function
	Refusal  string        // why an empty config gives no plan
	Vectors  int           // golden vectors, of the module and beside it
	Metered  int           // bytes of the module that counts its own work, which is what runs
	Problems []error       // why it could not be loaded, as far as that shows
}

// Inspect looks at a module, by its path or address. An error is that of fetching
// it; what is wrong with it is in the inspection's Problems.
func Inspect(ctx context.Context, module string) (_ *Inspection, err error) {
	got, err := fetch.New("").Get(ctx, module, fetch.Want{})
	if err != nil {
		return nil, err
	}
	path, code := got.Module.From, got.Module.Content
	in := &Inspection{Path: path, Digest: fetch.Digest(code), Size: len(code)}
	if in.Binary, err = parseBinary(code); err != nil {
		in.Problems = append(in.Problems, err)
		return in, nil
	}
	metered, problem := wasm.MeteredSize(code)
	if problem != nil {
		in.Problems = append(in.Problems, problem)
		return in, nil
	}
	in.Metered = metered
	runtime, err := wasm.NewRuntime(wasm.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, runtime.Close(ctx)) }()
	m, problem := runtime.Compile(ctx, path, code)
	if problem != nil {
		in.Problems = append(in.Problems, problem)
		return in, nil
	}
	defer func() { err = errors.Join(err, m.Close(ctx)) }()
	in.Manifest, in.Closes = m.Manifest(), m.Closes()
	vectors, problem := goldenVectors(m, got.Golden.Content, got.Golden.From)
	if problem != nil {
		in.Problems = append(in.Problems, problem)
	}
	in.Vectors = len(vectors)
	schema, problem := compileSchema(in.Manifest.Config)
	if problem != nil {
		in.Problems = append(in.Problems, problem)
		return in, nil
	}
	if unfit := schema.check([]byte("{}")); unfit != nil {
		in.Refusal = unfit.Error()
		return in, nil
	}
	instance, problem := m.Instantiate(ctx, nil, nil)
	var trap *wasm.TrapError
	switch {
	case problem == nil:
		in.Plan = instance.Plan()
		return in, instance.Close(ctx)
	case errors.As(problem, &trap):
		in.Problems = append(in.Problems, problem)
	default: // one that wants a config is no problem
		in.Refusal = problem.Error()
	}
	return in, nil
}
