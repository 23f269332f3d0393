package plugins_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/wasm"
	"pgregory.net/rapid"
)

// naiveImages is what images is to measure of an array, by another reader of JSON.
func naiveImages(t *rapid.T, array string) (shown []string, without uint64) {
	var elements []any
	d := json.NewDecoder(strings.NewReader(array))
	d.UseNumber()
	if err := d.Decode(&elements); err != nil {
		t.Fatal(err)
	}
	text := func(v any) string {
		switch v := v.(type) {
		case string:
			return v
		case json.Number:
			return v.String()
		}
		return ""
	}
	for _, e := range elements {
		image, slot := text(e), ""
		if object, ok := e.(map[string]any); ok {
			image, slot = text(object["id"]), text(object["slot"])
		}
		if image == "" {
			without++
			continue
		}
		shown = append(shown, fmt.Sprintf("%q %q", image, slot))
	}
	return shown, without
}

// TestImages compares images with another reader of JSON, on arrays of anything.
func TestImages(t *testing.T) {
	ctx := t.Context()
	i, err := module(t, "images", wasm.Limits{}).Instantiate(ctx, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	scalar := rapid.OneOf(
		rapid.SampledFrom([]string{"null", "true", "1", "-2.50", `""`, `"a.png"`, `"\u00e9\ud83d\ude00\""`, `"\ud800"`, `[]`, `{}`, `["id"]`}),
		rapid.Map(rapid.String(), func(s string) string {
			quoted, err := json.Marshal(s)
			if err != nil {
				panic(err)
			}
			return string(quoted)
		}))
	key := rapid.SampledFrom([]string{`"id"`, `"slot"`, `"\u0069d"`, `"other"`, `"sl\u006ft"`})
	element := rapid.Custom(func(t *rapid.T) string {
		if rapid.Bool().Draw(t, "scalar") {
			return scalar.Draw(t, "value")
		}
		var pairs []string
		for range rapid.IntRange(0, 4).Draw(t, "pairs") {
			pairs = append(pairs, key.Draw(t, "key")+rapid.SampledFrom([]string{":", " : "}).Draw(t, "colon")+scalar.Draw(t, "value"))
		}
		return "{" + strings.Join(pairs, rapid.SampledFrom([]string{",", " ,\n"}).Draw(t, "comma")) + "}"
	})
	rapid.Check(t, func(t *rapid.T) {
		arrays := rapid.SliceOfN(rapid.Map(rapid.SliceOfN(element, 0, 8), func(e []string) string { return "[" + strings.Join(e, ", ") + "]" }), 1, 6).Draw(t, "arrays")
		var rows [][]abi.Value
		var want []string
		without := uint64(0)
		for _, array := range arrays {
			rows = append(rows, []abi.Value{{Kind: abi.Array, Text: []byte(array)}, {}, {}, {}})
			shown, n := naiveImages(t, array)
			want = append(want, fmt.Sprint(shown))
			without += n
		}
		var b abi.Batch
		var out abi.Output
		abi.Build(i.Plan().Fields, rows, &b)
		if err := i.Process(ctx, &b, &out); err != nil {
			t.Fatal(err)
		}
		got := make([][]string, len(rows))
		for _, m := range out.Measurements {
			a := out.Attributes[m.Attributes-1]
			got[m.Row] = append(got[m.Row], fmt.Sprintf("%q %q", a[0], a[1]))
		}
		for r := range rows {
			if fmt.Sprint(got[r]) != want[r] {
				t.Fatalf("%s: %s, not %s", arrays[r], got[r], want[r])
			}
		}
		if out.Counters[0] != without {
			t.Fatalf("%d without image, not %d", out.Counters[0], without)
		}
	})
}
