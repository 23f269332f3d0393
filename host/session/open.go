package session

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"hash/maphash"
)

// openKeys are those that are unpacked. Between two batches there are none.
type openKeys struct {
	seed maphash.Seed
	of   map[uint64]*key // by hash
	all  []*key
	free []*key // to be used again
	at   []byte // memory of find
}

// How many keys are open at most once a chunk of records was read, how many of
// them are kept to be used again, and the memory of one for its texts, in bytes,
// from which it is not.
const (
	maxOpen     = 4096
	maxFree     = 4096
	maxKeyBytes = 16 << 10
)

// sweepShards is the number of the table's shards: see sweep.go.
const sweepShards = 256

var shardTable = crc32.MakeTable(crc32.Castagnoli)

// shardOf is the shard that a key is swept with. It hangs on its packed name
// alone: which keys are held is a function of the log.
func shardOf(name []byte) int { return int(crc32.Checksum(name, shardTable) % sweepShards) }

// find opens the key of a tenant and a session's name, nil if there is none. at
// is what would be its key in the table. Its tail is settled as far as limit.
func (p *Partition) find(t *tenant, name []byte, limit int64) *key {
	o := &p.open
	o.at = packID(binary.AppendUvarint(o.at[:0], uint64(t.number)), name)
	hash := maphash.Bytes(o.seed, o.at)
	for k := o.of[hash]; k != nil; k = k.next {
		if bytes.Equal(k.at, o.at) {
			return k
		}
	}
	shard := shardOf(nameIn(o.at))
	record, ok := p.table.Get(shard, o.at)
	if !ok {
		return nil
	}
	k := p.newKey(t, o.at, shard, hash)
	p.unpack(k, record, limit)
	p.foldMuted(k, &k.head, k.tail)
	return k
}

// create opens the key that find was asked for and did not find.
func (p *Partition) create(t *tenant) *key {
	at := p.open.at
	p.held++
	t.held++
	return p.newKey(t, at, shardOf(nameIn(at)), maphash.Bytes(p.open.seed, at))
}

// nameIn is the packed name in a table's key.
func nameIn(at []byte) []byte {
	_, n := binary.Uvarint(at)
	return at[n:]
}

func (p *Partition) newKey(t *tenant, at []byte, shard int, hash uint64) *key {
	o := &p.open
	k := p.blankKey()
	k.tenant, k.shard, k.hash = t, shard, hash
	k.at = append(k.at[:0], at...)
	k.name = nameIn(k.at)
	k.next = o.of[hash]
	o.of[hash] = k
	o.all = append(o.all, k)
	return k
}

func (p *Partition) blankKey() *key {
	o := &p.open
	if n := len(o.free); n > 0 {
		k := o.free[n-1]
		o.free = o.free[:n-1]
		return k
	}
	return &key{}
}

// close packs an open key. It is still to be taken out of p.open.all.
func (p *Partition) close(k *key) {
	if k.behind {
		p.catchUp(k)
	}
	p.record = k.pack(p.record[:0], k.head.last)
	p.table.Put(k.shard, k.at, p.record)
	p.open.unlink(k)
	p.open.reuse(k)
}

func (o *openKeys) unlink(k *key) {
	first := o.of[k.hash]
	switch {
	case first != k:
		for first.next != k {
			first = first.next
		}
		first.next = k.next
	case k.next == nil:
		delete(o.of, k.hash)
	default:
		o.of[k.hash] = k.next
	}
}

// reuse keeps a key that is done with for the next one, if it is not large.
func (o *openKeys) reuse(k *key) {
	if len(o.free) < maxFree && cap(k.text) <= maxKeyBytes && cap(k.tail) <= maxKeyBytes/64 {
		k.clear()
		o.free = append(o.free, k)
	}
}

// clear makes k a blank key, which keeps its memory.
func (k *key) clear() {
	clear(k.tail)
	clear(k.shapes)
	k.head.clear()
	k.head.dims, k.before.dims = nil, nil
	k.tenant, k.next, k.behind, k.unpacked = nil, nil, false, false
	k.packed, k.enrolled, k.tail, k.draws.slot = nil, k.enrolled[:0], k.tail[:0], 0
	k.text, k.measures, k.assigns, k.shapes, k.id = k.text[:0], k.measures[:0], k.assigns[:0], k.shapes[:0], k.id[:0]
}

// closeAll packs all open keys: then the table has all that is held.
func (p *Partition) closeAll() {
	for _, k := range p.open.all {
		p.close(k)
	}
	clear(p.open.all)
	p.open.all = p.open.all[:0]
}

// closeShard packs the open keys of a shard.
func (p *Partition) closeShard(shard int) {
	all := p.open.all
	n := 0
	for _, k := range all {
		if k.shard != shard {
			all[n] = k
			n++
			continue
		}
		p.close(k)
	}
	clear(all[n:])
	p.open.all = all[:n]
}
