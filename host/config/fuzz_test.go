package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzLoad: no file makes the loader panic; what it accepts can be explained,
// and its canonical form is read again as the same config.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/faults/*.yaml", "testdata/example/*.yaml", "testdata/broken/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("%s: %v", pattern, err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	env := func(name string) (string, bool) { return "value of " + name, true }
	f.Fuzz(func(t *testing.T, text []byte) {
		if strings.Contains(string(text), "include") || strings.Contains(string(text), "file:") && strings.Contains(string(text), "$") {
			return // the machine's files are not what is tried here
		}
		c, err := load(&file{name: "f", dir: ".", text: text}, env)
		if err != nil {
			var faults Faults
			if !errors.As(err, &faults) || len(faults) == 0 || c != nil {
				t.Fatalf("no faults: %v", err)
			}
			return
		}
		Explain(c)
		for _, p := range c.Plugins.All() {
			if p.Rules != nil {
				for _, r := range p.Rules.Extract {
					r.When.At(1, 1)
					r.When.At(2, 7)
				}
			}
		}
		for _, k := range c.Keyspaces.All() {
			for _, x := range k.Formulas.All() {
				x.Expr.At(1, len(x.Expr.Text))
			}
		}
		if len(c.clear) > 0 {
			return // a secret that is left out is missed
		}
		again, err := load(&file{name: "f", dir: ".", text: c.JSON()}, env)
		if err != nil {
			t.Fatalf("the canonical form is refused: %v\n%s", err, c.JSON())
		}
		if string(again.JSON()) != string(c.JSON()) {
			t.Fatalf("the canonical form differs:\n%s\n%s", c.JSON(), again.JSON())
		}
	})
}
