package dispatch

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/kafka"
)

// A source that a reload has added is one of those that the gate looks at: another
// host's partition of it that was idle, and has beacons by now, is waited for.
func TestGateSeesNewSources(t *testing.T) {
	w := newWorld(t, 1)
	cfg, _ := testConfig()
	counters, err := NewCounters(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	s := w.stage(newCore(t, cfg), counters)
	if err := kafka.EnsureTopics(t.Context(), w.client, kafka.Topic{Name: "log", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	if err := w.client.ProduceSync(t.Context(), &kgo.Record{Topic: "log", Value: []byte("{}")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: "log", At: 0, LeaderEpoch: -1, Metadata: `{"idle":true}`})
	if _, err := kadm.NewClient(w.client).CommitOffsets(t.Context(), "pharos-dispatch", offsets); err != nil {
		t.Fatal(err)
	}
	waits := func() bool {
		t.Helper()
		left, err := s.cfg.Cluster.Left(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, unsaid := s.unsaid(left)
		return unsaid
	}
	if waits() {
		t.Error("it waits for a topic that is no source")
	}
	w.topics = append(w.topics, "log")
	if !waits() {
		t.Error("it does not wait for the new source")
	}
}
