package beacon

import "github.com/seed-6a2d649b/pharos/abi"

// Columns lays out the selected rows, in their order, as the typed columns that a
// plugin sees. A field that the batch does not have is a column without values.
// The rows' texts of one field together stay below 4 GiB. dst's memory is used
// again; nothing in it refers to the batch's.
func (b *Batch) Columns(fields []abi.Field, sel []int, dst *abi.Batch) {
	dst.Rows = len(sel)
	dst.Columns = resize(dst.Columns, len(fields))
	for i := range fields {
		b.column(&fields[i], sel, &dst.Columns[i])
	}
}

func (b *Batch) column(f *abi.Field, sel []int, c *abi.Column) {
	n := len(sel)
	*c = abi.Column{
		Type: f.Type, Dict: f.Dict && f.Type == abi.Str,
		Valid: zeroed(c.Valid, (n+7)/8), Offsets: c.Offsets[:0], Bytes: c.Bytes[:0], Codes: c.Codes[:0],
		I64: c.I64[:0], F64: c.F64[:0], Bits: c.Bits[:0], Kinds: c.Kinds[:0],
	}
	field := b.fields.Index(f.Name)
	switch f.Type {
	case abi.I64:
		c.I64 = zeroed(c.I64, n)
	case abi.F64:
		c.F64 = zeroed(c.F64, n)
	case abi.Bool:
		c.Bits = zeroed(c.Bits, (n+7)/8)
	case abi.Kinds:
		c.Kinds = zeroed(c.Kinds, n)
	default:
		if f.Type == abi.Any {
			c.Kinds = zeroed(c.Kinds, n)
		}
		if c.Dict {
			c.Codes = zeroed(c.Codes, n)
			b.dict.reset(n)
		} else {
			c.Offsets = resize(c.Offsets, n+1)
		}
	}
	if field < 0 {
		clear(c.Offsets)
		if c.Dict {
			c.Offsets = append(c.Offsets, 0)
		}
		return
	}
	switch f.Type {
	case abi.I64:
		b.integers(f.Name, field, sel, c)
	case abi.F64:
		for i, row := range sel {
			v := &b.Row(row).Values[field]
			x, ok := 0.0, false
			switch v.Kind {
			case abi.Number:
				x, ok = parseFloat(v.Text), true
			case abi.Untyped:
				x, ok = ParseNumber(v.Text)
			}
			if ok {
				c.F64[i] = x
				set(c.Valid, i)
			}
		}
	case abi.Bool:
		for i, row := range sel {
			switch b.Row(row).Values[field].Kind {
			case abi.True:
				set(c.Bits, i)
				fallthrough
			case abi.False:
				set(c.Valid, i)
			}
		}
	case abi.Kinds:
		for i, row := range sel {
			if c.Kinds[i] = b.Row(row).Values[field].Kind; c.Kinds[i] != abi.Missing {
				set(c.Valid, i)
			}
		}
	default:
		if c.Dict {
			b.dictionary(field, sel, c)
		} else {
			b.texts(field, sel, c)
		}
	}
}

// texts fills a Str, JSON or Any column.
func (b *Batch) texts(field int, sel []int, c *abi.Column) {
	c.Offsets[0] = 0
	valid := shown[c.Type]
	for i, row := range sel {
		v := &b.Row(row).Values[field]
		if valid[v.Kind] {
			set(c.Valid, i)
			c.Bytes = append(c.Bytes, v.Text...)
			if c.Type == abi.Any {
				c.Kinds[i] = v.Kind
			}
		}
		c.Offsets[i+1] = uint32(len(c.Bytes))
	}
}

// kinds is a set of kinds of value.
type kinds [abi.Object + 1]bool

// shown are the kinds that a column of text shows.
var shown = map[abi.Type]*kinds{
	abi.Str:  {abi.String: true, abi.Untyped: true, abi.Number: true, abi.True: true, abi.False: true},
	abi.JSON: {abi.Array: true, abi.Object: true},
	abi.Any: {abi.Null: true, abi.False: true, abi.True: true, abi.Number: true, abi.String: true,
		abi.Untyped: true, abi.Array: true, abi.Object: true},
}

func (b *Batch) integers(name string, field int, sel []int, c *abi.Column) {
	for i, row := range sel {
		r := b.Row(row)
		v := &r.Values[field]
		var n int64
		var ok bool
		switch {
		case name == FieldTime:
			n, ok = r.Time, r.HasTime
		case v.Kind == abi.Number || v.Kind == abi.Untyped:
			n, ok = parseInteger(v.Text)
		}
		if ok {
			c.I64[i] = n
			set(c.Valid, i)
		}
	}
}

func set(bitmap []byte, i int) { bitmap[i/8] |= 1 << (i % 8) }

// resize gives s the length n; what it holds is undefined.
func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		grown := make([]T, n)
		copy(grown, s[:cap(s)]) // columns keep their memory
		return grown
	}
	return s[:n]
}

// zeroed gives s the length n, all zero.
func zeroed[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	clear(s[:n])
	return s[:n]
}
