package config

import (
	"strings"
	"testing"
)

// TestLayersThatOverlap checks that experiments of one layer may share buckets,
// and that it is said.
func TestLayersThatOverlap(t *testing.T) {
	c, err := Parse("x", ".", []byte(`
sources: [{name: site}]
tenants:
  shop:
    layers: {one: {}, two: {}}
    experiments:
      left: {assign: hash, variants: {a: 1}, layer: one, buckets: [0, 5000], end: 2026-02-01T00:00:00Z}
      right: {assign: hash, variants: {a: 1}, layer: one, buckets: [5000, 6000], phases: [{from: 2026-01-01T00:00:00Z, buckets: [4999, 6000]}]}
      after: {assign: hash, variants: {a: 1}, layer: one, buckets: [0, 4000], start: 2026-02-01T00:00:00Z}
      other: {assign: hash, variants: {a: 1}, layer: two}
`))
	if err != nil {
		t.Fatal(err)
	}
	text := Explain(c)
	if want := "x:8:7: the experiments right and left run at one time in the same buckets of the layer one"; !strings.Contains(text, want) {
		t.Errorf("%s\nwant %s", text, want)
	}
	if n := strings.Count(text, "run at one time"); n != 1 {
		t.Errorf("%d notes, want 1\n%s", n, text)
	}
}
