package pipeline

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-6a2d649b/pharos/host/config"
)

// A list that changes is a change of the config, and makes another plugin of the
// rules that name it, and of no others.
func TestChangedList(t *testing.T) {
	dir := t.TempDir()
	list := func(text string) { writeFileT(t, filepath.Join(dir, "bots.txt"), text) }
	record := func() (*generationRecord, *packed) {
		t.Helper()
		cfg, err := config.Parse("pharos.yaml", dir, []byte(`
sources: [{name: site}]
lists: {bots: bots.txt}
plugins:
  bots: {rules: {let: {bot: agent in lists.bots}, drop: [{reason: bot, when: bot}]}}
  assets: {rules: {drop: [{reason: asset, when: 'path.endsWith(".css")'}]}}
tenants: {shop: }
`))
		if err != nil {
			t.Fatal(err)
		}
		s, err := newShelf(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := s.close(t.Context()); err != nil {
				t.Error(err)
			}
		}()
		p, err := s.pack(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		r, err := newRecord(p.Config, 0, nil, "host", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return r, p
	}
	list("curl\n")
	first, p := record()
	if changes, err := differs(first, p); err != nil || len(changes) > 0 {
		t.Errorf("%v %v", err, changes)
	}
	list("curl\nwget\n")
	second, p := record()
	changes, err := differs(first, p)
	if err != nil || len(changes) != 1 || !strings.HasPrefix(changes[0].String(), `~ lists.bots: "sha256:`) || !strings.Contains(changes[0].String(), `-> "bots.txt sha256:`) {
		t.Errorf("%v %v", err, changes)
	}
	if first.Figures == second.Figures {
		t.Error("the figures' digest is the same")
	}
	if first.Plugins["bots"] == second.Plugins["bots"] {
		t.Error("the rules that name the list are the same plugin")
	}
	if first.Plugins["assets"] != second.Plugins["assets"] {
		t.Error("rules that do not name the list are another plugin")
	}
}

// A host that watches its config's files watches its lists.
func TestListsAreWatched(t *testing.T) {
	cfg, err := config.Parse("pharos.yaml", "dir", []byte("sources: [{name: site}]\nlists: {bots: lists/bots.txt}\ntenants: {shop: }\n"))
	if err != nil {
		t.Fatal(err)
	}
	if files, _ := filesOf(cfg); !slices.Contains(files, filepath.Join("dir", "lists/bots.txt")) {
		t.Errorf("watched are %v", files)
	}
}

func TestFaultyLists(t *testing.T) {
	dir := t.TempDir()
	writeFileT(t, filepath.Join(dir, "long.txt"), "a\n"+strings.Repeat("b", 2000))
	path := filepath.Join(dir, "pharos.yaml")
	const text = `sources: [{name: site}]
lists:
  bots: none.txt
  long: long.txt
plugins:
  bots:
    rules:
      let: {net: 'cidr(lists.long)'}
      drop:
        - {reason: bot, when: 'agent in lists.bots || agent in lists.lonk'}
tenants: {shop: }
`
	unread := []string{
		path + ":3:9: lists.bots: open " + filepath.Join(dir, "none.txt") + ": no such file or directory",
		path + ":4:9: lists.long: line 2: an entry of 2000 bytes, and 1024 are allowed",
	}
	said := func(err error, want ...string) {
		t.Helper()
		if err == nil {
			t.Fatal("no error")
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("not said: %s\nin:\n%v", w, err)
			}
		}
	}
	writeFileT(t, path, text)
	cfg, err := Load(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	err = Check(t.Context(), cfg)
	said(err, unread...)
	if n := strings.Count(err.Error(), path); n != 2 {
		t.Errorf("%d faults:\n%v", n, err)
	}
	writeFileT(t, path, text+"session: {gap: soon}\n") // then all faults are gathered
	_, err = Load(t.Context(), path)
	said(err, append(unread, path+`:10:64: plugins.bots.rules.drop.0.when: there is no list "lonk", did you mean "long"?`)...)
}
