package pharos_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/abi/tck"
	"github.com/seed-6a2d649b/pharos/sdk/go/pharos"
	"github.com/seed-6a2d649b/pharos/sdk/go/pharostest"
	"pgregory.net/rapid"
)

var fields = []abi.Field{
	{Name: "s", Type: abi.Str}, {Name: "d", Type: abi.Str, Dict: true}, {Name: "i", Type: abi.I64},
	{Name: "f", Type: abi.F64}, {Name: "b", Type: abi.Bool}, {Name: "a", Type: abi.Any}, {Name: "j", Type: abi.JSON}, {Name: "a", Type: abi.Kinds},
}

// plugin makes a plugin of a plan and what it does with a batch.
func plugin(t testing.TB, kind abi.Kind, plan abi.Plan, process func(*pharos.Batch) error) *pharostest.Guest {
	t.Helper()
	g, err := pharostest.New(pharos.Plugin{
		Manifest:  pharos.Manifest{Kind: kind, Name: "test", Version: "1"},
		Configure: func(pharos.Config) (abi.Plan, error) { return plan, nil },
		Process:   process,
	}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// batch is random rows of all types.
func batch(t *rapid.T) (*abi.Batch, [][]abi.Value) {
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
	rows := tck.Rows(rng, len(fields), rapid.IntRange(1, 40).Draw(t, "rows"), "word", "42")
	var b abi.Batch
	abi.Build(fields, rows, &b)
	return &b, rows
}

// What a plugin reads is what the columns were made of.
func TestColumns(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		b, rows := batch(r)
		seen := 0
		g := plugin(t, abi.Filter, abi.Plan{Fields: fields, Reasons: []string{"no"}}, func(got *pharos.Batch) error {
			if got.Rows() != len(rows) {
				r.Fatalf("%d rows of %d", got.Rows(), len(rows))
			}
			for i := range rows {
				seen++
				for c := range fields {
					checkValue(r, &b.Columns[c], got.Column(c), i)
				}
			}
			return nil
		})
		var out abi.Output
		if err := g.Process(context.Background(), b, &out); err != nil {
			r.Fatal(err)
		}
		if seen != len(rows) {
			r.Fatalf("%d rows of %d were seen", seen, len(rows))
		}
	})
}

func checkValue(t *rapid.T, want *abi.Column, got *pharos.Column, row int) {
	valid := abi.Bit(want.Valid, row)
	same := got.Valid(row) == valid
	switch want.Type {
	case abi.I64:
		same = same && got.I64(row) == want.I64[row]
	case abi.F64:
		same = same && math.Float64bits(got.F64(row)) == math.Float64bits(want.F64[row])
	case abi.Bool:
		same = same && got.Bool(row) == abi.Bit(want.Bits, row)
	case abi.Any, abi.Kinds:
		same = same && got.Kind(row) == want.Kinds[row]
	}
	if want.Type == abi.Str || want.Type == abi.JSON || want.Type == abi.Any {
		i, text := row, []byte(nil)
		if want.Dict {
			i = int(want.Codes[row])
		}
		if valid {
			text = want.Bytes[want.Offsets[i]:want.Offsets[i+1]]
		}
		same = same && bytes.Equal(got.Text(row), text)
		if want.Dict && valid {
			same = same && bytes.Equal(got.Entry(got.Code(row)), text)
		}
	}
	if !same {
		t.Fatalf("row %d of a %s column differs", row, want.Type)
	}
}

