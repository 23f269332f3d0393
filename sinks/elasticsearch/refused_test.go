package elasticsearch

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/sinks"
	"github.com/seed-6a2d649b/pharos/sinks/web"
)

// The bulk interface answers 200 whatever became of the documents: each is looked at.
func TestErrorsInSuccess(t *testing.T) {
	answer := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, answer) }))
	defer server.Close()
	s, err := Open(Options{Options: web.Options{URL: server.URL}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, c := range []struct {
		answer string
		fails  bool
		small  bool
	}{
		{`{"errors":false,"items":[{"index":{"status":201}}]}`, false, false},
		{`{"errors":true,"items":[{"index":{"status":201}},{"index":{"status":400,"error":{"type":"mapper_parsing_exception"}}}]}`, true, true},
		{`{"errors":true,"items":[{"index":{"status":400,"error":{}}},{"index":{"status":429,"error":{"type":"es_rejected_execution_exception"}}}]}`, true, false},
		{`{"errors":true,"items":[{"index":{"status":503}}]}`, true, false},
		{`{"errors":true}`, true, false},
		{`<html>proxy</html>`, true, false},
		{``, true, false},
	} {
		answer = c.answer
		err := s.Write(t.Context(), []metric.Sample{{Series: &metric.Series{Tenant: "shop"}}})
		var e *sinks.Error
		if (err != nil) != c.fails || c.fails && (!errors.As(err, &e) || e.Smaller() != c.small || e.Permanent()) {
			t.Errorf("%s: %v", c.answer, err)
		}
	}
}

// A part of the shards is no answer.
func TestPartsOfAnAnswer(t *testing.T) {
	for _, answer := range []string{
		`{"timed_out":true,"_shards":{"failed":0},"hits":{"hits":[]}}`, `{"_shards":{"failed":1,"failures":[{"reason":"x"}]},"hits":{"hits":[]}}`, `[]`, `{"hits":{"hits":[{"_source":{"tenant":7}}]}}`,
		`{"hits":{"hits":[{"_source":{"tenant":"shop","@timestamp":60000,"hits":"1"}}]}}`, `{"hits":{"hits":[{"_source":{"other":"x"}}]}}`,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, answer) }))
		s, err := Open(Options{Options: web.Options{URL: server.URL}})
		if err != nil {
			t.Fatal(err)
		}
		err = s.Read(t.Context(), metric.Selector{Tenant: "shop", To: 10}, func(*metric.Series, string, int64, float64) error { return nil })
		if err == nil {
			t.Errorf("%s is taken for an answer", answer)
		}
		s.Close()
		server.Close()
	}
}
