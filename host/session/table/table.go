// Package table keeps many small values by key outside the Go heap, so that
// neither the garbage collector nor an allocator's sizes cost anything.
//
// A table has shards; its user says in which one a key is. A shard is a linear
// hash table: it grows and shrinks by one bucket at a time, so that a bucket has
// about bucketBytes, whatever the size of the values. A bucket's content are its
// entries one behind the other; to change one is to write anew what is behind.
package table

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"slices"
	"sync"
)

// bucketBytes is the content of a bucket that a shard aims at. More costs time,
// less costs memory: of each bucket half a page is wasted.
const bucketBytes = 2 << 10

// Table keeps values by key. Its methods are for one goroutine; what Freeze
// gives may be read by others meanwhile.
type Table struct {
	mu     sync.Mutex // of what Frozens read
	pages  pages
	shards []shard
	frozen []*Frozen

	seed    maphash.Seed
	entries int
	chain   chain  // memory of the methods, as these:
	content []byte // of the bucket in hand
	half    []byte // of the one that it is split into
}

type shard struct {
	heads []uint32 // of the buckets; at least one
	size  int      // of all contents
}

// New makes an empty table.
func New(shards int) *Table {
	t := &Table{shards: make([]shard, shards), seed: maphash.MakeSeed()}
	for i := range t.shards {
		t.shards[i].heads = make([]uint32, 1)
	}
	return t
}

// Len is the number of entries.
func (t *Table) Len() int { return t.entries }

// Size is the bytes of all entries.
func (t *Table) Size() (n int) {
	for i := range t.shards {
		n += t.shards[i].size
	}
	return n
}

// Memory is what the entries take outside the Go heap, in bytes.
func (t *Table) Memory() int { return t.pages.used * pageSize }

// Close gives the memory back. The table is of no more use, and what is frozen
// of it ends with ErrClosed.
func (t *Table) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.frozen {
		f.closed, f.before = true, nil
	}
	t.frozen, t.shards, t.entries = nil, nil, 0
	return t.pages.close()
}

// bucket is where a key is or would be.
func (t *Table) bucket(s *shard, key []byte) int {
	level := bits.Len(uint(len(s.heads) - 1))
	b := int(maphash.Bytes(t.seed, key) & (1<<level - 1))
	if b >= len(s.heads) {
		b = buddy(b)
	}
	return b
}

// buddy is the bucket that bucket b was, or will be, split from.
func buddy(b int) int { return b &^ (1 << (bits.Len(uint(b)) - 1)) }

// appendEntry appends an entry: the lengths of key and value, then both.
func appendEntry(dst, key, value []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(key)))
	dst = binary.AppendUvarint(dst, uint64(len(value)))
	return append(append(dst, key...), value...)
}

// CutEntry takes the first entry off a text of entries, as Frozen.Next gives
// it. It tells whether there was a whole one.
func CutEntry(text []byte) (key, value, rest []byte, ok bool) {
	k, n := binary.Uvarint(text)
	if n <= 0 {
		return nil, nil, nil, false
	}
	v, m := binary.Uvarint(text[n:])
	if m <= 0 {
		return nil, nil, nil, false
	}
	text = text[n+m:]
	if size := uint64(len(text)); k > size || v > size-k {
		return nil, nil, nil, false
	}
	return text[:k:k], text[k : k+v : k+v], text[k+v:], true
}

// find gives where in a bucket's content the entry of a key begins and ends:
// both the content's end if there is none.
func find(content, key []byte) (value []byte, from, to int) {
	for rest := content; len(rest) > 0; {
		k, v, next, ok := CutEntry(rest)
		if !ok {
			panic("table: a bucket is broken")
		}
		if bytes.Equal(k, key) {
			return v, len(content) - len(rest), len(content) - len(next)
		}
		rest = next
	}
	return nil, len(content), len(content)
}

// Get gives the value of a key; it is good until the next call.
func (t *Table) Get(shard int, key []byte) (value []byte, ok bool) {
	s := &t.shards[shard]
	t.content = t.pages.read(t.content[:0], s.heads[t.bucket(s, key)], &t.chain)
	value, from, to := find(t.content, key)
	return value, from < to
}

