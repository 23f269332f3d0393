package kafka

import "encoding/binary"

// PartitionOf returns the partition of n (> 0) that Kafka's own default
// partitioner would choose for key: murmur2 of the key, the sign bit cleared,
// modulo n. Everything of Pharos places records by it, so that a producer in
// another language can too.
func PartitionOf(key []byte, n int32) int32 {
	return int32(murmur2(key)&0x7fffffff) % n
}

const (
	murmurSeed   = 0x9747b28c
	murmurFactor = 0x5bd1e995
)

// murmur2 is the variant that Kafka's Java client uses.
func murmur2(b []byte) uint32 {
	const m = murmurFactor
	h := uint32(murmurSeed) ^ uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		h = murmurStep(h, binary.LittleEndian.Uint32(b))
	}
	switch len(b) {
	case 3:
		h ^= uint32(b[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(b[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(b[0])) * m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}

// murmurStep takes four bytes of a key.
func murmurStep(h, k uint32) uint32 {
	k *= murmurFactor
	k ^= k >> 24
	return h*murmurFactor ^ k*murmurFactor
}
