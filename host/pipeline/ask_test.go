package pipeline

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestAskingSomethingElse asks servers that are no hosts, and hosts that refuse.
func TestAskingSomethingElse(t *testing.T) {
	answer := func(code int, kind, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(code)
			_, _ = w.Write([]byte(text))
		}
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		status string // what asking for the status says
		reload string
	}{
		"a web server without it":   {answer(404, "text/html", "<html>no such page"), "/api/v1/status answers 404 Not Found (is it a host of Pharos?", "/-/reload answers 404 Not Found (is it a host of Pharos?"},
		"a Go server without it":    {http.NotFound, "/api/v1/status answers 404 Not Found (is it a host of Pharos?", "/-/reload answers 404 Not Found (is it a host of Pharos?"},
		"a page for everything":     {answer(200, "text/html", "<html>welcome"), "invalid character '<' looking for beginning of value (is it a host of Pharos?)", "(is it a host of Pharos?)"},
		"a proxy with nobody there": {answer(502, "text/html", "<html>"), "/api/v1/status answers 502 Bad Gateway (is it a host of Pharos?", "the host goes on as before: "},
		"an error in JSON":          {answer(400, "application/json", `{"error":"no such","hint":"take another"}`), "no such (take another)", "the host goes on as before: no such (take another)"},
		"a refusal":                 {answer(422, "text/plain; charset=utf-8", "line 3\nline 4\n"), "line 3\nline 4", "the config is refused, the host goes on as before:\nline 3\nline 4"},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(c.answer)
			defer s.Close()
			if _, _, err := AskStatus(t.Context(), s.URL); err == nil || !strings.Contains(err.Error(), c.status) {
				t.Errorf("status: %v, want %s", err, c.status)
			}
			_, err := AskReload(t.Context(), s.URL+"/", false)
			if err == nil || !strings.Contains(err.Error(), c.reload) {
				t.Errorf("reload: %v, want %s", err, c.reload)
			}
			if refused := name == "a refusal"; errors.Is(err, ErrRefused) != refused {
				t.Errorf("reload: %v: refused is %v", err, !refused)
			}
		})
	}
}
