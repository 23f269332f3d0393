package config

import (
	"slices"
	"strings"
	"testing"
)

// What a group shares can be read by a host that has neither the files nor the
// secrets of the one that wrote it.
func TestSharedStandsAlone(t *testing.T) {
	c := mustLoad(t, "testdata/example/now.yaml")
	shared := string(c.Shared())
	for _, own := range []string{"hunter2", "KAFKA_PASSWORD", "brokers", "listen", "snapshots", `"data":"./data"`} {
		if strings.Contains(shared, own) {
			t.Errorf("%s is shared: %s", own, shared)
		}
	}
	again, err := Parse("generation 1", t.TempDir(), []byte(shared))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(again.Shared()); got != shared {
		t.Errorf("got:\n%s\nwant:\n%s", got, shared)
	}
}

func TestSections(t *testing.T) {
	if keys := RestartKeys(); !slices.Equal(keys, []string{"kafka", "group", "topics", "http", "data", "snapshots", "sources", "session", "stores"}) {
		t.Errorf("a restart is needed by %v", keys)
	}
	var shared []string
	for _, f := range topFields() {
		if key := f.Tag.Get("key"); !slices.Contains(hostKeys, key) && key != "include" && f.Tag.Get("notyet") == "" {
			shared = append(shared, key)
		}
	}
	if !slices.Equal(shared, []string{"group", "topics", "sources", "plugins", "keys", "dispatch", "session", "tenants", "stores", "keyspaces", "lists"}) {
		t.Errorf("shared are %v", shared)
	}
	c, err := Parse("x", ".", []byte("sources: [{name: site}]\ntenants: {shop: }\nsession: {gap: 20m}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(c.Section("session")); !strings.HasPrefix(got, `{"session":{"gap":"20m",`) || strings.Contains(got, "sources") {
		t.Errorf("session: %s", got)
	}
}

// A path that is written into a config is resolved by whoever reads it.
func TestFilePath(t *testing.T) {
	c, err := Parse("x", ".", []byte("sources: [{name: site}]\nplugins: {p: {module: 'file:///etc/p.wasm', data: {a: /etc/a}}}\ntenants: {shop: }\n"))
	if err != nil {
		t.Fatal(err)
	}
	p := c.Plugins.Get("p")
	p.Module, *p.Data.Get("a") = FileURL("modules/p"), FilePath("modules/a")
	again, err := Parse("y", "/var/lib", c.Shared())
	if err != nil {
		t.Fatal(err)
	}
	if q := again.Plugins.Get("p"); q.Module.Path.String() != "/var/lib/modules/p" || q.Data.Get("a").String() != "/var/lib/modules/a" {
		t.Errorf("%v %v", q.Module.Path, q.Data)
	}
}
