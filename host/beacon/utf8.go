package beacon

import (
	"encoding/binary"
	"unicode/utf8"
)

const (
	lows  = 0x0101010101010101
	highs = 0x8080808080808080
)

// validUTF8 passes over ASCII quickly, which most beacons are throughout.
func validUTF8(b []byte) bool {
	for len(b) >= 32 {
		w := binary.LittleEndian.Uint64(b) | binary.LittleEndian.Uint64(b[8:]) |
			binary.LittleEndian.Uint64(b[16:]) | binary.LittleEndian.Uint64(b[24:])
		if w&highs != 0 {
			break
		}
		b = b[32:]
	}
	return utf8.Valid(b)
}
