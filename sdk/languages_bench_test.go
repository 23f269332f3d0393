package sdk_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/wasm"
)

// BenchmarkLanguages is what an example costs in each language, and prints the table
// of docs/plugins.md: a row as the host has it answered (columns copied in, fuel
// counted, answers checked and copied out), beside a Go function of the same rule.
func BenchmarkLanguages(b *testing.B) {
	runtime, err := wasm.NewRuntime(wasm.Options{CacheDir: cacheDir})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { closeIt(b, runtime.Close) })
	var table strings.Builder
	for _, e := range examples {
		for _, l := range languages {
			b.Run(e.name+"/"+l.name, func(b *testing.B) {
				code := read(b, l.example(b, e.name))
				m, err := runtime.Compile(b.Context(), l.name, code)
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { closeIt(b, m.Close) })
				g, err := m.Instantiate(b.Context(), []byte(benchConfigs[e.name]), nil)
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { closeIt(b, g.Close) })
				plain, metered := benchGuest(b, meterings[0].build(b, code), e.name), benchGuest(b, meterings[1].build(b, code), e.name)
				batch := benchBatch(g.Plan(), e.name)
				var out abi.Output
				cost := []func() float64{
					func() float64 {
						return timed(func() {
							out.Reset()
							nativeRules[e.name](batch, &out)
						})
					},
					func() float64 {
						return timed(func() {
							if err := g.Process(b.Context(), batch, &out); err != nil {
								b.Fatal(err)
							}
						})
					},
					func() float64 { return busy(b, plain, batch) },
					func() float64 { return busy(b, metered, batch) },
				}
				var turns [][]float64
				for b.Loop() {
					turns = takeTurns(b, len(cost), func(i int) float64 { return cost[i]() })
				}
				before := g.Fuel()
				if err := g.Process(b.Context(), batch, &out); err != nil {
					b.Fatal(err)
				}
				fuel := float64(g.Fuel()-before) / benchRows
				ns, ratio, overhead := median(turns[1]), medianRatio(turns[1], turns[0]), medianRatio(turns[3], turns[2])
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(ns, "ns/row")
				b.ReportMetric(ratio, "native-ratio")
				b.ReportMetric(fuel, "fuel/row")
				fmt.Fprintf(&table, "| %s | %s | %.1f | %.1f | %.2f | %.0f | %.2f | %s | %s |\n",
					e.name, l.name, median(turns[0]), ns, ratio, fuel, overhead, size(len(code)), size(g.MemoryBytes()))
			})
		}
	}
	fmt.Printf("\n| example | language | Go function, ns | ns a row | ratio | fuel a row | metering | module | memory |\n|---|---|---:|---:|---:|---:|---:|---:|---:|\n%s\n", table.String())
}

// timed is what a call costs, in ns a row.
func timed(call func()) float64 {
	began := time.Now()
	for range benchCalls {
		call()
	}
	return float64(time.Since(began).Nanoseconds()) / benchCalls / benchRows
}

func size(bytes int) string {
	if bytes < 1_000_000 {
		return fmt.Sprintf("%.1f kB", float64(bytes)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
}

func closeIt(t testing.TB, f func(context.Context) error) {
	t.Helper()
	if err := f(context.Background()); err != nil {
		t.Error(err)
	}
}
