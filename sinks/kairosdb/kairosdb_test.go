package kairosdb

import (
	"testing"

	"github.com/seed-6a2d649b/pharos/sinks/sinktest"
	"github.com/seed-6a2d649b/pharos/sinks/web"
)

func TestConformance(t *testing.T) {
	server := sinktest.Start(t, "kairosdb")
	store, err := Open(Options{Options: web.Options{URL: server.URL}})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	sinktest.Run(t, sinktest.Trial{Store: store, Slow: true})
}
