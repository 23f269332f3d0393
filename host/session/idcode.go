package session

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"
)

// Ids of sessions and beacons are packed: most are UUIDs, hexadecimal or decimal
// numbers, or made of letters and digits, and need no byte a character. A packed
// id is a byte, form<<5 | length, with longLength and the length as a varint
// behind it where it is so long, and the characters. An id has one packed form:
// that two are the same can be seen without unpacking them.
const (
	formRaw    = iota // the bytes
	formUUID          // lower case, of length 0: 16 bytes
	formDigits        // at most maxDigits: a big-endian number
	formLower         // hexadecimal: 4 bits a character
	formUpper         // likewise
	formWord          // letters, digits, - and _: 6 bits a character
	forms
)

const (
	longLength = 31
	uuidLength = 36
	maxDigits  = 19 // fit 64 bits
)

// digitBytes are the bytes of the numbers of so many digits.
var digitBytes = func() (of [maxDigits + 1]int) {
	for n, most := 1, uint64(9); n <= maxDigits; n, most = n+1, most*10+9 {
		of[n] = (bits.Len64(most) + 7) / 8
	}
	return of
}()

const (
	wordLetters = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
	lowerDigits = "0123456789abcdef"
	upperDigits = "0123456789ABCDEF"
)

// letters says of each byte in which forms it may stand, as bits, and what it
// is there.
var letters = func() (of [256]struct{ forms, digit, word byte }) {
	for i := range 16 {
		for form, c := range map[int]byte{formLower: lowerDigits[i], formUpper: upperDigits[i]} {
			of[c].forms |= 1 << form
			if of[c].digit = byte(i); i < 10 {
				of[c].forms |= 1 << formDigits
			}
		}
	}
	for i := range len(wordLetters) {
		of[wordLetters[i]].forms |= 1 << formWord
		of[wordLetters[i]].word = byte(i)
	}
	return of
}()

// formOf is the first form that an id can have.
func formOf(id []byte) int {
	if len(id) == 0 {
		return formRaw
	}
	all := ^byte(0)
	for _, c := range id {
		all &= letters[c].forms
	}
	if len(id) > maxDigits {
		all &^= 1 << formDigits
	}
	switch {
	case all == 0:
		return formRaw
	case all == 1<<formWord && isUUID(id):
		return formUUID
	}
	return bits.TrailingZeros8(all)
}

func isUUID(id []byte) bool {
	if len(id) != uuidLength {
		return false
	}
	for i, c := range id {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if letters[c].forms&(1<<formLower) == 0 {
			return false
		}
	}
	return true
}

// packID appends the packed form of an id.
func packID(dst, id []byte) []byte {
	form := formOf(id)
	if form == formUUID {
		dst = append(dst, formUUID<<5)
		for i := 0; i < uuidLength; i += 2 {
			if id[i] == '-' {
				i++
			}
			dst = append(dst, letters[id[i]].digit<<4|letters[id[i+1]].digit)
		}
		return dst
	}
	if len(id) < longLength {
		dst = append(dst, byte(form)<<5|byte(len(id)))
	} else {
		dst = binary.AppendUvarint(append(dst, byte(form)<<5|longLength), uint64(len(id)))
	}
	switch form {
	case formDigits:
		number := uint64(0)
		for _, c := range id {
			number = number*10 + uint64(letters[c].digit)
		}
		for i := digitBytes[len(id)] - 1; i >= 0; i-- {
			dst = append(dst, byte(number>>(8*i)))
		}
	case formLower, formUpper:
		for ; len(id) > 1; id = id[2:] {
			dst = append(dst, letters[id[0]].digit<<4|letters[id[1]].digit)
		}
		if len(id) == 1 {
			dst = append(dst, letters[id[0]].digit<<4)
		}
	case formWord:
		held, n := uint(0), 0
		for _, c := range id {
			held, n = held<<6|uint(letters[c].word), n+6
			if n >= 8 {
				n -= 8
				dst = append(dst, byte(held>>n))
			}
		}
		if n > 0 {
			dst = append(dst, byte(held<<(8-n)))
		}
	default:
		dst = append(dst, id...)
	}
	return dst
}

// packedSize is the number of bytes that the characters of a packed id take; -1:
// there is no such id.
func packedSize(form, length int) int {
	switch {
	case form == formRaw:
		return length
	case form == formUUID && length == 0:
		return 16
	case form == formDigits && length > 0 && length <= maxDigits:
		return digitBytes[length]
	case form == formLower || form == formUpper:
		return (length + 1) / 2
	case form == formWord:
		return (length*6 + 7) / 8
	}
	return -1
}

// packedBehind is what packedSize is of an id whose packed form begins with a
// byte, which says its length.
func packedBehind(first byte) int {
	if first&longLength == longLength {
		return -1
	}
	return packedSize(int(first>>5), int(first&longLength))
}

// cutID takes a packed id off, still packed, and tells its form, its number of
// characters, and whether there is a whole one.
func cutID(text []byte) (packed, rest []byte, form, length int, ok bool) {
	if len(text) == 0 {
		return nil, nil, 0, 0, false
	}
	form, length = int(text[0]>>5), int(text[0]&31)
	head := 1
	if length == longLength {
		n, size := binary.Uvarint(text[1:])
		if size <= 0 || n < longLength || n > uint64(8*len(text)) {
			return nil, nil, 0, 0, false
		}
		head, length = 1+size, int(n)
	}
	size := packedSize(form, length)
	if size < 0 {
		return nil, nil, 0, 0, false
	}
	if size += head; size > len(text) {
		return nil, nil, 0, 0, false
	}
	return text[:size:size], text[size:], form, length, true
}

// unpackID appends the id of a packed one, which must be whole.
func unpackID(dst, packed []byte) []byte {
	_, _, form, length, ok := cutID(packed)
	if !ok {
		panic("session: a packed id is broken")
	}
	b := packed[1:]
	if length >= longLength {
		_, n := binary.Uvarint(b)
		b = b[n:]
	}
	switch form {
	case formUUID:
		for i, from := range []int{0, 4, 6, 8, 10} {
			if i > 0 {
				dst = append(dst, '-')
			}
			dst = hex.AppendEncode(dst, b[from:[]int{4, 6, 8, 10, 16}[i]])
		}
	case formDigits:
		number := uint64(0)
		for _, c := range b {
			number = number<<8 | uint64(c)
		}
		dst = append(dst, make([]byte, length)...)
		for i := range length {
			dst[len(dst)-1-i] = '0' + byte(number%10)
			number /= 10
		}
	case formLower, formUpper:
		digits := lowerDigits
		if form == formUpper {
			digits = upperDigits
		}
		for i := range length {
			dst = append(dst, digits[b[i/2]>>(4*(1-i%2))&15])
		}
	case formWord:
		held, n := uint(0), 0
		for range length {
			if n < 6 {
				held, n = held<<8|uint(b[0]), n+8
				b = b[1:]
			}
			n -= 6
			dst = append(dst, wordLetters[held>>n&63])
		}
	default:
		dst = append(dst, b...)
	}
	return dst
}
