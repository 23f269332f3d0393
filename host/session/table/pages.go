package table

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
)

// Pages are what tables are made of: all of one size, so that a freed one is
// good for whatever comes next and nothing is ever lost between two sizes.
const (
	pageSize    = 256
	regionPages = 1 << 14 // 4 MiB are asked of the system at once
	regionSize  = pageSize * regionPages
	maxRegions  = 1 << 18 // 1 TiB: a page's number fits 32 bits
)

// mapped is what all tables have of the system.
var mapped atomic.Int64

// Mapped is the memory that all tables of the process have asked of the system,
// used or not, in bytes.
func Mapped() int64 { return mapped.Load() }

// pages hands out pages of memory that the garbage collector does not know.
// Page 0 is none.
type pages struct {
	regions [][]byte
	free    uint32 // the first free page, which names the next; 0: none
	next    uint32 // the first page that was never used
	used    int    // pages that are handed out
}

// at is the memory of a page.
func (p *pages) at(n uint32) []byte {
	off := int(n%regionPages) * pageSize
	return p.regions[n/regionPages][off : off+pageSize : off+pageSize]
}

// take hands out a page, with whatever is in it.
func (p *pages) take() uint32 {
	p.used++
	if n := p.free; n != 0 {
		p.free = binary.LittleEndian.Uint32(p.at(n))
		return n
	}
	if p.next%regionPages == 0 {
		p.grow()
	}
	n := p.next
	p.next++
	return n
}

// grow asks the system for more. There is nothing sensible to do without.
func (p *pages) grow() {
	if len(p.regions) == maxRegions {
		panic("table: a table of more than 1 TiB")
	}
	r, err := allocate(regionSize, len(p.regions) > 0)
	if err != nil {
		panic(fmt.Sprintf("table: no memory: %v", err))
	}
	mapped.Add(regionSize)
	if p.regions = append(p.regions, r); p.next == 0 {
		p.next = 1
	}
}

// give takes a page back.
func (p *pages) give(n uint32) {
	p.used--
	binary.LittleEndian.PutUint32(p.at(n), p.free)
	p.free = n
}

// close gives all memory back to the system.
func (p *pages) close() error {
	var err error
	for _, r := range p.regions {
		if e := release(r); e != nil {
			err = fmt.Errorf("table: %w", e)
			continue
		}
		mapped.Add(-regionSize)
	}
	*p = pages{}
	return err
}
