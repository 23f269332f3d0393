package wasm

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/tetratelabs/wazero/api"
)

// image is all that starting and configuring changed in an instance: one of which
// nothing has been called becomes its equal by it, and need not do the work again.
type image struct {
	module   *Module
	plan     *abi.Plan
	planText string

	size    uint32 // of the memory, bytes
	parts   []part
	globals []uint64 // in the module's order
}

// part is a piece of memory that changed.
type part struct {
	at    uint32
	bytes []byte
}

// partBytes is how large the pieces of memory are that are compared.
const partBytes = 4 << 10

// image takes the image of an instance that is configured and has processed nothing
// yet; nil where more changes in instances than can be seen.
func (i *Instance) image(ctx context.Context) (_ *image, err error) {
	if i.module.hidden != "" {
		return nil, nil
	}
	untouched, err := i.module.open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, untouched.Close(ctx)) }()
	img := &image{module: i.module, plan: i.plan, planText: i.planText, size: i.memory.Size()}
	before, _ := untouched.memory.Read(0, untouched.memory.Size())
	after, _ := i.memory.Read(0, img.size)
	img.compare(before, after)
	for _, name := range i.module.globals {
		img.globals = append(img.globals, i.mod.ExportedGlobal(name).Get())
	}
	return img, nil
}

// compare notes which parts of a memory changed; what was added to it was 0.
func (img *image) compare(before, after []byte) {
	var zeros [partBytes]byte
	for at := 0; at < len(after); at += partBytes {
		now, was := after[at:at+partBytes], zeros[:]
		if at < len(before) {
			was = before[at : at+partBytes]
		}
		if bytes.Equal(now, was) {
			continue
		}
		if n := len(img.parts); n > 0 && int(img.parts[n-1].at)+len(img.parts[n-1].bytes) == at {
			img.parts[n-1].bytes = append(img.parts[n-1].bytes, now...)
			continue
		}
		img.parts = append(img.parts, part{at: uint32(at), bytes: bytes.Clone(now)})
	}
}

// instance makes an instance that is configured, by the image.
func (img *image) instance(ctx context.Context) (*Instance, error) {
	i, err := img.module.open(ctx)
	if err != nil {
		return nil, err
	}
	if _, grown := i.memory.Grow((img.size - i.memory.Size()) / abi.PageBytes); !grown {
		return nil, errors.Join(fmt.Errorf("plugin %s: the host has no memory for an instance of %d bytes", img.module.name, img.size), i.Close(ctx))
	}
	for _, p := range img.parts {
		i.memory.Write(p.at, p.bytes)
	}
	for n, name := range img.module.globals {
		i.mod.ExportedGlobal(name).(api.MutableGlobal).Set(img.globals[n])
	}
	i.plan, i.planText, i.limit = img.plan, img.planText, img.module.limits.Fuel
	i.layout = abi.NewLayout(img.module.manifest.Kind, img.plan)
	return i, nil
}
