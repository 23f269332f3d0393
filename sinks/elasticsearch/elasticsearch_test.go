package elasticsearch

import (
	"testing"

	"github.com/seed-6a2d649b/pharos/sinks/sinktest"
	"github.com/seed-6a2d649b/pharos/sinks/web"
)

func TestConformance(t *testing.T) {
	server := sinktest.Start(t, "opensearch")
	store, err := Open(Options{Options: web.Options{URL: server.URL}})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	sinktest.Run(t, sinktest.Trial{Store: store, Later: true})
}
