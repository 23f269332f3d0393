package sdk_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/abi/tck"
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
		return compileCode(t, metered, false)
	}},
	{"interruption", func(t testing.TB, code []byte) *module { return compileCode(t, code, true) }},
}

// meteringTurns is how often each has its turn: a machine's speed drifts.
const meteringTurns = 21

// BenchmarkMetering is the cost of a row in the code of each example, and what it
// costs to meter it: the median of turns next to each other, to the plain module.
func BenchmarkMetering(b *testing.B) {
	for _, e := range examples {
		for _, path := range []string{"c/examples/" + e.name + ".wasm", buildGo(b, e.name)} {
			language := "go"
			if path[0] == 'c' {
				language = "c"
			}
			code := read(b, path)
			const rows = 1000
			var guests []*driver
			for _, m := range meterings {
				g, err := m.build(b, code).instance(e.configs[len(e.configs)-1])
				if err != nil {
					b.Fatal(err)
				}
				g.room = abi.Capacity{Measurements: 2 * rows, Tuples: rows}
				guests = append(guests, g)
			}
			var batch abi.Batch
			var out abi.Output
			abi.Build(guests[0].plan.Fields, tck.Rows(rand.New(rand.NewPCG(1, 1)), len(guests[0].plan.Fields), rows, e.words...), &batch)
			turn := func(g *driver) float64 {
				g.busy = 0
				for range 100 {
					if err := g.Process(b.Context(), &batch, &out); err != nil {
						b.Fatal(err)
					}
				}
				return float64(g.busy.Nanoseconds()) / 100 / rows
			}
			b.Run(e.name+"/"+language, func(b *testing.B) {
				for b.Loop() {
					costs := make([][]float64, len(guests))
					for range meteringTurns {
						for i, g := range guests {
							costs[i] = append(costs[i], turn(g))
						}
					}
					b.ReportMetric(median(costs[0]), "ns/row")
					for i := 1; i < len(guests); i++ {
						ratios := make([]float64, meteringTurns)
						for k := range ratios {
							ratios[k] = costs[i][k] / costs[0][k]
						}
						b.ReportMetric(median(ratios), meterings[i].name+"-ratio")
					}
					b.ReportMetric(0, "ns/op")
				}
			})
		}
	}
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}
