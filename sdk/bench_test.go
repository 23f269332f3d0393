package sdk_test

import (
	"math/rand/v2"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/abi/tck"
)

// BenchmarkExamples is the cost of a row in each example, with laying the batch out
// and reading the answer.
func BenchmarkExamples(b *testing.B) {
	for _, e := range examples {
		for _, path := range []string{"c/examples/" + e.name + ".wasm", buildGo(b, e.name)} {
			language := "go"
			if path[0] == 'c' {
				language = "c"
			}
			g, err := compile(b, path).instance(e.configs[len(e.configs)-1])
			if err != nil {
				b.Fatal(err)
			}
			const rows = 1000
			g.room = abi.Capacity{Measurements: 2 * rows, Tuples: rows}
			var batch abi.Batch
			var out abi.Output
			abi.Build(g.plan.Fields, tck.Rows(rand.New(rand.NewPCG(1, 1)), len(g.plan.Fields), rows, e.words...), &batch)
			b.Run(e.name+"/"+language, func(b *testing.B) {
				for b.Loop() {
					if err := g.Process(b.Context(), &batch, &out); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
			})
		}
	}
}
