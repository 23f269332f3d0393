package pipeline

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/plugins"
)

// hosting is a host in this process, and its config file.
type hosting struct {
	*host
	file string
	stop func() error
}

const hostConfig = `data: data
http: {listen: '127.0.0.1:0'}
sources:
  - {name: site, topic: beacons}
plugins:
  bots: {module: 'file://MODULES/bots/bots.wasm', data: {agents: MODULES/bots/agents.txt}, config: {extra: [first]}}
  assets: {rules: {drop: [{reason: asset, when: 'path == "first"'}]}}
  points: {rules: {extract: [{point: order, when: 'type == "purchase"'}]}}
dispatch: {filters: [bots, assets], routes: {web: {partitions: 2}}}
tenants:
  shop: {extract: points, all_traffic: true}
keyspaces:
  shop:
    tenant: shop
    metrics: {orders: {point: order, stat: hits}}
    formulas: {orders_again: {expr: orders + 0}}
`

// modules are the shipped plugins, laid out.
func modules(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := plugins.LayOut(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func writeFileT(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// startHost starts a host on a broker, with a config file of its own.
func startHost(t testing.TB, k kafka.Config, o hostOptions, text string) *hosting {
	t.Helper()
	h := &hosting{file: filepath.Join(t.TempDir(), "pharos.yaml")}
	writeFileT(t, h.file, text)
	o.Load = func(context.Context) (*config.Config, error) { return config.Load(h.file) }
	if o.log == nil {
		o.log = hclog.NewNullLogger()
	}
	cfg, err := config.Load(h.file)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	h.host, err = newHost(ctx, cfg, k, o)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- h.run(ctx) }()
	h.stop = sync.OnceValue(func() error {
		cancel()
		err := <-ended
		if closed := h.close(); err == nil {
			err = closed
		}
		return err
	})
	t.Cleanup(func() {
		if err := h.stop(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited a minute: %s", what)
		}
	}
}

// A second host takes what the first one publishes, and says that its file differs.
func TestHostsFollow(t *testing.T) {
	text := strings.ReplaceAll(hostConfig, "MODULES", modules(t))
	k := testBroker(t)
	store := "snapshots: {url: 'file://" + t.TempDir() + "'}\n"
	a := startHost(t, k, hostOptions{id: "a", roles: AllRoles, embedded: true}, store+text)
	b := startHost(t, k, hostOptions{id: "b", roles: []Role{Dispatch, Session}}, store+text)
	changed := edited(t, text, `"purchase"`, `"order"`, "extra: [first]", "extra: [second]")
	writeFileT(t, a.file, store+changed)

	dry, err := a.reload(t.Context(), true)
	if err != nil || dry.Published || dry.Generation != 1 || len(dry.Changes) != 2 {
		t.Fatalf("%v %+v", err, dry)
	}
	if s := a.status(t.Context()); s.GenerationWanted != 1 || len(s.Faults) > 0 {
		t.Errorf("a dry run has changed something: %+v", s)
	}
	if _, err := a.reload(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second host follows", func() bool { return b.status(t.Context()).Generation == 2 })
	eventually(t, "its file differs", func() bool {
		return strings.Contains(strings.Join(b.status(t.Context()).Faults, "\n"), "this host's config file differs from generation 2, which it runs, in plugins.bots.config.extra.0, plugins.points.rules.extract.0.when: 'pharos reload' publishes the file")
	})
	if answer, err := b.reload(t.Context(), true); err != nil || len(answer.Changes) != 2 || answer.Changes[0].String() != `~ plugins.bots.config.extra.0: "second" -> "first"` {
		t.Errorf("%v %+v", err, answer)
	}

	// A file that is wrong changes nothing; all that is wrong with it is said.
	writeFileT(t, b.file, store+edited(t, changed, "points: {", "points: {limits: {memory: 1KiB}, "))
	if _, err := b.reload(t.Context(), false); err == nil || !strings.Contains(err.Error(), "plugins.points.limits.memory") {
		t.Errorf("%v", err)
	}
	writeFileT(t, b.file, store+edited(t, changed, "data: data", "data: other\nsession: {gap: 1m, idle: 2s}", "web: {", "web: {topic: new, "))
	_, err = b.reload(t.Context(), false)
	for _, want := range []string{":2:7: data: a change of it needs a restart", "session.gap: it is 30m", "dispatch.routes.web.topic: the topic is pharos.web"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("not said: %s in %v", want, err)
		}
	}
	if s := b.status(t.Context()); s.Generation != 2 || s.GenerationWanted != 2 {
		t.Errorf("%+v", s)
	}
}

// A host that can not load a generation goes on with the one before, says so, and
// takes it once it can.
func TestGenerationThatCanNotBeLoaded(t *testing.T) {
	text := strings.ReplaceAll(hostConfig, "MODULES", modules(t))
	k := testBroker(t)
	a := startHost(t, k, hostOptions{id: "a", roles: AllRoles, embedded: true}, text)
	copied := t.TempDir() // of its bucket there is only the id
	id := filepath.Join("groups", "pharos", "id")
	line, err := os.ReadFile(filepath.Join(filepath.Dir(a.file), "data", "snapshots", id))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(copied, filepath.Dir(id)), 0o700); err != nil {
		t.Fatal(err)
	}
	writeFileT(t, filepath.Join(copied, id), string(line))
	without := edited(t, text, "  bots: {module", "  #", "filters: [bots, assets]", "filters: [assets]")
	writeFileT(t, a.file, without)
	if _, err := a.reload(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	b := startHost(t, k, hostOptions{id: "b", roles: []Role{Session}}, "snapshots: {url: 'file://"+copied+"'}\n"+without)
	writeFileT(t, a.file, text)
	if _, err := a.reload(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the fault is said", func() bool {
		s := b.status(t.Context())
		return s.Generation == 2 && s.GenerationWanted == 3 && len(s.Faults) > 0 &&
			strings.Contains(s.Faults[0], "generation 3 is wanted, and this host goes on with 2: generation 3: plugin bots: module: sha256:")
	})
	writeFileT(t, b.file, text) // it has the module itself now
	if err := b.adopt(t.Context()); err != nil || b.status(t.Context()).Generation != 3 {
		t.Errorf("%v %+v", err, b.status(t.Context()))
	}
}

func TestParseLosses(t *testing.T) {
	all, err := parseLosses([]string{"pharos.web/0", "pharos.web/12", "a-b_c/3"})
	if err != nil || len(all) != 3 || !all[kafka.TopicPartition{Topic: "pharos.web", Partition: 12}] {
		t.Errorf("%v %v", all, err)
	}
	for _, wrong := range []string{"", "web", "web/", "/1", "web/-1", "web/x", "web/1/2", "web/99999999999"} {
		if _, err := parseLosses([]string{wrong}); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}
