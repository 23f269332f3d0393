package elasticsearch

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/sinks"
	"github.com/seed-6a2d649b/pharos/sinks/web"
)

const (
	// page is how many documents an answer has at most.
	page = 2000
	// kept is for how long the store keeps the place between two pages.
	kept = "2m"
)

// Read gives what the selector takes, page by page, in no order.
func (s *Store) Read(ctx context.Context, sel metric.Selector, each func(s *metric.Series, stat string, minute int64, v float64) error) error {
	if sel.From >= sel.To {
		return nil
	}
	question, err := s.query(&sel)
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	found, err := s.search(ctx, "/"+s.index+"-*/_search", url.Values{"scroll": {kept}, "ignore_unavailable": {"true"}, "allow_no_indices": {"true"}}, question)
	if err != nil {
		return err
	}
	place := found.Scroll
	defer func() { s.forget(context.WithoutCancel(ctx), place) }()
	stats := sinks.Wanted(&sel)
	for len(found.Hits.Hits) > 0 {
		for _, hit := range found.Hits.Hits {
			if err := readDocument(hit.Source, stats, each); err != nil {
				return err
			}
		}
		next, err := json.Marshal(map[string]string{"scroll": kept, "scroll_id": place})
		if err != nil {
			return err
		}
		if found, err = s.search(ctx, "/_search/scroll", nil, next); err != nil {
			return err
		}
		place = found.Scroll
	}
	return nil
}

func (s *Store) query(sel *metric.Selector) ([]byte, error) {
	type object = map[string]any
	filter := []object{
		{"range": object{timeField: object{"gte": sinks.Millis(sel.From), "lt": sinks.Millis(sel.To), "format": "epoch_millis"}}},
		{"term": object{metric.LabelTenant: stored(sel.Tenant)}},
	}
	if sel.Status != "" {
		filter = append(filter, object{"term": object{metric.LabelStatus: sel.Status}})
	}
	for label, values := range map[string][]string{metric.LabelExperiment: sel.Experiments, metric.LabelPoint: sel.Points} {
		if len(values) > 0 {
			quoted := make([]string, len(values))
			for i, v := range values {
				quoted[i] = stored(v)
			}
			filter = append(filter, object{"terms": object{label: quoted}})
		}
	}
	return json.Marshal(object{"size": page, "sort": []string{"_doc"}, "query": object{"bool": object{"filter": filter}}})
}

type answer struct {
	Scroll   string `json:"_scroll_id"`
	TimedOut bool   `json:"timed_out"`
	Shards   struct {
		Failed   int
		Failures json.RawMessage
	} `json:"_shards"`
	Hits struct {
		Hits []struct {
			Source json.RawMessage `json:"_source"`
		}
	}
}

// search asks for a page. An answer without a part of the shards is none.
func (s *Store) search(ctx context.Context, path string, query url.Values, body []byte) (*answer, error) {
	text, err := s.client.Ask(ctx, web.Request{
		Doing: "read", Read: true, Method: http.MethodPost, Path: path, Query: query, Body: body, Header: asJSON,
	}, maxAnswer)
	if err != nil {
		return nil, err
	}
	var a answer
	if err := json.Unmarshal(text, &a); err != nil {
		return nil, sinks.Never("read", 0, "the answer is not one of _search: "+err.Error())
	}
	if a.TimedOut || a.Shards.Failed > 0 {
		return nil, sinks.Again("read", 0, fmt.Sprintf("%d shards have failed: %.500s", a.Shards.Failed, a.Shards.Failures))
	}
	return &a, nil
}

// forget lets the store give up a place; it does so by itself after a while.
func (s *Store) forget(ctx context.Context, place string) {
	body, err := json.Marshal(map[string]string{"scroll_id": place})
	if err != nil || place == "" {
		return
	}
	_, _ = s.client.Ask(ctx, web.Request{Doing: "read", Read: true, Method: http.MethodDelete, Path: "/_search/scroll", Body: body, Header: asJSON}, maxAnswer)
}

// readDocument takes one figure.
func readDocument(source json.RawMessage, stats []string, each sinks.Each) error {
	d := json.NewDecoder(bytes.NewReader(source))
	d.UseNumber()
	var document map[string]any
	if err := d.Decode(&document); err != nil {
		return sinks.Never("read", 0, fmt.Sprintf("a document is %.200q", source))
	}
	series := new(metric.Series)
	for name, value := range document {
		if name == timeField || slices.Contains(metric.Stats, name) {
			continue
		}
		text, ok := value.(string)
		if !ok {
			return sinks.Never("read", 0, fmt.Sprintf("a document has %q: %.100v, which no figure has", name, value))
		}
		if err := series.SetStoreLabel(name, sinks.Unquote(text)); err != nil {
			return err
		}
	}
	ms, err := number(document, timeField)
	if err != nil {
		return err
	}
	for _, stat := range stats {
		v, err := number(document, stat)
		if err != nil {
			return err
		}
		if err := each(series, stat, metric.MinuteOf(int64(ms)), v); err != nil {
			return err
		}
	}
	return nil
}

func number(document map[string]any, name string) (float64, error) {
	n, _ := document[name].(json.Number)
	v, err := n.Float64()
	if err != nil {
		return 0, sinks.Never("read", 0, fmt.Sprintf("a document has %q: %.100v, which is no number", name, document[name]))
	}
	return v, nil
}

// stored is a label's value as it is in a document: UTF-8, whatever it was.
func stored(v string) string { return sinks.Quote(v, func(rune) bool { return false }) }
