package pipeline_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/pipeline"
)

// Every config that the README and the plugins' READMEs show is one that loads.
func TestConfigsOfTheDocs(t *testing.T) {
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```")
	readme, err := os.ReadFile(root + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := block.FindAllSubmatch(readme, -1)
	if len(blocks) == 0 {
		t.Fatal("the README shows no config")
	}
	for _, b := range blocks {
		cfg, err := config.Parse("README.md", t.TempDir(), b[1])
		if err != nil {
			t.Errorf("%v\nin\n%s", err, b[1])
			continue
		}
		if err := pipeline.Check(t.Context(), cfg); err != nil {
			t.Errorf("%v\nin\n%s", err, b[1])
		}
	}
}

// Rules that docs/rules.md shows as part of a config are such as load.
func TestRulesOfTheDocs(t *testing.T) {
	page, err := os.ReadFile(root + "/docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "lists"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"bots": "curl\n", "office": "10.0.0.0/8\n"} {
		if err := os.WriteFile(filepath.Join(dir, "lists", name+".txt"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	blocks := regexp.MustCompile("(?s)```yaml\n((?:lists|plugins):\n.*?)```").FindAllSubmatch(page, -1)
	if len(blocks) < 5 {
		t.Errorf("the page shows %d configs only", len(blocks))
	}
	for _, b := range blocks {
		cfg, err := config.Parse("rules.md", dir, append([]byte("sources: [{name: site}]\ntenants: {shop: }\n"), b[1]...))
		if err == nil {
			err = pipeline.Check(t.Context(), cfg)
		}
		if err != nil {
			t.Errorf("%v\nin\n%s", err, b[1])
		}
	}
}

// The demo and the examples build: plugins load, golden vectors hold, formulas compile.
func TestShippedConfigsBuild(t *testing.T) {
	demo, err := pipeline.DemoConfig(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	configs := map[string]*config.Config{"demo": demo}
	files, err := filepath.Glob(root + "/docs/examples/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, file := range files {
		if configs[file], err = config.Load(file); err != nil {
			t.Fatal(err)
		}
	}
	for name, cfg := range configs {
		if err := pipeline.Check(t.Context(), cfg); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
