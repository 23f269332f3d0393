package table

import (
	"encoding/binary"
	"slices"
)

// A bucket's content lies in a chain of pages. The head has the content's size,
// the numbers of the pages behind it and, in the room that is left, where the
// content begins. Of a long one the head has only the first numbers, and that
// of a list: a page of more numbers, the last of which is the next list's.
const (
	sizeBytes   = 8
	headNumbers = 40 // a bucket with more pages is long
	listNumbers = pageSize/4 - 1
	shortBegins = sizeBytes                     // where the content begins in a head without numbers
	longBegins  = sizeBytes + 4*(headNumbers+1) // where it does in a long one
)

// behind is the number of pages behind the head that a content needs.
func behind(size int) int {
	if size <= pageSize-shortBegins {
		return 0
	}
	// Each page costs the head a number.
	if n := ceil(size-(pageSize-shortBegins), pageSize-4); n <= headNumbers {
		return n
	}
	return ceil(size-(pageSize-longBegins), pageSize)
}

func ceil(a, b int) int { return (a + b - 1) / b }

// begins is where the content begins in a head with n pages behind it.
func begins(n int) int {
	if n > headNumbers {
		return longBegins
	}
	return shortBegins + 4*n
}

// chain is memory for the numbers of the pages behind a head.
type chain struct {
	pages, lists []uint32
	touched      byte // so that touching is not for nothing
}

// load reads the n numbers behind a head.
func (c *chain) load(p *pages, head uint32, n int) {
	c.pages, c.lists = c.pages[:0], c.lists[:0]
	from, most := p.at(head)[sizeBytes:], headNumbers
	for {
		here := min(n-len(c.pages), most)
		for i := range here {
			c.pages = append(c.pages, binary.LittleEndian.Uint32(from[4*i:]))
		}
		if len(c.pages) == n {
			return
		}
		list := binary.LittleEndian.Uint32(from[4*here:])
		c.lists = append(c.lists, list)
		from, most = p.at(list), listNumbers
	}
}

// store writes the numbers behind a head.
func (c *chain) store(p *pages, head uint32) {
	to, most := p.at(head)[sizeBytes:], headNumbers
	rest, lists := c.pages, c.lists
	for {
		here := min(len(rest), most)
		for i, n := range rest[:here] {
			binary.LittleEndian.PutUint32(to[4*i:], n)
		}
		if rest = rest[here:]; len(rest) == 0 {
			return
		}
		binary.LittleEndian.PutUint32(to[4*here:], lists[0])
		to, most, lists = p.at(lists[0]), listNumbers, lists[1:]
	}
}

// resize brings the chain to n pages.
func (c *chain) resize(p *pages, n int) {
	c.pages = p.resize(c.pages, n)
	c.lists = p.resize(c.lists, max(0, ceil(n-headNumbers, listNumbers)))
}

func (p *pages) resize(numbers []uint32, n int) []uint32 {
	for len(numbers) > n {
		p.give(numbers[len(numbers)-1])
		numbers = numbers[:len(numbers)-1]
	}
	for len(numbers) < n {
		numbers = append(numbers, p.take())
	}
	return numbers
}

// size is that of the content of the bucket with this head, 0 being an empty
// one's.
func (p *pages) size(head uint32) int {
	if head == 0 {
		return 0
	}
	return int(binary.LittleEndian.Uint64(p.at(head)))
}

// read appends a bucket's content to dst.
func (p *pages) read(dst []byte, head uint32, c *chain) []byte {
	size := p.size(head)
	if size == 0 {
		return dst
	}
	n := behind(size)
	c.load(p, head, n)
	dst = slices.Grow(dst, size)
	// Ask for all at once: mostly none is in the processor's caches.
	touched := byte(0)
	for _, number := range c.pages {
		for page := p.at(number); len(page) >= 64; page = page[64:] {
			touched ^= page[0]
		}
	}
	c.touched = touched
	out := dst[len(dst) : len(dst)+size]
	out = out[copy(out, p.at(head)[begins(n):]):]
	for _, number := range c.pages {
		out = out[copy(out, p.at(number)):]
	}
	return dst[:len(dst)+size]
}

// write gives a bucket a content that differs from the one it had between from
// and to only, and gives its head.
func (p *pages) write(head uint32, content []byte, from, to int, c *chain) uint32 {
	had, n := behind(p.size(head)), behind(len(content))
	if head == 0 {
		if len(content) == 0 {
			return 0
		}
		head, from, had = p.take(), 0, 0
		to = len(content)
	}
	c.load(p, head, had)
	if len(content) == 0 {
		c.resize(p, 0)
		p.give(head)
		return 0
	}
	if n != had {
		from, to = 0, len(content) // it begins elsewhere
		c.resize(p, n)
		c.store(p, head)
	}
	page := p.at(head)
	binary.LittleEndian.PutUint64(page, uint64(len(content)))
	room := page[begins(n):]
	if from < len(room) {
		from += copy(room[from:], content[from:to])
	}
	for from < to {
		at := from - len(room)
		from += copy(p.at(c.pages[at/pageSize])[at%pageSize:], content[from:to])
	}
	return head
}
