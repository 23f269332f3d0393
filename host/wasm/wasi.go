package wasm

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/wasm/fuel"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// Errno values of WASI that are answered.
const (
	errnoSuccess = 0
	errnoBadF    = 8
	errnoFault   = 21
	errnoInval   = 28
	errnoNoSys   = 52
	errnoNotSup  = 58
	errnoSPipe   = 70
)

// fixedTime is what every clock says, in ns: 2000-01-01. It is not 0, which
// language runtimes take for a broken clock.
const fixedTime = 946684800000000000

// wasiFunction is one answered function. The stack holds the parameters.
type wasiFunction struct {
	params []api.ValueType
	call   func(ctx context.Context, mem api.Memory, stack []uint64) uint32
	exits  bool                        // never returns, has no result
	size   func(stack []uint64) uint64 // of what it works on, bytes; nil: next to nothing
}

func (f wasiFunction) results() []api.ValueType {
	if f.exits {
		return nil
	}
	return []api.ValueType{i32}
}

// instantiateWASI gives a runtime the functions that SPEC.md lists. They are
// ours, not wazero's, so that every answer is fixed: no clock that moves from
// call to call can make a guest's answer depend on the calls before.
func instantiateWASI(ctx context.Context, r wazero.Runtime) error {
	b := r.NewHostModuleBuilder(abi.WASIModule)
	for name, f := range wasi {
		b = b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, m api.Module, stack []uint64) {
			if f.size != nil {
				spend(m, f.size(stack))
			}
			errno := f.call(ctx, m.Memory(), stack)
			if !f.exits {
				stack[0] = uint64(errno)
			}
		}), f.params, f.results()).WithName(name).Export(name)
	}
	if _, err := b.Instantiate(ctx); err != nil {
		return fmt.Errorf("%s: %w", abi.WASIModule, err)
	}
	return nil
}

// spend takes fuel for the host's work off, a byte being an instruction. Where there
// is not enough the guest ends at its next charge; so that this is soon, no call
// works on more than maxHostWork.
func spend(m api.Module, bytes uint64) {
	if left, ok := m.ExportedGlobal(fuel.Export).(api.MutableGlobal); ok {
		left.Set(left.Get() - min(bytes, maxHostWork))
	}
}

// maxHostWork is what a call of a host function may work on, in bytes.
const maxHostWork = 1 << 20

// answer returns a function of WASI with the given parameters: "i" is an i32,
// "I" an i64.
func answer(params string, call func(ctx context.Context, mem api.Memory, stack []uint64) uint32) wasiFunction {
	f := wasiFunction{call: call}
	for _, c := range params {
		if c == 'I' {
			f.params = append(f.params, i64)
		} else {
			f.params = append(f.params, i32)
		}
	}
	return f
}

// sized is a function that works on as many things of a size as a parameter says, and
// refuses to work on too many.
func sized(f wasiFunction, param int, size uint64) wasiFunction {
	of := func(stack []uint64) uint64 { return uint64(uint32(stack[param])) * size }
	call := f.call
	f.size = of
	f.call = func(ctx context.Context, mem api.Memory, stack []uint64) uint32 {
		if of(stack) > maxHostWork {
			return errnoInval
		}
		return call(ctx, mem, stack)
	}
	return f
}

func always(params string, errno uint32) wasiFunction {
	return answer(params, func(context.Context, api.Memory, []uint64) uint32 { return errno })
}

// standard answers for the descriptors 0, 1 and 2, and refuses all others.
func standard(params string, call func(ctx context.Context, mem api.Memory, stack []uint64) uint32) wasiFunction {
	return answer(params, func(ctx context.Context, mem api.Memory, stack []uint64) uint32 {
		if uint32(stack[0]) > 2 {
			return errnoBadF
		}
		return call(ctx, mem, stack)
	})
}

func exits(what string) wasiFunction {
	f := answer("i", func(_ context.Context, _ api.Memory, stack []uint64) uint32 {
		panic(fmt.Errorf("called %s(%d)", what, int32(stack[0])))
	})
	f.exits = true
	return f
}

func success(context.Context, api.Memory, []uint64) uint32 { return errnoSuccess }

func notSeekable(context.Context, api.Memory, []uint64) uint32 { return errnoSPipe }

