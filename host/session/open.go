package session

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"hash/maphash"
	"slices"
	"sync"
)

// openKeys are those that are unpacked. Between two batches there are none.
type openKeys struct {
	seed  maphash.Seed
	chain [openChains]*key // by the last bits of the hash, through key.next
	all   []*key
	until int    // as many are opened before any are closed
	grown bool   // one is large for having been looked at again
	tails int    // beacons that were in their tails when they were opened
	at    []byte // memory of find
}

const (
	openChains = 1 << 10
	// maxOpen is how many keys are opened before those of short tails are closed
	// again: their memory is to stay in the processor's caches.
	maxOpen = 128
	// shortTail is a length up to which it costs little to open a key again.
	shortTail = 32
	// maxOpenTails bounds the beacons that were in tails of keys being opened.
	maxOpenTails = 1 << 17
	// maxOpenBytes is what one of them may have of texts once a chunk of records
	// was read, or its beacons were looked at again; maxOpenMeasures of measurements.
	maxOpenBytes    = 1 << 20
	maxOpenMeasures = 1 << 14
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
	o.tails += len(k.tail)
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
	if k.gone {
		p.table.Delete(k.shard, k.at)
		return
	}
	p.record = k.pack(p.record[:0], k.head.last)
	p.table.Put(k.shard, k.at, p.record)
}

// large tells whether a key has gathered much: what beacons that left its tail
// had goes only when it is packed.
func (o *openKeys) large() bool { return slices.ContainsFunc(o.all, (*key).large) }

func (k *key) large() bool { return len(k.text) > maxOpenBytes || len(k.measures) > maxOpenMeasures }

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
	k.keptBefore, k.closer, k.expected, k.gone = nil, nil, false, false
	k.packed, k.enrolled, k.begins, k.tail, k.full, k.draws.slot = nil, k.enrolled[:0], 0, k.tail[:0], 0, 0
	k.text, k.measures, k.assigns, k.shapes, k.id = k.text[:0], k.measures[:0], k.assigns[:0], k.shapes[:0], k.id[:0]
}

// makeRoom closes keys if there are many open.
func (p *Partition) makeRoom() {
	o := &p.open
	switch {
	case o.tails >= maxOpenTails:
		p.closeAll()
	case o.grown:
		p.closeSome((*key).large)
		o.grown = false
	case len(o.all) >= o.until:
		p.closeSome(func(k *key) bool { return len(k.tail) <= shortTail })
		o.until = len(o.all) + maxOpen
	}
}

// closeAll packs all open keys: then the table has all that is held.
func (p *Partition) closeAll() {
	p.closeSome(func(*key) bool { return true })
	p.open.until, p.open.tails = maxOpen, 0
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
