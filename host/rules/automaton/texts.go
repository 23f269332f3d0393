package automaton

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// Texts is a set of texts behind a perfect hash: each has a slot of its own,
// so that a text is compared with one of them only (hash and displace).
type Texts struct {
	Seed     uint64
	Displace []uint16 // by bucket: what leads its texts to slots of their own
	Slots    []uint32 // by slot: the index of its text; 0 too where there is none
	Begin    []uint32 // by index: where the text begins in Bytes; one more than there are texts
	Bytes    []byte   // the texts, one behind the other
}

// Odd numbers, about half of whose bits are set, that the hash is made with.
const (
	MixLength = 0x9E3779B97F4A7C15
	MixHash   = 0xD6E8FEB86659FD93
	MixSlot   = 0xA0761D6478BD642F
	MixBucket = 0xE7037ED1A0B428DB
)

// Index gives the place of a text in the list that the set was made of, or -1.
func (s *Texts) Index(text string) int {
	if len(s.Slots) == 0 {
		return -1
	}
	h := hash(text, s.Seed)
	index := s.Slots[s.slot(h, s.Displace[s.bucket(h)])]
	if string(s.Bytes[s.Begin[index]:s.Begin[index+1]]) != text {
		return -1
	}
	return int(index)
}

// bucket and slot scale 32 bits of a hash to the number of buckets and slots.
func (s *Texts) bucket(h uint64) uint32 {
	return uint32((h >> 32) * uint64(len(s.Displace)) >> 32)
}

func (s *Texts) slot(h uint64, displace uint16) uint32 {
	h = (h ^ uint64(displace)*MixBucket) * MixSlot
	return uint32((h >> 32) * uint64(len(s.Slots)) >> 32)
}

// hash reads the text by words of 8 bytes, the last of which overlaps the one
// before; a shorter text is one word that its bytes and its length determine.
func hash(text string, seed uint64) uint64 {
	n := len(text)
	h := seed ^ uint64(n)*MixLength
	switch {
	case n >= 8:
		for i := 0; i < n-8; i += 8 {
			h = mix(h, word8(text, i))
		}
		h = mix(h, word8(text, n-8))
	case n >= 4:
		h = mix(h, word4(text, 0)|word4(text, n-4)<<32)
	case n > 0:
		h = mix(h, uint64(text[0])|uint64(text[n/2])<<8|uint64(text[n-1])<<16)
	}
	h = (h ^ h>>32) * MixHash
	return h ^ h>>32
}

// mix adds a word to a hash. What a difference between two words makes of it
// hangs on the hash before, so that a list cannot be such that every seed fails.
func mix(h, with uint64) uint64 {
	low := (h + with) & 0xFFFFFFFF
	high := (h>>32 + with>>32) & 0xFFFFFFFF
	return low*high ^ bits.RotateLeft64(h, 25)
}

// word8 gives 8 bytes of the text as a little-endian number.
func word8(text string, at int) uint64 {
	b := text[at : at+8]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

func word4(text string, at int) uint64 {
	b := text[at : at+4]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24
}

// NewTexts makes the set of texts that all differ.
func NewTexts(texts []string) (*Texts, error) {
	if err := checkTexts(texts); err != nil {
		return nil, err
	}
	n := len(texts)
	if n == 0 {
		return &Texts{}, nil
	}
	s := &Texts{Displace: make([]uint16, n/4+1), Slots: make([]uint32, n+n/4+1), Begin: make([]uint32, 1, n+1)}
	seen := make(map[string]struct{}, n)
	for _, text := range texts {
		if _, ok := seen[text]; ok {
			return nil, fmt.Errorf("%q is in the list twice", text)
		}
		seen[text] = struct{}{}
		s.Bytes = append(s.Bytes, text...)
		s.Begin = append(s.Begin, uint32(len(s.Bytes)))
	}
	// The seeds hang on the texts, so that nobody can choose texts by them.
	sum := sha256.New()
	sum.Write(s.Bytes)
	binary.Write(sum, binary.LittleEndian, s.Begin)
	digest := sum.Sum(nil)
	for range maxSeeds {
		s.Seed = binary.LittleEndian.Uint64(digest)
		if s.place(texts) {
			return s, nil
		}
		next := sha256.Sum256(digest)
		digest = next[:]
	}
	return nil, fmt.Errorf("no perfect hash of the list's %d texts is found by %d seeds: change one of its texts", n, maxSeeds)
}

// Bounds of the search for a perfect hash. A seed mostly takes about 3 tries a
// text, and the first is mostly good.
const (
	maxSeeds = 16
	maxTries = 100 // a text
)

// place finds what leads the texts of each bucket to free slots, for one seed,
// the fullest buckets first. It gives up where that takes too long.
func (s *Texts) place(texts []string) bool {
	buckets := make([]bucket, len(s.Displace))
	for b := range buckets {
		buckets[b].number = uint32(b)
	}
	for i, text := range texts {
		h := hash(text, s.Seed)
		b := &buckets[s.bucket(h)]
		b.texts = append(b.texts, hashed{h, uint32(i)})
	}
	slices.SortStableFunc(buckets, func(a, b bucket) int { return len(b.texts) - len(a.texts) })
	clear(s.Slots)
	taken := make([]bool, len(s.Slots))
	tries := maxTries * len(texts)
	for _, b := range buckets {
		displace := 0
		for !s.fits(b.texts, uint16(displace), taken) {
			displace++
			tries -= len(b.texts)
			if displace > math.MaxUint16 || tries < 0 {
				return false
			}
		}
		s.Displace[b.number] = uint16(displace)
		for _, t := range b.texts {
			s.Slots[s.slot(t.hash, uint16(displace))] = t.index
		}
	}
	return true
}

type bucket struct {
	number uint32
	texts  []hashed
}

type hashed struct {
	hash  uint64
	index uint32
}

// fits takes the slots of a bucket's texts if they are free.
func (s *Texts) fits(texts []hashed, displace uint16, taken []bool) bool {
	for i, t := range texts {
		if slot := s.slot(t.hash, displace); !taken[slot] {
			taken[slot] = true
			continue
		}
		for _, t := range texts[:i] {
			taken[s.slot(t.hash, displace)] = false
		}
		return false
	}
	return true
}
