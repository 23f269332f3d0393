package wasm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/wasm/fuel"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// Instance is one running, configured guest. Not for concurrent use.
type Instance struct {
	module  *Module
	mod     api.Module
	memory  api.Memory
	output  *output
	fuel    api.MutableGlobal
	depth   api.MutableGlobal // what is left of its stack
	alloc   api.Function
	process api.Function
	closing api.Function // nil of a guest without a close function
	dead    *TrapError
	limit   int64  // of fuel, of the next call
	used    uint64 // fuel, of all calls

	plan      *abi.Plan
	planText  string
	layout    *abi.Layout
	caps      abi.Capacity
	tight     bool   // outputs begin without room
	arena     uint32 // where batches are laid out
	arenaSize int    // in bytes; 0: there is none
	stack     [2]uint64
}

// open makes an instance of which nothing has been called.
func (m *Module) open(ctx context.Context) (*Instance, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	i := &Instance{module: m, output: newOutput(), limit: m.startFuel}
	var mod api.Module
	err := guarded(func() (err error) {
		mod, err = m.runtime.InstantiateModule(i.output, m.compiled, wazero.NewModuleConfig().WithName("").WithStartFunctions())
		return err
	})
	if err != nil {
		return nil, i.kill("start", Trap, err)
	}
	i.mod, i.memory = mod, mod.Memory()
	var counts, bounded bool
	i.fuel, counts = mod.ExportedGlobal(fuel.Export).(api.MutableGlobal)
	i.depth, bounded = mod.ExportedGlobal(fuel.StackExport).(api.MutableGlobal)
	if !counts || !bounded {
		return nil, errors.Join(errors.New("the module does not count its work"), i.Close(ctx))
	}
	i.alloc, i.process, i.closing = mod.ExportedFunction(abi.ExportAlloc), mod.ExportedFunction(abi.ExportProcess), mod.ExportedFunction(abi.ExportClose)
	return i, nil
}

// start makes an instance and checks its ABI version; it is not configured.
func (m *Module) start(ctx context.Context) (*Instance, error) {
	i, err := m.open(ctx)
	if err != nil {
		return nil, err
	}
	for _, first := range []struct{ export, name string }{{fuel.Start, "start"}, {abi.ExportInitialize, abi.ExportInitialize}} {
		f := i.mod.ExportedFunction(first.export)
		if f == nil {
			continue
		}
		if _, err := i.call(f, first.name); err != nil {
			return nil, errors.Join(err, i.Close(ctx))
		}
	}
	version, err := i.call(i.mod.ExportedFunction(abi.ExportABI), abi.ExportABI)
	if err == nil && uint32(version) != abi.Version {
		err = fmt.Errorf("speaks version %d of the ABI, this host version %d: build it against that one", int32(uint32(version)), abi.Version)
	}
	if err != nil {
		return nil, errors.Join(err, i.Close(ctx))
	}
	return i, nil
}

// Instantiate makes an instance and configures it. config is the plugin's
// config as JSON, nil for none; data are its data files by name. Errors are
// *ConfigError, *TrapError, a plan that is not valid, or a context that has ended.
func (m *Module) Instantiate(ctx context.Context, config []byte, data map[string][]byte) (*Instance, error) {
	i, err := m.start(ctx)
	if err != nil {
		return nil, err
	}
	if err := i.configure(config, data); err != nil {
		return nil, errors.Join(err, i.Close(ctx))
	}
	return i, nil
}

func (i *Instance) configure(config []byte, data map[string][]byte) error {
	if err := i.giveConfig(config, data); err != nil {
		return err
	}
	text, err := i.text(abi.ExportPlan, abi.MaxPlanBytes)
	if err != nil {
		return err
	}
	i.planText = string(text)
	kind := i.module.manifest.Kind
	if i.plan, err = abi.ParsePlan(kind, text); err != nil {
		return fmt.Errorf("plugin %s: %w", i.module.name, err)
	}
	i.layout = abi.NewLayout(kind, i.plan)
	i.limit = i.module.limits.Fuel
	return nil
}

type dataRef struct {
	Ptr uint32 `json:"ptr"`
	Len int    `json:"len"`
}

