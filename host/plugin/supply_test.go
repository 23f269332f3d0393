package plugin

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seed-6a2d649b/pharos/host/fetch"
	"github.com/seed-6a2d649b/pharos/host/signature"
)

// What a loader has fetched it keeps; where the signature of that does not hold any
// more, it looks whether the module was signed anew.
func TestFetchedModules(t *testing.T) {
	code, err := os.ReadFile("testdata/filter.wasm")
	if err != nil {
		t.Fatal(err)
	}
	key := func() (public string, signed []byte) {
		text, private, err := signature.Generate("")
		if err != nil {
			t.Fatal(err)
		}
		signed, err = signature.Sign(code, private, "filter", func() (string, error) { return "", nil })
		if err != nil {
			t.Fatal(err)
		}
		return string(text), signed
	}
	oldKey, oldSignature := key()
	newKey, newSignature := key()
	var asked atomic.Int64
	var signed atomic.Pointer[[]byte]
	signed.Store(&oldSignature)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		switch r.URL.Path {
		case "/filter.wasm":
			_, _ = w.Write(code)
		case "/filter.wasm.minisig":
			_, _ = w.Write(*signed.Load())
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	l, err := NewLoader(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	spec := func(key string) Spec {
		return Spec{Name: "mine", Module: s.URL + "/filter.wasm", Digest: fetch.Digest(code), Keys: map[string]string{"shop": key}}
	}
	loads := func(spec Spec, requests int64, want string) {
		t.Helper()
		asked.Store(0)
		p, err := l.Load(t.Context(), spec)
		if asked.Load() != requests {
			t.Errorf("%d requests, want %d", asked.Load(), requests)
		}
		switch {
		case want != "":
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %s", err, want)
			}
		case err != nil:
			t.Error(err)
		default:
			if err := p.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
	loads(spec(oldKey), 2, "")
	loads(spec(oldKey), 0, "")
	loads(spec(newKey), 2, "the signature is by a key with the ID ")
	signed.Store(&newSignature)
	loads(spec(newKey), 2, "")
	loads(spec(newKey), 0, "")
	other := spec(newKey)
	other.Digest = fetch.Digest([]byte("another"))
	loads(other, 1, "filter.wasm has the digest "+fetch.Digest(code)+", and the config wants "+other.Digest)
}
