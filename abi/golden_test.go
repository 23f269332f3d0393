package abi

import (
	"math"
	"strings"
	"testing"
)

func TestParseVectorsRefuses(t *testing.T) {
	for _, c := range []struct {
		kind       Kind
		line, want string
	}{
		{Filter, `{}`, "line 1: expect is missing"},
		{Filter, "\n\n{\"beacons\":[{}],\"expect\":[]}", "line 3: expect has 0 entries for 1 beacons"},
		{Filter, `{"beacons":[],"expect":[]}`, "0 beacons, 1 to 65536"},
		{Filter, `{"beacons":[{}],"expect":[3]}`, "cannot unmarshal number"},
		{Filter, `{"beacons":[{}],"expect":[null],"x":1}`, `unknown field "x"`},
		{Filter, `{"beacons":[3],"expect":[null]}`, "cannot unmarshal number"},
		{Filter, `{"expect":{"errors":"x"}}`, `unknown field "errors"`},
		{Filter, `{"expect":{}}`, "must have the key error"},
		{Extract, `{"beacons":[{}],"expect":[[{"value":1}]]}`, "a measurement without point"},
		{Extract, `{"beacons":[{}],"expect":[[{"point":"p","values":1}]]}`, `unknown field "values"`},
		{Extract, `{"beacons":[{}],"expect":["p"]}`, "cannot unmarshal string"},
		{Extract, `{"beacons":[{}],"expect":[[]],"close":[]}`, "close: json: cannot unmarshal array"},
		{Filter, `{"beacons":[{}],"expect":[null],"close":{}}`, "close is for plugins of the kind extract, not filter"},
		{Extract, `{"expect":{"error":"x"},"close":{}}`, "close, where the config is to be refused"},
		{Filter, strings.Repeat(" ", MaxGoldenBytes+1), "at most"},
	} {
		if _, err := ParseVectors(c.kind, []byte(c.line)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60s: %v, want %q", c.line, err, c.want)
		}
	}
}

func TestVectorRows(t *testing.T) {
	fields := []Field{{FieldTime, I64, false}, {FieldTenant, Str, false}, {FieldSession, Str, false}, {FieldSource, Str, false}, {"a.b", Any, false}, {"c", Any, false}}
	vectors, err := ParseVectors(Filter, []byte(
		`{"beacons":[{"a.b":1.50,"c":null},{"$time":12,"$tenant":"shop","$session":"s","$source":"web","a.b":"7","c":[ 1 ]}],"expect":[null,null]}
		 {"untyped":true,"data":{"list":"a\nb"},"config":{"x":1},"beacons":[{"a.b":"7","c":7}],"expect":["r"],"counters":{"n":2}}
		 {"expect":{"error":"no such list"}}`))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := vectors[0].Rows(fields)
	if err != nil {
		t.Fatal(err)
	}
	want := [][]Value{
		{{Number, []byte("0")}, {String, []byte("tenant")}, {String, []byte("session")}, {String, []byte("source")}, {Number, []byte("1.50")}, {Null, nil}},
		{{Number, []byte("12")}, {String, []byte("shop")}, {String, []byte("s")}, {String, []byte("web")}, {String, []byte("7")}, {Array, []byte("[ 1 ]")}},
	}
	for i := range want {
		for j, w := range want[i] {
			if g := rows[i][j]; g.Kind != w.Kind || string(g.Text) != string(w.Text) {
				t.Errorf("row %d, %s: %d %q", i, fields[j].Name, g.Kind, g.Text)
			}
		}
	}
	v := vectors[1]
	if rows, err = v.Rows(fields[4:]); err != nil || rows[0][0].Kind != Untyped || rows[0][1].Kind != Number {
		t.Errorf("%v %v", rows, err)
	}
	if string(v.Config) != `{"x":1}` || string(v.DataFiles()["list"]) != "a\nb" || v.Line != 2 {
		t.Errorf("%+v", v)
	}
	if string(vectors[0].Config) != "{}" || !vectors[2].Refused || vectors[2].ConfigError != "no such list" {
		t.Errorf("%+v %+v", vectors[0], vectors[2])
	}
}

