package pipeline

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/kafka"
)

// A group has one bucket of snapshots. Hosts with another are refused, whatever
// generation it is by now, until its id says that it is the group's.
func TestOneBucket(t *testing.T) {
	k := testBroker(t)
	text := strings.ReplaceAll(hostConfig, "MODULES", modules(t))
	with := func(dir string) string { return "snapshots: {url: 'file://" + dir + "'}\n" + text }
	right, wrong := t.TempDir(), t.TempDir()
	a := startHost(t, k, hostOptions{id: "a", roles: AllRoles, embedded: true}, with(right))
	writeFileT(t, a.file, edited(t, with(right), `"purchase"`, `"order"`))
	if _, err := a.reload(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	startHost(t, k, hostOptions{id: "b", roles: []Role{Session}}, with(right))

	id := filepath.Join("groups", "pharos", "id")
	is, err := os.ReadFile(filepath.Join(right, id))
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what, text, want string, o hostOptions) {
		t.Helper()
		err := tryHost(t, k, o, text)
		if err == nil {
			t.Fatalf("%s: it starts", what)
		}
		for _, part := range []string{"snapshots.url", "the group pharos keeps its snapshots in another bucket than", strings.TrimSpace(string(is)), "groups/pharos/id", want} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: not said: %s in %v", what, part, err)
			}
		}
	}
	refused("a directory of its own", text, "this one has no id", hostOptions{id: "c", roles: []Role{Dispatch}})
	refused("swapped below the embedded broker", with(wrong), "this one has no id", hostOptions{id: "c", roles: AllRoles, embedded: true})
	if all, err := os.ReadDir(filepath.Join(wrong, "groups")); !os.IsNotExist(err) {
		t.Errorf("the other bucket was written to: %v %v", all, err)
	}
	if err := os.MkdirAll(filepath.Join(wrong, "groups", "pharos"), 0o700); err != nil {
		t.Fatal(err)
	}
	writeFileT(t, filepath.Join(wrong, id), "ANOTHER\n")
	refused("another group's", with(wrong), "this one has the id ANOTHER", hostOptions{id: "c", roles: []Role{Session}})
	asking := parsed(t, fmt.Sprintf("kafka: {brokers: [%q]}\nsnapshots: {url: 'file://%s'}\nsources: [{name: site, topic: beacons}]\ntenants: {shop: }\n", k.Brokers[0], wrong))
	err = Repartition(t.Context(), asking, RepartitionOptions{Route: "web", Partitions: 3, Log: hclog.NewNullLogger()})
	if err == nil || !strings.Contains(err.Error(), "another bucket") {
		t.Errorf("repartition: %v", err)
	}
	writeFileT(t, filepath.Join(wrong, id), string(is)) // as an operator does whose bucket is lost
	if err := tryHost(t, k, hostOptions{id: "c", roles: []Role{Session}}, with(wrong)); err != nil {
		t.Error(err)
	}
}

// tryHost makes a host, and lets it go.
func tryHost(t *testing.T, k kafka.Config, o hostOptions, text string) error {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pharos.yaml")
	writeFileT(t, file, text)
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	o.log = hclog.NewNullLogger()
	h, err := newHost(t.Context(), cfg, k, o)
	if err != nil {
		return err
	}
	return h.close()
}
