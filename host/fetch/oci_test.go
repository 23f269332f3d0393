package fetch

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"oras.land/oras-go/v2"
)

// testRegistry is a registry in this process; wrap, if not nil, answers before it.
func testRegistry(t *testing.T, wrap func(w http.ResponseWriter, r *http.Request) (done bool)) (address string, asked *atomic.Int64) {
	t.Helper()
	asked = &atomic.Int64{}
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if wrap == nil || !wrap(w, r) {
			inner.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return "oci+http://" + strings.TrimPrefix(s.URL, "http://"), asked
}

func TestRegistry(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	at, asked := testRegistry(t, nil)
	f := fetcher(t)
	whole := &Package{Module: Part{Content: module}, Golden: Part{Content: []byte("vectors")}, Signature: Part{Content: []byte("signature")}}
	about := map[string]string{"org.opencontainers.image.title": "m"}
	digest, err := f.Push(t.Context(), at+"/shop/m:1", whole, about)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := f.Push(t.Context(), at+"/shop/m:1", whole, about); err != nil || again != digest {
		t.Errorf("%s and %s, %v", digest, again, err)
	}
	for _, address := range []string{at + "/shop/m:1", at + "/shop/m@" + digest} {
		p, err := f.Get(t.Context(), address, Want{Digest: Digest(module), Signature: true})
		if err != nil || !bytes.Equal(p.Module.Content, module) || string(p.Golden.Content) != "vectors" || string(p.Signature.Content) != "signature" || p.Cached {
			t.Fatalf("%s: %+v, %v", address, p, err)
		}
		before := asked.Load()
		if p, err = f.Get(t.Context(), address, Want{Digest: Digest(module), Signature: true}); err != nil || !p.Cached || asked.Load() != before || string(p.Golden.Content) != "vectors" {
			t.Errorf("%s: what is kept is asked for: %+v, %v", address, p, err)
		}
	}
	// A tag that moves is followed, where the digest wanted is not the one that is kept.
	newer := &Package{Module: Part{Content: []byte("\x00asm newer")}}
	if _, err := f.Push(t.Context(), at+"/shop/m:1", newer, nil); err != nil {
		t.Fatal(err)
	}
	p, err := f.Get(t.Context(), at+"/shop/m:1", Want{Digest: Digest(newer.Module.Content), Signature: true})
	if err != nil || !bytes.Equal(p.Module.Content, newer.Module.Content) || p.Golden.Content != nil || p.Signature.Content != nil {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := f.Push(t.Context(), at+"/shop/m@"+digest, newer, nil); err == nil || !strings.Contains(err.Error(), "name a tag") {
		t.Error(err)
	}
}

func TestRegistryFaults(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	fault := ""
	var tries int
	at, _ := testRegistry(t, func(w http.ResponseWriter, r *http.Request) bool {
		blob := strings.Contains(r.URL.Path, "/blobs/sha256:") && r.Method == http.MethodGet
		switch {
		case fault == "busy" && r.Method == http.MethodGet:
			if tries++; tries < 3 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return true
			}
		case fault == "log-in":
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		case fault == "other content" && blob:
			w.Header().Set("Content-Length", fmt.Sprint(len(module)))
			_, _ = w.Write(bytes.Repeat([]byte("x"), len(module)))
			return true
		}
		return false
	})
	if _, err := fetcher(t).Push(t.Context(), at+"/m:1", &Package{Module: Part{Content: module}}, nil); err != nil {
		t.Fatal(err)
	}
	repo, _, err := fetcher(t).repository(at + "/m:1")
	if err != nil {
		t.Fatal(err)
	}
	index := []byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`)
	if _, err := oras.TagBytes(t.Context(), repo, "application/vnd.oci.image.index.v1+json", index, "index"); err != nil {
		t.Fatal(err)
	}
	if _, err := fetcher(t).Push(t.Context(), at+"/m:bare", &Package{Golden: Part{Content: []byte("vectors")}}, nil); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ fault, address, want string }{
		{"", "/m:none", "there is no such tag or digest"},
		{"", "/m:index", "without layers"},
		{"", "/m:bare", "none of its 1 layers is of the type application/wasm"},
		{"", "/m@" + Digest(module), "there is no such tag or digest"},
		{"busy", "/m:1", ""},
		{"log-in", "/m:1", "docker login"},
		{"other content", "/m:1", "mismatched digest"},
	} {
		fault = test.fault
		p, err := fetcher(t).Get(t.Context(), at+test.address, Want{})
		if test.want == "" && (err != nil || !bytes.Equal(p.Module.Content, module)) {
			t.Errorf("%s %s: %+v, %v", test.fault, test.address, p, err)
		} else if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.address)) {
			t.Errorf("%s %s: %v, want %s", test.fault, test.address, err, test.want)
		}
	}
}

// Log-ins are those of Docker's config file.
func TestRegistryLogIn(t *testing.T) {
	at, _ := testRegistry(t, func(w http.ResponseWriter, r *http.Request) bool {
		if user, password, ok := r.BasicAuth(); ok && user == "shop" && password == "secret" {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	dir := t.TempDir()
	t.Setenv("DOCKER_CONFIG", dir)
	login := fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, strings.TrimPrefix(at, "oci+http://"), base64.StdEncoding.EncodeToString([]byte("shop:secret")))
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(login), 0o600); err != nil {
		t.Fatal(err)
	}
	f := fetcher(t)
	if _, err := f.Push(t.Context(), at+"/m:1", &Package{Module: Part{Content: module}}, nil); err != nil {
		t.Fatal(err)
	}
	if p, err := f.Get(t.Context(), at+"/m:1", Want{}); err != nil || !bytes.Equal(p.Module.Content, module) {
		t.Errorf("%+v, %v", p, err)
	}
}
