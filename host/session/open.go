package session

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"hash/maphash"
	"sync"
)

// openKeys are those that are unpacked. Between two batches there are none.
type openKeys struct {
	seed  maphash.Seed
	chain [openChains]*key // by the last bits of the hash, through key.next
	all   []*key
	at    []byte // memory of find
}

const (
	openChains = 1 << 12
	// maxOpen is how many keys may be open once a chunk of records was read.
	maxOpen = 2048
	// maxKeyBytes is the memory of a key for its texts from which it is not kept
	// to be used again.
	maxKeyBytes = 16 << 10
)

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
	k.tenant, k.next, k.behind, k.unpacked = nil, nil, false, false
	k.packed, k.enrolled, k.begins, k.tail, k.draws.slot = nil, k.enrolled[:0], 0, k.tail[:0], 0
	k.text, k.measures, k.assigns, k.shapes, k.id = k.text[:0], k.measures[:0], k.assigns[:0], k.shapes[:0], k.id[:0]
}

// closeAll packs all open keys: then the table has all that is held.
func (p *Partition) closeAll() {
	o := &p.open
	for i, k := range o.all {
		p.close(k)
		o.chain[k.hash%openChains] = nil // whoever else is in it goes too
		k.reuse()
		o.all[i] = nil
	}
	o.all = o.all[:0]
}

// closeShard packs the open keys of a shard.
func (p *Partition) closeShard(shard int) {
	o := &p.open
	n := 0
	for _, k := range o.all {
		if k.shard != shard {
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
