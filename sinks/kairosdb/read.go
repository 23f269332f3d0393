package kairosdb

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/sinks"
	"github.com/seed-6a2d649b/pharos/sinks/web"
)

const (
	// maxNames is how many bytes the answer about tags may have.
	maxNames = 64 << 20
	// slice is how many minutes one question has.
	slice = 24 * 60
)

// Read gives what the selector takes, slice of time by slice, series by series.
func (s *Store) Read(ctx context.Context, sel metric.Selector, each func(s *metric.Series, stat string, minute int64, v float64) error) error {
	tags := map[string][]string{metric.LabelTenant: {sinks.Quote(sel.Tenant, unsafe)}}
	if sel.Status != "" {
		tags[metric.LabelStatus] = []string{sel.Status}
	}
	for label, values := range map[string][]string{metric.LabelExperiment: sel.Experiments, metric.LabelPoint: sel.Points} {
		for _, v := range values {
			tags[label] = append(tags[label], sinks.Quote(v, unsafe))
		}
	}
	for from := sel.From; from < sel.To; from += slice {
		q := question{from, min(sel.To, from+slice), sinks.Wanted(&sel), tags}
		if err := s.ask(ctx, q, each); err != nil {
			return err
		}
	}
	return nil
}

// question is for the values of some stats in [from, to) whose tags have one of these
// values each.
type question struct {
	from, to int64
	stats    []string
	tags     map[string][]string
}

type object = map[string]any

// body is the question as JSON, its series told apart by these tags.
func (q *question) body(apart []string) ([]byte, error) {
	var all []object
	for _, stat := range q.stats {
		one := object{"name": metric.MetricPrefix + stat, "tags": q.tags}
		if len(apart) > 0 {
			one["group_by"] = []object{{"name": "tag", "tags": apart}}
		}
		all = append(all, one)
	}
	return json.Marshal(object{"start_absolute": sinks.Millis(q.from), "end_absolute": sinks.Millis(q.to) - 1, "metrics": all})
}

// ask first learns which tags the series have, since only those that are named come
// with the values.
func (s *Store) ask(ctx context.Context, q question, each sinks.Each) error {
	names, err := s.names(ctx, &q)
	if err != nil || len(names) == 0 {
		return err
	}
	body, err := q.body(names)
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	answer, err := s.client.Do(ctx, web.Request{
		Doing: "read", Read: true, Method: http.MethodPost, Path: "/api/v1/datapoints/query", Header: asJSON, Body: body,
	})
	if err != nil {
		return err
	}
	defer answer.Close()
	return readAnswer(answer, each)
}

func (s *Store) names(ctx context.Context, q *question) ([]string, error) {
	body, err := q.body(nil)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	text, err := s.client.Ask(ctx, web.Request{
		Doing: "read", Read: true, Method: http.MethodPost, Path: "/api/v1/datapoints/query/tags", Header: asJSON, Body: body,
	}, maxNames)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Queries []struct {
			Results []struct{ Tags map[string]json.RawMessage }
		}
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, sinks.Never("read", 0, "the answer is not one about tags: "+err.Error())
	}
	names := map[string]bool{}
	for _, query := range answer.Queries {
		for _, result := range query.Results {
			for name := range result.Tags {
				names[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// result is one series of an answer.
type result struct {
	Name  string
	Group []struct {
		Name  string
		Group map[string]json.RawMessage // of strings, where Name is "tag"
	} `json:"group_by"`
	Values [][2]json.Number
}

// readAnswer takes {"queries": [{…, "results": [result, …]}, …]} result by result, so
// that no more than one is held.
func readAnswer(body io.Reader, each sinks.Each) error {
	d := json.NewDecoder(body)
	d.UseNumber()
	depth := 0
	for {
		token, err := d.Token()
		if err != nil {
			return sinks.Again("read", 0, "the answer breaks off: "+err.Error())
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			if depth--; depth == 0 {
				return nil
			}
		case "results":
			if err := readResults(d, each); err != nil {
				return err
			}
		}
	}
}

func readResults(d *json.Decoder, each sinks.Each) error {
	if _, err := d.Token(); err != nil { // [
		return sinks.Again("read", 0, "the answer breaks off: "+err.Error())
	}
	for d.More() {
		var r result
		if err := d.Decode(&r); err != nil {
			return sinks.Again("read", 0, "the answer breaks off: "+err.Error())
		}
		if err := readResult(&r, each); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil { // ]
		return sinks.Again("read", 0, "the answer breaks off: "+err.Error())
	}
	return nil
}

func readResult(r *result, each sinks.Each) error {
	series := new(metric.Series)
	for _, group := range r.Group {
		if group.Name != "tag" {
			continue
		}
		for name, raw := range group.Group {
			var value string
			if err := json.Unmarshal(raw, &value); err != nil {
				return sinks.Never("read", 0, fmt.Sprintf("the tag %s is %.100q", name, raw))
			}
			if value == "" {
				continue // a tag of other series
			}
			if err := series.SetStoreLabel(name, sinks.Unquote(value)); err != nil {
				return err
			}
		}
	}
	stat := strings.TrimPrefix(r.Name, metric.MetricPrefix)
	for _, point := range r.Values {
		ms, err1 := point[0].Int64()
		v, err2 := point[1].Float64()
		if err1 != nil || err2 != nil {
			return sinks.Never("read", 0, fmt.Sprintf("a point of %s is %v", r.Name, point))
		}
		if err := each(series, stat, metric.MinuteOf(ms), v); err != nil {
			return err
		}
	}
	return nil
}
