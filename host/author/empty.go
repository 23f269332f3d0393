package author

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/seed-6a2d649b/pharos/abi"
)

// emptyGuest makes the module of a guest of a kind and plan that answers at once and
// looks at nothing: what it costs is what the host and the copy of the columns cost.
func emptyGuest(kind abi.Kind, plan *abi.Plan) ([]byte, error) {
	manifest, err := json.Marshal(abi.Manifest{Kind: kind, Name: "empty", Version: "1"})
	if err != nil {
		return nil, fmt.Errorf("empty guest: %w", err)
	}
	planned, err := json.Marshal(plan)
	if err != nil {
		return nil, fmt.Errorf("empty guest: %w", err)
	}
	const begin = 1024
	manifestAt, planAt := uint32(begin), uint32(begin+len(manifest))
	heap := (planAt + uint32(len(planned)) + 7) &^ 7
	text := func(at uint32, text []byte) []byte {
		return append(signed([]byte{i64Const}, int64(at)<<32|int64(len(text))), end)
	}
	zero := []byte{i32Const, 0, end}

	const ( // types
		giveI32, giveI64, takeOne, takeTwo = 0, 1, 2, 3
	)
	functions := []struct {
		name string
		kind byte
		body []byte // without locals
	}{
		{abi.ExportABI, giveI32, []byte{i32Const, abi.Version, end}},
		{abi.ExportManifest, giveI64, text(manifestAt, manifest)},
		{abi.ExportPlan, giveI64, text(planAt, planned)},
		{abi.ExportError, giveI64, []byte{i64Const, 0, end}},
		{abi.ExportConfigure, takeTwo, []byte{ // begin = (behind + 7) & -8: the block of the config stays
			globalGet, 1, i32Const, 7, i32Add, i32Const, 0x78, i32And, globalSet, 0, i32Const, 0, end,
		}},
		{abi.ExportAlloc, takeTwo, []byte{
			globalGet, 0, localGet, 0, i32Add, globalSet, 1, // behind = begin + size
			globalGet, 1, i32Const, 0xFF, 0xFF, 0x03, i32Add, i32Const, 16, i32ShrU, memorySize, 0, i32Sub, localSet, 1, // pages that are missing
			localGet, 1, i32Const, 0, i32GtS, ifVoid, void,
			localGet, 1, memoryGrow, 0, i32Const, 0x7F, i32Eq, ifVoid, void, i32Const, 0, give, end,
			end,
			globalGet, 0, end,
		}},
		{abi.ExportProcess, takeOne, zero},
	}
	var types, exports, code [][]byte
	exports = append(exports, append(name(abi.ExportMemory), 2, 0))
	for i, f := range functions {
		types = append(types, []byte{f.kind})
		exports = append(exports, append(name(f.name), 0, byte(i)))
		code = append(code, sized(append([]byte{0}, f.body...)))
	}
	global := func(value uint32) []byte { return append(signed([]byte{typeI32, 1, i32Const}, int64(value)), end) }
	pages := heap/abi.PageBytes + 1
	module := []byte("\x00asm\x01\x00\x00\x00")
	for _, s := range []struct {
		id      byte
		entries [][]byte
	}{
		{1, [][]byte{{0x60, 0, 1, typeI32}, {0x60, 0, 1, typeI64}, {0x60, 1, typeI32, 1, typeI32}, {0x60, 2, typeI32, typeI32, 1, typeI32}}},
		{3, types},
		{5, [][]byte{binary.AppendUvarint([]byte{0}, uint64(pages))}},
		{6, [][]byte{global(heap), global(heap)}},
		{7, exports},
		{10, code},
		{11, [][]byte{append(append(signed([]byte{0, i32Const}, begin), end), sized(append(manifest, planned...))...)}},
	} {
		section := binary.AppendUvarint(nil, uint64(len(s.entries)))
		for _, e := range s.entries {
			section = append(section, e...)
		}
		module = append(append(module, s.id), sized(section)...)
	}
	return module, nil
}

// Instructions and types of WebAssembly.
const (
	typeI32, typeI64       = 0x7F, 0x7E
	ifVoid, void           = 0x04, 0x40
	end, give              = 0x0B, 0x0F
	localGet, localSet     = 0x20, 0x21
	globalGet, globalSet   = 0x23, 0x24
	memorySize, memoryGrow = 0x3F, 0x40
	i32Const, i64Const     = 0x41, 0x42
	i32Eq, i32GtS          = 0x46, 0x4A
	i32Add, i32Sub         = 0x6A, 0x6B
	i32And, i32ShrU        = 0x71, 0x76
)

// sized is a content behind its size.
func sized(content []byte) []byte {
	return append(binary.AppendUvarint(nil, uint64(len(content))), content...)
}

func name(s string) []byte { return sized([]byte(s)) }

// signed appends a number as signed LEB128.
func signed(dst []byte, n int64) []byte {
	for {
		low := byte(n & 0x7F)
		n >>= 7
		if n == 0 && low&0x40 == 0 || n == -1 && low&0x40 != 0 {
			return append(dst, low)
		}
		dst = append(dst, low|0x80)
	}
}
