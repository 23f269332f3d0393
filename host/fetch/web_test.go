package fetch

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var module = []byte("\x00asm\x01\x00\x00\x00 of a test")

// site serves a module with a signature beside it, and counts.
type site struct {
	*httptest.Server
	asked, sent atomic.Int64
	content     atomic.Pointer[[]byte]
}

func newSite(t *testing.T) *site {
	s := &site{}
	s.content.Store(&module)
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		content := *s.content.Load()
		switch r.URL.Path {
		case "/m.wasm.minisig":
			content = []byte("signature")
		case "/m.wasm", "/bare.wasm":
		default:
			http.NotFound(w, r)
			return
		}
		tag := `"` + Digest(content)[7:20] + `"`
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		s.sent.Add(1)
		_, _ = w.Write(content)
	}))
	t.Cleanup(s.Close)
	return s
}

func TestWeb(t *testing.T) {
	s := newSite(t)
	f := fetcher(t).trust(s.Client())
	p, err := f.Get(t.Context(), s.URL+"/m.wasm?token=abc", Want{Digest: Digest(module), Signature: true})
	if err != nil || !bytes.Equal(p.Module.Content, module) || string(p.Signature.Content) != "signature" || p.Cached {
		t.Fatalf("%+v, %v", p, err)
	}
	if strings.Contains(p.Module.From, "abc") {
		t.Errorf("%s says the token", p.Module.From)
	}
	if p, err = f.Get(t.Context(), s.URL+"/m.wasm?token=abc", Want{Digest: Digest(module), Signature: true}); err != nil || !p.Cached || s.asked.Load() != 2 || string(p.Signature.Content) != "signature" {
		t.Errorf("what is kept is asked for again: %+v, %v, %d", p, err, s.asked.Load())
	}
	if p, err = f.Get(t.Context(), s.URL+"/m.wasm?token=abc", Want{Fresh: true, Signature: true}); err != nil || p.Cached || s.asked.Load() != 4 || s.sent.Load() != 2 || !bytes.Equal(p.Module.Content, module) {
		t.Errorf("what has not changed is sent again: %+v, %v, asked %d, sent %d", p, err, s.asked.Load(), s.sent.Load())
	}
	// A server that has something else than what is wanted is asked, but sends it once.
	for range 2 {
		if p, err = f.Get(t.Context(), s.URL+"/bare.wasm", Want{Digest: Digest([]byte("another"))}); err != nil || p.Cached || p.Signature.Content != nil {
			t.Errorf("%+v, %v", p, err)
		}
	}
	if s.sent.Load() != 3 {
		t.Errorf("sent %d times", s.sent.Load())
	}
	newer := []byte("newer")
	s.content.Store(&newer)
	if p, err = f.Get(t.Context(), s.URL+"/bare.wasm", Want{Fresh: true, Signature: true}); err != nil || !bytes.Equal(p.Module.Content, newer) || p.Signature.Content != nil {
		t.Errorf("%+v, %v", p, err)
	}
	if content, ok := f.Kept(Digest(newer)); !ok || !bytes.Equal(content, newer) {
		t.Error("it is not kept")
	}
}

