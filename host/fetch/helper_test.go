package fetch

import (
	"net/http"
	"testing"
	"time"
)

// fetcher is one that does not wait long, with a cache of its own.
func fetcher(t *testing.T) *Fetcher {
	t.Helper()
	f := New(t.TempDir())
	f.pause, f.timeout = time.Millisecond, 5*time.Second
	return f
}

// trust has a fetcher trust a test server.
func (f *Fetcher) trust(client *http.Client) *Fetcher {
	f.client = newClient(client.Transport.(*http.Transport), 10*time.Second)
	return f
}
