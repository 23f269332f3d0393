package m3

import (
	"strings"
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
	made, err := store.Init(t.Context())
	if err != nil || len(made) != 1 || !strings.HasPrefix(made[0], "nothing: the namespace default is there") {
		t.Errorf("init where it is there: %q, %v", made, err)
	}
	sinktest.Run(t, sinktest.Trial{Store: store, Later: true})
	other, err := Open(Options{Options: web.Options{URL: server.URL}, Retention: 48 * time.Hour, Namespace: "other"})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if made, err = other.Init(t.Context()); err != nil || len(made) != 1 || !strings.HasPrefix(made[0], "the namespace other") {
		t.Errorf("init: %q, %v", made, err)
	}
}
