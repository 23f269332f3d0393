package metric

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// bigs draws integers around the bounds of the fast path.
func bigs() *rapid.Generator[*big.Int] {
	return rapid.Custom(func(t *rapid.T) *big.Int {
		v := new(big.Int).Lsh(big.NewInt(1), uint(rapid.SampledFrom([]int{0, 31, 52, 53, 62, 63, 64, 65, 126, 127, 128, 129, 200}).Draw(t, "bits")))
		v.Add(v, big.NewInt(rapid.Int64Range(-3, 3).Draw(t, "near")))
		if rapid.Bool().Draw(t, "free") {
			v.SetBytes(rapid.SliceOfN(rapid.Byte(), 0, 24).Draw(t, "bytes"))
		}
		if rapid.Bool().Draw(t, "negative") {
			v.Neg(v)
		}
		return v
	})
}

func TestIntIsBigInt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, y := bigs().Draw(t, "x"), bigs().Draw(t, "y")
		a, b := IntOfBig(x), IntOfBig(y)
		same := func(what string, got Int, want *big.Int) {
			if got.Big().Cmp(want) != 0 || got.String() != want.String() || !got.Equal(IntOfBig(want)) {
				t.Fatalf("%s of %v and %v: got %v, want %v", what, x, y, got, want)
			}
			if got.IsZero() != (want.Sign() == 0) {
				t.Fatalf("%s: IsZero is %v for %v", what, got.IsZero(), want)
			}
			if want.BitLen() <= 127 && got.big != nil {
				t.Fatalf("%s: %v is kept as a big integer", what, want)
			}
		}
		same("value", a, x)
		same("sum", a.Add(b), new(big.Int).Add(x, y))
		same("difference", a.Sub(b), new(big.Int).Sub(x, y))
		same("product", a.Mul(b), new(big.Int).Mul(x, y))
		same("negation", a.Neg(), new(big.Int).Neg(x))
		if a.Cmp(b) != x.Cmp(y) {
			t.Fatalf("Cmp(%v, %v) = %d", x, y, a.Cmp(b))
		}
		back, err := intOfTwosComplement(a.twosComplement())
		if err != nil || !back.Equal(a) {
			t.Fatalf("two's complement of %v came back as %v, %v", x, back, err)
		}
		for _, decimals := range []int{0, 6, 12} {
			den := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(decimals)), nil)
			want, _ := new(big.Rat).SetFrac(x, den).Float64()
			if got := a.Float64(decimals); got != want || math.Signbit(got) != math.Signbit(want) {
				t.Fatalf("%v / 10^%d: got %v, want %v", x, decimals, got, want)
			}
		}
	})
}

// The lowest 128-bit number has two forms: neither may show.
func TestIntLowest(t *testing.T) {
	low := NewInt(math.MinInt64).Mul(NewInt(1 << 62)).Add(NewInt(math.MinInt64).Mul(NewInt(1 << 62))) // -2^126
	fast := low.Add(low)
	want := new(big.Int).Neg(new(big.Int).Lsh(big.NewInt(1), 127))
	if fast.big != nil || fast.Big().Cmp(want) != 0 {
		t.Fatalf("-2^127 is %v", fast)
	}
	slow := IntOfBig(want)
	if !fast.Equal(slow) || !slow.Equal(fast) || !fast.Sub(slow).IsZero() || !fast.Neg().Neg().Equal(slow) {
		t.Errorf("the two forms of %v differ", want)
	}
}

func TestIntDoesNotAlias(t *testing.T) {
	v := new(big.Int).Lsh(big.NewInt(1), 200)
	a := IntOfBig(v)
	v.SetInt64(1)
	a.Big().SetInt64(2)
	if a.String() != new(big.Int).Lsh(big.NewInt(1), 200).String() {
		t.Errorf("the value changed to %v", a)
	}
}

func TestMicros(t *testing.T) {
	for _, c := range []struct {
		v    float64
		want int64
		ok   bool
	}{
		{0, 0, true}, {1, 1_000_000, true}, {-1.5, -1_500_000, true},
		{0.0000005, 0, true}, {0.0000015, 2, true}, {-0.0000025, -2, true}, // half to even, of the float64 product
		{120.5, 120_500_000, true}, {29.99, 29_990_000, true},
		{1e9, 1e15, true}, {-1e9, -1e15, true},
		{math.Nextafter(1e9, 2e9), 0, false}, {-1.1e9, 0, false},
		{math.NaN(), 0, false}, {math.Inf(1), 0, false}, {math.Inf(-1), 0, false},
		{5e-324, 0, true},
	} {
		if got, ok := Micros(c.v); got != c.want || ok != c.ok {
			t.Errorf("Micros(%v) = %d, %v; want %d, %v", c.v, got, ok, c.want, c.ok)
		}
	}
}

func TestIntDoesNotAllocate(t *testing.T) {
	var f Figure
	x := NewInt(1e15)
	allocs := testing.AllocsPerRun(100, func() {
		f.Add(Figure{Hits: 1, Sum: x, SumSq: x.Mul(x)})
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
