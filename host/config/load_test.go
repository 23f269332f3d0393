package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFaults compares what is said of faulty files with the .txt beside them.
func TestFaults(t *testing.T) {
	files, err := filepath.Glob("testdata/faults/*.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, name := range append(files, "testdata/example/pharos.yaml") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Setenv("KAFKA_PASSWORD", "hunter2")
			c, err := Load(name)
			var faults Faults
			if c != nil || !errors.As(err, &faults) {
				t.Fatalf("accepted, or no Faults: %v", err)
			}
			for _, f := range faults {
				if f.Line == 0 && !strings.HasPrefix(filepath.Base(f.File), "b.") && !strings.HasPrefix(filepath.Base(f.File), "c.") && !strings.HasPrefix(filepath.Base(f.File), "d.") {
					t.Errorf("no place: %v", f)
				}
			}
			golden(t, strings.TrimSuffix(name, ".yaml")+".txt", err.Error()+"\n")
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

func mustLoad(t *testing.T, file string) *Config {
	t.Helper()
	t.Setenv("KAFKA_PASSWORD", "hunter2")
	c, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestExample loads the file that shows everything, without what is not there
// yet.
func TestExample(t *testing.T) {
	c := mustLoad(t, "testdata/example/now.yaml")
	golden(t, "testdata/example/now.txt", Explain(c))
	golden(t, "testdata/example/now.json", string(c.JSON())+"\n")

	if got := c.Kafka.SASL.Password.Reveal(); got != "hunter2" {
		t.Errorf("password %q", got)
	}
	if got := c.Plugins.Get("bots").Module.Path.String(); got != filepath.Join("testdata", "example", "plugins", "bots.wasm") {
		t.Errorf("module %q", got)
	}
	if got := string(c.Plugins.Get("bots").Config); got != `{"extra":["curl"]}` {
		t.Errorf("config %s", got)
	}
	if c.Plugins.Get("shop-internal") == nil {
		t.Error("the included plugin is missing")
	}
	x := c.Tenants.Get("shop").Experiments.Get("aa-test")
	if x.Assign != "hash" || *x.Buckets != (Range{0, 3000}) || x.Variants[1] != (Share{"b", 50}) || x.Crossover != "keep" {
		t.Errorf("aa-test: %+v", x)
	}
	if got := c.Position("plugins", "shop-points", "rules", "extract", "1", "value"); got.Line != 33 || got.Column != 61 {
		t.Errorf("position of a value: %s", got)
	}
	if got := c.Position("plugins", "noise", "no", "such", "thing"); got != c.Position("plugins", "noise") {
		t.Errorf("position of nothing: %s", got)
	}
	if got := c.Position("plugins", "shop-internal"); got.File != filepath.Join("testdata", "example", "tenants", "shop.yaml") {
		t.Errorf("position in an included file: %s", got)
	}
	if got := c.Faultf([]string{"dispatch", "split"}, "is %s", "odd").Error(); got != "testdata/example/now.yaml:40:10: dispatch.split: is odd" {
		t.Errorf("fault: %s", got)
	}
}

func TestDefaults(t *testing.T) {
	c, err := Parse("x.yaml", "dir", []byte("sources: [{name: site}]\ntenants: {shop: }\nkeyspaces: {shop: {tenant: shop}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	s := c.Sources[0]
	if s.Topic != "site" || s.Format != "json" || s.Fields.Time.String() != "ts" || s.Fields.Assignments.String() != "exp" {
		t.Errorf("source %+v", s)
	}
	if r := c.Dispatch.Routes.Get(c.Dispatch.Default); c.Dispatch.Default != "all" || *r != (Route{"pharos.all", 4}) {
		t.Errorf("dispatch %+v", c.Dispatch)
	}
	if got := FormatDuration(c.Session.Gap) + FormatDuration(c.Session.Lateness) + FormatDuration(c.Session.Ahead) + FormatDuration(c.Session.Idle); got != "30m10m5m1m" {
		t.Errorf("session %s", got)
	}
	if st := c.Stores.Get("local"); st == nil || st.Type != "embedded" || st.Dir.String() != filepath.Join("dir", "data", "tsdb") || FormatDuration(st.Retention) != "30d" {
		t.Errorf("stores %+v", c.Stores)
	}
	if k := c.Keyspaces.Get("shop"); k.Store != "local" || k.Timezone != "UTC" {
		t.Errorf("keyspace %+v", k)
	}
	if c.Topics.DeadLetters != (Topic{"pharos.dead-letters", 4}) || c.Topics.Generations.Partitions != 1 {
		t.Errorf("topics %+v", c.Topics)
	}
	if c.SnapshotBucket() != "file://"+filepath.Join("dir", "data", "snapshots") || c.Snapshots.Keep != 3 || FormatDuration(c.Snapshots.Every) != "5m" {
		t.Errorf("snapshots %+v in %s", c.Snapshots, c.SnapshotBucket())
	}
}

func TestClf(t *testing.T) {
	c, err := Parse("x", ".", []byte("sources: [{name: log, format: clf, fields: {time: time, tenant: {const: www}, session: [remote, agent]}}]\ntenants: {www: }"))
	if err != nil {
		t.Fatal(err)
	}
	if f := c.Sources[0].Fields; f.ID.Paths != nil || f.Assignments.Paths != nil || f.Session.String() != "[remote, agent]" {
		t.Errorf("%+v", f)
	}
}

func TestAnchors(t *testing.T) {
	c, err := Parse("x", ".", []byte(`
sources: [{name: site}]
tenants:
  a: &team {all_traffic: true, experiments: {e: {variants: &v {x: 1, "off": 2}}}}
  b: *team
  c: {experiments: {f: {variants: *v}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	if e := c.Tenants.Get("b").Experiments.Get("e"); !c.Tenants.Get("b").AllTraffic || e.Variants[1].Name != "off" {
		t.Errorf("%+v", c.Tenants)
	}
}

// An anchor used by two tenants must not grow in both when one is added to by
// an included file.
func TestIncludeMerges(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("main.yaml", "include: ['*.yaml', none/*.yaml]\nsources: [{name: site}]\ntenants:\n  a: &t {layers: {one: }}\n  b: *t\n")
	write("team.yaml", "tenants: {a: {layers: {two: }}}\nplugins: {p: {module: 'file://p.wasm'}}\n")
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	write("more.yaml", "include: [sub/x.yaml]\n")
	write("sub/x.yaml", "plugins: {q: {module: 'file://q.wasm', data: {l: l.txt}}}\n")
	c, err := Load(filepath.Join(dir, "main.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if a, b := c.Tenants.Get("a").Layers.Names(), c.Tenants.Get("b").Layers.Names(); len(a) != 2 || len(b) != 1 {
		t.Errorf("layers %v and %v", a, b)
	}
	if got := c.Plugins.Get("q").Data[0].Value.String(); got != filepath.Join(dir, "sub", "l.txt") {
		t.Errorf("data %q", got)
	}
	if !strings.Contains(string(c.JSON()), `"l":"sub/l.txt"`) {
		t.Errorf("canonical path: %s", c.JSON())
	}
	if len(c.empty) != 1 || len(c.files) != 4 {
		t.Errorf("empty %v, files %v", c.empty, c.files)
	}
}

func TestBounds(t *testing.T) {
	bomb := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 8 {
		name := string(rune('a' + i))
		next := string(rune('b' + i))
		bomb += next + ": &" + next + " [" + strings.TrimSuffix(strings.Repeat("*"+name+", ", 10), ", ") + "]\n"
	}
	for name, text := range map[string]string{
		"more than 500000 values": bomb,
		"nested deeper than 64":   "a: " + strings.Repeat("[", 100) + strings.Repeat("]", 100),
		"more than 4194304 bytes": strings.Repeat("#", MaxFileBytes+1),
	} {
		if _, err := Parse("x", ".", []byte(text)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %.300v", name, err)
		}
	}
}

func TestLoadMissing(t *testing.T) {
	if _, err := Load("testdata/no-such-file.yaml"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// Faults that others find are said with the config's own, each place once.
func TestChecksMadeElsewhere(t *testing.T) {
	write := func(text string) string {
		path := filepath.Join(t.TempDir(), "pharos.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	right := "sources: [{name: s, format: json}]\ntenants: {shop: {extract: p}}\nplugins:\n  p:\n    rules:\n      extract: [{point: order, when: a == 1}]\n"
	ran := 0
	check := func(c *Config, known Faults) Faults {
		ran++
		if !known.Within("session") || !known.Within("session", "gap") || known.Within("session", "ga") || known.Within("plugins", "p") {
			t.Errorf("known: %v", known)
		}
		return Faults{
			c.Faultf([]string{"plugins", "p", "rules", "extract", "0", "when"}, "one"), c.Faultf([]string{"plugins", "p", "rules", "extract", "0", "when"}, "two"),
			c.Faultf([]string{"session", "gap"}, "again"),
		}
	}
	if _, err := Load(write(right), check); err != nil || ran != 0 {
		t.Errorf("a config that is right: %v, checked %d times", err, ran)
	}
	_, err := Load(write(right+"session: {gap: 1q}\n"), check)
	var faults Faults
	if !errors.As(err, &faults) || len(faults) != 3 || ran != 1 {
		t.Fatalf("%v, checked %d times", err, ran)
	}
	for i, want := range []string{".when: one", ".when: two", "session.gap: \"1q\" is no duration"} {
		if !strings.Contains(faults[i].Message, want) {
			t.Errorf("fault %d: %v, want %s", i, faults[i], want)
		}
	}
}
