package plugin

import (
	"fmt"
	"testing"

	"github.com/seed-6a2d649b/pharos/host/rules"
)

// BenchmarkLoadRules is what a rules plugin costs when it is loaded: its module built,
// metered, compiled, configured.
func BenchmarkLoadRules(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			i := 0
			for b.Loop() {
				var list rules.Rules
				for k := range n {
					i++
					list.Drop = append(list.Drop, rules.Drop{Reason: fmt.Sprint(k % 200), When: fmt.Sprintf(`type == "t%d" && price > %d || path.startsWith("/%d/")`, i, k, i)})
				}
				p, err := loader.Load(b.Context(), Spec{Name: "mine", Rules: &list})
				if err != nil {
					b.Fatal(err)
				}
				if err := p.Close(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
