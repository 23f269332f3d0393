package table

import (
	"errors"
	"slices"
)

// Frozen is a table as it was when it was frozen. It is read by one goroutine,
// which need not be the table's: meanwhile the table goes on, and keeps for it
// what changes before it was read.
type Frozen struct {
	table   *Table
	entries int
	chain   chain

	// Under the table's mutex:
	closed  bool
	buckets []int // by shard
	at      place // the next to read
	before  map[place][]byte
	kept    int // bytes of before
}

// place is a bucket.
type place struct{ shard, bucket int }

// ErrClosed is the end of reading what was frozen of a table that was closed.
var ErrClosed = errors.New("table: closed")

// Freeze gives the table as it is now. It costs next to nothing. Close it, or
// the table keeps more and more for it.
func (t *Table) Freeze() *Frozen {
	f := &Frozen{table: t, entries: t.entries, before: map[place][]byte{}}
	for i := range t.shards {
		f.buckets = append(f.buckets, len(t.shards[i].heads))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.frozen = append(t.frozen, f)
	return f
}

// save keeps the content of a bucket, which stands in t.content, for those that
// are still to read it. It comes before every change.
func (t *Table) save(shard, bucket int) {
	for _, f := range t.frozen {
		if shard < f.at.shard || shard == f.at.shard && bucket < f.at.bucket || bucket >= f.buckets[shard] {
			continue
		}
		p := place{shard, bucket}
		if _, has := f.before[p]; !has {
			f.before[p] = slices.Clone(t.content)
			f.kept += len(t.content)
		}
	}
}

// Len is the number of entries.
func (f *Frozen) Len() int { return f.entries }

// Kept is what the table keeps for it on the Go heap, in bytes.
func (f *Frozen) Kept() int {
	f.table.mu.Lock()
	defer f.table.mu.Unlock()
	return f.kept
}

// Next appends the entries of further buckets to dst, at least size bytes if
// there are as many. See CutEntry. It holds the table up meanwhile.
func (f *Frozen) Next(dst []byte, size int) ([]byte, error) {
	t := f.table
	t.mu.Lock()
	defer t.mu.Unlock()
	if f.closed {
		return dst, ErrClosed
	}
	for size += len(dst); len(dst) < size && f.at.shard < len(f.buckets); {
		if f.at.bucket == f.buckets[f.at.shard] {
			f.at = place{f.at.shard + 1, 0}
			continue
		}
		if b, has := f.before[f.at]; has {
			dst = append(dst, b...)
			delete(f.before, f.at)
			f.kept -= len(b)
		} else {
			dst = t.pages.read(dst, t.shards[f.at.shard].heads[f.at.bucket], &f.chain)
		}
		f.at.bucket++
	}
	return dst, nil
}

// Close lets the table go on without keeping anything for it.
func (f *Frozen) Close() {
	t := f.table
	t.mu.Lock()
	defer t.mu.Unlock()
	f.closed, f.before = true, nil
	t.frozen = slices.DeleteFunc(t.frozen, func(o *Frozen) bool { return o == f })
}
