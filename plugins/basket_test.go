package plugins_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/wasm"
	"pgregory.net/rapid"
)

// naiveBasket is what basket is to measure of an array, by another reader of JSON.
func naiveBasket(t *rapid.T, array string) (measured []string) {
	var elements []any
	d := json.NewDecoder(strings.NewReader(array))
	d.UseNumber()
	if err := d.Decode(&elements); err != nil {
		t.Fatal(err)
	}
	number := func(v any) float64 {
		if n, ok := v.(json.Number); ok {
			f, err := n.Float64()
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
		return math.NaN()
	}
	for _, e := range elements {
		object, ok := e.(map[string]any)
		if !ok {
			continue
		}
		quantity, category := 1.0, ""
		if v, there := object["quantity"]; there {
			quantity = number(v)
		}
		switch v := object["category"].(type) {
		case string:
			category = v
		case json.Number:
			category = v.String()
		}
		measured = append(measured, fmt.Sprintf("item_value=%v %q", number(object["price"])*quantity, category))
	}
	return append([]string{fmt.Sprintf("line_items=%d \"\"", len(measured))}, measured...)
}

// TestBasket compares basket with another reader of JSON, on arrays of anything.
func TestBasket(t *testing.T) {
	ctx := t.Context()
	i, err := module(t, "basket", wasm.Limits{}).Instantiate(ctx, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var items int
	for n, f := range i.Plan().Fields {
		if f.Name == "items" {
			items = n
		}
	}
	number := rapid.OneOf(
		rapid.SampledFrom([]string{"0", "-0", "1", "-2.50", "1e3", "19.99", "0.1", "1E-2", "123456789.125"}),
		rapid.Map(rapid.IntRange(-1e9, 1e9), func(n int) string { return fmt.Sprint(float64(n) / 1e4) })) // of up to 15 digits the SDK makes the nearest double
	value := rapid.OneOf(number, number, rapid.SampledFrom([]string{"null", "true", `""`, `"shoes"`, `"\u00e9\ud83d\ude00\""`, `"5"`, `[]`, `{"price":1}`}))
	key := rapid.SampledFrom([]string{`"price"`, `"quantity"`, `"category"`, `"pr\u0069ce"`, `"other"`})
	element := rapid.Custom(func(t *rapid.T) string {
		if rapid.IntRange(0, 4).Draw(t, "no object") == 0 {
			return value.Draw(t, "value")
		}
		var pairs []string
		for range rapid.IntRange(0, 5).Draw(t, "pairs") {
			pairs = append(pairs, key.Draw(t, "key")+":"+value.Draw(t, "value"))
		}
		return "{" + strings.Join(pairs, ", ") + "}"
	})
	rapid.Check(t, func(t *rapid.T) {
		arrays := rapid.SliceOfN(rapid.Map(rapid.SliceOfN(element, 0, 8), func(e []string) string { return "[" + strings.Join(e, ", ") + "]" }), 1, 6).Draw(t, "arrays")
		var rows [][]abi.Value
		for _, array := range arrays {
			row := make([]abi.Value, len(i.Plan().Fields))
			row[items] = abi.Value{Kind: abi.Array, Text: []byte(array)}
			rows = append(rows, row)
		}
		var b abi.Batch
		var out abi.Output
		abi.Build(i.Plan().Fields, rows, &b)
		if err := i.Process(ctx, &b, &out); err != nil {
			t.Fatal(err)
		}
		got := make([][]string, len(rows))
		for _, m := range out.Measurements {
			category := ""
			if m.Attributes > 0 {
				category = string(out.Attributes[m.Attributes-1][0])
			}
			got[m.Row] = append(got[m.Row], fmt.Sprintf("%s=%v %q", i.Plan().Points[m.Point].Name, m.Value, category))
		}
		for r, array := range arrays {
			if want := naiveBasket(t, array); fmt.Sprint(got[r]) != fmt.Sprint(want) {
				t.Fatalf("%s: %s, not %s", array, got[r], want)
			}
		}
	})
}
