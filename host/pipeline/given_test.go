package pipeline

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/host/config"
)

// A reload says of modules and data files what the config file says, with digests that
// are short.
func TestChangesAreAsGiven(t *testing.T) {
	dir := t.TempDir()
	list := func(text string) { writeFileT(t, filepath.Join(dir, "agents.txt"), text) }
	list("curl\n")
	module := strings.TrimPrefix(moduleURL(t, "filter.wasm"), "file://")
	pack := func(module string) *packed {
		t.Helper()
		text := fmt.Sprintf("sources: [{name: site}]\nplugins:\n  bots: {module: 'file://%s', data: {agents: agents.txt}}\ntenants: {shop: }\n", module)
		cfg, err := config.Parse("pharos.yaml", dir, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		s, err := newShelf(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.close(t.Context()); err != nil {
				t.Error(err)
			}
		})
		p, err := s.pack(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	first := &generationRecord{Config: pack(module).Shared()}
	if changes, err := differs(first, pack(module)); err != nil || len(changes) > 0 {
		t.Errorf("%v %v", err, changes)
	}
	list("curl\nwget\n")
	other := "my.wasm"
	writeFileT(t, filepath.Join(dir, other), "any bytes, as yet")
	changes, err := differs(first, pack(other))
	if err != nil || len(changes) != 2 {
		t.Fatalf("%v %v", err, changes)
	}
	for i, want := range []string{
		`^~ plugins\.bots\.module: "sha256:[0-9a-f]{12}…" -> "file://my\.wasm sha256:[0-9a-f]{12}…"$`,
		`^~ plugins\.bots\.data\.agents: "sha256:[0-9a-f]{12}…" -> "agents\.txt sha256:[0-9a-f]{12}…"$`,
	} {
		if got := changes[i].String(); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
