package experiment

import (
	"math"
	"strings"
	"testing"
)

func TestCompileRefuses(t *testing.T) {
	ab := list(1, 1)
	layer := &Layer{Name: "l"}
	for _, c := range []struct {
		name string
		e    Experiment
		want []string
	}{
		{"no id, no variants", Experiment{}, []string{"has no id", "variants: there are none"}},
		{"reserved id", Experiment{ID: "_all", Variants: ab}, []string{"reserved for all_traffic"}},
		{"reserved points", Experiment{ID: "e", Variants: ab, Qualify: "visit"}, []string{`"visit" is reserved`}},
		{"crossover", Experiment{ID: "e", Variants: ab, Qualify: "crossover"}, []string{`"crossover" is reserved`}},
		{"times", Experiment{ID: "e", Variants: ab, Start: 5, HasStart: true, End: 5, HasEnd: true}, []string{"start is not before end"}},
		{"twice", Experiment{ID: "e", Variants: []Variant{{"a", 1}, {"a", 2}}}, []string{`variant "a" is listed twice`}},
		{"nameless", Experiment{ID: "e", Variants: []Variant{{"", 1}}}, []string{"no name"}},
		{"negative", Experiment{ID: "e", Variants: list(-1, 2)}, []string{`the weight -1 of "a" is negative`}},
		{"zero", Experiment{ID: "e", Variants: list(0, 0)}, []string{"all weights are 0"}},
		{"overflow", Experiment{ID: "e", Variants: list(math.MaxInt64, 1)}, []string{"63 bits"}},
		{"without hash", Experiment{ID: "e", Variants: ab, Salt: "s", Unit: "u", Layer: layer},
			[]string{"salt needs assign: hash", "unit needs assign: hash", "layer needs assign: hash"}},
		{"without layer", Experiment{ID: "e", Hash: true, Variants: ab, Buckets: &[2]int64{0, 1}}, []string{"buckets need a layer"}},
		{"phase without layer", Experiment{ID: "e", Hash: true, Variants: ab, Phases: []Phase{{Buckets: &[2]int64{0, 1}}}}, []string{"buckets need a layer"}},
		{"nameless layer", Experiment{ID: "e", Hash: true, Variants: ab, Layer: &Layer{}}, []string{"layer has no name"}},
		{"empty buckets", Experiment{ID: "e", Hash: true, Variants: ab, Layer: layer, Buckets: &[2]int64{5, 5}}, []string{"[5, 5] are no range"}},
		{"low buckets", Experiment{ID: "e", Hash: true, Variants: ab, Layer: layer, Buckets: &[2]int64{-1, 5}}, []string{"no range"}},
		{"high buckets", Experiment{ID: "e", Hash: true, Variants: ab, Layer: layer, Buckets: &[2]int64{0, 10001}}, []string{"no range"}},
		{"order", Experiment{ID: "e", Variants: ab, Phases: []Phase{{From: 2}, {From: 2}}}, []string{"phase 2: does not begin after"}},
		{"other variants", Experiment{ID: "e", Variants: ab, Phases: []Phase{{Variants: []Variant{{"a", 1}, {"c", 1}}}}},
			[]string{`phase 1: "c" is no variant`, `phase 1: variant "b" is missing`}},
		{"empty phase", Experiment{ID: "e", Variants: ab, Phases: []Phase{{Variants: []Variant{}}}}, []string{"phase 1: there are none"}},
		{"phase twice", Experiment{ID: "e", Variants: ab, Phases: []Phase{{Variants: []Variant{{"a", 1}, {"b", 1}, {"a", 1}}}}}, []string{"listed twice"}},
		{"phase zero", Experiment{ID: "e", Variants: ab, Phases: []Phase{{Variants: list(0, 0)}}}, []string{"phase 1: all weights are 0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Compile(c.e)
			if err == nil || got != nil {
				t.Fatalf("accepted")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %q", err, w)
				}
			}
			if n := strings.Count(err.Error(), "\n") + 1; n != len(c.want) {
				t.Errorf("%d faults, want %d:\n%v", n, len(c.want), err)
			}
		})
	}
}

func TestCompileKeeps(t *testing.T) {
	c := mustCompile(t, Experiment{ID: "e", Hash: true, Unit: "visitor", Qualify: "item_page", Exclude: true,
		Variants: list(1, 2), Layer: &Layer{Name: "l"}, Buckets: &[2]int64{1, 2}, Phases: []Phase{{From: 7}}})
	from, to := c.BucketRange(0)
	ms, late := c.From(1)
	_, base := c.From(0)
	if c.ID() != "e" || !c.Hash() || c.Unit() != "visitor" || c.Qualify() != "item_page" || !c.Exclude() ||
		c.Layer() != "l" || c.Phases() != 2 || from != 1 || to != 2 || ms != 7 || !late || base ||
		strings.Join(c.Names(), ",") != "a,b" || !c.Running(math.MinInt64) || !c.Running(math.MaxInt64) {
		t.Errorf("%+v", c)
	}
}
