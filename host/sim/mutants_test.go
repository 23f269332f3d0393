package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// mutant is a bug planted in the code of a package: where it is switched on, the
// old text reads as the new one. It exists in a build of the tests alone, which
// lays changed files over the true ones (go's -overlay).
type mutant struct {
	name     string
	file     string // below the module's root
	old, new string // old stands there once; new may call planted(name)
}

// mutants are the planted bugs that no wrapper around a stage can make.
var mutants = []mutant{
	{
		name: "retraction missed", file: "host/session/fold.go",
		old: "\tbook := func(point int32, g metric.Figure) {", new: "\tbook := func(point int32, g metric.Figure) {\n\t\tif planted(%q) {\n\t\t\treturn\n\t\t}\n",
	},
	{
		name: "order of arrival booked", file: "host/session/key.go",
		old: "\tl.back = true\n", new: "\tl.back = !planted(%q)\n",
	},
	{
		name: "watermark by maximum", file: "host/session/watermark.go",
		old: "if !active || s.value < low {", new: "if !active || (s.value < low) != planted(%q) {",
	},
	{
		name: "idle not asked for", file: "host/session/watermark.go",
		old: "\t\t\tif s.idle {\n", new: "\t\t\tif s.idle && !planted(%q) {\n",
	},
	{
		name: "watermark after the beacon", file: "host/dispatch/core.go",
		old: "h.Offset, h.Watermark = c.records[i].Offset, c.src.Watermark\n",
		new: "h.Offset, h.Watermark = c.records[i].Offset, c.src.Watermark\n\t\tif planted(%q) {\n\t\t\th.Watermark = max(h.Watermark, r.Time)\n\t\t}\n",
	},
	{
		name: "prefix folded too early", file: "host/session/key.go",
		old: "\tn := len(k.tail) - k.within(limit)\n", new: "\tif planted(%q) {\n\t\tlimit += p.lateness / 2\n\t}\n\tn := len(k.tail) - k.within(limit)\n",
	},
	{
		name: "ids pruned too early", file: "host/session/ids.go",
		old: "\t\ts.prune(t - gap)\n", new: "\t\tif planted(%q) {\n\t\t\tgap /= 2\n\t\t}\n\t\ts.prune(t - gap)\n",
	},
}

const plantedEnv = "PHAROS_PLANTED"

// TestMutants runs the simulation on each mutant.
func TestMutants(t *testing.T) {
	t.Parallel()
	binary := buildMutants(t)
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, binary, "-test.run", "^TestSeeds$", "-until-fault", "-seeds", fmt.Sprint(*tries))
			cmd.Env = append(os.Environ(), plantedEnv+"="+m.name)
			out, err := cmd.CombinedOutput()
			caught := regexp.MustCompile(`seed \d+: \d+ faults:\n.*`).Find(out)
			if err == nil || caught == nil {
				t.Fatalf("not caught by %d seeds: %v\n%s", *tries, err, out)
			}
			t.Logf("caught by %s", strings.Join(strings.Fields(string(caught)), " "))
		})
	}
}

// buildMutants makes one test binary that holds all mutants, none switched on.
func buildMutants(t *testing.T) (binary string) {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	replace, texts := map[string]string{}, map[string]string{}
	for _, m := range mutants {
		path := filepath.Join(root, m.file)
		text, ok := texts[path]
		if !ok {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			text = string(b)
		}
		if n := strings.Count(text, m.old); n != 1 {
			t.Fatalf("mutant %q: its text stands %d times in %s, want once: the code has moved, so move the mutant", m.name, n, m.file)
		}
		texts[path] = strings.Replace(text, m.old, fmt.Sprintf(m.new, m.name), 1)
		pkg := filepath.Dir(path)
		texts[filepath.Join(pkg, "planted.go")] = fmt.Sprintf("package %s\n\nimport \"os\"\n\nvar plantedBug = os.Getenv(%q)\n\nfunc planted(name string) bool { return plantedBug == name }\n", filepath.Base(pkg), plantedEnv)
	}
	for path, text := range texts {
		to := filepath.Join(dir, fmt.Sprintf("%d.go", len(replace)))
		if err := os.WriteFile(to, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[path] = to
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(at, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	binary = filepath.Join(dir, "mutants.test")
	cmd := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-overlay", at, "-o", binary, ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}
