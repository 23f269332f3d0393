package kairosdb

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// Every number is written so that the server keeps it as a double, and reads back the
// same.
func TestDouble(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, 1, -1, 1e-12, 1e21, math.MaxInt64, math.SmallestNonzeroFloat64})).Draw(t, "v")
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return
		}
		text, err := double(v).MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		back, err := strconv.ParseFloat(string(text), 64)
		if err != nil || back != v || !strings.Contains(string(text), ".") {
			t.Fatalf("%v is written %s", v, text)
		}
	})
}

// FuzzAnswer looks for answers that break the reader.
func FuzzAnswer(f *testing.F) {
	for _, answer := range []string{
		`{"queries":[{"sample_size":1,"results":[{"name":"pharos_hits","group_by":[{"name":"tag","group":{"tenant":"shop","dim_a":""}},{"name":"type","type":"number"}],"tags":{},"values":[[60000,1.5]]}]}]}`,
		`{"queries":[]}`, `{"results":[`, `[]`, `"results"`, `{"results":1}`, `{"queries":[{"results":[{"values":[["x",1]]}]}]}`, `{"results":{"results":[]}}`,
	} {
		f.Add(answer)
	}
	f.Fuzz(func(t *testing.T, answer string) {
		values := 0
		err := readAnswer(strings.NewReader(answer), func(s *metric.Series, _ string, _ int64, _ float64) error {
			if s == nil {
				t.Fatal("no series")
			}
			values++
			return nil
		})
		if err == nil && values > len(answer) {
			t.Fatal("more values than bytes")
		}
	})
}