// What is damaged on the disk is fetched again.
func TestDamagedCache(t *testing.T) {
	s := newSite(t)
	f := fetcher(t).trust(s.Client())
	want := Want{Digest: Digest(module)}
	if _, err := f.Get(t.Context(), s.URL+"/m.wasm", want); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.cache.path(want.Digest), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err := f.Get(t.Context(), s.URL+"/m.wasm", want); err != nil || !bytes.Equal(p.Module.Content, module) || s.sent.Load() != 2 {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestCacheIsBounded(t *testing.T) {
	f := fetcher(t)
	f.cache.limit = 5000
	for i := range 10 {
		content := bytes.Repeat([]byte{byte(i)}, 1000)
		if err := f.cache.keep(fmt.Sprint(i), entry{Content: Digest(content)}, content); err != nil {
			t.Fatal(err)
		}
		old := time.Now().Add(time.Duration(i-100) * time.Hour) // each older than the next
		if err := os.Chtimes(f.cache.path(Digest(content)), old, old); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(f.cache.dir, "sha256-*"))
	if err != nil || len(files) > 4 || len(files) == 0 {
		t.Errorf("%d files, %v", len(files), err)
	}
	if _, ok := f.Kept(Digest(bytes.Repeat([]byte{9}, 1000))); !ok {
		t.Error("the newest is gone")
	}
}

func TestWebFaults(t *testing.T) {
	var tries atomic.Int64
	serve := func(path string, w http.ResponseWriter, r *http.Request) {
		switch path {
		case "/secret":
			w.WriteHeader(http.StatusUnauthorized)
		case "/busy":
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/recovers":
			if tries.Load() < 3 {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			_, _ = w.Write(module)
		case "/large":
			w.Header().Set("Content-Length", fmt.Sprint(maxModule+1))
			_, _ = w.Write(module)
		case "/endless":
			chunk := make([]byte, 1<<20)
			for r.Context().Err() == nil {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		case "/truncated":
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write(module)
		case "/slow":
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case "/plain":
			http.Redirect(w, r, "http://"+r.Host+"/m", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/unasked":
			w.WriteHeader(http.StatusNotModified)
		default:
			http.NotFound(w, r)
		}
	}
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/loop" || tries.Load() == 0 {
			tries.Add(1)
		}
		serve(r.URL.Path, w, r)
	}))
	t.Cleanup(s.Close)
	for _, test := range []struct {
		path  string
		tries int64
		want  string // of the error; "": there is none
	}{
		{"/none", 1, "404 Not Found"},
		{"/secret", 1, "401 Unauthorized: it wants a log-in"},
		{"/busy", 4, "503 Service Unavailable"},
		{"/recovers", 3, ""},
		{"/large", 1, "more than the 33554432 bytes"},
		{"/endless", 1, "more than the 33554432 bytes"},
		{"/truncated", 4, "unexpected EOF"},
		{"/slow", 2, "the server hangs: waited 50ms for all of its answer ("},
		{"/plain", 1, "redirected to where modules are not fetched from: http://127.0.0.1"},
		{"/loop", 1, "more than 5 times"},
		{"/unasked", 1, "304 Not Modified"},
	} {
		t.Run(test.path[1:], func(t *testing.T) {
			tries.Store(0)
			f := fetcher(t).trust(s.Client())
			if test.path == "/slow" {
				f.timeout = 50 * time.Millisecond
			}
			p, err := f.Get(t.Context(), s.URL+test.path+"?token=abc", Want{})
			if test.want == "" {
				if err != nil || !bytes.Equal(p.Module.Content, module) {
					t.Error(p, err)
				}
			} else if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.path) || strings.Contains(err.Error(), "abc") {
				t.Errorf("%v, want %s", err, test.want)
			}
			if tries.Load() != test.tries {
				t.Errorf("%d tries, want %d", tries.Load(), test.tries)
			}
		})
	}
	t.Run("certificate", func(t *testing.T) {
		tries.Store(0)
		if _, err := fetcher(t).Get(t.Context(), s.URL+"/recovers", Want{}); err == nil || !strings.Contains(err.Error(), "certificate signed by unknown authority") || tries.Load() != 0 {
			t.Error(err, tries.Load())
		}
	})
	t.Run("nobody there", func(t *testing.T) {
		gone := httptest.NewServer(http.NotFoundHandler())
		gone.Close()
		if _, err := fetcher(t).Get(t.Context(), gone.URL+"/m.wasm", Want{}); err == nil || !strings.Contains(err.Error(), "connection refused") {
			t.Error(err)
		}
	})
}

func TestAddresses(t *testing.T) {
	for address, want := range map[string]string{
		"http://example.org/m.wasm":            "plain HTTP is for this machine only",
		"https://me:secret@example.org/m":      "without a log-in",
		"https:///m.wasm":                      "is no address of a module",
		"ftp://example.org/m.wasm":             "the scheme ftp:// is unknown",
		"oci://example.org":                    "is no address in a registry",
		"oci://example.org/shop/clicks":        "is no address in a registry",
		"oci+http://example.org/shop/clicks:1": "plain HTTP is for this machine only",
		"file://testdata/none.wasm":            "no such file",
		"testdata/none.wasm":                   "no such file",
	} {
		if _, err := fetcher(t).Get(t.Context(), address, Want{}); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.wasm")
	write := func(path, content string) {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(path, string(module))
	f := New("")
	if p, err := f.Get(t.Context(), "file://"+path, Want{Signature: true}); err != nil || !bytes.Equal(p.Module.Content, module) || p.Golden.Content != nil || p.Signature.Content != nil {
		t.Fatalf("%+v, %v", p, err)
	}
	write(filepath.Join(dir, "m.golden.ndjson"), "vectors")
	write(path+SignatureSuffix, "signature")
	if p, err := f.Get(t.Context(), path, Want{Signature: true}); err != nil || string(p.Golden.Content) != "vectors" || string(p.Signature.Content) != "signature" {
		t.Errorf("%+v, %v", p, err)
	}
	write(path+SignatureSuffix, strings.Repeat("x", MaxSignatureBytes+1))
	if _, err := f.Get(t.Context(), path, Want{Signature: true}); err == nil || !strings.Contains(err.Error(), "m.wasm.minisig: it has more than the 16384 bytes") {
		t.Error(err)
	}
}
