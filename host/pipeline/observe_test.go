package pipeline

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/plugin"
	"github.com/seed-6a2d649b/pharos/host/rollout"
)

// TestPluginMetrics: what a plugin uses is exported by tenant, plugin and version.
func TestPluginMetrics(t *testing.T) {
	file := t.TempDir() + "/pharos.yaml"
	writeFileT(t, file, strings.ReplaceAll(hostConfig, "MODULES", modules(t)))
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	g, err := Build(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := g.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	fields := beacon.NewFields("agent", "path")
	projection, err := beacon.NewProjection(&beacon.Source{Format: beacon.JSON, Tenant: beacon.Locator{Paths: []string{"tenant"}}}, fields)
	if err != nil {
		t.Fatal(err)
	}
	b := beacon.NewBatch(fields)
	var sel []int
	for _, raw := range []string{`{"tenant":"shop","agent":"first"}`, `{"tenant":"shop","agent":"x"}`, `{"tenant":"news","agent":"y"}`} {
		row, _ := b.Add(projection, []byte(raw))
		sel = append(sel, row)
	}
	for _, name := range []string{"bots", "assets"} {
		if err := g.plugins[name].Filter(t.Context(), b, sel, func(int, beacon.Drop) {}); err != nil {
			t.Fatal(err)
		}
	}
	wantMetrics(t, g,
		`pharos_plugin_fuel_total\{digest="[0-9a-f]{12}",plugin="bots",tenant="shop",version="[0-9.]+"\} [1-9]`,
		`pharos_plugin_fuel_total\{digest="[0-9a-f]{12}",plugin="bots",tenant="news",version="[0-9.]+"\} [1-9]`,
		`pharos_plugin_busy_seconds_total\{digest="[0-9a-f]{12}",plugin="bots",tenant="news",version="[0-9.]+"\} [0-9.e-]+`,
		`pharos_plugin_busy_seconds_total\{digest="[0-9a-f]{12}",plugin="assets",tenant="shop",version="rules-[0-9a-f]+"\} [0-9.e-]+`,
		`pharos_plugin_rows_total\{digest="[0-9a-f]{12}",plugin="bots",version="[0-9.]+"\} 3`)

	// Versions of one number are told apart by the digest, which no phase changes.
	bots, before := g.plugins["bots"], plugin.Spec{Name: "bots", Config: []byte("{}")}
	state := rollout.State{Phase: rollout.Shadow, New: rollout.IDOf(plugin.Spec{Name: "bots"}), Old: &before}
	shadow, err := rollout.New(state, rollout.Settings{Shadow: &rollout.ShadowSettings{}}, bots.New(), bots.New(), nil)
	if err != nil {
		t.Fatal(err)
	}
	bots.Plugin = shadow
	for _, id := range []string{state.New, rollout.IDOf(before)} {
		wantMetrics(t, g, `pharos_plugin_rows_total\{digest="`+strings.TrimPrefix(id, "sha256:")[:12]+`",plugin="bots",version="[0-9.]+"\} 3`)
	}
	wantMetrics(t, g, `pharos_plugin_phase\{phase="shadow",plugin="bots"\} 1`, `pharos_plugin_breaker_state\{plugin="bots"\} 0`,
		`pharos_plugin_compared_beacons_total\{plugin="bots"\} 0`, `pharos_plugin_differing_beacons_total\{plugin="bots"\} 0`)

	// One that is taken out shows, whatever decides instead.
	for _, taken := range []struct {
		state rollout.State
		old   *plugin.Plugin
	}{
		{rollout.State{Phase: rollout.Out, New: state.New}, nil},
		{rollout.State{Phase: rollout.Fallback, New: state.New, Old: &before}, bots.New()},
	} {
		out, err := rollout.New(taken.state, rollout.Settings{}, bots.New(), taken.old, nil)
		if err != nil {
			t.Fatal(err)
		}
		bots.Plugin = out
		wantMetrics(t, g, `pharos_plugin_phase\{phase="`+string(taken.state.Phase)+`",plugin="bots"\} 1`,
			`pharos_plugin_breaker_state\{plugin="assets"\} 0`, `pharos_plugin_breaker_state\{plugin="bots"\} 1`)
	}
}

// wantMetrics wants lines in what is exported of a generation's plugins.
func wantMetrics(t *testing.T, g *Generation, patterns ...string) {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(pluginCollector{&generations{current: g}}, rolloutCollector{&generations{current: g}})
	answer := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, want := range patterns {
		if !regexp.MustCompile(want).MatchString(answer.Body.String()) {
			t.Errorf("no %s in\n%s", want, answer.Body)
		}
	}
}
