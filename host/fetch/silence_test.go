package fetch

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestHangingServers fetches from servers that say nothing any more: what is waited
// for is told meanwhile, then it is given up.
func TestHangingServers(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	for name, c := range map[string]struct {
		scheme string
		hang   func(w http.ResponseWriter)
		want   string
	}{
		"a web server that does not answer":   {"http", func(http.ResponseWriter) {}, "for an answer ("},
		"a web server that stops in between":  {"http", begin, "for more of its answer ("},
		"a registry that does not answer":     {"oci+http", func(http.ResponseWriter) {}, "for an answer ("},
		"a registry that stops in its answer": {"oci+http", begin, "for more of its answer ("},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int64
			end := make(chan struct{})
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				asked.Add(1)
				c.hang(w)
				<-end
			}))
			defer s.Close()
			defer close(end)
			f := fetcher(t)
			f.client, f.quiet = newClient(http.DefaultTransport.(*http.Transport), 100*time.Millisecond), 10*time.Millisecond
			var mu sync.Mutex
			var told []string
			ctx := Tell(t.Context(), func(text string) {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, text)
			})
			address := c.scheme + strings.TrimPrefix(s.URL, "http") + "/shop/m:1"
			_, err := f.Get(ctx, address, Want{})
			if err == nil {
				t.Fatal("it is there")
			}
			for _, want := range []string{"fetch " + address + ": ", "the server hangs: waited ", c.want, "from a file"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v: says nothing of %q", err, want)
				}
			}
			if asked.Load() != 2 {
				t.Errorf("asked %d times", asked.Load())
			}
			if _, err := f.Get(ctx, strings.Replace(address, "m:1", "other:1", 1), Want{}); err == nil || !strings.Contains(err.Error(), "/shop/other:1: not asked again so soon: the server hangs") || asked.Load() != 2 {
				t.Errorf("another module: %v, asked %d times", err, asked.Load())
			}
			mu.Lock()
			defer mu.Unlock()
			if !slices.Contains(told, "waiting for "+address) || !strings.HasSuffix(told[len(told)-1], "; trying again") || len(told) != 2 {
				t.Errorf("%q", told)
			}
		})
	}
}

// begin begins an answer.
func begin(w http.ResponseWriter) {
	w.Header().Set("Content-Length", "1000")
	w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
	fmt.Fprint(w, "{")
	w.(http.Flusher).Flush()
}
