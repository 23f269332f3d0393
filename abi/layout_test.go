package abi

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// view reads a batch as a guest does: by header and descriptors alone.
type view []byte

func (v view) u32(at uint32) uint32 { return binary.LittleEndian.Uint32(v[at:]) }

func (v view) column(i int) Column {
	d := v.u32(HColumnsAt) + uint32(i)*ColumnSize
	rows := v.u32(HRows)
	bitmap := uint32(BitmapBytes(int(rows)))
	at := func(word uint32) uint32 { return v.u32(d + word) }
	c := Column{Type: Type(at(CType)), Dict: at(CFlags)&CDict != 0, Valid: v[at(CValidAt):][:bitmap]}
	data := at(CDataAt)
	for r := range rows {
		switch {
		case c.Type == I64:
			c.I64 = append(c.I64, int64(binary.LittleEndian.Uint64(v[data+8*r:])))
		case c.Type == F64:
			c.F64 = append(c.F64, math.Float64frombits(binary.LittleEndian.Uint64(v[data+8*r:])))
		case c.Type == Any, c.Type == Kinds:
			c.Kinds = append(c.Kinds, ValueKind(v[data+r]))
		case c.Dict:
			c.Codes = append(c.Codes, v.u32(data+4*r))
		}
	}
	if c.Type == Bool {
		c.Bits = v[data:][:bitmap]
	}
	if c.hasTexts() {
		for i := range at(CEntries) + 1 {
			c.Offsets = append(c.Offsets, v.u32(at(COffsetsAt)+4*i))
		}
		c.Bytes = v[at(CBytesAt):][:at(CBytesLen)]
	}
	return c
}

func (c *Column) text(row int) string {
	if c.Dict {
		row = int(c.Codes[row])
	}
	return string(c.Bytes[c.Offsets[row]:c.Offsets[row+1]])
}

func randomRows(rng *rand.Rand, fields []Field, n int) [][]Value {
	texts := []string{"", "a", "7", "1.5", "ü", strings.Repeat("long", 20)}
	rows := make([][]Value, n)
	for i := range rows {
		for range fields {
			v := Value{Kind: ValueKind(rng.IntN(9))}
			switch v.Kind {
			case False, True:
				v.Text = fmt.Append(nil, v.Kind == True)
			case Number:
				v.Text = []byte([]string{"7", "-1.5", "1e3"}[rng.IntN(3)])
			case String, Untyped, Array, Object:
				v.Text = []byte(texts[rng.IntN(len(texts))])
			}
			rows[i] = append(rows[i], v)
		}
	}
	return rows
}

