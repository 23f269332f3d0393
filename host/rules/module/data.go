package module

import (
	"encoding/binary"

	. "github.com/seed-6a2d649b/pharos/host/rules/asm" // so that instructions read as such
)

// data is the module's static memory, from its first byte on. Address 0 is left
// out, so that no pointer is 0.
type data struct {
	bytes []byte
	texts map[string]uint32
}

const dataStart = 16

// add puts bytes into memory, at a multiple of 8, and gives their address.
func (d *data) add(bytes []byte) uint32 {
	at := dataStart + uint32(len(d.bytes))
	d.bytes = append(d.bytes, bytes...)
	for len(d.bytes)%8 != 0 {
		d.bytes = append(d.bytes, 0)
	}
	return at
}

// text puts a text into memory, once.
func (d *data) text(text string) uint32 {
	at, ok := d.texts[text]
	if !ok {
		if d.texts == nil {
			d.texts = map[string]uint32{}
		}
		at = d.add([]byte(text))
		d.texts[text] = at
	}
	return at
}

// words puts numbers of 64 bits into memory.
func (d *data) words(words []uint64) uint32 {
	var b []byte
	for _, w := range words {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return d.add(b)
}

// numbers puts numbers of 32 bits into memory.
func (d *data) numbers(numbers []uint32) uint32 {
	var b []byte
	for _, n := range numbers {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	return d.add(b)
}

// word is a variable of 32 bits: in memory, since an engine has to look after every
// global at every call.
func (d *data) word() Word { return Word(d.add(make([]byte, 4))) }

// end is the first address behind all data.
func (d *data) end() uint32 { return dataStart + uint32(len(d.bytes)) }
