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
	old, new string // old stands there once; new has a place for the quoted name, as an argument of planted
}

// mutants are the planted bugs that no wrapper around a stage can make.
var mutants = []mutant{
	{
		"retraction missed", "host/session/fold.go",
		`book := func(point int32, g metric.Figure) {`,
		`book := func(point int32, g metric.Figure) { if planted(%q) { return };`,
	},
	{
		"order of arrival booked", "host/session/key.go",
		`l.back = true`, `l.back = !planted(%q)`,
	},
	{
		"prefix folded too early", "host/session/rework.go",
		`n := len(k.tail) - k.within(limit)`,
		`if planted(%q) { limit += gap / 8 }; n := len(k.tail) - k.within(limit)`,
	},
	{
		"progress before a due close", "host/session/partition.go",
		`return p.closeNow(ctx)`,
		`if planted(%q) { p.closeAll(); return nil }; return p.closeNow(ctx)`,
	},
	{
		"due close not in the snapshot", "host/session/restore.go",
		`if k.expected {`, `if k.expected && !planted(%q) {`,
	},
	{
		"cells of the session's begin", "host/session/rework.go",
		`from, text := k.resume(at, p.gap)`, `from, text := k.resume(at, p.gap); if planted(%q) { text = nil }`,
	},
	{
		"beacons behind not looked at again", "host/session/rework.go",
		`i = k.counted(end + 1)`, `if planted(%q) { return nil }; i = k.counted(end + 1)`,
	},
	{
		"ids pruned too early", "host/session/ids.go",
		`s.prune(t - gap)`, `if planted(%q) { gap /= 2 }; s.prune(t - gap)`,
	},
	{
		"watermark by maximum", "host/session/watermark.go",
		`if !active || s.value < low {`, `if !active || (s.value < low) != planted(%q) {`,
	},
	{
		"idle not asked for", "host/session/watermark.go",
		`			if s.idle {`, `			if s.idle && !planted(%q) {`,
	},
	{
		"generation not replayed", "host/session/recover.go",
		`core.Generation() < g; {`, `core.Generation() < g && !planted(%q); {`,
	},
	{
		"state kept though another had the partition", "host/session/owned.go",
		`case committed == p.base:`, `case committed == p.base, planted(%q):`,
	},
	{
		"aborted deltas forgotten", "host/session/owned.go",
		`p.sent.on, p.sent.image = false, nil`, `if planted(%q) { p.sent.out.Reset() }; p.sent.on, p.sent.image = false, nil`,
	},
	{
		"committed deltas said again", "host/session/owned.go",
		"p.sent.point, false\n\tp.sent.out.Reset()", "p.sent.point, false\n\tif !planted(%q) { p.sent.out.Reset() }",
	},
	{
		"watermark after the beacon", "host/dispatch/core.go",
		`h.Offset, h.Watermark = c.records[i].Offset, c.src.Watermark`,
		`h.Offset, h.Watermark = c.records[i].Offset, c.src.Watermark; if planted(%q) { h.Watermark = max(h.Watermark, r.Time) }`,
	},
	{
		"back to an older generation", "host/dispatch/assign.go",
		`if p.needs > s.core.Generation() {`, `if p.needs > s.core.Generation() && !planted(%q) {`,
	},
	{
		"idle although it lags", "host/dispatch/generation.go",
		`tx.Lag(p.Topic, p.Partition) == 0`, `(tx.Lag(p.Topic, p.Partition) == 0 || planted(%q))`,
	},
	{
		"snapshot published before its commit", "host/session/snapshots.go",
		"\t\tselect {\n\t\tcase <-i.holds:", "\t\tif planted(%q) { return nil }\n\t\tselect {\n\t\tcase <-i.holds:",
	},
	{
		"moved without waiting for all ends", "host/session/watermark.go",
		"func (w *watermark) ended() bool {\n", `func (w *watermark) ended() bool {
			if planted(%q) { for _, f := range w.feeds { for i := range f.parts { if f.parts[i].ended { return true } } } }
		`,
	},
	{
		"end on one partition only", "host/dispatch/generation.go",
		`for partition := range old.Partitions {`, `for partition := range old.Partitions { if partition > 0 && planted(%q) { break };`,
	},
	{
		"final before all of a new topic have spoken", "host/metric/horizon.go",
		`if r.topics[i].silent == 0 {`, `if r.topics[i].silent < len(r.topics[i].parts) && planted(%q) || r.topics[i].silent == 0 {`,
	},
	{
		"final before all of a new topic have spoken", "host/metric/horizon.go",
		`w := r.topics[i].parts[j].Watermark`, `if planted(%q) && r.topics[i].parts[j].Partitions == 0 { continue }; w := r.topics[i].parts[j].Watermark`,
	},
	{
		"later generation not waited for", "host/session/feed.go",
		`m.generation() > newest {`, `m.generation() > newest && !planted(%q) {`,
	},
	{
		"new route without the others' watermark", "host/session/loss.go",
		`core.raise(floor)`, `if !planted(%q) { core.raise(floor) }`,
	},
	{
		"final by the highest watermark", "host/metric/horizon.go",
		`if !ok || w < ms {`, `if !ok || (w < ms) != planted(%q) {`,
	},
	{
		"the shadow decides", "host/rollout/plugin.go",
		`case p.state.Phase.oldDecides():`, `case p.state.Phase.oldDecides() && !(p.state.Phase == Shadow && planted(%q)):`,
	},
	{
		"a shadow writes the cells of the version that decides", "host/rollout/cells.go",
		`own[i].Name = shadowCell + own[i].Name`, `if !planted(%q) { own[i].Name = shadowCell + own[i].Name }`,
	},
	{
		"a canary's share by the place in the batch", "host/rollout/plugin.go",
		`_, _ = d.Write(session)`, `if planted(%q) { session = []byte{byte(row)} }; _, _ = d.Write(session)`,
	},
	{
		"a canary's session closed by the other version", "host/rollout/sessions.go",
		`closed.Cells[p.kept.extra][closed.Slots[row]] == newsSession:`, `(closed.Cells[p.kept.extra][closed.Slots[row]] == newsSession) != planted(%q):`,
	},
	{
		"looked at again by a version that was promoted since", "host/session/rework.go",
		`w := k.tail[rows[0]].view`,
		`w := k.tail[rows[0]].view; if v := k.tenant.view; planted(%q) && v != nil && v.sessions != nil && slices.Equal(v.fieldAt, w.fieldAt) { w = v }`,
	},
	{
		"promoted before its generation's offset", "host/session/stage.go",
		`p.switches.add(p.next, s.config`, `p.switches.add(p.next+int64(map[bool]int{true: 1}[planted(%q)]), s.config`,
	},
}

const plantedEnv = "PHAROS_PLANTED"

// TestMutants runs the simulation on each mutant.
func TestMutants(t *testing.T) {
	t.Parallel()
	binary := buildMutants(t)
	for i, m := range mutants {
		if i > 0 && mutants[i-1].name == m.name {
			continue // more of the same bug
		}
		t.Run(m.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, binary, "-test.run", "^TestSeeds$", "-until-fault", "-seeds", fmt.Sprint(*tries))
			cmd.Env = append(os.Environ(), plantedEnv+"="+m.name)
			out, err := cmd.CombinedOutput()
			seed := regexp.MustCompile(`seed \d+ runs`).FindAllString(string(out), -1)
			caught := regexp.MustCompile(`(: \d+ faults:\n.*|panic: .*)`).Find(out)
			if err == nil || caught == nil {
				t.Fatalf("not caught by %d seeds: %v\n%s", *tries, err, out)
			}
			t.Logf("caught by %s%s", strings.TrimSuffix(seed[len(seed)-1], " runs"), strings.Join(strings.Fields(string(caught)), " "))
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
