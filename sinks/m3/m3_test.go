package m3

import (
	"testing"
	"time"

	"github.com/seed-6a2d649b/pharos/sinks/sinktest"
	"github.com/seed-6a2d649b/pharos/sinks/web"
)

func TestConformance(t *testing.T) {
	server := sinktest.Start(t, "m3db")
	store, err := Open(Options{Options: web.Options{URL: server.URL}, Retention: 60 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for range 2 {
		if _, err := store.Init(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	sinktest.Run(t, sinktest.Trial{Store: store, Later: true})
}
