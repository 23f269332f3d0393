package interest

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// Compare finds just the figures that differ, and by how much at most.
func TestCompareFindsWhatDiffers(t *testing.T) {
	series := []*metric.Series{
		{Tenant: "shop", Experiment: "_all", Variant: "_all", Status: "assigned", Point: "visit"},
		{Tenant: "shop", Experiment: "_all", Variant: "_all", Status: "assigned", Point: "order", Dims: []metric.Label{{Name: "platform", Value: "web"}}},
		{Tenant: "shop", Experiment: "_all", Variant: "_all", Status: "assigned", Point: "order", Dims: []metric.Label{{Name: "platform", Value: "ios"}}},
	}
	rapid.Check(t, func(t *rapid.T) {
		var before, after metric.Totals
		plain := [2]map[string]int64{{}, {}}
		for range rapid.IntRange(0, 40).Draw(t, "figures") {
			s, minute, hits := rapid.IntRange(0, 2).Draw(t, "series"), rapid.Int64Range(0, 5).Draw(t, "minute"), rapid.Int64Range(-2, 3).Draw(t, "hits")
			where := rapid.IntRange(0, 2).Draw(t, "where") // 2: both
			for i, totals := range []*metric.Totals{&before, &after} {
				if where == i || where == 2 {
					totals.Add(metric.Delta{Series: series[s], Minute: minute, Figure: metric.Figure{Hits: hits, Sum: metric.NewInt(hits * metric.Micro)}})
					plain[i][fmt.Sprint(s, minute)] += hits
				}
			}
		}
		changed, most, keys := 0, int64(0), map[string]bool{}
		for _, all := range plain {
			for key := range all {
				if b, a := plain[0][key], plain[1][key]; !keys[key] && (b != 0 || a != 0) {
					keys[key] = true
					if a != b {
						changed++
						most = max(most, abs(a-b))
					}
				}
			}
		}
		e := Compare(&before, &after)
		minutes, largest, sum := 0, int64(0), 0.0
		for _, s := range e.Series {
			minutes += s.Minutes
			largest, sum = max(largest, abs(s.Hits)), max(sum, math.Abs(s.Sum))
		}
		if e.Figures != len(keys) || e.Changed != changed || minutes != changed || largest != most || sum != float64(most) {
			t.Fatalf("%+v: %d figures, %d changed, by %d at most", e, len(keys), changed, most)
		}
	})
}
