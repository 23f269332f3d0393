package wasm

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The bounds of a module's tables. They lie outside of its memory: an element
// takes 8 bytes of the host.
const (
	maxTables        = 8
	maxTableElements = 1 << 20 // of all tables together
)

// tableSection is the id of the section that declares tables.
const tableSection = 4

// tables is what a module declares of its tables.
type tables struct {
	n         uint64
	elements  uint64 // most that they may have; of a table without a maximum, what it begins with
	unbounded bool   // one has no maximum
}

// errTables is told of a module only if the compiler finds no fault in it.
var errTables = errors.New("its tables cannot be read: they must be those of WebAssembly 2.0")

// tablesOf reads what a module declares. Imported tables are no part of it: there
// are none to be had.
func tablesOf(code []byte) (t tables, err error) {
	if body := sectionOf(code, tableSection); len(body) > 0 {
		err = t.read(body)
	}
	return t, err
}

// sectionOf is the content of a section of a module that is sound as far as its
// sections go; empty where it has none.
func sectionOf(code []byte, want byte) []byte {
	const header = 8 // bytes
	rest := code[min(header, len(code)):]
	for len(rest) > 0 {
		id := rest[0]
		size, n := binary.Uvarint(rest[1:])
		if n <= 0 || size > uint64(len(rest)-1-n) {
			return nil // the rewriter has refused it
		}
		body := rest[1+n:][:size]
		rest = rest[1+n:][size:]
		if id == want {
			return body
		}
	}
	return nil
}

// read reads a table section.
func (t *tables) read(body []byte) error {
	number := func() uint64 {
		v, n := binary.Uvarint(body)
		if n <= 0 {
			body = nil
			return 0
		}
		body = body[n:]
		return v
	}
	n := number()
	t.n += n
	for range n {
		// A type, funcref or externref, and the flag of a maximum.
		if len(body) < 2 || body[0] != 0x70 && body[0] != 0x6F || body[1] > 1 {
			return errTables
		}
		bounded := body[1] == 1
		body = body[2:]
		most := number()
		if bounded {
			most = number()
		}
		t.unbounded = t.unbounded || !bounded
		t.elements += min(most, 1<<32) // so that no sum overflows: a body has few entries
	}
	return nil
}

// check refuses tables that are too many or too large.
func (t *tables) check() error {
	if t.n > maxTables || t.elements > maxTableElements {
		return fmt.Errorf("its %d tables may have %d elements: at most %d tables of %d elements together are allowed; lower their maximum", t.n, t.elements, maxTables, maxTableElements)
	}
	return nil
}