// An extractor's answer arrives whatever there is room for, once it is enough; a
// text of a column is not copied.
func TestMeasure(t *testing.T) {
	plan := abi.Plan{
		Fields:   fields,
		Points:   []abi.Point{{Name: "plain"}, {Name: "one", Attributes: []string{"x"}}, {Name: "two", Attributes: []string{"x", "y"}}},
		Counters: []string{"rows", "none"},
	}
	rapid.Check(t, func(r *rapid.T) {
		b, rows := batch(r)
		var want [][]string
		times := rapid.IntRange(0, 4).Draw(r, "times")
		own := [][]byte{nil, []byte(rapid.StringN(0, 40, -1).Draw(r, "own"))}
		process := func(got *pharos.Batch) error {
			want = make([][]string, len(rows))
			got.Count(0, uint64(len(rows)))
			for i := range rows {
				for k := range times {
					text := got.Column((i + k) % 2).Text(i)
					attributes := [][]byte{text, own[(i+k)%2]}[:k%3]
					value := float64(i) / float64(k)
					got.Measure(i, k%3, value, attributes...)
					if !abi.IsBadValue(value) {
						want[i] = append(want[i], fmt.Sprintf("%d %v %s", k%3, value, texts(attributes)))
					}
				}
			}
			return nil
		}
		g := plugin(t, abi.Extract, plan, process)
		g.Capacity = abi.Capacity{
			Measurements: rapid.IntRange(0, 5).Draw(r, "measurements"), Tuples: rapid.IntRange(0, 5).Draw(r, "tuples"),
			Text: rapid.IntRange(0, 50).Draw(r, "text"),
		}
		room := g.Capacity
		var out abi.Output
		if err := g.Process(context.Background(), b, &out); err != nil {
			r.Fatal(err)
		}
		got := make([][]string, len(rows))
		for _, m := range out.Measurements {
			var attributes [][]byte
			if m.Attributes > 0 {
				attributes = out.Attributes[m.Attributes-1]
			}
			if !abi.IsBadValue(m.Value) {
				got[m.Row] = append(got[m.Row], fmt.Sprintf("%d %v %s", m.Point, m.Value, texts(attributes)))
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			r.Fatalf("room for %+v:\n%q\nwanted\n%q", room, got, want)
		}
		if out.Counters[0] != uint64(len(rows)) || out.Counters[1] != 0 {
			r.Fatalf("counters %v", out.Counters)
		}
	})
}

// texts are the attributes that have a value, with their index.
func texts(attributes [][]byte) string {
	s := ""
	for i, a := range attributes {
		if len(a) > 0 {
			s += fmt.Sprintf("%d=%q", i, a)
		}
	}
	return s
}

func TestColumnTextIsNotCopied(t *testing.T) {
	plan := abi.Plan{Fields: fields[:1], Points: []abi.Point{{Name: "p", Attributes: []string{"x"}}}}
	g := plugin(t, abi.Extract, plan, func(b *pharos.Batch) error {
		b.Measure(0, 0, 1, b.Column(0).Text(0))
		return nil
	})
	g.Capacity = abi.Capacity{Measurements: 1, Tuples: 1}
	var b abi.Batch
	abi.Build(plan.Fields, [][]abi.Value{{{Kind: abi.String, Text: []byte("in the column")}}}, &b)
	var out abi.Output
	if err := g.Process(t.Context(), &b, &out); err != nil {
		t.Fatal(err)
	}
	if g.Again != 0 || string(out.Attributes[0][0]) != "in the column" {
		t.Errorf("called %d times again, answered %q", g.Again, out.Attributes)
	}
}

// What is not for the kind, or out of range, panics: in a module that is a trap,
// rather than a wrong answer.
func TestMisuse(t *testing.T) {
	filter := abi.Plan{Fields: fields, Reasons: []string{"no"}}
	extract := abi.Plan{Fields: fields, Points: []abi.Point{{Name: "p", Attributes: []string{"x"}}}}
	for _, c := range []struct {
		name    string
		kind    abi.Kind
		plan    abi.Plan
		process func(*pharos.Batch)
	}{
		{"row beyond", abi.Filter, filter, func(b *pharos.Batch) { b.Keep(8) }},
		{"reason of a row beyond", abi.Filter, filter, func(b *pharos.Batch) { b.Drop(1, 0) }},
		{"route by a filter", abi.Filter, filter, func(b *pharos.Batch) { b.Route(0, 0) }},
		{"keep by an extractor", abi.Extract, extract, func(b *pharos.Batch) { b.Keep(0) }},
		{"counter that is not planned", abi.Filter, filter, func(b *pharos.Batch) { b.Count(0, 1) }},
		{"column that is not planned", abi.Filter, filter, func(b *pharos.Batch) { b.Column(8) }},
		{"text of a number", abi.Filter, filter, func(b *pharos.Batch) { b.Column(2).Text(0) }},
		{"number of a text", abi.Filter, filter, func(b *pharos.Batch) { b.Column(0).F64(0) }},
		{"attributes beyond", abi.Extract, extract, func(b *pharos.Batch) { b.Measure(0, 0, 1, []byte("a"), []byte("b")) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := plugin(t, c.kind, c.plan, func(b *pharos.Batch) error {
				defer func() {
					if recover() == nil {
						t.Error("no panic")
					}
				}()
				c.process(b)
				return nil
			})
			g.Capacity = abi.Capacity{Measurements: 1, Tuples: 1}
			var b abi.Batch
			var out abi.Output
			abi.Build(c.plan.Fields, [][]abi.Value{make([]abi.Value, len(fields))}, &b)
			if err := g.Process(t.Context(), &b, &out); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	broken := errors.New("broken")
	g := plugin(t, abi.Split, abi.Plan{Routes: []string{"a"}}, func(*pharos.Batch) error { return broken })
	var out abi.Output
	if err := g.Process(t.Context(), &abi.Batch{Rows: 1}, &out); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	_, err := pharostest.New(pharos.Plugin{
		Configure: func(c pharos.Config) (abi.Plan, error) {
			var n struct{ N int }
			return abi.Plan{}, c.Decode(&n)
		},
	}, []byte(`{"n": "x"}`), nil)
	if refused := new(pharostest.Refused); !errors.As(err, &refused) {
		t.Errorf("%v", err)
	}
}
