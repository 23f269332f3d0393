package beacon

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
)

var allTypes = []abi.Type{abi.Str, abi.I64, abi.F64, abi.Bool, abi.JSON, abi.Any, abi.Kinds}

// cell is what a column says of a row, in comparable form.
type cell struct {
	valid bool
	text  string
	kind  abi.ValueKind
	i     int64
	f     float64
	b     bool
}

func read(c *abi.Column, i int) cell {
	x := cell{valid: bit(c.Valid, i)}
	switch c.Type {
	case abi.I64:
		x.i = c.I64[i]
	case abi.F64:
		x.f = c.F64[i]
	case abi.Bool:
		x.b = bit(c.Bits, i)
	case abi.Kinds:
		x.kind = c.Kinds[i]
	case abi.Any:
		x.kind = c.Kinds[i]
		fallthrough
	default:
		at := i
		if c.Dict {
			if at = int(c.Codes[i]); !x.valid {
				if at != 0 {
					x.text = "a code where there is no value"
				}
				return x
			}
		}
		x.text = string(c.Bytes[c.Offsets[at]:c.Offsets[at+1]])
	}
	return x
}

func bit(b []byte, i int) bool { return b[i/8]>>(i%8)&1 == 1 }

// plain says of a value what a column of type t must.
func plain(v refValue, t abi.Type) (x cell) {
	number := v.Kind == abi.Number || v.Kind == abi.Untyped && refNumber.MatchString(v.Text)
	switch t {
	case abi.Str:
		if x.valid = v.Kind >= abi.False && v.Kind <= abi.Untyped; x.valid {
			x.text = v.Text
		}
	case abi.JSON:
		if x.valid = v.Kind >= abi.Array; x.valid {
			x.text = v.Text
		}
	case abi.Any:
		x = cell{valid: v.Kind != abi.Missing, kind: v.Kind, text: v.Text}
	case abi.Kinds:
		x = cell{valid: v.Kind != abi.Missing, kind: v.Kind}
	case abi.Bool:
		x = cell{valid: v.Kind == abi.True || v.Kind == abi.False, b: v.Kind == abi.True}
	case abi.F64:
		if x.valid = number; number {
			x.f, _ = strconv.ParseFloat(v.Text, 64)
		}
	case abi.I64:
		if number {
			if r := refRat(v.Text); r != nil && r.IsInt() && r.Num().IsInt64() {
				x = cell{valid: true, i: r.Num().Int64()}
			}
		}
	}
	return x
}

// TestColumns compares columns of generated rows with what values say one by one,
// and uses the memory of one batch for the next.
func TestColumns(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 2))
	c := newComparer(t)
	var dst abi.Batch
	for range 60 {
		c.batch.Reset()
		var sel []int
		for range r.IntN(70) {
			format := []Format{JSON, Query, CLF}[r.IntN(3)]
			row, _ := c.batch.Add(c.of[format], generate(r, format))
			if r.IntN(4) > 0 {
				sel = append(sel, row)
			}
		}
		r.Shuffle(len(sel), func(i, j int) { sel[i], sel[j] = sel[j], sel[i] })
		var fields []abi.Field
		for range 20 {
			name := append(fullFields, "not asked for")[r.IntN(len(fullFields)+1)]
			fields = append(fields, abi.Field{Name: name, Type: allTypes[r.IntN(len(allTypes))], Dict: r.IntN(2) == 0})
		}
		c.batch.Columns(fields, sel, &dst)
		if dst.Rows != len(sel) || len(dst.Columns) != len(fields) {
			t.Fatalf("%d rows, %d columns", dst.Rows, len(dst.Columns))
		}
		for k, f := range fields {
			col := &dst.Columns[k]
			checkForm(t, f, col, len(sel))
			index := c.batch.Fields().Index(f.Name)
			for i, row := range sel {
				var v refValue
				if index >= 0 {
					v = shape(c.batch.Row(row), "").Values[index]
				}
				if got, want := read(col, i), plain(v, f.Type); got != want {
					t.Fatalf("seed %d: %+v of %v is %+v, want %+v", seed, f, v, got, want)
				}
			}
		}
	}
}

