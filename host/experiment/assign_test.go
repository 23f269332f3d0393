package experiment

import (
	"crypto/sha256"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func mustCompile(t interface {
	Helper()
	Fatal(args ...any)
}, e Experiment) *Compiled {
	t.Helper()
	c, err := Compile(e)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func list(weights ...int64) []Variant {
	var vs []Variant
	for i, w := range weights {
		vs = append(vs, Variant{Name: string(rune('a' + i)), Weight: w})
	}
	return vs
}

// The expected variants and buckets were computed with Python's hashlib.
func TestAssignVectors(t *testing.T) {
	for _, v := range []struct {
		salt, unit string
		weights    []int64
		want       int
	}{
		{"aa-2026", "v1", []int64{50, 50}, 0},
		{"aa-2026", "v2", []int64{50, 50}, 0},
		{"aa-2026", "v3", []int64{50, 50}, 1},
		{"aa-2026", "v4", []int64{50, 50}, 1},
		{"", "1.50", []int64{1, 3}, 1}, // the salt is the id, aa-test
		{"", "ünïcode", []int64{1, 3}, 1},
		{"", "a:b", []int64{0, 1, 2}, 1},
		{"", "2019-10-01|x", []int64{1, 1, 1, 1, 1}, 2},
		{"aa-2026", strings.Repeat("x", 2000), []int64{1, 1, 1}, 1},
		{"s", "z", []int64{9223372036854775806, 1}, 0},
		{"s", "y", []int64{1, 0, 9223372036854775806}, 2},
	} {
		c := mustCompile(t, Experiment{ID: "aa-test", Hash: true, Salt: v.salt, Variants: list(v.weights...)})
		got, ok := c.Assign([]byte(v.unit), 0)
		if !ok || got != v.want {
			t.Errorf("%q %.20q %v: got %d, %v, want %d", v.salt, v.unit, v.weights, got, ok, v.want)
		}
	}
}

func TestAssignLayer(t *testing.T) {
	for _, v := range []struct {
		layer  Layer
		unit   string
		bucket int64
	}{
		{Layer{Name: "checkout"}, "v1", 7322},
		{Layer{Name: "checkout"}, "a:b", 2183},
		{Layer{Name: "checkout", Salt: "c-2026"}, "v1", 2081},
		{Layer{Name: "checkout", Salt: "c-2026"}, "v2", 6470},
		{Layer{Name: "checkout", Salt: "c-2026"}, "ünïcode", 6614},
	} {
		for _, r := range []struct {
			buckets [2]int64
			in      bool
		}{
			{[2]int64{v.bucket, v.bucket + 1}, true},
			{[2]int64{0, v.bucket}, false},
			{[2]int64{0, v.bucket + 1}, true},
			{[2]int64{v.bucket + 1, Buckets}, false},
			{[2]int64{v.bucket, Buckets}, true},
		} {
			c := mustCompile(t, Experiment{ID: "e", Hash: true, Variants: list(1, 1), Layer: &v.layer, Buckets: &r.buckets})
			if _, ok := c.Assign([]byte(v.unit), 0); ok != r.in {
				t.Errorf("%v %q in %v: got %v", v.layer, v.unit, r.buckets, ok)
			}
		}
	}
}

func TestAssignNoUnitNoHash(t *testing.T) {
	c := mustCompile(t, Experiment{ID: "e", Hash: true, Variants: list(1)})
	if _, ok := c.Assign(nil, 0); ok {
		t.Error("an empty unit is assigned")
	}
	c = mustCompile(t, Experiment{ID: "e", Variants: list(1)})
	if _, ok := c.Assign([]byte("u"), 0); ok {
		t.Error("assigned without assign: hash")
	}
}

func TestPhases(t *testing.T) {
	c := mustCompile(t, Experiment{
		ID: "e", Hash: true, Variants: list(1, 0), Layer: &Layer{Name: "l"}, Buckets: &[2]int64{0, 5000},
		Start: 0, HasStart: true, End: 1000, HasEnd: true,
		Phases: []Phase{
			{From: 100, Variants: []Variant{{"b", 3}, {"a", 1}}},
			{From: 200, Buckets: &[2]int64{0, 10000}},
			{From: 300, Variants: []Variant{{"b", 1}, {"a", 0}}},
		},
	})
	for _, p := range []struct {
		t       int64
		phase   int
		weights [2]int64
		to      int64
	}{
		{-1, 0, [2]int64{1, 0}, 5000}, {99, 0, [2]int64{1, 0}, 5000},
		{100, 1, [2]int64{1, 3}, 5000}, {199, 1, [2]int64{1, 3}, 5000},
		{200, 2, [2]int64{1, 3}, 10000}, {300, 3, [2]int64{0, 1}, 10000},
	} {
		if got := c.Phase(p.t); got != p.phase {
			t.Errorf("phase of %d: got %d, want %d", p.t, got, p.phase)
		}
		if w := c.Weights(p.phase); w[0] != p.weights[0] || w[1] != p.weights[1] {
			t.Errorf("weights of phase %d: got %v, want %v", p.phase, w, p.weights)
		}
		if _, to := c.BucketRange(p.phase); to != p.to {
			t.Errorf("buckets of phase %d: up to %d, want %d", p.phase, to, p.to)
		}
	}
	if got, ok := c.Assign([]byte("v4"), 300); !ok || got != 1 {
		t.Errorf("got %d, %v, want b alone", got, ok)
	}
	for at, want := range map[int64]bool{-1: false, 0: true, 999: true, 1000: false} {
		if c.Running(at) != want {
			t.Errorf("running at %d: got %v", at, !want)
		}
	}
}

// The order of a phase's own list decides, not the experiment's.
func TestPhaseOrder(t *testing.T) {
	base := mustCompile(t, Experiment{ID: "s", Hash: true, Variants: list(1, 1)})
	turned := mustCompile(t, Experiment{ID: "s", Hash: true, Variants: list(1, 1),
		Phases: []Phase{{From: 10, Variants: []Variant{{"b", 1}, {"a", 1}}}}})
	for _, u := range []string{"1", "2", "3", "4", "5", "6"} {
		a, _ := base.Assign([]byte(u), 10)
		b, _ := turned.Assign([]byte(u), 10)
		c, _ := turned.Assign([]byte(u), 9)
		if a == b || a != c {
			t.Errorf("%q: base %d, turned %d, before the phase %d", u, a, b, c)
		}
	}
}

func TestVariantIndex(t *testing.T) {
	c := mustCompile(t, Experiment{ID: "e", Variants: list(1, 1)})
	if i, ok := c.VariantIndex([]byte("b")); !ok || i != 1 {
		t.Errorf("got %d, %v", i, ok)
	}
	if _, ok := c.VariantIndex([]byte("z")); ok {
		t.Error("an unknown variant is known")
	}
}

// TestAssignProperty compares with the definition written out in integers of
// any size.
func TestAssignProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.Int64Range(0, 1<<58), 1, 8).Draw(t, "weights")
		weights[rapid.IntRange(0, len(weights)-1).Draw(t, "positive")] += 1
		salt := rapid.StringN(1, 20, -1).Draw(t, "salt")
		unit := rapid.SliceOfN(rapid.Byte(), 1, 600).Draw(t, "unit")
		from := rapid.Int64Range(0, Buckets-1).Draw(t, "from")
		to := rapid.Int64Range(from+1, Buckets).Draw(t, "to")
		c := mustCompile(t, Experiment{ID: "e", Hash: true, Salt: salt, Variants: list(weights...),
			Layer: &Layer{Name: "layer"}, Buckets: &[2]int64{from, to}})

		scaled := func(salt string, n *big.Int) *big.Int {
			sum := sha256.Sum256(append([]byte(salt+":"), unit...))
			x := new(big.Int).SetBytes(sum[:8])
			return x.Rsh(x.Mul(x, n), 64)
		}
		total := new(big.Int)
		for _, w := range weights {
			total.Add(total, big.NewInt(w))
		}
		bucket := scaled("layer", big.NewInt(Buckets)).Int64()
		want, wantOK := 0, bucket >= from && bucket < to
		if wantOK {
			x, cumulative := scaled(salt, total), new(big.Int)
			for i, w := range weights {
				if cumulative.Add(cumulative, big.NewInt(w)).Cmp(x) > 0 {
					want = i
					break
				}
			}
		}
		if got, ok := c.Assign(unit, 0); got != want || ok != wantOK {
			t.Fatalf("got %d, %v, want %d, %v", got, ok, want, wantOK)
		}
	})
}

func TestAssignAllocatesNothing(t *testing.T) {
	c := mustCompile(t, Experiment{ID: "e", Hash: true, Variants: list(1, 1), Layer: &Layer{Name: "l"}})
	unit := []byte("5f1c9b7e-1d2a-4a5e-9d7c-0e6f2b3c4d5e")
	if n := testing.AllocsPerRun(100, func() {
		c.Assign(unit, 0)
		c.VariantIndex(unit)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
