package tck

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
	"pgregory.net/rapid"
)

var plan = &abi.Plan{
	Fields: []abi.Field{
		{Name: "n", Type: abi.I64}, {Name: "s", Type: abi.Str}, {Name: "s", Type: abi.Str, Dict: true},
		{Name: "f", Type: abi.F64}, {Name: "b", Type: abi.Bool}, {Name: "a", Type: abi.Any}, {Name: "j", Type: abi.JSON}, {Name: "a", Type: abi.Kinds},
	},
	Reasons:  []string{"odd", "other"},
	Counters: []string{"rows"},
}

// odd is a native filter: drops odd n. spoil may change its answer.
type odd struct {
	calls, instance int
	spoil           func(g *odd, b *abi.Batch, row int, keep bool) bool
	count           func(b *abi.Batch) uint64
}

func (g *odd) Process(_ context.Context, b *abi.Batch, out *abi.Output) error {
	out.Reset()
	g.calls++
	out.Keep = append(out.Keep, make([]byte, abi.BitmapBytes(b.Rows))...)
	for i := range b.Rows {
		keep := b.Columns[0].I64[i]%2 == 0
		if g.spoil != nil {
			keep = g.spoil(g, b, i, keep)
		}
		if keep {
			abi.SetBit(out.Keep, i)
		}
		out.Reasons = append(out.Reasons, 0)
	}
	n := uint64(b.Rows)
	if g.count != nil {
		n = g.count(b)
	}
	out.Counters = append(out.Counters, n)
	return nil
}

func rows(t *rapid.T) *abi.Batch {
	texts := []string{"", "a", "bb", "ccc"}
	value := rapid.Custom(func(t *rapid.T) abi.Value {
		switch k := abi.ValueKind(rapid.IntRange(0, 8).Draw(t, "kind")); k {
		case abi.Missing, abi.Null:
			return abi.Value{Kind: k}
		case abi.False, abi.True:
			return abi.Value{Kind: k, Text: fmt.Append(nil, k == abi.True)}
		case abi.Number:
			return abi.Value{Kind: k, Text: fmt.Append(nil, rapid.IntRange(-9, 9).Draw(t, "n"))}
		default:
			return abi.Value{Kind: k, Text: []byte(rapid.SampledFrom(texts).Draw(t, "text"))}
		}
	})
	list := rapid.SliceOfN(rapid.SliceOfN(value, len(plan.Fields), len(plan.Fields)), 1, 60).Draw(t, "rows")
	b := new(abi.Batch)
	abi.Build(plan.Fields, list, b)
	return b
}

func subject(made *int, g odd) Subject {
	return Subject{Kind: abi.Filter, Plan: plan, New: func(context.Context) (Guest, func() error, error) {
		*made++
		guest := g
		guest.instance = *made
		return &guest, func() error { return nil }, nil
	}}
}

func TestPureGuestPasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		failures, err := Purity(context.Background(), subject(new(int), odd{}), rows(t), rapid.Uint64().Draw(t, "seed"))
		if err != nil || len(failures) > 0 {
			t.Fatal(err, failures)
		}
	})
}

func TestImpureGuestsFail(t *testing.T) {
	list := make([][]abi.Value, 50)
	for i := range list {
		list[i] = make([]abi.Value, len(plan.Fields))
		list[i][0] = abi.Value{Kind: abi.Number, Text: fmt.Append(nil, i)}
	}
	var b abi.Batch
	abi.Build(plan.Fields, list, &b)
	for _, c := range []struct {
		name  string
		guest odd
		want  []string // the checks that must fail, at least
	}{
		{"remembers calls", odd{spoil: func(g *odd, _ *abi.Batch, _ int, keep bool) bool { return keep && g.calls == 1 }}, []string{"repeated", "shuffled"}},
		{"looks at the position", odd{spoil: func(_ *odd, _ *abi.Batch, row int, keep bool) bool { return keep && row < 10 }}, []string{"reversed", "shuffled", "alone"}},
		{"looks at the row before", odd{spoil: func(_ *odd, b *abi.Batch, row int, keep bool) bool {
			return keep && row > 0 && b.Columns[0].I64[row-1] == b.Columns[0].I64[row]-1
		}}, []string{"reversed", "shuffled", "alone"}},
		{"looks at the number of rows", odd{spoil: func(_ *odd, b *abi.Batch, _ int, keep bool) bool { return keep && b.Rows == 50 }}, []string{"doubled", "halves", "pieces", "alone"}},
		{"differs by instance", odd{spoil: func(g *odd, _ *abi.Batch, _ int, keep bool) bool { return keep && g.instance == 1 }}, []string{"fresh", "alone"}},
		{"counts calls", odd{count: func(*abi.Batch) uint64 { return 1 }}, []string{"counters"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			failures, err := Purity(t.Context(), subject(new(int), c.guest), &b, 7)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if !slices.ContainsFunc(failures, func(f Failure) bool { return f.Check == want }) {
					t.Errorf("%s does not fail: %v", want, failures)
				}
			}
		})
	}
}

func TestPurityErrors(t *testing.T) {
	no := errors.New("no instance")
	s := Subject{Kind: abi.Filter, Plan: plan, New: func(context.Context) (Guest, func() error, error) { return nil, nil, no }}
	if _, err := Purity(t.Context(), s, &abi.Batch{}, 1); !errors.Is(err, no) {
		t.Error(err)
	}
}

// Selecting all rows in order gives the batch again, and selecting twice is
// selecting once.
func TestSelect(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rows(t)
		pick := rapid.SliceOfN(rapid.IntRange(0, b.Rows-1), 1, 80).Draw(t, "pick")
		var once, twice, direct abi.Batch
		Select(b, pick, &once)
		again := make([]int, len(pick))
		composed := make([]int, len(pick))
		for i := range again {
			again[i] = len(pick) - 1 - i
			composed[i] = pick[again[i]]
		}
		Select(&once, again, &twice)
		Select(b, composed, &direct)
		if got, want := fmt.Sprint(twice), fmt.Sprint(direct); got != want {
			t.Fatalf("%s\n%s", got, want)
		}
		l := abi.NewLayout(abi.Filter, plan)
		if _, err := l.Place(&once, abi.Capacity{}); err != nil {
			t.Fatal(err)
		}
	})
}
