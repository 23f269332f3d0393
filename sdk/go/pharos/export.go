//go:build wasip1

package pharos

import (
	"encoding/json"
	"runtime"
	"unsafe"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/sdk/go/internal/closing"
)

// What the host was given pointers to, kept from the garbage collector.
var (
	first, arena   []byte
	manifest, plan []byte
	lastError      []byte
	configured     bool
	batch          Batch
)

// collectFrom is the size in bytes from which an arena is worth a collection before
// it: the memory is bounded, and the host asks for larger ones rarely.
const collectFrom = 1 << 20

func pack(b []byte) uint64 {
	if len(b) == 0 {
		return 0
	}
	return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b))))<<32 | uint64(len(b))
}

func fail(err error) int32 {
	lastError = []byte(err.Error())
	return 2
}

//go:wasmexport pharos_abi
func exportABI() int32 { return abi.Version }

//go:wasmexport pharos_manifest
func exportManifest() uint64 {
	if manifest == nil {
		manifest = manifestJSON(registered.Manifest)
	}
	return pack(manifest)
}

//go:wasmexport pharos_alloc
func exportAlloc(size, _ uint32) uint32 {
	if configured && size >= collectFrom {
		arena, batch = nil, Batch{} // the host is done with it: let its memory be taken again
		runtime.GC()
	}
	block := make([]uint64, (uint64(size)+7)/8) // aligned to 8
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(block))), len(block)*8)
	if configured {
		arena = b
	} else {
		first = b
	}
	return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(b))))
}

//go:wasmexport pharos_configure
func exportConfigure(ptr, size uint32) int32 {
	var in struct {
		Config json.RawMessage
		Data   map[string]struct{ Ptr, Len uint32 }
	}
	base := uint32(uintptr(unsafe.Pointer(unsafe.SliceData(first))))
	if err := json.Unmarshal(first[ptr-base:][:size], &in); err != nil {
		return fail(err)
	}
	c := Config{JSON: in.Config, Data: map[string][]byte{}}
	for name, d := range in.Data {
		c.Data[name] = first[d.Ptr-base:][:d.Len:d.Len]
	}
	p, err := registered.Configure(c)
	if err != nil {
		return fail(err)
	}
	if plan, err = json.Marshal(p); err != nil {
		return fail(err)
	}
	configured = true
	return 0
}

//go:wasmexport pharos_plan
func exportPlan() uint64 { return pack(plan) }

func init() { closing.Close = exportProcess } // the batch says what it is of

//go:wasmexport pharos_process
func exportProcess(at uint32) int32 {
	base := uint32(uintptr(unsafe.Pointer(unsafe.SliceData(arena))))
	tooSmall, err := registered.process(&batch, arena[at-base:])
	switch {
	case err != nil:
		return fail(err)
	case tooSmall:
		return abi.TooSmall
	}
	return abi.Done
}

//go:wasmexport pharos_error
func exportError() uint64 { return pack(lastError) }
