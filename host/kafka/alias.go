package kafka

import "encoding/binary"

// aliasBytes is how many bytes Alias adds.
const aliasBytes = 4

// Alias appends bytes to head, whose length is a multiple of 4, so that
// PartitionOf places the whole where it places key, of however many partitions:
// a short key that can stand for a long one.
func Alias(head, key []byte) []byte {
	const inverse = 0xe59b19bd // of murmur2's factor, modulo 2^32
	h := uint32(murmurSeed) ^ uint32(len(head)+aliasBytes)
	for b := head; len(b) >= 4; b = b[4:] {
		h = murmurStep(h, binary.LittleEndian.Uint32(b))
	}
	// What the last step must come to, and the four bytes that bring it there.
	want := murmur2(key)
	want ^= want>>15 ^ want>>30
	want *= inverse
	want ^= want>>13 ^ want>>26
	k := (want ^ h*murmurFactor) * inverse
	k = (k ^ k>>24) * inverse
	return binary.LittleEndian.AppendUint32(head, k)
}
