package kairosdb

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/sinks"
	"github.com/seed-6a2d649b/pharos/sinks/web"
)

// points are the data points of one metric and set of tags.
type points struct {
	Name   string            `json:"name"`
	Tags   map[string]string `json:"tags"`
	Points [][2]any          `json:"datapoints"`
}

// Write stores samples and returns once they can be read.
func (s *Store) Write(ctx context.Context, samples []metric.Sample) error {
	body, err := json.Marshal(encode(samples))
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	answer, err := s.client.Do(ctx, web.Request{
		Doing: "write", Method: http.MethodPost, Path: "/api/v1/datapoints", Body: web.Gzip(body),
		Header: map[string]string{"Content-Type": "application/gzip"},
	})
	if err != nil {
		return err
	}
	if err := answer.Close(); err != nil {
		return sinks.Again("write", 0, err.Error())
	}
	return s.stored(ctx, samples)
}

func encode(samples []metric.Sample) []points {
	out := make([]points, 0, len(metric.Stats)*len(samples))
	for i := range samples {
		tags := tagsOf(samples[i].Series)
		for _, stat := range metric.Stats {
			v, _ := samples[i].Stat(stat)
			out = append(out, points{metric.MetricPrefix + stat, tags, [][2]any{{sinks.Millis(samples[i].Minute), double(v)}}})
		}
	}
	return out
}

func tagsOf(s *metric.Series) map[string]string {
	tags := map[string]string{}
	for _, l := range s.StoreLabels() {
		tags[l.Name] = sinks.Quote(l.Value, unsafe)
	}
	return tags
}

// unsafe are characters that some version of the server or of its stores cannot have:
// on H2 what is written with an apostrophe is never found.
func unsafe(r rune) bool { return r < ' ' || r == 0x7f || r == '\'' }

// double is written with a point: a number without, also one with an exponent, is kept
// as an integer.
type double float64

// MarshalJSON writes the shortest number with a point that reads back the same.
func (d double) MarshalJSON() ([]byte, error) {
	text, err := json.Marshal(float64(d))
	if err != nil || bytes.IndexByte(text, '.') >= 0 {
		return text, err
	}
	digits := bytes.IndexByte(text, 'e')
	if digits < 0 {
		digits = len(text)
	}
	return slices.Insert(text, digits, '.', '0'), nil
}

// firstLook is how long after a write it is first read back: the server lets points
// wait a little to store more at once.
const firstLook = 20 * time.Millisecond

// stored reads samples back until all are there, or ctx ends.
func (s *Store) stored(ctx context.Context, samples []metric.Sample) error {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = firstLook, time.Second
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		missing, err := s.missing(ctx, samples)
		if err == nil && missing > 0 {
			err = fmt.Errorf("%d of %d values are not there yet", missing, len(samples)*len(metric.Stats))
		}
		return struct{}{}, err
	}, backoff.WithBackOff(wait), backoff.WithMaxElapsedTime(0))
	if err != nil {
		return sinks.Again("write", 0, "reading back what was written: "+err.Error())
	}
	return nil
}

// place is where a value is.
type place struct {
	series, stat string
	minute       int64
}

// missing counts the values that cannot be read, or are others.
func (s *Store) missing(ctx context.Context, samples []metric.Sample) (int, error) {
	want := make(map[place]float64, len(samples)*len(metric.Stats))
	from, to := int64(math.MaxInt64), int64(math.MinInt64)
	tags := map[string][]string{}
	for i := range samples {
		sample := &samples[i]
		from, to = min(from, sample.Minute), max(to, sample.Minute+1)
		for name, value := range tagsOf(sample.Series) {
			tags[name] = append(tags[name], value)
		}
		for _, stat := range metric.Stats {
			want[place{string(sample.Series.AppendKey(nil)), stat, sample.Minute}], _ = sample.Stat(stat)
		}
	}
	for name, values := range tags {
		if len(values) < len(samples) {
			delete(tags, name) // some series have no such tag, and a filter would hide them
			continue
		}
		slices.Sort(values)
		tags[name] = slices.Compact(values)
	}
	err := s.ask(ctx, question{from, to, metric.Stats, tags}, func(series *metric.Series, stat string, minute int64, v float64) error {
		k := place{string(series.AppendKey(nil)), stat, minute}
		if w, ok := want[k]; ok && w == v {
			delete(want, k)
		}
		return nil
	})
	return len(want), err
}
