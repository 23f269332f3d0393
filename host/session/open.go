package session

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// openKeys are those that are unpacked. Between two batches they are the ones
// with long tails: a session that sends much is not to cost its tail once a
// batch.
type openKeys struct {
	seed  maphash.Seed
	chain [openChains]*key // by the last bits of the hash, through key.next
	all   []*key
	until int    // as many are opened before any are closed
	tails *held  // beacons in the tails of those that stay open, and that were in those opened since
	at    []byte // memory of find
}

const (
	openChains = 1 << 10
	// maxOpen is how many keys are opened before those of short tails are closed
	// again: their memory is to stay in the processor's caches.
	maxOpen = 128
	// shortTail is a length up to which it costs little to open a key again.
	shortTail = 32
	// maxTails is the number of beacons in the tails of open keys, of all
	// partitions, from which none stays open between two batches, and tailsInHand
	// that from which none does within one. One takes about 150 bytes.
	maxTails    = 1 << 20
	tailsInHand = 4 * maxTails
	// maxKeyText is the memory of a key for texts beyond twice its record, in
	// bytes, from which it is packed: what beacons had that left the tail goes.
	maxKeyText = 1 << 20
	// maxKeyBytes is that from which a key is not kept to be used again.
	maxKeyBytes = 16 << 10
)

// openTails is the sum of all held.
var openTails atomic.Int64

// held is a part of openTails.
type held struct{ n int64 }

func (h *held) set(n int64) {
	openTails.Add(n - h.n)
	h.n = n
}

// blankKeys are keys to be used again, of all partitions.
var blankKeys = sync.Pool{New: func() any { return new(key) }}

// sweepShards is the number of the table's shards: see sweep.go.
const sweepShards = 256

var shardTable = crc32.MakeTable(crc32.Castagnoli)

// shardOf is the shard that a key is swept with. It hangs on its packed name
// alone: which keys are held is a function of the log.
func shardOf(name []byte) int { return int(crc32.Checksum(name, shardTable) % sweepShards) }

// find opens the key of a tenant and a session's name, its tail settled as far
// as limit; nil if there is none.
func (p *Partition) find(t *tenant, name []byte, limit int64) *key {
	o := &p.open
	o.at = packID(binary.AppendUvarint(o.at[:0], uint64(t.number)), name)
	hash := maphash.Bytes(o.seed, o.at)
	for k := o.chain[hash%openChains]; k != nil; k = k.next {
		if k.hash == hash && bytes.Equal(k.at, o.at) {
			return k
		}
	}
	shard := shardOf(nameIn(o.at))
	record, ok := p.table.Get(shard, o.at)
	if !ok {
		return nil
	}
	k := o.add(t, o.at, shard, hash)
	p.unpack(k, record, limit)
	p.foldMuted(k, &k.head, k.tail)
	o.tails.set(o.tails.n + int64(len(k.tail)))
	return k
}

// create opens the key that find was asked for and did not find.
func (p *Partition) create(t *tenant) *key {
	o := &p.open
	p.held++
	t.held++
	return o.add(t, o.at, shardOf(nameIn(o.at)), maphash.Bytes(o.seed, o.at))
}

// nameIn is the packed name in a table's key.
func nameIn(at []byte) []byte {
	_, n := binary.Uvarint(at)
	return at[n:]
}

func (o *openKeys) add(t *tenant, at []byte, shard int, hash uint64) *key {
	k := blankKeys.Get().(*key)
	k.tenant, k.shard, k.hash = t, shard, hash
	k.at = append(k.at[:0], at...)
	k.name = nameIn(k.at)
	k.next = o.chain[hash%openChains]
	o.chain[hash%openChains] = k
	o.all = append(o.all, k)
	return k
}

// close packs an open key. It is still to be taken out of p.open.
func (p *Partition) close(k *key) {
	if k.behind {
		p.catchUp(k)
	}
	p.record = k.pack(p.record[:0], k.head.last)
	p.table.Put(k.shard, k.at, p.record)
}

// reuse keeps a key that is done with for the next one, if it is not large.
func (k *key) reuse() {
	if cap(k.text) <= maxKeyBytes && cap(k.tail) <= maxKeyBytes/64 {
		k.clear()
		blankKeys.Put(k)
	}
}

// clear makes k a blank key, which keeps its memory.
func (k *key) clear() {
	clear(k.tail)
	clear(k.shapes)
	k.head.clear()
	k.head.dims, k.before.dims = nil, nil
	k.tenant, k.next, k.behind, k.unpacked, k.size = nil, nil, false, false, 0
	k.packed, k.enrolled, k.begins, k.tail, k.draws.slot = nil, k.enrolled[:0], 0, k.tail[:0], 0
	k.text, k.measures, k.assigns, k.shapes, k.id = k.text[:0], k.measures[:0], k.assigns[:0], k.shapes[:0], k.id[:0]
}

// makeRoom closes keys if there are many open.
func (p *Partition) makeRoom() {
	o := &p.open
	switch {
	case openTails.Load() > tailsInHand:
		p.closeAll()
	case len(o.all) >= o.until:
		p.closeSome(func(k *key) bool { return len(k.tail) <= shortTail })
		o.until = len(o.all) + maxOpen
	}
}

// rest is the end of a batch: all is booked, and most keys are packed.
func (p *Partition) rest() {
	if openTails.Load() > maxTails {
		p.closeAll()
		return
	}
	p.closeSome(func(k *key) bool {
		return len(k.tail) <= shortTail || len(k.text) > 2*k.size+maxKeyText
	})
	stay := int64(0)
	for _, k := range p.open.all {
		if k.behind {
			p.catchUp(k)
		}
		stay += int64(len(k.tail))
	}
	p.open.tails.set(stay)
	p.open.until = len(p.open.all) + maxOpen
}

// closeAll packs all open keys: then the table has all that is held.
func (p *Partition) closeAll() {
	p.closeSome(func(*key) bool { return true })
	p.open.until = maxOpen
	p.open.tails.set(0)
}

// closeSome packs the open keys that which says.
func (p *Partition) closeSome(which func(k *key) bool) {
	o := &p.open
	n := 0
	for _, k := range o.all {
		if !which(k) {
			o.all[n] = k
			n++
			continue
		}
		p.close(k)
		at := &o.chain[k.hash%openChains]
		for *at != k {
			at = &(*at).next
		}
		*at = k.next
		k.reuse()
	}
	clear(o.all[n:])
	o.all = o.all[:n]
}
