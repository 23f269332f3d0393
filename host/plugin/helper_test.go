package plugin

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed-6a2d649b/pharos/host/beacon"
)

// loader is shared by the tests, so that each module is compiled once.
var loader = func() *Loader {
	l, err := NewLoader("")
	if err != nil {
		panic(err)
	}
	return l
}()

func load(t testing.TB, spec Spec) *Plugin {
	t.Helper()
	if spec.Name == "" {
		spec.Name = "moody"
	}
	p, err := loader.Load(context.Background(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}

// beacons decodes JSON beacons into a batch with the plugin's fields.
func beacons(t rapid.TB, p *Plugin, raws ...string) (*beacon.Batch, []int) {
	t.Helper()
	var names []string
	for _, f := range p.Plan().Fields {
		names = append(names, f.Name)
	}
	fields := beacon.NewFields(names...)
	projection, err := beacon.NewProjection(&beacon.Source{Name: "test", Format: beacon.JSON}, fields)
	if err != nil {
		t.Fatal(err)
	}
	b := beacon.NewBatch(fields)
	var sel []int
	for _, raw := range raws {
		row, cause := b.Add(projection, []byte(raw))
		if cause != "" {
			t.Fatal(cause)
		}
		sel = append(sel, row)
	}
	return b, sel
}

// doing makes a beacon for each thing that a moody guest does.
func doing(things ...string) []string {
	raws := make([]string, len(things))
	for i, thing := range things {
		raws[i] = fmt.Sprintf(`{"do": %q}`, thing)
	}
	return raws
}

// copyModule copies a module to a folder of its own, with golden vectors.
func copyModule(t *testing.T, module, golden string) string {
	t.Helper()
	code, err := os.ReadFile(module)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "copy.wasm")
	if err := os.WriteFile(path, code, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(GoldenPath(path), []byte(golden), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
