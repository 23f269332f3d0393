package pipeline

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/host/plugin"
	"github.com/seed-6a2d649b/pharos/host/query"
)

// A version's life is in the status, also of those that were let go or refused.
func TestLivesOfVersions(t *testing.T) {
	text := strings.ReplaceAll(hostConfig, "MODULES", modules(t))
	h := startHost(t, testBroker(t), hostOptions{id: "a", roles: AllRoles, embedded: true}, text)
	bots := func() query.PluginStatus {
		for _, p := range h.status(context.Background()).Plugins {
			if p.Name == "bots" {
				return p
			}
		}
		t.Fatal("no bots")
		return query.PluginStatus{}
	}
	first := bots()
	if got := stepsOf(first); !slices.Equal(got, []string{"fetch", "digest", "signature", "metering", "compile", "ABI check", "configure", "golden vectors", "ready", "live"}) {
		t.Error(got)
	}
	if first.State != plugin.Live || first.Since == nil || first.Life[4].TookMS <= 0 || first.Life[9].Detail != "generation 1" {
		t.Errorf("%+v", first)
	}

	writeFileT(t, h.file, strings.Replace(text, "[first]", "[second]", 1))
	if _, err := h.reload(context.Background(), false); err != nil {
		t.Fatal(err)
	}
	if now := bots(); now.State != plugin.Live || now.Life[9].Detail != "generation 2" {
		t.Errorf("%+v", now)
	}
	var before query.PluginStatus
	eventually(t, "the version before to be closed", func() bool {
		runtime.GC()
		all := h.status(context.Background()).PastPlugins
		i := slices.IndexFunc(all, func(p query.PluginStatus) bool { return p.Name == "bots" })
		if i < 0 {
			t.Fatal(all)
		}
		before = all[i]
		return before.State == plugin.Closed
	})
	if got := stepsOf(before)[9:]; !slices.Equal(got, []string{"live", "draining", "drained", "closed"}) || before.Life[10].Detail != "generation 2 has version 1.0.0" {
		t.Errorf("%v %+v", got, before.Life)
	}

	module := filepath.Join(t.TempDir(), "wrong.wasm")
	if err := os.WriteFile(module, []byte("\x00asm\x01\x00\x00\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	wrong := strings.Replace(text, "assets: {rules: {drop: [{reason: asset, when: 'path == \"first\"'}]}}", "assets: {module: 'file://"+module+"'}", 1)
	writeFileT(t, h.file, wrong)
	for range 2 {
		if _, err := h.reload(context.Background(), false); err == nil {
			t.Fatal("a module without exports is taken")
		}
	}
	var refused []query.PluginStatus
	for _, p := range h.status(context.Background()).PastPlugins {
		if p.State == plugin.Refused {
			refused = append(refused, p)
		}
	}
	if len(refused) != 1 || refused[0].Name != "assets" || !strings.HasPrefix(refused[0].Life[len(refused[0].Life)-1].Detail, "ABI check: plugin assets: exports no ") {
		t.Errorf("%+v", refused)
	}
}

func stepsOf(p query.PluginStatus) (names []string) {
	for _, e := range p.Life {
		names = append(names, e.Step)
	}
	return names
}

func TestPastIsBounded(t *testing.T) {
	var p past
	for i := range 3 * maxPast {
		p.add(query.PluginStatus{Name: "a", Rows: int64(i), State: plugin.Closed})
	}
	if list := p.newestFirst(); len(list) != maxPast || list[0].Rows != 3*maxPast-1 {
		t.Errorf("%+v", list)
	}
}