// checkForm checks a column's lengths and that a dictionary has each text once.
func checkForm(t *testing.T, f abi.Field, c *abi.Column, rows int) {
	t.Helper()
	bitmap, has := (rows+7)/8, func(yes bool, n int) int {
		if yes {
			return n
		}
		return 0
	}
	text := f.Type == abi.Str || f.Type == abi.JSON || f.Type == abi.Any
	dict := f.Type == abi.Str && f.Dict
	if c.Type != f.Type || c.Dict != dict || len(c.Valid) != bitmap || len(c.I64) != has(f.Type == abi.I64, rows) ||
		len(c.F64) != has(f.Type == abi.F64, rows) || len(c.Bits) != has(f.Type == abi.Bool, bitmap) ||
		len(c.Kinds) != has(f.Type == abi.Any || f.Type == abi.Kinds, rows) || len(c.Codes) != has(dict, rows) || !dict && len(c.Offsets) != has(text, rows+1) {
		t.Fatalf("%+v of %d rows has the form %+v", f, rows, c)
	}
	if rows%8 != 0 && bitmap > 0 && c.Valid[bitmap-1]>>(rows%8) != 0 {
		t.Fatalf("%+v: bits behind the last row", f)
	}
	if text && c.Offsets[0] != 0 || text && int(c.Offsets[len(c.Offsets)-1]) != len(c.Bytes) {
		t.Fatalf("%+v: offsets %v of %d bytes", f, c.Offsets, len(c.Bytes))
	}
	seen := map[string]bool{}
	for i := 0; dict && i+1 < len(c.Offsets); i++ {
		entry := string(c.Bytes[c.Offsets[i]:c.Offsets[i+1]])
		if seen[entry] {
			t.Fatalf("%+v: %q is twice in the dictionary", f, entry)
		}
		seen[entry] = true
	}
}

func TestTypes(t *testing.T) {
	for _, c := range []struct {
		format Format
		raw    string
		typ    abi.Type
		want   cell
	}{
		{JSON, `{"a":"5"}`, abi.I64, cell{}}, // a string is no number
		{JSON, `{"a":"5"}`, abi.F64, cell{}},
		{Query, `a=5`, abi.I64, cell{valid: true, i: 5}},
		{Query, `a=5x`, abi.I64, cell{}},
		{Query, `a=05`, abi.F64, cell{}},
		{Query, `a=true`, abi.Bool, cell{}}, // untyped text is no bool
		{Query, `a={}`, abi.JSON, cell{}},
		{Query, `a=`, abi.Str, cell{valid: true}},
		{JSON, `{"a":1e3}`, abi.I64, cell{valid: true, i: 1000}},
		{JSON, `{"a":5.0}`, abi.I64, cell{valid: true, i: 5}},
		{JSON, `{"a":-0.0}`, abi.I64, cell{valid: true}},
		{JSON, `{"a":5.5}`, abi.I64, cell{}},
		{JSON, `{"a":1` + strings.Repeat("0", 1000) + `e-1000}`, abi.F64, cell{valid: true, f: 1}},
		{JSON, `{"a":-9223372036854775808}`, abi.I64, cell{valid: true, i: math.MinInt64}},
		{JSON, `{"a":9223372036854775807}`, abi.I64, cell{valid: true, i: math.MaxInt64}},
		{JSON, `{"a":9223372036854775808}`, abi.I64, cell{}},
		{JSON, `{"a":1e999}`, abi.F64, cell{valid: true, f: math.Inf(1)}},
		{JSON, `{"a":null}`, abi.Any, cell{valid: true, kind: abi.Null}},
		{JSON, `{"a":null}`, abi.Kinds, cell{valid: true, kind: abi.Null}},
		{Query, `a=5`, abi.Kinds, cell{valid: true, kind: abi.Untyped}},
		{JSON, `{"b":5}`, abi.Kinds, cell{}},
		{JSON, `{"a":null}`, abi.Str, cell{}},
		{JSON, `{"a":""}`, abi.Str, cell{valid: true}},
		{JSON, `{"a":true}`, abi.Str, cell{valid: true, text: "true"}},
		{JSON, `{"a":[1]}`, abi.Str, cell{}},
		{JSON, `{"a":[1]}`, abi.JSON, cell{valid: true, text: "[1]"}},
	} {
		p, b := projection(t, &Source{Format: c.format}, "a")
		b.Add(p, []byte(c.raw))
		var dst abi.Batch
		b.Columns([]abi.Field{{Name: "a", Type: c.typ}}, []int{0}, &dst)
		if got := read(&dst.Columns[0], 0); got != c.want {
			t.Errorf("%s as %d: %+v, want %+v", c.raw, c.typ, got, c.want)
		}
	}
	p, b := projection(t, &Source{Format: JSON, Time: path("ts")}, "$time")
	b.Add(p, []byte(`{"ts":"1970-01-01T00:00:01.5Z"}`))
	b.Add(p, []byte(`{}`))
	var dst abi.Batch
	b.Columns([]abi.Field{{Name: "$time", Type: abi.I64}, {Name: "$time", Type: abi.Str}, {Name: "$time", Type: abi.F64}}, []int{0, 1}, &dst)
	if read(&dst.Columns[0], 0).i != 1500 || read(&dst.Columns[1], 0).text != "1500" || read(&dst.Columns[2], 0).f != 1500 || read(&dst.Columns[0], 1).valid {
		t.Errorf("$time: %+v", dst.Columns)
	}
}
