package author

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
)

// A new project is named as it was asked for wherever its example is named, and has
// all that its README speaks of.
func TestNew(t *testing.T) {
	for _, l := range languages() {
		for _, kind := range Kinds() {
			t.Run(l.name+"/"+kind, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "deep", "my-plugin")
				written, err := New(Beginning{Dir: dir, Language: l.name, Kind: kind})
				if err != nil {
					t.Fatal(err)
				}
				of := abi.Kind(kind)
				if kind == session {
					of = abi.Extract
				}
				named := 0
				for _, path := range written {
					text, err := os.ReadFile(filepath.Join(dir, path))
					if err != nil {
						t.Fatal(err)
					}
					if strings.Contains(path, "_test.go") && strings.Contains(path, "/") {
						t.Errorf("%s: a test of the SDK", path)
					}
					if regexp.MustCompile(`(?i)(name\\?"?\s*[:=]|Manifest\(Kind\.\w+,)\s*\\?"my-plugin\\?"`).Match(text) {
						named++
					}
					if bytes.Contains(text, []byte(kind+".golden.ndjson")) || bytes.Contains(text, []byte("../pharos.h")) {
						t.Errorf("%s names a file of the examples", path)
					}
				}
				if named == 0 {
					t.Error("no manifest with the name")
				}
				source := strings.ReplaceAll(l.source, "{name}", "my-plugin")
				golden, err := os.ReadFile(filepath.Join(dir, "my-plugin.golden.ndjson"))
				if err != nil {
					t.Fatal(err)
				}
				if vectors, err := abi.ParseVectors(of, golden); err != nil || len(vectors) == 0 {
					t.Errorf("%d golden vectors, %v", len(vectors), err)
				}
				for _, path := range []string{source, "README.md", ".gitignore"} {
					if _, err := os.Stat(filepath.Join(dir, path)); err != nil {
						t.Error(err)
					}
				}
				if found, p, err := open(dir); err != nil || found.name != l.name || p.name != "my-plugin" {
					t.Errorf("it is taken for %+v %+v, %v", found, p, err)
				}
			})
		}
	}
}

func TestNewRefuses(t *testing.T) {
	dir := t.TempDir()
	for want, b := range map[string]Beginning{
		"no SDK for the language \"perl\": there are go, c, rust, as, zig; in any other": {Dir: filepath.Join(dir, "a"), Language: "perl", Kind: "filter"},
		"no kind \"sort\": there are filter, split":                                      {Dir: filepath.Join(dir, "a"), Language: "c", Kind: "sort"},
		"\"Name\" is no name for a plugin":                                               {Dir: filepath.Join(dir, "Name"), Language: "c", Kind: "filter"},
		"\"a-\" is no name":                                                              {Dir: filepath.Join(dir, "a-"), Language: "c", Kind: "filter"},
		"is no name for a plugin: at most 64":                                            {Dir: filepath.Join(dir, strings.Repeat("a", 65)), Language: "c", Kind: "filter"},
	} {
		if _, err := New(b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, not %q", b, err, want)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it has written %v, %v", left, err)
	}
	b := Beginning{Dir: filepath.Join(dir, "twice"), Language: "c", Kind: "filter"}
	if _, err := New(b); err != nil {
		t.Fatal(err)
	}
	if _, err := New(b); err == nil || !strings.Contains(err.Error(), "twice is there already, and nothing is written over") {
		t.Error(err)
	}
}
