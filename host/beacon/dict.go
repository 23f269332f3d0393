package beacon

import (
	"hash/maphash"

	"github.com/seed-6a2d649b/pharos/abi"
)

// dict finds texts in the dictionary of a column while it is built.
type dict struct {
	seed  maphash.Seed
	table []uint32 // 1 + code, 0 is free; a power of two, at most half full
}

// reset makes room for n texts.
func (d *dict) reset(n int) {
	size := 16
	for size < 2*n {
		size *= 2
	}
	if d.table == nil {
		d.seed = maphash.MakeSeed()
	}
	d.table = zeroed(d.table, size)
}

// code gives the code of text in c, adding it if it is new.
func (d *dict) code(c *abi.Column, text []byte) uint32 {
	mask := uint64(len(d.table) - 1)
	for h := maphash.Bytes(d.seed, text); ; h++ {
		slot := &d.table[h&mask]
		if *slot == 0 {
			code := uint32(len(c.Offsets) - 1)
			c.Bytes = append(c.Bytes, text...)
			c.Offsets = append(c.Offsets, uint32(len(c.Bytes)))
			*slot = code + 1
			return code
		}
		if code := *slot - 1; string(c.Bytes[c.Offsets[code]:c.Offsets[code+1]]) == string(text) {
			return code
		}
	}
}

// dictionary fills a Str column with codes; entries stand in the order of their
// first row.
func (b *Batch) dictionary(field int, sel []int, c *abi.Column) {
	c.Offsets = append(c.Offsets, 0)
	valid := shown[abi.Str]
	for i, row := range sel {
		if v := &b.Row(row).Values[field]; valid[v.Kind] {
			set(c.Valid, i)
			c.Codes[i] = b.dict.code(c, v.Text)
		}
	}
}
