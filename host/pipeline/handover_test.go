package pipeline

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/seed-6a2d649b/pharos/host/blob"
	"github.com/seed-6a2d649b/pharos/host/snapshot"
)

// Once a route has moved, it has moved: whatever becomes of the hand-overs.
func TestHandoversMayGo(t *testing.T) {
	k, bucket := testBroker(t), t.TempDir()
	text := "snapshots: {url: 'file://" + bucket + "', every: 1s}\n" + strings.ReplaceAll(hostConfig, "MODULES", modules(t))
	asking := parsed(t, fmt.Sprintf("kafka: {brokers: [%q]}\nsnapshots: {url: 'file://%s'}\nsources: [{name: site, topic: beacons}]\ntenants: {shop: }\n", k.Brokers[0], bucket))
	moved := []string{"pharos.web-v2"}
	a := startHost(t, k, hostOptions{id: "a", roles: AllRoles, embedded: true}, text)
	repartition := func(partitions int32) error {
		return Repartition(t.Context(), asking, RepartitionOptions{Route: "web", Partitions: partitions, Log: hclog.NewNullLogger(), Out: io.Discard})
	}
	eventually(t, "readiness", func() bool { return a.ready() == nil })
	if err := repartition(3); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the route moves", func() bool { return slices.Equal(a.routeTopics(), moved) })
	eventually(t, "the new topic is read", func() bool { return len(a.session.Status()) == 3 && a.ready() == nil })
	eventually(t, "snapshots of the new topic", func() bool {
		all, err := filepath.Glob(filepath.Join(bucket, "groups", "pharos", "snapshots", "web", "pharos.web-v2", "*", "*"))
		return err == nil && len(all) == 3
	})
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}
	objects := filepath.Join(bucket, "groups", "pharos", "handovers", "web", "pharos.web")
	if all, err := filepath.Glob(filepath.Join(objects, "*", "*", "*")); err != nil || len(all) != 2 {
		t.Fatalf("hand-overs: %v %v", err, all)
	}
	if err := os.RemoveAll(objects); err != nil {
		t.Fatal(err)
	}

	b := startHost(t, k, hostOptions{id: "b", roles: AllRoles}, text)
	if topics := b.routeTopics(); !slices.Equal(topics, moved) {
		t.Errorf("a host that starts reads %v", topics)
	}
	if err := repartition(4); err != nil {
		t.Error(err)
	}
	eventually(t, "it moves again", func() bool { return slices.Equal(b.routeTopics(), []string{"pharos.web-v3"}) })
}

// A mark is of one move: another group's generations, or a topic that is on its way,
// do not find it.
func TestMarkOfMove(t *testing.T) {
	b, err := blob.Open(t.Context(), "mem://")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	store := snapshot.New(b, "pharos", 1)
	j := &journal{held: []holding{{"one", 0}, {"two", 1}}}
	r := &route{Name: "web", routeTopic: routeTopic{Topic: "web-v2", Partitions: 2, Since: 2, Replaces: &routeTopic{Topic: "web", Partitions: 2, Since: 1}}}
	is := func(j *journal, r *route, want bool) {
		t.Helper()
		if got, err := j.handedOver(t.Context(), store, r); err != nil || got != want {
			t.Errorf("%t %v, want %t", got, err, want)
		}
	}
	var infos []snapshot.Info
	for p := range int32(2) {
		is(j, r, false)
		info := snapshot.Info{Key: snapshot.Key{Route: "web", Topic: "web", TopicID: [16]byte{1}, Partition: p}, Offset: 5, Generation: 1, Handover: true}
		if err := store.PutHandover(t.Context(), info, func(w io.Writer) error { return nil }); err != nil {
			t.Fatal(err)
		}
		infos = append(infos, info)
	}
	is(j, r, true)
	for _, info := range infos {
		if err := store.Delete(t.Context(), info); err != nil {
			t.Fatal(err)
		}
	}
	is(j, r, true)
	is(&journal{held: []holding{{"one", 0}, {"other", 1}}}, r, false)
	next := r.grown(3, 3)
	is(j, &next, false)
}