// giveConfig puts the data files and then the JSON that points at them into one
// block of the guest's memory.
func (i *Instance) giveConfig(config []byte, data map[string][]byte) error {
	if len(config) == 0 {
		config = []byte("{}")
	}
	if len(config) > abi.MaxConfigBytes {
		return fmt.Errorf("plugin %s: its config has %d bytes, at most %d are allowed", i.module.name, len(config), abi.MaxConfigBytes)
	}
	names := slices.Sorted(maps.Keys(data))
	size := 0
	for _, n := range names {
		size += align(len(data[n]))
	}
	if size > abi.MaxDataBytes {
		return fmt.Errorf("plugin %s: its data files have %d bytes, at most %d are allowed", i.module.name, size, abi.MaxDataBytes)
	}
	document := func(base uint32) ([]byte, error) {
		refs := make(map[string]dataRef, len(names))
		at := base
		for _, n := range names {
			refs[n] = dataRef{Ptr: at, Len: len(data[n])}
			at += uint32(align(len(data[n])))
		}
		return json.Marshal(struct {
			Config json.RawMessage    `json:"config"`
			Data   map[string]dataRef `json:"data"`
		}{config, refs})
	}
	// The pointers' digits are not known before the block is: room for the longest.
	longest, err := document(1<<32 - 1 - uint32(size))
	if err != nil {
		return fmt.Errorf("plugin %s: its config is not JSON: %w", i.module.name, err)
	}
	ptr, err := i.allocate(align(size + len(longest)))
	if err != nil {
		return err
	}
	if ptr == 0 {
		return fmt.Errorf("plugin %s: has no memory for its config and data files of %d bytes: raise its limits.memory", i.module.name, size+len(longest))
	}
	text, err := document(ptr)
	if err != nil {
		return fmt.Errorf("plugin %s: its config is not JSON: %w", i.module.name, err)
	}
	block, ok := i.memory.Read(ptr, uint32(align(size+len(longest))))
	if !ok {
		return i.kill(abi.ExportAlloc, Violation, errors.New("memory shrank"))
	}
	at := 0
	for _, n := range names {
		copy(block[at:], data[n])
		at += align(len(data[n]))
	}
	copy(block[size:], text)
	code, err := i.call(i.mod.ExportedFunction(abi.ExportConfigure), abi.ExportConfigure, uint64(ptr)+uint64(size), uint64(len(text)))
	if err != nil {
		return err
	}
	if uint32(code) != 0 {
		text, err := i.errorText()
		if err != nil {
			return err
		}
		return &ConfigError{Module: i.module.name, Text: text, Fuel: i.used}
	}
	return nil
}

func align(n int) int { return (n + abi.Align - 1) &^ (abi.Align - 1) }

// Plan returns what the configured guest wants and may answer.
func (i *Instance) Plan() *abi.Plan { return i.plan }

// Dead reports whether the instance can be used no more.
func (i *Instance) Dead() bool { return i.dead != nil }

// Close lets the instance go.
func (i *Instance) Close(ctx context.Context) error {
	if i.dead == nil {
		i.dead = &TrapError{Module: i.module.name, Function: "close", Cause: Failed, Detail: "it was closed", err: ErrDead}
	}
	if i.mod == nil {
		return nil
	}
	return i.mod.Close(ctx)
}

// allowed is the fuel that the instance has for a batch, or for a call before the
// first one.
func (i *Instance) allowed() int64 {
	if i.layout == nil {
		return i.module.startFuel
	}
	return i.module.limits.Fuel
}

// Fuel is the work that the guest has done in all calls, in units of package fuel.
func (i *Instance) Fuel() uint64 { return i.used }

// Tighten makes the outputs of every batch begin without room, so that an extractor
// must ask for what it needs: for tries of whether it does so as it should.
func (i *Instance) Tighten() { i.tight = true }

// MemoryBytes is how large the guest's memory is by now.
func (i *Instance) MemoryBytes() int { return int(i.memory.Size()) }

// Process gives the guest one batch, its close function one of closed sessions, and
// reads the answer into out. All that it does for the batch, making room included,
// has the module's fuel together. On a *TrapError the instance is dead. On an
// *abi.SizeError it is alive, but the batch does not fit into its memory: split it.
// Any other error is a context that has ended, or a batch that is not of the guest's
// plan. The batch's cells stay as they are: those after the call are in out.
func (i *Instance) Process(ctx context.Context, b *abi.Batch, out *abi.Output) error {
	return i.answer(ctx, b, out, i.module.limits.Fuel)
}

// Prove is Process of a row that failed, in an instance that has processed nothing
// yet: with so much more fuel that what it does once, and all that it does twice
// for want of room, is in it. So what passes in any batch passes here too, and
// which rows are guilty does not hang on how they are put together.
func (i *Instance) Prove(ctx context.Context, b *abi.Batch, out *abi.Output) error {
	return i.answer(ctx, b, out, proofShare*i.module.limits.Fuel+proofMore)
}

const (
	proofShare = 4
	proofMore  = 50_000_000
)

