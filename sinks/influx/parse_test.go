package influx

import (
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// FuzzChunks looks for answers that break the reader.
func FuzzChunks(f *testing.F) {
	for _, text := range []string{
		`{"results":[{"series":[{"name":"pharos","tags":{"tenant":"shop","dim_a":""},"columns":["time","hits","sum"],"values":[[60000,1,2.5],[120000,null,3]]}]}]}` + "\n" + `{"results":[{}]}`,
		`{"error":"x"}`, `{"results":[{"error":"database not found: x"}]}`, `{"results":[{"series":[{"values":[[1]]}]}]}`, `{"results":[{"series":[{"values":[["a","b","c"]]}]}]}`, `7`, ``,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		values := 0
		err := readChunks(strings.NewReader(text), []string{metric.StatHits, metric.StatSum}, func(*metric.Series, string, int64, float64) error { values++; return nil })
		if err == nil && values > len(text) {
			t.Fatal("more values than bytes")
		}
	})
}
