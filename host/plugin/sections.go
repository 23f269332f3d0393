package plugin

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Section is one section of a module.
type Section struct {
	Name string // of a custom section: "custom " and its name
	Size int    // bytes, without its header
}

// Binary is what shows of a module without compiling it.
type Binary struct {
	Sections []Section
	Imports  []string // "module.name" and what it is, of functions with the signature
	Exports  []string // name and what it is
	// Functions are those that the module defines, the largest first. Names are those of
	// its section "name", else of an export, else its number.
	Functions []Function
}

var sectionNames = []string{"custom", "type", "import", "function", "table", "memory", "global", "export", "start", "element", "code", "data", "data count", "tag"}

const wasmHeader = "\x00asm\x01\x00\x00\x00"

// parseBinary reads the sections of a module. What it read before an error is
// given beside the error.
func parseBinary(code []byte) (Binary, error) {
	var b Binary
	if len(code) < len(wasmHeader) || string(code[:len(wasmHeader)]) != wasmHeader {
		return b, errors.New("not a WebAssembly module of version 1")
	}
	r := &reader{rest: code[len(wasmHeader):]}
	m := &moduleTypes{}
	for len(r.rest) > 0 && r.err == nil {
		id := r.byte()
		body := &reader{rest: r.bytes(r.u32())}
		if r.err != nil {
			break
		}
		section := Section{Name: fmt.Sprintf("section %d", id), Size: len(body.rest)}
		if int(id) < len(sectionNames) {
			section.Name = sectionNames[id]
		}
		switch id {
		case 0:
			name := body.text()
			if section.Name += " " + name; name == "name" {
				m.names = functionNames(body)
			}
		case 1:
			body.list(func() { m.types = append(m.types, body.functionType()) })
		case 2:
			body.list(func() { b.Imports = append(b.Imports, body.importEntry(m)) })
		case 3:
			body.list(func() { m.functions = append(m.functions, body.u32()) })
		case 7:
			body.list(func() { b.Exports = append(b.Exports, body.exportEntry(m)) })
		case 10:
			body.list(func() { m.sizes = append(m.sizes, len(body.bytes(body.u32()))) })
		}
		if body.err != nil {
			return b, fmt.Errorf("%s section: %w", section.Name, body.err)
		}
		b.Sections = append(b.Sections, section)
	}
	b.Functions = m.bySize()
	return b, r.err
}

// moduleTypes are the signatures of a module's functions, imported ones first, and
// what else is known of them.
type moduleTypes struct {
	types     []string
	functions []uint32
	imported  int
	sizes     []int             // of those that are not imported
	exported  map[uint32]string // names
	names     map[uint32]string
}

func (m *moduleTypes) signature(t uint32) string {
	if int64(t) < int64(len(m.types)) {
		return m.types[t]
	}
	return fmt.Sprintf("type %d", t)
}

// reader reads the encoding of a module; after an error it reads zeros.
type reader struct {
	rest []byte
	err  error
}

var errShort = errors.New("it ends too early")

func (r *reader) byte() byte {
	if b := r.bytes(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (r *reader) bytes(n uint32) []byte {
	if r.err == nil && uint64(n) > uint64(len(r.rest)) {
		r.err, r.rest = errShort, nil
	}
	if r.err != nil {
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) u64() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		if r.err == nil {
			r.err, r.rest = errShort, nil
		}
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *reader) u32() uint32 {
	n := r.u64()
	if n > 1<<32-1 && r.err == nil {
		r.err = errors.New("a number is too large")
	}
	return uint32(n)
}

func (r *reader) text() string { return strings.ToValidUTF8(string(r.bytes(r.u32())), "?") }

// list calls f for each entry of a list.
func (r *reader) list(f func()) {
	for n := r.u32(); n > 0 && r.err == nil; n-- {
		f()
	}
}

var valueTypes = map[byte]string{0x7F: "i32", 0x7E: "i64", 0x7D: "f32", 0x7C: "f64", 0x7B: "v128", 0x70: "funcref", 0x6F: "externref"}

func (r *reader) valueTypes() string {
	var names []string
	r.list(func() {
		t := r.byte()
		name, ok := valueTypes[t]
		if !ok && r.err == nil {
			r.err = fmt.Errorf("value type %#x is not known", t)
		}
		names = append(names, name)
	})
	return "(" + strings.Join(names, ", ") + ")"
}

func (r *reader) functionType() string {
	if form := r.byte(); form != 0x60 && r.err == nil {
		r.err = fmt.Errorf("type %#x is no function", form)
	}
	return r.valueTypes() + " -> " + r.valueTypes()
}

func (r *reader) limits() string {
	flags := r.byte()
	text := fmt.Sprintf("from %d", r.u64())
	if flags&1 != 0 {
		text += fmt.Sprintf(" to %d", r.u64())
	}
	return text
}

func (r *reader) importEntry(m *moduleTypes) string {
	name := r.text() + "." + r.text()
	switch kind := r.byte(); kind {
	case 0:
		t := r.u32()
		m.functions = append(m.functions, t)
		m.imported++
		return name + " " + m.signature(t)
	case 1:
		r.byte()
		return name + " table " + r.limits()
	case 2:
		return name + " memory " + r.limits()
	case 3:
		r.bytes(2)
		return name + " global"
	default:
		if r.err == nil {
			r.err = fmt.Errorf("%s: import of kind %d is not known", name, kind)
		}
		return name
	}
}

func (r *reader) exportEntry(m *moduleTypes) string {
	name, kind, index := r.text(), r.byte(), r.u32()
	switch {
	case kind == 0 && int64(index) < int64(len(m.functions)):
		if m.exported == nil {
			m.exported = map[uint32]string{}
		}
		m.exported[index] = name
		return name + " " + m.signature(m.functions[index])
	case kind < 4:
		return name + " " + [...]string{"function", "table", "memory", "global"}[kind]
	}
	return fmt.Sprintf("%s kind %d", name, kind)
}
