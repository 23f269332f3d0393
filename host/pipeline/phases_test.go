package pipeline_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/definition/examples"
	"github.com/seed-6a2d649b/pharos/host/pipeline"
	"github.com/seed-6a2d649b/pharos/host/rollout"
)

// A version that is another in name only changes no figure, whatever phases it goes
// through and wherever these begin: not of an extractor that keeps cells and measures
// the ends of sessions, in order and out of order, either.
func TestPhasesOfTheSame(t *testing.T) {
	dir := t.TempDir()
	absolute, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"visits": {"is: [view]}", "is: [view, nothing]}"},
		"shop":   {"{point: item_page, is: view}", "{point: item_page, is: view}\n        - {point: refund, is: refund}"},
	} {
		text, err := os.ReadFile(root + "/docs/examples/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		load := func(edits ...string) *config.Config {
			t.Helper()
			path := filepath.Join(dir, fmt.Sprintf("%s-%d.yaml", name, len(edits)))
			text := "session: {gap: 1m, lateness: 30s}\n" + strings.ReplaceAll(string(text), "../../plugins/", absolute+"/plugins/")
			for i := 0; i < len(edits); i += 2 {
				if !strings.Contains(text, edits[i]) {
					t.Fatalf("no %q in\n%s", edits[i], text)
				}
				text = strings.ReplaceAll(text, edits[i], edits[i+1])
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			cfg, err := config.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			return cfg
		}
		before := load()
		after := load(change[0], change[1], "    module:", "    shadow: {}\n    canary: {share: 40%}\n    module:")
		for seed := range uint64(4) {
			t.Run(fmt.Sprint(name, seed), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 0))
				input := filepath.Join(dir, "in")
				if err := os.WriteFile(input, shuffled(t, rng), 0o600); err != nil {
					t.Fatal(err)
				}
				replay := func(changes ...pipeline.Change) string {
					t.Helper()
					var out, summary bytes.Buffer
					o := pipeline.ReplayOptions{
						Inputs: pipeline.ParseInputs([]string{input}), Now: examples.Now, Stdout: &out, Stderr: &summary,
						Progress: func(string, ...any) {}, Log: hclog.NewNullLogger(),
					}
					if err := pipeline.ReplayChanges(t.Context(), before, changes, 1+rng.IntN(100), o); err != nil {
						t.Fatal(err)
					}
					return out.String() + summary.String()
				}
				want := replay()
				var changes []pipeline.Change
				at := int64(0)
				for _, phase := range []rollout.Phase{rollout.Shadow, rollout.Canary, rollout.RolledBack, rollout.Fallback, rollout.Live} {
					at += rng.Int64N(250)
					changes = append(changes,
						pipeline.Change{At: at, Config: after, Phase: phase, Before: before},
						pipeline.Change{At: at, Config: after, Phase: phase, Before: before, Dispatch: true})
				}
				if got := replay(changes...); got != want {
					t.Errorf("with phases at %v:\n%s\nwithout:\n%s", changes, got, want)
				}
			})
		}
	}
}

// shuffled are the shop's events, some of them held up, within the lateness.
func shuffled(t *testing.T, rng *rand.Rand) []byte {
	t.Helper()
	text, err := os.ReadFile(root + "/../shared/data/shop.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	for range len(lines) / 10 {
		i := rng.IntN(len(lines) - 10)
		j := i + rng.IntN(10)
		if j < len(lines)-2 {
			lines[i], lines[j] = lines[j], lines[i]
		}
	}
	return bytes.Join(lines, nil)
}
