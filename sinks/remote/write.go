// Package remote speaks Prometheus' remote write (1.0) and remote read to any
// store that does: https://prometheus.io/docs/specs/prw/remote_write_spec/.
package remote

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/prometheus/prompb"

	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/sinks"
	"github.com/seed-6a2d649b/pharos/sinks/web"
)

// nameLabel is the label that is a series' name.
const nameLabel = "__name__"

// Write sends samples to a path of a store, each stat as a series of its own.
func Write(ctx context.Context, c *web.Client, path string, samples []metric.Sample) error {
	request := request(samples)
	message, err := request.Marshal()
	if err != nil {
		return fmt.Errorf("remote write: %w", err)
	}
	answer, err := c.Do(ctx, web.Request{
		Doing: "write", Method: http.MethodPost, Path: path, Body: snappy.Encode(nil, message),
		Header: map[string]string{
			"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0",
		},
	})
	if err != nil {
		return err
	}
	return answer.Close()
}

// request has a time series for each series and stat, with its minutes in order, as the
// protocol wants it.
func request(samples []metric.Sample) *prompb.WriteRequest {
	stats := len(metric.Stats)
	at := make(map[string]int, len(samples))
	out := &prompb.WriteRequest{Timeseries: make([]prompb.TimeSeries, 0, stats*len(samples))}
	var key []byte
	for i := range samples {
		s := &samples[i]
		key = s.Series.AppendKey(key[:0])
		first, ok := at[string(key)]
		if !ok {
			first = len(out.Timeseries)
			at[string(key)] = first
			stored := s.Series.StoreLabels()
			for _, stat := range metric.Stats {
				out.Timeseries = append(out.Timeseries, prompb.TimeSeries{Labels: labels(stat, stored)})
			}
		}
		for j, stat := range metric.Stats {
			v, _ := s.Stat(stat)
			series := &out.Timeseries[first+j]
			series.Samples = append(series.Samples, prompb.Sample{Timestamp: sinks.Millis(s.Minute), Value: v})
		}
	}
	for i := range out.Timeseries {
		slices.SortStableFunc(out.Timeseries[i].Samples, func(a, b prompb.Sample) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
	}
	return out
}

// labels puts the name before all others: theirs begin with small letters, and the
// protocol wants them sorted.
func labels(stat string, stored []metric.Label) []prompb.Label {
	out := make([]prompb.Label, 0, 1+len(stored))
	out = append(out, prompb.Label{Name: nameLabel, Value: metric.MetricPrefix + stat})
	for _, l := range stored {
		out = append(out, prompb.Label{Name: l.Name, Value: l.Value})
	}
	return out
}
