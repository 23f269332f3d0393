package pipeline

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/host/blob"
	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/plugin"
	"github.com/seed-6a2d649b/pharos/host/snapshot"
)

// withFiles is a config whose plugin has a module and a data file, which are in
// its directory.
func withFiles(t *testing.T) (cfg *config.Config, dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, content := range map[string]string{"m.wasm": "module", "list.txt": "list"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := config.Parse("x", dir, []byte(edited(t, shop, "plugins:\n", "plugins:\n  bots: {module: 'file://m.wasm', data: {agents: list.txt}, config: {extra: [a]}}\n")))
	if err != nil {
		t.Fatal(err)
	}
	return cfg, dir
}

func testLoader(t *testing.T) *plugin.Loader {
	t.Helper()
	l, err := plugin.NewLoader("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return l
}

func testShelf(t *testing.T) *shelf {
	return &shelf{loader: testLoader(t), past: &past{}}
}

func testStore(t *testing.T) (*snapshot.Store, string) {
	t.Helper()
	dir := t.TempDir()
	b, err := blob.Open(t.Context(), "file://"+dir)
	if err != nil {
		t.Fatal(err)
	}
	return snapshot.New(b, "pharos", 3), dir
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What one host packs another one has, from the store alone.
func TestFilesGoWithTheGeneration(t *testing.T) {
	cfg, dir := withFiles(t)
	store, _ := testStore(t)
	p, err := testShelf(t).pack(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.files) != 2 || strings.Contains(string(p.Shared()), "m.wasm") || strings.Contains(string(p.Shared()), dir) {
		t.Errorf("%v %s", p.files, p.Shared())
	}
	if err := (&files{store: store}).put(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}

	r := recordOf(t, p.Config, 0, "a")
	other := &files{store: store, loader: testLoader(t), label: "the store", dir: t.TempDir()}
	theirs, err := r.parse(other.dir)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time all is there
		if err := other.fetch(t.Context(), theirs); err != nil {
			t.Fatal(err)
		}
		bots := theirs.Plugins.Get("bots")
		if m, l := content(t, bots.Module.Path.String()), content(t, bots.Data.Get("agents").String()); m != "module" || l != "list" || bots.Digest != fmt.Sprintf("sha256:%x", sha256.Sum256([]byte("module"))) {
			t.Errorf("%q %q %s", m, l, bots.Digest)
		}
		// What has become something else is fetched again.
		if err := os.WriteFile(bots.Module.Path.String(), []byte("modul"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A host that has a file itself does not need the store; one that has not says so.
func TestFilesOfTheHost(t *testing.T) {
	cfg, dir := withFiles(t)
	store, bucket := testStore(t)
	p, err := testShelf(t).pack(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := recordOf(t, p.Config, 0, "a")
	f := &files{store: store, loader: testLoader(t), label: "file://" + bucket, dir: t.TempDir(), own: p.files}
	theirs, err := r.parse(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.fetch(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	f.dir = t.TempDir()
	if theirs, err = r.parse(f.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "list.txt"), []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	err = f.fetch(t.Context(), theirs)
	if !errors.Is(err, blob.ErrNotFound) || !strings.Contains(err.Error(), "plugin bots: data agents: sha256:") || !strings.Contains(err.Error(), "give all hosts of the group one store (snapshots.url)") {
		t.Errorf("%v", err)
	}
}

// A file that changes between reading and publishing is published by nobody.
func TestFilesThatChange(t *testing.T) {
	cfg, dir := withFiles(t)
	store, _ := testStore(t)
	p, err := testShelf(t).pack(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "m.wasm"), []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (&files{store: store}).put(t.Context(), p); err == nil || !strings.Contains(err.Error(), "m.wasm has changed while it was read: try again") {
		t.Errorf("%v", err)
	}
	if err := os.Remove(filepath.Join(dir, "list.txt")); err != nil {
		t.Fatal(err)
	}
	var faults config.Faults
	if _, err := testShelf(t).pack(t.Context(), cfg); !errors.As(err, &faults) || !strings.Contains(err.Error(), "x:4:50: plugins.bots.data.agents: open ") {
		t.Errorf("%v", err)
	}
}