func TestCheckSaysWhatDiffers(t *testing.T) {
	filter := &Plan{Reasons: []string{"a", "b"}, Counters: []string{"n"}}
	vectors, err := ParseVectors(Filter, []byte(`{"beacons":[{},{},{}],"expect":[null,"a","b"],"counters":{"n":2,"m":0}}`))
	if err != nil {
		t.Fatal(err)
	}
	err = vectors[0].Check(Filter, filter, &Output{Keep: []byte{0b010}, Reasons: []uint8{1, 0, 1}, Counters: []uint64{1}})
	for _, want := range []string{
		`line 1: beacon 0: answered "b", expected null`, `beacon 1: answered null, expected "a"`, `counter n: answered 1, expected 2`, `counter m`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "beacon 2") {
		t.Errorf("%v", err)
	}

	extract := &Plan{Points: []Point{{Name: "p"}, {Name: "q", Attributes: []string{"a", "b"}}}}
	vectors, err = ParseVectors(Extract, []byte(`{"beacons":[{},{}],"expect":[[{"point":"p"},{"point":"q","value":0.1,"attributes":{"b":"x","a":""}},{"point":"p","value":null}],[]]}`))
	if err != nil {
		t.Fatal(err)
	}
	out := &Output{
		Measurements: []Measurement{{0, 0, 0, 1}, {0, 0, 0, 2e9}, {0, 1, 1, 0.1}},
		Attributes:   [][][]byte{{nil, []byte("x")}},
	}
	if err := vectors[0].Check(Extract, extract, out); err != nil {
		t.Error(err)
	}
	out.Measurements[1] = Measurement{1, 0, 0, 1}
	err = vectors[0].Check(Extract, extract, out)
	for _, want := range []string{`expected [{"point":"p","value":1},{"point":"q","value":0.1,"attributes":{"b":"x"}}] and 1 bad values`, `beacon 1: answered [{"point":"p","value":1}], expected []`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// sums is a guest natively: it adds up a cell in each session, and says at the end
// how long it was, how much there is in the cell, and how many sums were booked.
func sums(b *Batch, out *Output) error {
	*out = Output{Counters: []uint64{uint64(b.Rows)}, Cells: [][]uint64{append([]uint64(nil), b.Cells[0]...)}}
	say := func(row int, value float64) {
		out.Measurements = append(out.Measurements, Measurement{Row: uint32(row), Value: value})
	}
	for row := range b.Rows {
		cell := &out.Cells[0][b.Slots[row]]
		if b.Closed {
			say(row, float64(b.Columns[1].I64[row]-b.Columns[0].I64[row]))
			say(row, float64(*cell))
			say(row, float64(b.Columns[2].I64[row]))
			continue
		}
		*cell += uint64(b.Columns[0].I64[row])
		say(row, float64(*cell))
		if b.Columns[0].I64[row] == 0 {
			say(row, math.NaN())
		}
	}
	return nil
}

func TestVectorRuns(t *testing.T) {
	plan := &Plan{Fields: []Field{{"n", I64, false}}, Points: []Point{{Name: "p"}}, Cells: []Cell{{"sum", I64}}, Counters: []string{"rows"}}
	beacons := `"beacons":[{"$session":"a","$time":5,"n":1},{"$session":"b","n":2},{"$session":"a","$time":65,"n":0}],` +
		`"expect":[[{"point":"p"}],[{"point":"p","value":2}],[{"point":"p"},{"point":"p","value":null}]]`
	for _, c := range []struct{ line, want string }{
		{`{` + beacons + `,"counters":{"rows":3}}`, ""},
		{`{` + beacons + `,"close":{"a":[{"point":"p","value":60},{"point":"p"},{"point":"p","value":2}],"b":[{"point":"p","value":0},{"point":"p","value":2},{"point":"p"}]},"counters":{"rows":5}}`, ""},
		{`{` + beacons + `,"close":{}}`, `line 1: end of session "a": answered [{"point":"p","value":60},{"point":"p","value":1},{"point":"p","value":2}], expected []`},
		{`{` + beacons + `,"close":{},"counters":{"rows":3}}`, `counter rows: answered 5, expected 3`},
		{`{` + beacons + `,"close":{"c":[]}}`, `close: no beacon is of session "c"`},
		{`{"beacons":[{"$time":2,"n":0},{"$time":1,"n":0}],"expect":[[],[]]}`, "beacon 1: its $time is before that of the beacon before in session \"session\""},
		{`{"beacons":[{"$session":7,"n":0}],"expect":[[]]}`, "beacon 0: $session is a string"},
		{`{"beacons":[{"$time":0.5,"n":0}],"expect":[[]]}`, "and $time a whole number of ms"},
	} {
		vectors, err := ParseVectors(Extract, []byte(c.line))
		if err != nil {
			t.Fatal(err)
		}
		switch err := vectors[0].Run(Extract, plan, sums); {
		case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", c.line, err, c.want)
		}
	}
}

func FuzzParseVectors(f *testing.F) {
	f.Add(true, `{"config":{},"data":{"a":"b"},"beacons":[{"x":1}],"expect":[[{"point":"p","value":null,"attributes":{"a":"b"}}]]}`)
	f.Add(false, `{"beacons":[{"x":"1"}],"expect":["r"],"untyped":true}`)
	f.Add(true, `{"beacons":[{"$session":"a","x":1}],"expect":[[]],"close":{"a":[{"point":"p"}]}}`)
	f.Fuzz(func(t *testing.T, extract bool, text string) {
		kind := Filter
		if extract {
			kind = Extract
		}
		vectors, err := ParseVectors(kind, []byte(text))
		if err != nil {
			return
		}
		fields := []Field{{"x", Any, false}, {"x", F64, false}, {"x", Str, true}}
		var b Batch
		for _, v := range vectors {
			if err := v.Batch(fields, &b); err == nil && b.Rows != len(v.Beacons) {
				t.Fatalf("%d rows of %d beacons", b.Rows, len(v.Beacons))
			}
			if s, err := v.sessions(&Plan{}); err == nil && len(s.Slots) != len(v.Beacons) {
				t.Fatalf("slots of %d beacons, not %d", len(s.Slots), len(v.Beacons))
			}
		}
	})
}
