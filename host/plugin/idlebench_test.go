package plugin

import (
	"fmt"
	"runtime"
	"testing"
)

// BenchmarkIdle is what a host keeps in memory for 100 plugins that nobody asks: of one
// module with 100 configs, so that compiled code is there once.
func BenchmarkIdle(b *testing.B) {
	const plugins = 100
	for b.Loop() {
		heap := func() uint64 {
			runtime.GC()
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := heap()
		var all []*Plugin
		for i := range plugins {
			all = append(all, load(b, Spec{
				Name: fmt.Sprintf("bots%d", i), Module: "../../plugins/bots/bots.wasm",
				Config: fmt.Appendf(nil, `{"extra": ["agent%d"]}`, i), Data: map[string]string{"agents": "../../plugins/bots/agents.txt"},
			}))
		}
		b.ReportMetric(float64(heap()-before)/plugins/1024, "KiB/plugin")
		memory := 0
		for _, p := range all {
			i, err := p.pool.Get(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			memory += i.MemoryBytes()
			if err := p.pool.Put(b.Context(), i); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(memory)/plugins/1024, "KiB-of-guest/plugin")
	}
}