func (i *Instance) answer(ctx context.Context, b *abi.Batch, out *abi.Output, limit int64) error {
	if i.dead != nil {
		return fmt.Errorf("%w: %w", ErrDead, i.dead)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	function, export := i.process, abi.ExportProcess
	if b.Closed {
		function, export = i.closing, abi.ExportClose
	}
	if function == nil {
		return fmt.Errorf("plugin %s: exports no %s, and is asked about closed sessions", i.module.name, abi.ExportClose)
	}
	if i.tight {
		i.caps = abi.Capacity{}
	} else if i.module.manifest.Kind == abi.Extract {
		// A guess that most extractors never exceed; what was needed once is kept.
		i.caps.Measurements = max(i.caps.Measurements, 2*b.Rows)
		if i.plan.TupleWidth() > 0 {
			i.caps.Tuples = max(i.caps.Tuples, b.Rows)
			i.caps.Text = max(i.caps.Text, 16*b.Rows)
		}
	}
	most := i.used + uint64(limit)
	for {
		i.limit = int64(most - i.used)
		size, err := i.layout.Place(b, i.caps)
		if err != nil {
			return err
		}
		if err := i.reserve(size, b.Rows); err != nil {
			return err
		}
		mem, ok := i.memory.Read(i.arena, uint32(size))
		if !ok {
			return i.kill(export, Violation, errors.New("memory shrank"))
		}
		i.layout.Write(mem, b)
		i.limit = int64(most - i.used)
		code, err := i.call(function, export, uint64(i.arena))
		if err != nil {
			return err
		}
		// The memory may have grown, which moves it.
		if mem, ok = i.memory.Read(i.arena, uint32(size)); !ok {
			return i.kill(export, Violation, errors.New("memory shrank"))
		}
		switch uint32(code) {
		case abi.Done:
			if err := i.layout.Read(mem, out); err != nil {
				return i.kill(export, Violation, err)
			}
			return nil
		case abi.TooSmall:
			if i.caps, err = i.layout.Needed(mem); err != nil {
				return i.kill(export, Violation, err)
			}
		default:
			i.limit = i.module.limits.Fuel // it may have failed late
			text, err := i.errorText()
			if err != nil {
				return err
			}
			return i.kill(export, Failed, fmt.Errorf("code %d: %s", int32(uint32(code)), text))
		}
	}
}

// reserve makes the arena at least size bytes large.
func (i *Instance) reserve(size, rows int) error {
	if size <= i.arenaSize {
		return nil
	}
	i.arenaSize = 0
	// A bit more than needed first, so that it rarely grows.
	roomy := (size + size/4 + abi.PageBytes - 1) &^ (abi.PageBytes - 1)
	for _, want := range []int{roomy, size} {
		ptr, err := i.allocate(want)
		if err != nil {
			return err
		}
		if ptr != 0 {
			i.arena, i.arenaSize = ptr, want
			return nil
		}
	}
	return &abi.SizeError{Bytes: size, Rows: rows}
}

// allocate asks the guest for a block; 0 if it refuses.
func (i *Instance) allocate(size int) (uint32, error) {
	v, err := i.call(i.alloc, abi.ExportAlloc, uint64(size), abi.Align)
	if err != nil {
		return 0, err
	}
	ptr := uint32(v)
	if ptr%abi.Align != 0 {
		return 0, i.kill(abi.ExportAlloc, Violation, fmt.Errorf("block at %d, which is no multiple of %d", ptr, abi.Align))
	}
	if ptr != 0 && uint64(ptr)+uint64(size) > uint64(i.memory.Size()) {
		return 0, i.kill(abi.ExportAlloc, Violation, fmt.Errorf("block of %d bytes at %d, outside of the memory of %d bytes", size, ptr, i.memory.Size()))
	}
	return ptr, nil
}

// text calls an export that gives a text and returns a copy of it.
func (i *Instance) text(export string, most int) ([]byte, error) {
	v, err := i.call(i.mod.ExportedFunction(export), export)
	if err != nil {
		return nil, err
	}
	ptr, n := uint32(v>>32), uint32(v)
	if uint64(n) > uint64(most) {
		return nil, i.kill(export, Violation, fmt.Errorf("text of %d bytes, at most %d are allowed", n, most))
	}
	b, ok := i.memory.Read(ptr, n)
	if !ok {
		return nil, i.kill(export, Violation, fmt.Errorf("text of %d bytes at %d, outside of the memory of %d bytes", n, ptr, i.memory.Size()))
	}
	return slices.Clone(b), nil
}

// errorText asks for the text of the guest's last error, cut and made safe to
// print.
func (i *Instance) errorText() (string, error) {
	v, err := i.call(i.mod.ExportedFunction(abi.ExportError), abi.ExportError)
	if err != nil {
		return "", err
	}
	ptr, n := uint32(v>>32), min(uint32(v), abi.MaxErrorBytes)
	b, ok := i.memory.Read(ptr, n)
	if !ok {
		return "", i.kill(abi.ExportError, Violation, fmt.Errorf("text of %d bytes at %d, outside of the memory of %d bytes", n, ptr, i.memory.Size()))
	}
	if n == 0 {
		return "it does not say why", nil
	}
	return printable(b), nil
}

// call calls a function of at most two parameters and one result, which has
// i.limit of fuel. Nothing here allocates.
func (i *Instance) call(f api.Function, name string, params ...uint64) (uint64, error) {
	i.stack = [2]uint64{}
	copy(i.stack[:], params)
	i.output.text = i.output.text[:0]
	i.fuel.Set(uint64(i.limit))
	i.depth.Set(fuel.Stack)
	err := f.CallWithStack(i.output, i.stack[:])
	left := int64(i.fuel.Get())
	i.used += uint64(i.limit - max(left, 0))
	if i.layout == nil { // all calls before the first batch have their fuel together
		i.limit = max(left, 0)
	}
	switch {
	case err == nil:
		return i.stack[0], nil
	case left < 0:
		return 0, i.kill(name, OutOfFuel, err)
	}
	return 0, i.kill(name, Trap, err)
}
