package page

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
)

func get(t *testing.T, method, target string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w.Result()
}

func TestFilesAreServed(t *testing.T) {
	for target, kind := range map[string]string{
		"/": "text/html; charset=utf-8", "/index.html": "text/html; charset=utf-8", "/js/main.js": "text/javascript; charset=utf-8",
		"/css/theme.css": "text/css; charset=utf-8", "/icon.svg": "image/svg+xml", "/vendor/uplot/uPlot.iife.min.js": "text/javascript; charset=utf-8", "/vendor/uplot/LICENSE": "text/plain; charset=utf-8",
	} {
		res := get(t, "GET", target)
		if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != kind {
			t.Errorf("%s: %d %s", target, res.StatusCode, res.Header.Get("Content-Type"))
		}
		for _, want := range []string{"script-src 'self'", "default-src 'none'", "frame-ancestors 'none'"} {
			if !strings.Contains(res.Header.Get("Content-Security-Policy"), want) {
				t.Errorf("%s: the policy lacks %s", target, want)
			}
		}
		if again := get(t, "GET", target, "If-None-Match", res.Header.Get("ETag")); again.StatusCode != http.StatusNotModified {
			t.Errorf("%s: asked again it is %d", target, again.StatusCode)
		}
	}
	for target, code := range map[string]int{"/nope": 404, "/js": 404, "/js/": 404, "/../page.go": 404, "/static/index.html": 404} {
		if res := get(t, "GET", target); res.StatusCode != code {
			t.Errorf("%s: %d, want %d", target, res.StatusCode, code)
		}
	}
	if res := get(t, "POST", "/"); res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") == "" {
		t.Errorf("POST: %d", res.StatusCode)
	}
}

// The policy forbids inline scripts, handlers and styles: there are none that
// would silently not work. Every file that another names is there.
func TestThePageKeepsItsOwnPolicy(t *testing.T) {
	files := load()
	index := string(files["index.html"].body)
	for _, bad := range []string{`<script>`, ` style=`, `<style`, ` onclick=`, `javascript:`} {
		if strings.Contains(index, bad) {
			t.Errorf("index.html has %s", bad)
		}
	}
	for _, m := range regexp.MustCompile(`(?:src|href)="([^"#]+)"`).FindAllStringSubmatch(index, -1) {
		if _, ok := files[m[1]]; !ok && m[1] != "./" && !strings.HasPrefix(m[1], "api/") {
			t.Errorf("index.html names %s, which is not there", m[1])
		}
	}
	for name, f := range files {
		if path.Dir(name) != "js" {
			continue
		}
		for _, m := range regexp.MustCompile(`from "\./([^"]+)"`).FindAllStringSubmatch(string(f.body), -1) {
			if _, ok := files["js/"+m[1]]; !ok {
				t.Errorf("%s imports %s, which is not there", name, m[1])
			}
		}
		for _, bad := range []string{"innerHTML", "eval(", "new Function", "http://", "https://"} {
			if strings.Contains(string(f.body), bad) {
				t.Errorf("%s has %s", name, bad)
			}
		}
	}
}

func TestVendoredFilesAreThoseOfTheReadme(t *testing.T) {
	const dir = "static/vendor/uplot"
	readme, err := fs.ReadFile(static, dir+"/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"uPlot.iife.min.js", "uPlot.min.css", "LICENSE"} {
		body, err := fs.ReadFile(static, dir+"/"+name)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(body)
		if !strings.Contains(string(readme), "| "+name+" | "+hex.EncodeToString(sum[:])+" |") {
			t.Errorf("%s has another digest than the README says", name)
		}
	}
}
