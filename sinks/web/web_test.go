package web

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/seed-6a2d649b/pharos/sinks"
)

func client(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// What is to be done about an answer follows from its status, and whether something was
// written.
func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		status           int
		read             bool
		permanent, small bool
	}{
		{400, false, false, true}, {413, false, false, true}, {422, false, false, true}, {400, true, true, false},
		{401, false, true, false}, {403, true, true, false}, {404, false, true, false},
		{408, false, false, false}, {409, false, false, false}, {429, false, false, false},
		{500, false, false, false}, {502, true, false, false}, {503, false, false, false}, {302, false, true, false},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			io.WriteString(w, strings.Repeat("why ", 10_000))
		}))
		_, err := client(t, Options{URL: server.URL}).Ask(t.Context(), Request{Doing: "write", Method: http.MethodPost, Path: "/x", Read: c.read}, 100)
		server.Close()
		var e *sinks.Error
		if !errors.As(err, &e) || e.Status != c.status || e.Permanent() != c.permanent || e.Smaller() != c.small || len(e.Error()) > 2000 {
			t.Errorf("%d: %.200v", c.status, err)
		}
	}
}

// A store that does not answer, breaks off or says more than it may is told, and no
// secret is.
func TestNoAnswer(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "half")
	}))
	defer cut.Close()
	long := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, strings.Repeat("x", 1000)) }))
	defer long.Close()
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer hangs.Close()
	for name, c := range map[string]struct{ url, want string }{
		"gone": {gone.URL, "no answer"}, "cut": {cut.URL, "breaks off"}, "long": {long.URL, "more than 100 bytes"}, "hangs": {hangs.URL, "no answer"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		_, err := client(t, Options{URL: c.url, User: "me", Password: "secret"}).Ask(ctx, Request{Doing: "read", Read: true, Method: http.MethodGet, Path: "/x"}, 100)
		cancel()
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
		var e *sinks.Error
		if errors.As(err, &e) && e.Permanent() {
			t.Errorf("%s is permanent: %v", name, err)
		}
	}
}

func TestLogIn(t *testing.T) {
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.URL.Path + " " + r.Header.Get("Authorization") }))
	defer server.Close()
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{URL: server.URL + "/base/"}, "/base/x "},
		{Options{URL: server.URL, User: "me", Password: "pw"}, "/x Basic bWU6cHc="},
		{Options{URL: server.URL, Token: "tok"}, "/x Bearer tok"},
	} {
		if _, err := client(t, c.o).Ask(t.Context(), Request{Method: http.MethodGet, Path: "/x"}, 10); err != nil || got != c.want {
			t.Errorf("%+v: %q, %v", c.o, got, err)
		}
	}
	for _, url := range []string{"", "localhost:9090", "ftp://x", "http://u:p@x", "http://x?y", "http://"} {
		if _, err := New(Options{URL: url}); err == nil || strings.Contains(err.Error(), ":p@") {
			t.Errorf("%q: %v", url, err)
		}
	}
}