// Put gives a key a value, and tells whether it had none.
func (t *Table) Put(shard int, key, value []byte) (fresh bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &t.shards[shard]
	b := t.bucket(s, key)
	t.content = t.pages.read(t.content[:0], s.heads[b], &t.chain)
	t.save(shard, b)
	_, from, to := find(t.content, key)
	if fresh = from == to; fresh {
		t.entries++
	}
	t.half = appendEntry(t.half[:0], key, value)
	end, same := from+len(t.half), to-from == len(t.half)
	t.content = slices.Replace(t.content, from, to, t.half...)
	if !same {
		end = len(t.content)
	}
	t.write(s, b, t.content, from, end)
	t.fit(shard)
	return fresh
}

// Delete takes a key out.
func (t *Table) Delete(shard int, key []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &t.shards[shard]
	b := t.bucket(s, key)
	t.content = t.pages.read(t.content[:0], s.heads[b], &t.chain)
	_, from, to := find(t.content, key)
	if from == to {
		return
	}
	t.save(shard, b)
	t.entries--
	t.content = slices.Delete(t.content, from, to)
	t.write(s, b, t.content, from, len(t.content))
	t.fit(shard)
}

// write gives a bucket another content.
func (t *Table) write(s *shard, b int, content []byte, from, to int) {
	s.size += len(content) - t.pages.size(s.heads[b])
	s.heads[b] = t.pages.write(s.heads[b], content, from, to, &t.chain)
}

// fit brings a shard's number of buckets to what its size asks for.
func (t *Table) fit(shard int) {
	s := &t.shards[shard]
	for s.size > len(s.heads)*bucketBytes {
		t.split(shard)
	}
	for len(s.heads) > 1 && s.size < len(s.heads)*bucketBytes/4 {
		t.merge(shard)
	}
}

// split adds a bucket, with what its buddy has of it.
func (t *Table) split(shard int) {
	s := &t.shards[shard]
	s.heads = append(s.heads, 0)
	last := len(s.heads) - 1
	from := buddy(last)
	t.content = t.pages.read(t.content[:0], s.heads[from], &t.chain)
	t.save(shard, from)
	stays := 0
	t.half = t.half[:0]
	for rest := t.content; len(rest) > 0; {
		key, _, next, _ := CutEntry(rest)
		entry := rest[:len(rest)-len(next)]
		if rest = next; t.bucket(s, key) == last {
			t.half = append(t.half, entry...)
			continue
		}
		stays += copy(t.content[stays:], entry)
	}
	t.write(s, from, t.content[:stays], 0, stays)
	t.write(s, last, t.half, 0, len(t.half))
}

// merge gives what the last bucket has to its buddy.
func (t *Table) merge(shard int) {
	s := &t.shards[shard]
	last := len(s.heads) - 1
	to := buddy(last)
	t.content = t.pages.read(t.content[:0], s.heads[to], &t.chain)
	t.save(shard, to)
	size := len(t.content)
	t.half = append(t.half[:0], t.content...)
	t.content = t.pages.read(t.content[:0], s.heads[last], &t.chain)
	t.save(shard, last)
	t.half = append(t.half, t.content...)
	t.write(s, last, nil, 0, 0)
	s.heads = s.heads[:last]
	t.write(s, to, t.half, size, len(t.half))
}

// Sweep shows all entries of a shard. visit says whether an entry changes; if
// so it gives its new value, or nil to take it out. It must not call the table.
func (t *Table) Sweep(shard int, visit func(key, value []byte) (next []byte, change bool)) {
	s := &t.shards[shard]
	for b := range s.heads {
		if s.heads[b] == 0 {
			continue
		}
		t.content = t.pages.read(t.content[:0], s.heads[b], &t.chain)
		t.half = t.half[:0]
		same := -1 // up to where the content is still what it was
		for rest := t.content; len(rest) > 0; {
			key, value, after, _ := CutEntry(rest)
			next, change := visit(key, value)
			if change && same < 0 {
				same = len(t.content) - len(rest)
				t.half = append(t.half, t.content[:same]...)
			}
			switch {
			case !change && same >= 0:
				t.half = append(t.half, rest[:len(rest)-len(after)]...)
			case change && next == nil:
				t.entries--
			case change:
				t.half = appendEntry(t.half, key, next)
			}
			rest = after
		}
		if same >= 0 {
			t.mu.Lock()
			t.save(shard, b)
			t.write(s, b, t.half, same, len(t.half))
			t.mu.Unlock()
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fit(shard)
}