// What a guest reads is what was built, everything is aligned and inside, and
// padding is zero whatever was there before.
func TestBatchRoundTrip(t *testing.T) {
	fields := []Field{{"a", Str, false}, {"b", Str, true}, {"c", I64, false}, {"d", F64, false}, {"e", Bool, false}, {"f", JSON, false}, {"g", Any, false}, {"g", Kinds, false}}
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range 300 {
		rows := 1 + n%70
		plan := &Plan{Fields: fields, Points: []Point{{Name: "p", Attributes: []string{"x"}}}, Counters: []string{"n"}}
		var b Batch
		Build(fields, randomRows(rng, fields, rows), &b)
		for i := range b.Columns { // bits after the last row do not come through
			if rows%8 != 0 {
				b.Columns[i].Valid[rows/8] |= 0xFF << (rows % 8)
			}
		}
		l := NewLayout(Extract, plan)
		size, err := l.Place(&b, Capacity{rng.IntN(5), rng.IntN(5), rng.IntN(50)})
		if err != nil {
			t.Fatal(err)
		}
		mem := make(view, size)
		for i := range mem {
			mem[i] = 0xEE
		}
		l.Write(mem, &b)
		if mem.u32(HSize) != uint32(size) || size%Align != 0 || mem.u32(HRows) != uint32(rows) || mem.u32(HColumns) != uint32(len(fields)) || mem.u32(HKind) != KindExtract {
			t.Fatal("header")
		}
		if at := mem.u32(HCountersAt); binary.LittleEndian.Uint64(mem[at:]) != 0 {
			t.Fatal("counter is not 0")
		}
		for i := range b.Columns {
			want, got := &b.Columns[i], mem.column(i)
			for r := range rows {
				if Bit(got.Valid, r) != Bit(want.Valid, r) {
					t.Fatalf("column %d, row %d: valid", i, r)
				}
				same := true
				switch want.Type {
				case I64:
					same = got.I64[r] == want.I64[r]
				case F64:
					same = got.F64[r] == want.F64[r]
				case Bool:
					same = Bit(got.Bits, r) == Bit(want.Bits, r)
				case Any, Kinds:
					same = got.Kinds[r] == want.Kinds[r]
				}
				if same && want.hasTexts() && Bit(want.Valid, r) {
					same = got.text(r) == want.text(r)
				}
				if !same {
					t.Fatalf("column %d, row %d differs", i, r)
				}
			}
			if rows%8 != 0 && got.Valid[rows/8]>>(rows%8) != 0 {
				t.Fatal("bits after the last row")
			}
			d := mem.u32(HColumnsAt) + uint32(i)*ColumnSize
			for _, word := range []uint32{CValidAt, CDataAt, COffsetsAt, CBytesAt} {
				if mem.u32(d+word)%Align != 0 {
					t.Fatalf("column %d: %d is not aligned", i, mem.u32(d+word))
				}
			}
			if end := d; got.hasTexts() {
				end = mem.u32(d+CBytesAt) + mem.u32(d+CBytesLen)
				for ; end%Align != 0; end++ {
					if mem[end] != 0 {
						t.Fatal("padding is not 0")
					}
				}
			}
		}
	}
}

func TestOutputs(t *testing.T) {
	b := Batch{Rows: 11}
	for _, c := range []struct {
		kind  Kind
		plan  *Plan
		write func(l *Layout, mem []byte)
		want  string // in the error; empty: none
	}{
		{Filter, &Plan{Reasons: []string{"a"}}, func(*Layout, []byte) {}, ""},
		{Filter, &Plan{Reasons: []string{"a"}}, func(l *Layout, mem []byte) { mem[l.reasons+10] = 1 }, "row 10: reason 1, the plan has 1"},
		{Filter, &Plan{Reasons: []string{"a"}}, func(l *Layout, mem []byte) { mem[l.reasons+10], mem[l.keep+1] = 1, 0xFF }, ""},
		{Split, &Plan{Routes: []string{"a"}}, func(*Layout, []byte) {}, ""},
		{Split, &Plan{Routes: []string{"a"}}, func(l *Layout, mem []byte) { mem[l.routes+4], mem[l.routes+5] = 1, 0 }, "row 2: route 1, the plan has 1"},
		{Extract, &Plan{Points: []Point{{Name: "p"}}}, func(*Layout, []byte) {}, ""},
	} {
		l := NewLayout(c.kind, c.plan)
		size, err := l.Place(&b, Capacity{4, 4, 4})
		if err != nil {
			t.Fatal(err)
		}
		mem := make([]byte, size)
		l.Write(mem, &b)
		c.write(l, mem)
		var out Output
		err = l.Read(mem, &out)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.kind, err, c.want)
		}
		if c.kind == Split && c.want == "" && out.Routes[10] != NoRoute {
			t.Error("routes do not begin as no opinion")
		}
		if c.kind == Filter && len(out.Keep) == 2 && out.Keep[1] > 7 {
			t.Errorf("keep %x", out.Keep)
		}
		if err := l.Read(mem[:size-8], &out); err == nil {
			t.Error("memory that shrank is read")
		}
		if _, err := l.Needed(mem); err == nil {
			t.Error("needs without need")
		}
	}
}

