package abi

import (
	"math"
	"strconv"
	"strings"
)

// Value is what a beacon holds at a field: its kind and its text (a string's
// content, a number as written, true, false; the raw bytes of an array or
// object; empty otherwise).
type Value struct {
	Kind ValueKind
	Text []byte
}

// Build makes the columns of fields from rows of values, one a field, and
// reuses dst's memory. It is the plain form of what the host does with beacons:
// for golden vectors and tests. Nothing of rows is kept.
func Build(fields []Field, rows [][]Value, dst *Batch) {
	dst.Rows = len(rows)
	if cap(dst.Columns) < len(fields) {
		dst.Columns = append(dst.Columns[:cap(dst.Columns)], make([]Column, len(fields)-cap(dst.Columns))...)
	}
	dst.Columns = dst.Columns[:len(fields)]
	for i, f := range fields {
		c := &dst.Columns[i]
		c.reset(f, len(rows))
		var codes map[string]uint32
		if f.Dict {
			codes = make(map[string]uint32)
		}
		for r, row := range rows {
			c.put(r, row[i], codes)
		}
	}
}

func (c *Column) reset(f Field, rows int) {
	bitmap := BitmapBytes(rows)
	*c = Column{
		Type: f.Type, Dict: f.Dict,
		Valid:   zeroed(c.Valid, bitmap),
		Offsets: c.Offsets[:0], Bytes: c.Bytes[:0],
		Codes: c.Codes[:0], I64: c.I64[:0], F64: c.F64[:0], Bits: c.Bits[:0], Kinds: c.Kinds[:0],
	}
	switch f.Type {
	case I64:
		c.I64 = zeroed(c.I64, rows)
	case F64:
		c.F64 = zeroed(c.F64, rows)
	case Bool:
		c.Bits = zeroed(c.Bits, bitmap)
	case Any, Kinds:
		c.Kinds = zeroed(c.Kinds, rows)
	}
	if f.Dict {
		c.Codes = zeroed(c.Codes, rows)
	}
	if c.hasTexts() {
		c.Offsets = append(c.Offsets, 0)
	}
}

func zeroed[T any](s []T, n int) []T {
	s = grow(s[:0], n)[:n]
	clear(s)
	return s
}

func (c *Column) put(r int, v Value, codes map[string]uint32) {
	text, valid := []byte(nil), false
	switch c.Type {
	case Str:
		switch v.Kind {
		case False, True, Number, String, Untyped:
			text, valid = v.Text, true
		}
	case JSON:
		if v.Kind == Array || v.Kind == Object {
			text, valid = v.Text, true
		}
	case Any:
		c.Kinds[r] = v.Kind
		valid = v.Kind != Missing
		if v.Kind > Null {
			text = v.Text
		}
	case Kinds:
		c.Kinds[r] = v.Kind
		valid = v.Kind != Missing
	case Bool:
		valid = v.Kind == False || v.Kind == True
		if v.Kind == True {
			SetBit(c.Bits, r)
		}
	case F64:
		if v.Kind == Number || v.Kind == Untyped {
			c.F64[r], valid = ParseF64(v.Text)
		}
	case I64:
		if v.Kind == Number || v.Kind == Untyped {
			c.I64[r], valid = ParseI64(v.Text)
		}
	}
	if valid {
		SetBit(c.Valid, r)
	}
	switch {
	case !c.hasTexts():
	case !c.Dict:
		c.Bytes = append(c.Bytes, text...)
		c.Offsets = append(c.Offsets, uint32(len(c.Bytes)))
	case valid:
		code, ok := codes[string(text)]
		if !ok {
			code = uint32(len(codes))
			codes[string(text)] = code
			c.Bytes = append(c.Bytes, text...)
			c.Offsets = append(c.Offsets, uint32(len(c.Bytes)))
		}
		c.Codes[r] = code
	}
}

// IsNumber reports whether the whole text is a JSON number.
func IsNumber(text []byte) bool {
	_, ok := splitNumber(text)
	return ok
}

// ParseF64 returns the number that the whole text is, as an F64 column has it:
// infinite if it is beyond the range.
func ParseF64(text []byte) (float64, bool) {
	n, ok := splitNumber(text)
	if !ok {
		return 0, false
	}
	source := string(text)
	if len(n.whole) > keptDigits {
		source = n.kept()
	}
	v, err := strconv.ParseFloat(source, 64)
	return v, err == nil || math.IsInf(v, 0)
}

// keptDigits are as many as the library looks at; of a number that has more of
// them before its point, it takes the point to be behind those.
const keptDigits = 800

// kept is a number with no more digits, and the same double next to it: no number
// halfway between two has as many, so those left out are one 1, if they are not 0.
func (n number) kept() string {
	digits := append(append(make([]byte, 0, len(n.whole)+len(n.fraction)), n.whole...), n.fraction...)
	rest := digits[keptDigits-1:]
	text := "0." + string(digits[:keptDigits-1])
	if strings.Trim(string(rest), "0") != "" {
		text += "1"
	}
	if n.negative {
		text = "-" + text
	}
	return text + "e" + strconv.Itoa(n.exp+len(n.whole))
}

// ParseI64 returns the integer in range that the whole text is, as an I64
// column has it: 5, 5.0 and 1e3 are integers.
func ParseI64(text []byte) (int64, bool) {
	n, ok := splitNumber(text)
	if !ok {
		return 0, false
	}
	digits := append(append(make([]byte, 0, 24), n.whole...), n.fraction...)
	for len(digits) > 0 && digits[0] == '0' {
		digits = digits[1:]
	}
	if len(digits) == 0 {
		return 0, true
	}
	exp := n.exp - len(n.fraction)
	for digits[len(digits)-1] == '0' {
		digits, exp = digits[:len(digits)-1], exp+1
	}
	if exp < 0 || len(digits)+exp > 19 {
		return 0, false
	}
	for range exp {
		digits = append(digits, '0')
	}
	s := string(digits)
	if n.negative {
		s = "-" + s
	}
	v, err := strconv.ParseInt(s, 10, 64)
	return v, err == nil
}

type number struct {
	negative        bool
	whole, fraction []byte
	exp             int // clamped to where it makes no difference any more
}

// splitNumber takes a JSON number apart; false if the text is none.
func splitNumber(text []byte) (n number, ok bool) {
	digits := func() []byte {
		i := 0
		for i < len(text) && '0' <= text[i] && text[i] <= '9' {
			i++
		}
		d := text[:i]
		text = text[i:]
		return d
	}
	next := func(c ...byte) bool {
		for _, x := range c {
			if len(text) > 0 && text[0] == x {
				text = text[1:]
				return true
			}
		}
		return false
	}
	n.negative = next('-')
	if n.whole = digits(); len(n.whole) == 0 || len(n.whole) > 1 && n.whole[0] == '0' {
		return n, false
	}
	if next('.') {
		if n.fraction = digits(); len(n.fraction) == 0 {
			return n, false
		}
	}
	if next('e', 'E') {
		sign := 1
		if len(text) > 0 && text[0] == '-' {
			sign = -1
		}
		_ = next('-', '+')
		d := digits()
		if len(d) == 0 {
			return n, false
		}
		const most = 1 << 30 // more digits than a beacon has
		for _, c := range d {
			if n.exp = n.exp*10 + int(c-'0'); n.exp > most {
				n.exp = most
			}
		}
		n.exp *= sign
	}
	return n, len(text) == 0
}
