package session

import (
	"crypto/sha256"

	"github.com/seed-6a2d649b/pharos/host/kafka"
)

// maxName is the length of the longest session or beacon id that is kept as it
// is, in bytes.
const maxName = 512

// nameOf gives what stands for an id where ids are only compared: the id, or
// its digest where it is long. No id of a beacon begins with the byte of a
// digest: ids are UTF-8. A digest is placed on partitions as its id is.
func nameOf(id []byte) []byte {
	if len(id) <= maxName {
		return id
	}
	sum := sha256.Sum256(id)
	return kafka.Alias(append([]byte{digestByte}, sum[:31]...), id)
}

// digestByte begins a digest.
const digestByte = 0xff
