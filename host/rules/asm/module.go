// Package asm writes WebAssembly modules: functions with structured control,
// data, and the sections around them. What it writes is as valid as
// what its caller emits; the same calls give the same bytes.
package asm

import (
	"encoding/binary"
	"slices"
)

// Type is the type of a value.
type Type byte

// The types that are used here.
const (
	I32 Type = 0x7F
	I64 Type = 0x7E
	F64 Type = 0x7C
)

// Module is a module that is being written: one memory, no imports.
type Module struct {
	types   []signature
	funcs   []*Func
	exports []export
	data    []segment
	custom  []section
	pages   uint32
}

type signature struct{ params, results []Type }

type export struct {
	name  string
	kind  byte
	index uint32
}

type segment struct {
	at    uint32
	bytes []byte
}

type section struct {
	name    string
	content []byte
}

// The kinds of an export.
const (
	exportFunc   = 0
	exportMemory = 2
)

// Func adds a function; its body is emitted into it, at any time. The name is
// for whoever reads a trap.
func (m *Module) Func(name string, params, results []Type) *Func {
	f := &Func{
		module: m, name: name, index: uint32(len(m.funcs)), signature: m.signature(params, results),
		params: len(params), locals: slices.Clone(params),
	}
	m.funcs = append(m.funcs, f)
	return f
}

// signature is the number of a function type.
func (m *Module) signature(params, results []Type) uint32 {
	for i, s := range m.types {
		if slices.Equal(s.params, params) && slices.Equal(s.results, results) {
			return uint32(i)
		}
	}
	m.types = append(m.types, signature{slices.Clone(params), slices.Clone(results)})
	return uint32(len(m.types) - 1)
}

// Export exports a function.
func (m *Module) Export(name string, f *Func) {
	m.exports = append(m.exports, export{name, exportFunc, f.index})
}

// Memory gives the module its memory and exports it.
func (m *Module) Memory(name string, pages uint32) {
	m.pages = pages
	m.exports = append(m.exports, export{name, exportMemory, 0})
}

// Data is in memory from the start.
func (m *Module) Data(at uint32, bytes []byte) {
	m.data = append(m.data, segment{at, bytes})
}

// Custom adds a custom section.
func (m *Module) Custom(name string, content []byte) {
	m.custom = append(m.custom, section{name, content})
}

// Bytes is the module.
func (m *Module) Bytes() []byte {
	out := []byte("\x00asm\x01\x00\x00\x00")
	put := func(id byte, content []byte) {
		out = append(out, id)
		out = appendBytes(out, content)
	}
	put(1, vector(m.types, func(b []byte, s signature) []byte {
		return appendTypes(appendTypes(append(b, 0x60), s.params), s.results)
	}))
	put(3, vector(m.funcs, func(b []byte, f *Func) []byte { return appendU32(b, f.signature) }))
	put(5, appendU32([]byte{1, 0}, m.pages))
	put(7, vector(m.exports, func(b []byte, e export) []byte {
		return appendU32(append(appendName(b, e.name), e.kind), e.index)
	}))
	put(10, vector(m.funcs, func(b []byte, f *Func) []byte { return appendBytes(b, f.body()) }))
	put(11, vector(m.data, func(b []byte, s segment) []byte {
		b = append(appendS64(append(b, 0, opI32Const), int64(int32(s.at))), opEnd)
		return appendBytes(b, s.bytes)
	}))
	put(0, append(appendName(nil, "name"), m.names()...))
	for _, s := range m.custom {
		put(0, append(appendName(nil, s.name), s.content...))
	}
	return out
}

// names are those of the functions, as the name section has them.
func (m *Module) names() []byte {
	content := appendU32(nil, uint32(len(m.funcs)))
	for _, f := range m.funcs {
		content = appendName(appendU32(content, f.index), f.name)
	}
	return appendBytes([]byte{1}, content)
}

// Producers is the content of a producers section: what processed the module.
func Producers(name, version string) []byte {
	b := appendName([]byte{1}, "processed-by")
	return appendName(appendName(append(b, 1), name), version)
}

func vector[T any](list []T, item func([]byte, T) []byte) []byte {
	b := appendU32(nil, uint32(len(list)))
	for _, x := range list {
		b = item(b, x)
	}
	return b
}

func appendTypes(b []byte, types []Type) []byte {
	b = appendU32(b, uint32(len(types)))
	for _, t := range types {
		b = append(b, byte(t))
	}
	return b
}

func appendName(b []byte, name string) []byte {
	return append(appendU32(b, uint32(len(name))), name...)
}

func appendBytes(b, content []byte) []byte {
	return append(appendU32(b, uint32(len(content))), content...)
}

// appendU32 is unsigned LEB128.
func appendU32(b []byte, v uint32) []byte { return binary.AppendUvarint(b, uint64(v)) }

// appendS64 is signed LEB128.
func appendS64(b []byte, v int64) []byte {
	for {
		low := byte(v & 0x7F)
		v >>= 7
		if v == 0 && low&0x40 == 0 || v == -1 && low&0x40 != 0 {
			return append(b, low)
		}
		b = append(b, low|0x80)
	}
}
