package author

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/host/plugin"
)

func begin(t *testing.T, language, kind string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "mine")
	if _, err := New(Beginning{Dir: dir, Language: language, Kind: kind}); err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// What is built is a plugin of that name, by the same digest each time, and nothing
// is left beside it.
func TestBuild(t *testing.T) {
	dir := begin(t, "c", "filter")
	before, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	built, err := Build(t.Context(), dir, "")
	if err != nil {
		t.Fatal(err)
	}
	in, err := plugin.Inspect(t.Context(), built.Path)
	if err != nil || len(in.Problems) > 0 || in.Manifest.Name != "mine" || in.Digest != built.Digest || in.Size != built.Size || in.Vectors == 0 {
		t.Errorf("%v %+v of %+v", err, in, built)
	}
	if after, err := os.ReadDir(dir); err != nil || len(after) != len(before)+1 {
		t.Errorf("%v %v", err, after)
	}
	again, err := Build(t.Context(), dir, filepath.Join(t.TempDir(), "other.wasm"))
	if err != nil || again.Digest != built.Digest {
		t.Errorf("%v: %+v, and before %+v", err, again, built)
	}
}

func TestBuildFails(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, dir string)
		want  string
	}{
		{"no project", func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "mine.c")); err != nil {
				t.Fatal(err)
			}
		}, "is no project of a plugin, it has no files of Go (go.mod), C (*.c), Rust (Cargo.toml)"},
		{"broken source", func(t *testing.T, dir string) { write(t, filepath.Join(dir, "more.c"), "int broken(") }, "more.c:1:12: error: expected parameter"},
		{"two plugins", func(t *testing.T, dir string) { write(t, filepath.Join(dir, "other.golden.ndjson"), "") }, "several modules (mine.golden.ndjson, other.golden.ndjson)"},
		{"no compiler", func(t *testing.T, _ string) { t.Setenv("PATH", t.TempDir()) }, "clang is not here: install clang and lld: apt install clang lld"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := begin(t, "c", "filter")
			c.spoil(t, dir)
			if _, err := Build(t.Context(), dir, ""); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, not %q", err, c.want)
			}
			if _, err := os.Stat(filepath.Join(dir, "mine.wasm")); err == nil {
				t.Error("a module was written")
			}
		})
	}
}
