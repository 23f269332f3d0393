package wasm

import (
	"fmt"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
)

// BenchmarkProcess is the cost of one row, host and guest together: empty looks
// at no row, filter reads one i64 column bit by bit.
func BenchmarkProcess(b *testing.B) {
	for _, guest := range []string{"empty", "filter", "split", "extract"} {
		for _, n := range []int{1, 1000} {
			b.Run(fmt.Sprintf("%s/rows=%d", guest, n), func(b *testing.B) {
				i := instantiate(b, compile(b, guest), "")
				rows := make([]string, n)
				for r := range rows {
					rows[r] = fmt.Sprintf(`{"n":%d,"path":"/history/apollo/apollo-%d.html","platform":"web","price":%d.5,"img":"a"}`, r, r, r)
				}
				in := batch(b, i.module.manifest.Kind, i.Plan(), rows...)
				var out abi.Output
				if err := i.Process(b.Context(), in, &out); err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				for b.Loop() {
					if err := i.Process(b.Context(), in, &out); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/row")
			})
		}
	}
}
