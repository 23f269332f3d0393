// Package victoria keeps figures in VictoriaMetrics: written by remote write, read
// by its export of raw samples.
//
// It must be started with -dedup.minScrapeInterval=1ms: without it a sample that is
// written twice, as after a crash, is there twice for all who query it.
package victoria

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/sinks"
	"github.com/seed-6a2d649b/pharos/sinks/remote"
	"github.com/seed-6a2d649b/pharos/sinks/web"
)

const (
	// slice is how many minutes one export has: a line of it is a whole series, since the
	// server leaves out what is there twice only where it need not cut series into pieces.
	slice = 7 * 24 * 60
	// maxLine is how many bytes a line may have: ten thousand samples have half a million.
	maxLine = 16 << 20
)

// Options describe a store.
type Options struct {
	web.Options
	Retention time.Duration // the server's: it drops what is older
}

// Store is a VictoriaMetrics server. Write and Read may be called at the same time.
type Store struct {
	client    *web.Client
	retention time.Duration
}

// Open checks the options. It does not connect yet.
func Open(o Options) (*Store, error) {
	c, err := web.New(o.Options)
	if err != nil {
		return nil, err
	}
	return &Store{c, o.Retention}, nil
}

// Close lets connections go.
func (s *Store) Close() error {
	s.client.Close()
	return nil
}

// rounds is what is left of a value with decimals: it is packed as a decimal of
// twelve digits or somewhat more.
const rounds = 1e-11

// Traits of VictoriaMetrics.
func (s *Store) Traits() sinks.Traits {
	return sinks.Traits{MaxAge: s.retention, Batch: 5000, MultiRead: true, Rounds: rounds}
}

// Write stores samples; they are found about a second later.
func (s *Store) Write(ctx context.Context, samples []metric.Sample) error {
	return remote.Write(ctx, s.client, "/api/v1/write", samples)
}

// line is one series of an export, or a part of it.
type line struct {
	Metric     map[string]string `json:"metric"`
	Values     []float64         `json:"values"`
	Timestamps []int64           `json:"timestamps"`
}

// Read gives what the selector takes, slice of time by slice, series by series.
func (s *Store) Read(ctx context.Context, sel metric.Selector, each func(s *metric.Series, stat string, minute int64, v float64) error) error {
	for to := sel.To; sel.From < to; sel.From = sel.To {
		sel.To = min(to, sel.From+slice)
		if err := s.export(ctx, &sel, each); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) export(ctx context.Context, sel *metric.Selector, each sinks.Each) error {
	body, err := s.client.Do(ctx, web.Request{
		Doing: "read", Read: true, Method: http.MethodGet, Path: "/api/v1/export",
		Query: url.Values{"match[]": {selector(sel)}, "start": {seconds(sel.From, 0)}, "end": {seconds(sel.To, -1)}},
	})
	if err != nil {
		return err
	}
	defer body.Close()
	return readLines(body, each)
}

func readLines(body io.Reader, each sinks.Each) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil || len(l.Values) != len(l.Timestamps) {
			return sinks.Never("read", 0, fmt.Sprintf("a line of the export is %.200q", lines.Text()))
		}
		series, stat := new(metric.Series), ""
		for name, value := range l.Metric {
			if name == "__name__" {
				stat = strings.TrimPrefix(value, metric.MetricPrefix)
			} else if err := series.SetStoreLabel(name, value); err != nil {
				return err
			}
		}
		for i, ms := range l.Timestamps {
			if err := each(series, stat, metric.MinuteOf(ms), l.Values[i]); err != nil {
				return err
			}
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return sinks.Never("read", 0, fmt.Sprintf("a line of the export has more than %d bytes", maxLine))
	}
	if err := lines.Err(); err != nil {
		return sinks.Again("read", 0, "the answer breaks off: "+err.Error())
	}
	return nil
}

// seconds is a minute's start, and so many ms, in seconds since 1970.
func seconds(minute, ms int64) string {
	ms += sinks.Millis(minute)
	return fmt.Sprintf("%d.%03d", ms/1000, ms%1000)
}

// selector is a series selector of MetricsQL.
func selector(sel *metric.Selector) string {
	match := []string{
		"__name__=~" + strconv.Quote(metric.MetricPrefix+"("+strings.Join(sinks.Wanted(sel), "|")+")"),
		metric.LabelTenant + "=" + strconv.Quote(sel.Tenant),
	}
	if sel.Status != "" {
		match = append(match, metric.LabelStatus+"="+strconv.Quote(sel.Status))
	}
	if len(sel.Experiments) > 0 {
		match = append(match, metric.LabelExperiment+"=~"+strconv.Quote(remote.AnyOf(sel.Experiments)))
	}
	if len(sel.Points) > 0 {
		match = append(match, metric.LabelPoint+"=~"+strconv.Quote(remote.AnyOf(sel.Points)))
	}
	return "{" + strings.Join(match, ",") + "}"
}
