package sdk_test

import (
	"math"
	"slices"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/wasm/fuel"
)

// meterings are ways to end a guest that does not: none, fuel that it counts itself,
// and wazero's own interruption.
var meterings = []struct {
	name  string
	build func(t testing.TB, code []byte) *module
}{
	{"plain", func(t testing.TB, code []byte) *module { return compileCode(t, code, false) }},
	{"fuel", func(t testing.TB, code []byte) *module {
		metered, err := fuel.Inject(code, math.MaxInt64/2)
		if err != nil {
			t.Fatal(err)
		}
		return compileCode(t, metered.Code, false)
	}},
	{"interruption", func(t testing.TB, code []byte) *module { return compileCode(t, code, true) }},
}

const (
	benchRows = 1000
	// benchTurns is how often each has its turn: a machine's speed drifts.
	benchTurns = 51
	// benchCalls is how many calls a turn has: few, so that it is rarely interrupted.
	benchCalls = 20
)

// BenchmarkMetering is the cost of a row in the code of each example, and what it
// costs to meter it: the median of turns next to each other, to the plain module. At
// last come the geometric means.
func BenchmarkMetering(b *testing.B) {
	logs := make([]float64, len(meterings)) // sums of logarithms of ratios
	n := 0
	for _, e := range examples {
		for _, l := range languages {
			b.Run(e.name+"/"+l.name, func(b *testing.B) {
				code := read(b, l.example(b, e.name))
				var guests []*driver
				for _, m := range meterings {
					guests = append(guests, benchGuest(b, m.build(b, code), e.name))
				}
				batch := benchBatch(guests[0].plan, e.name)
				var turns [][]float64
				for b.Loop() {
					turns = takeTurns(b, len(guests), func(i int) float64 { return busy(b, guests[i], batch) })
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(median(turns[0]), "ns/row")
				for i := 1; i < len(guests); i++ {
					ratio := medianRatio(turns[i], turns[0])
					logs[i] += math.Log(ratio)
					b.ReportMetric(ratio, meterings[i].name+"-ratio")
				}
				n++
			})
		}
	}
	b.Run("geometric mean", func(b *testing.B) {
		for b.Loop() {
		}
		b.ReportMetric(0, "ns/op")
		for i := 1; i < len(logs); i++ {
			b.ReportMetric(math.Exp(logs[i]/float64(n)), meterings[i].name+"-ratio")
		}
	})
}

// benchGuest is an instance with room for all that it measures.
func benchGuest(t testing.TB, m *module, example string) *driver {
	t.Helper()
	g, err := m.instance(benchConfigs[example])
	if err != nil {
		t.Fatal(err)
	}
	g.room = abi.Capacity{Measurements: 2 * benchRows, Tuples: benchRows}
	return g
}

// busy is the time in the guest's code, in ns a row.
func busy(t testing.TB, g *driver, batch *abi.Batch) float64 {
	var out abi.Output
	g.busy = 0
	for range benchCalls {
		if err := g.Process(t.Context(), batch, &out); err != nil {
			t.Fatal(err)
		}
	}
	return float64(g.busy.Nanoseconds()) / benchCalls / benchRows
}

// takeTurns has n take turns, and gives the cost of each in each.
func takeTurns(t testing.TB, n int, cost func(i int) float64) [][]float64 {
	t.Helper()
	costs := make([][]float64, n)
	for turn := range benchTurns + 1 {
		for i := range n {
			if c := cost(i); turn > 0 { // the first is to warm up
				costs[i] = append(costs[i], c)
			}
		}
	}
	return costs
}

// medianRatio is the median of the ratios of turns next to each other.
func medianRatio(all, base []float64) float64 {
	ratios := make([]float64, len(all))
	for i := range all {
		ratios[i] = all[i] / base[i]
	}
	return median(ratios)
}

func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}