var wasi = map[string]wasiFunction{
	"args_get":          always("ii", errnoSuccess),
	"args_sizes_get":    answer("ii", noStrings),
	"environ_get":       always("ii", errnoSuccess),
	"environ_sizes_get": answer("ii", noStrings),
	"clock_res_get": answer("ii", func(_ context.Context, mem api.Memory, stack []uint64) uint32 {
		return wrote(mem.WriteUint64Le(uint32(stack[1]), 1))
	}),
	"clock_time_get": answer("iIi", func(_ context.Context, mem api.Memory, stack []uint64) uint32 {
		return wrote(mem.WriteUint64Le(uint32(stack[2]), fixedTime))
	}),
	"random_get":  sized(answer("ii", randomGet), 1, 1),
	"sched_yield": always("", errnoSuccess),
	"poll_oneoff": sized(answer("iiii", pollOneoff), 2, subscriptionSize),
	"proc_exit":   exits("proc_exit"),
	"proc_raise": answer("i", func(_ context.Context, _ api.Memory, stack []uint64) uint32 {
		panic(fmt.Errorf("called proc_raise(%d)", int32(stack[0])))
	}),

	"fd_write":            sized(answer("iiii", fdWrite), 2, vectorSize),
	"fd_read":             answer("iiii", fdRead),
	"fd_close":            standard("i", success),
	"fd_seek":             standard("iIii", notSeekable),
	"fd_tell":             standard("ii", notSeekable),
	"fd_fdstat_get":       standard("ii", fdstatGet),
	"fd_fdstat_set_flags": standard("ii", success),
	"fd_prestat_get":      always("ii", errnoBadF),
	"fd_prestat_dir_name": always("iii", errnoBadF),

	"fd_advise":               always("iIIi", errnoNoSys),
	"fd_allocate":             always("iII", errnoNoSys),
	"fd_datasync":             always("i", errnoNoSys),
	"fd_fdstat_set_rights":    always("iII", errnoNoSys),
	"fd_filestat_get":         always("ii", errnoNoSys),
	"fd_filestat_set_size":    always("iI", errnoNoSys),
	"fd_filestat_set_times":   always("iIIi", errnoNoSys),
	"fd_pread":                always("iiiIi", errnoNoSys),
	"fd_pwrite":               always("iiiIi", errnoNoSys),
	"fd_readdir":              always("iiiIi", errnoNoSys),
	"fd_renumber":             always("ii", errnoNoSys),
	"fd_sync":                 always("i", errnoNoSys),
	"path_create_directory":   always("iii", errnoNoSys),
	"path_filestat_get":       always("iiiii", errnoNoSys),
	"path_filestat_set_times": always("iiiiIIi", errnoNoSys),
	"path_link":               always("iiiiiii", errnoNoSys),
	"path_open":               always("iiiiiIIii", errnoNoSys),
	"path_readlink":           always("iiiiii", errnoNoSys),
	"path_remove_directory":   always("iii", errnoNoSys),
	"path_rename":             always("iiiiii", errnoNoSys),
	"path_symlink":            always("iiiii", errnoNoSys),
	"path_unlink_file":        always("iii", errnoNoSys),
	"sock_accept":             always("iii", errnoNoSys),
	"sock_recv":               always("iiiiii", errnoNoSys),
	"sock_send":               always("iiiii", errnoNoSys),
	"sock_shutdown":           always("ii", errnoNoSys),
}

func wrote(ok bool) uint32 {
	if !ok {
		return errnoFault
	}
	return errnoSuccess
}

func noStrings(_ context.Context, mem api.Memory, stack []uint64) uint32 {
	return wrote(mem.WriteUint32Le(uint32(stack[0]), 0) && mem.WriteUint32Le(uint32(stack[1]), 0))
}

func randomGet(_ context.Context, mem api.Memory, stack []uint64) uint32 {
	b, ok := mem.Read(uint32(stack[0]), uint32(stack[1]))
	if !ok {
		return errnoFault
	}
	for i := range b {
		b[i] = byte(151*i + 7)
	}
	return errnoSuccess
}

// Sizes of what poll_oneoff reads and writes, in bytes.
const (
	subscriptionSize = 48
	eventSize        = 32
)

// vectorSize is that of a buffer's address and length, in bytes.
const vectorSize = 8

func pollOneoff(_ context.Context, mem api.Memory, stack []uint64) uint32 {
	in, out, n, count := uint32(stack[0]), uint32(stack[1]), uint32(stack[2]), uint32(stack[3])
	if n == 0 {
		return errnoInval
	}
	if uint64(n)*subscriptionSize > uint64(mem.Size()) {
		return errnoFault
	}
	for i := range n {
		s, ok := mem.Read(in+i*subscriptionSize, subscriptionSize)
		if !ok {
			return errnoFault
		}
		var event [eventSize]byte
		copy(event[:8], s[:8]) // the user's data
		event[10] = s[8]       // the type
		if s[8] != 0 {         // not a clock
			binary.LittleEndian.PutUint16(event[8:], errnoNotSup)
		}
		if !mem.Write(out+i*eventSize, event[:]) {
			return errnoFault
		}
	}
	return wrote(mem.WriteUint32Le(count, n))
}

// vectors calls f with each buffer of an iovec array; false if one is outside
// of memory.
func vectors(mem api.Memory, at, n uint32, f func([]byte)) bool {
	if uint64(n)*8 > uint64(mem.Size()) {
		return false
	}
	for i := range n {
		p, ok1 := mem.ReadUint32Le(at + 8*i)
		size, ok2 := mem.ReadUint32Le(at + 8*i + 4)
		if !ok1 || !ok2 {
			return false
		}
		b, ok := mem.Read(p, size)
		if !ok {
			return false
		}
		f(b)
	}
	return true
}

func fdWrite(ctx context.Context, mem api.Memory, stack []uint64) uint32 {
	if fd := uint32(stack[0]); fd != 1 && fd != 2 {
		return errnoBadF
	}
	o, _ := ctx.Value(outputKey{}).(*output)
	total := uint32(0)
	if !vectors(mem, uint32(stack[1]), uint32(stack[2]), func(b []byte) {
		total += uint32(len(b))
		if o != nil {
			o.keep(b)
		}
	}) {
		return errnoFault
	}
	return wrote(mem.WriteUint32Le(uint32(stack[3]), total))
}

func fdRead(_ context.Context, mem api.Memory, stack []uint64) uint32 {
	if uint32(stack[0]) != 0 {
		return errnoBadF
	}
	return wrote(mem.WriteUint32Le(uint32(stack[3]), 0))
}

func fdstatGet(_ context.Context, mem api.Memory, stack []uint64) uint32 {
	var stat [24]byte
	stat[0] = 2 // character device
	for i := 8; i < len(stat); i++ {
		stat[i] = 0xFF // rights
	}
	return wrote(mem.Write(uint32(stack[1]), stat[:]))
}
