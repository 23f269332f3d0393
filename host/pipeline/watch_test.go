package pipeline

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWatch: a change of the config file, of one that it includes, or of a module's
// data becomes a generation by itself. A file that is wrong is refused in the status,
// and the generation before goes on.
func TestWatch(t *testing.T) {
	dir := t.TempDir()
	agents := filepath.Join(dir, "agents.txt")
	writeFileT(t, agents, "one\n")
	more := t.TempDir()
	text := edited(t, strings.ReplaceAll(hostConfig, "MODULES", modules(t)), "data: data", "data: data\ninclude: ['"+more+"/*.yaml']")
	text = strings.Replace(text, "agents: ", "agents: "+agents+" #", 1)
	text = strings.Replace(text, "}, config: {extra", "\n}, config: {extra", 1)
	h := startHost(t, testBroker(t), hostOptions{id: "a", roles: []Role{Dispatch}, embedded: true, HostOptions: HostOptions{Watch: true}}, text)
	generation := func(want uint64, what string) {
		t.Helper()
		eventually(t, what, func() bool {
			s := h.status(t.Context())
			return s.Generation == want && len(s.Faults) == 0
		})
	}
	generation(1, "the host's own file")

	writeFileT(t, h.file, edited(t, text, `"first"`, `"second"`))
	generation(2, "a changed file")

	writeFileT(t, agents, "one\ntwo\n")
	generation(3, "changed data of a module")

	writeFileT(t, filepath.Join(more, "news.yaml"), "tenants: {news: {extract: points}}\n")
	generation(4, "a new file that the pattern of include matches")

	writeFileT(t, filepath.Join(more, "news.yaml"), "tenants: {news: {extract: nobody}}\n")
	eventually(t, "the status says what is wrong", func() bool {
		s := h.status(t.Context())
		return s.Generation == 4 && strings.Contains(strings.Join(s.Faults, "\n"), "this host's config file is not taken, the generation before goes on: "+filepath.Join(more, "news.yaml")+":1:")
	})

	// One file in the place of another, as editors do.
	writeFileT(t, filepath.Join(more, "new"), "tenants: {press: {extract: points}}\n")
	if err := os.Rename(filepath.Join(more, "new"), filepath.Join(more, "news.yaml")); err != nil {
		t.Fatal(err)
	}
	generation(5, "a file that is mended")
	if err := os.Remove(filepath.Join(more, "news.yaml")); err != nil {
		t.Fatal(err)
	}
	generation(6, "a file that is taken away")
	if h.gens.inForce().Config.Tenants.Get("press") != nil {
		t.Error("the tenant of a file that is gone is still there")
	}
}

// TestWatchedLinks: a link that is turned to another folder is a change, as where
// files are mounted into containers.
func TestWatchedLinks(t *testing.T) {
	dir := t.TempDir()
	for _, version := range []string{"one", "two"} {
		if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
			t.Fatal(err)
		}
		writeFileT(t, filepath.Join(dir, version, "pharos.yaml"), "version "+version)
	}
	link := func(to, name string) {
		t.Helper()
		if err := os.Symlink(to, filepath.Join(dir, "new")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	link("one", "data")
	link("data/pharos.yaml", "pharos.yaml")
	w := &watched{files: []string{filepath.Join(dir, "pharos.yaml")}}
	w.stamps = w.look()
	writeFileT(t, filepath.Join(dir, "one", "pharos.yaml"), "version one")
	if w.changed() {
		t.Error("a file with the same content again is none that has changed")
	}
	link("two", "data")
	if !w.changed() || w.changed() {
		t.Error("a link was turned, once")
	}
}
