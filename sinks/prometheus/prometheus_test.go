package prometheus

import (
	"errors"
	"testing"
	"time"

	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/sinks"
	"github.com/seed-6a2d649b/pharos/sinks/sinktest"
	"github.com/seed-6a2d649b/pharos/sinks/web"
)

func TestConformance(t *testing.T) {
	server := sinktest.Start(t, "prometheus")
	store, err := Open(Options{Options: web.Options{URL: server.URL}, MaxAge: 59 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	sinktest.Run(t, sinktest.Trial{Store: store})
	t.Run("too old", func(t *testing.T) {
		minute := metric.MinuteOf(time.Now().UnixMilli())
		s := &metric.Series{Tenant: "too-old"}
		if err := store.Write(t.Context(), []metric.Sample{{Series: s, Minute: minute}}); err != nil {
			t.Fatal(err)
		}
		err := store.Write(t.Context(), []metric.Sample{{Series: s, Minute: minute - 70*1440, Hits: 1}})
		var refused *sinks.Error
		if !errors.As(err, &refused) || !refused.Smaller() {
			t.Errorf("a sample that is too old: %v", err)
		}
	})
}