func TestSharedTuples(t *testing.T) {
	plan := &Plan{Points: []Point{{Name: "one", Attributes: []string{"a"}}, {Name: "two", Attributes: []string{"a", "b"}}, {Name: "other", Attributes: []string{"c"}}}}
	read := func(points ...uint32) (*Output, error) {
		l := NewLayout(Extract, plan)
		b := Batch{Rows: 1}
		size, err := l.Place(&b, Capacity{4, 2, 8})
		if err != nil {
			t.Fatal(err)
		}
		mem := make([]byte, size)
		l.Write(mem, &b)
		put := func(at int, v uint32) { binary.LittleEndian.PutUint32(mem[at:], v) }
		put(l.tuples+VAt, uint32(l.text))
		put(l.tuples+VLen, 3)
		copy(mem[l.text:], "abc")
		for i, p := range points {
			put(l.measurements+i*MeasurementSize+MPoint, p)
			put(l.measurements+i*MeasurementSize+MAttributes, 1)
		}
		put(HMeasurementCount, uint32(len(points)))
		put(HTupleCount, 2)
		put(HTextCount, 3)
		out := new(Output)
		return out, l.Read(mem, out)
	}
	out, err := read(0, 2)
	if err != nil || len(out.Attributes) != 2 || len(out.Attributes[0]) != 1 || string(out.Attributes[0][0]) != "abc" || out.Attributes[1] != nil {
		t.Errorf("%v, %q", err, out.Attributes)
	}
	if out, err = read(1); err != nil || len(out.Attributes[0]) != 2 || out.Attributes[0][1] != nil {
		t.Errorf("%v, %q", err, out.Attributes)
	}
	if _, err = read(0, 1); err == nil || !strings.Contains(err.Error(), `shared by the points "one" and "two"`) {
		t.Error(err)
	}
}

// A guest can write anything anywhere: reading never panics, and what is taken
// is within bounds.
func FuzzRead(f *testing.F) {
	f.Add(uint8(0), []byte{1, 2, 3})
	f.Add(uint8(1), []byte{0xFF, 0xFF})
	f.Add(uint8(2), make([]byte, 400))
	plan := &Plan{
		Fields:   []Field{{"a", Str, false}},
		Reasons:  []string{"r"},
		Routes:   []string{"x", "y"},
		Points:   []Point{{Name: "p"}, {Name: "q", Attributes: []string{"a", "b"}}, {Name: "s", Attributes: []string{"a"}}},
		Counters: []string{"n"},
	}
	f.Fuzz(func(t *testing.T, pick uint8, data []byte) {
		kind := []Kind{Filter, Split, Extract}[pick%3]
		l := NewLayout(kind, plan)
		var b Batch
		Build(plan.Fields, [][]Value{{{String, []byte("text")}}, {{}}, {{String, []byte("ü")}}}, &b)
		size, err := l.Place(&b, Capacity{6, 3, 16})
		if err != nil {
			t.Fatal(err)
		}
		mem := make([]byte, size)
		l.Write(mem, &b)
		// The outputs and counts first, since that is where the checks are.
		from := map[Kind]int{Filter: l.keep, Split: l.routes, Extract: l.measurements}[kind]
		n := copy(mem[from:], data)
		if pick&4 != 0 {
			for i, c := range data {
				mem[(i*7+int(c))%size] = c
			}
		}
		if kind == Extract && n > 3 {
			mem[HMeasurementCount], mem[HTupleCount], mem[HTextCount] = data[0]%8, data[1]%5, data[2]%20
		}
		var out Output
		if _, err := l.Needed(mem); err == nil && kind != Extract {
			t.Fatal("only extractors need more")
		}
		if err := l.Read(mem, &out); err != nil {
			return
		}
		last := uint32(0)
		for _, m := range out.Measurements {
			if m.Row < last || int(m.Row) >= b.Rows || int(m.Point) >= len(plan.Points) || int(m.Attributes) > len(out.Attributes) {
				t.Fatalf("%+v", m)
			}
			last = m.Row
			if m.Attributes > 0 && len(out.Attributes[m.Attributes-1]) != len(plan.Points[m.Point].Attributes) {
				t.Fatalf("tuple %q for %+v", out.Attributes[m.Attributes-1], m)
			}
		}
		for i, r := range out.Routes {
			if r != NoRoute && int(r) >= len(plan.Routes) {
				t.Fatalf("route %d of row %d", r, i)
			}
		}
	})
}
