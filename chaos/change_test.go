//go:build linux

package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/seed-6a2d649b/pharos/host/kafka"
)

// repartition gives a route another number of partitions while beacons flow: 7
// of 4, and then one less each time. One host keeps the config file of before:
// what the group runs holds.
func (w *world) repartition(t *testing.T, beacons int) {
	t.Helper()
	partitions := w.web - 1
	if w.web == webPartitions {
		partitions = 7
	}
	w.flow(t, beacons)
	out := pharos(t, "repartition", "web", fmt.Sprint(partitions), "-c", w.hosts[0].config)
	w.web = partitions
	for _, h := range w.hosts[:len(w.hosts)-1] {
		w.configure(t, h)
	}
	w.topic = w.newTopic(out)
	h := w.hosts[w.rng.IntN(len(w.hosts))]
	w.flow(t, beacons)
	h.kill(t)
	h.start(t)
	for _, h := range w.hosts {
		w.working(t, h)
	}
	w.say(t, "the route has %d partitions; %s was killed meanwhile", partitions, h.name)
}

// newTopic finds the topic in "published generation 2: the route web moves from
// pharos.web (4 partitions) to pharos.web-v2 (7)".
func (w *world) newTopic(out string) string {
	_, rest, _ := strings.Cut(out, ") to ")
	name, _, _ := strings.Cut(rest, " ")
	return name
}

// reload puts another version of the config in force. So that it is known which
// beacon is under which, none is on its way meanwhile.
func (w *world) reload(t *testing.T, beacons int) {
	t.Helper()
	w.load.give(t, beacons)
	w.drained(t)
	w.load.version = 1
	for _, h := range w.hosts {
		w.configure(t, h)
	}
	h := w.hosts[w.rng.IntN(len(w.hosts))]
	h.kill(t)
	asked := w.hosts[w.rng.IntN(len(w.hosts))]
	for asked == h {
		asked = w.hosts[w.rng.IntN(len(w.hosts))]
	}
	url, err := asked.address()
	if err != nil {
		t.Fatal(err)
	}
	pharos(t, "reload", "--addr", strings.TrimSuffix(url, "/"))
	s, err := asked.status()
	if err != nil {
		t.Fatal(err)
	}
	h.start(t)
	waitFor(t, "all hosts to run the new generation", func() error {
		for _, h := range w.hosts {
			now, err := h.status()
			if err != nil {
				return err
			}
			if now.Generation != s.GenerationWanted {
				return fmt.Errorf("host %s runs %d, not %d", h.name, now.Generation, s.GenerationWanted)
			}
		}
		return nil
	})
	waitFor(t, "all partitions to run the new generation", func() error { return w.switched(s.GenerationWanted) })
	w.say(t, "generation %d is in force; %s was killed meanwhile", s.GenerationWanted, h.name)
}

const (
	dispatchGroup = "pharos-dispatch"
	sessionGroup  = "pharos-session"
)

// drained waits until all that was given is booked.
func (w *world) drained(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	behind := func(group string, topics ...string) func() error {
		bounds, err := kafka.OffsetBounds(ctx, w.load.cl, topics...)
		return func() error {
			if err != nil {
				return err
			}
			committed, err := kafka.CommittedOffsets(ctx, w.load.cl, group, topics...)
			if err != nil {
				return err
			}
			for tp, b := range bounds {
				if b.End > 0 && committed[tp].Offset < b.End {
					return fmt.Errorf("%s/%d is done up to %d of %d", tp.Topic, tp.Partition, committed[tp].Offset, b.End)
				}
			}
			return nil
		}
	}
	waitFor(t, "all beacons to be dispatched", behind(dispatchGroup, sourceTopic))
	waitFor(t, "all beacons to be booked", behind(sessionGroup, w.topic, "pharos.mobile"))
}

// switched is nil once all partitions, of sources and routes, have committed that
// they run a generation.
func (w *world) switched(generation uint64) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for group, topics := range map[string][]string{dispatchGroup: {sourceTopic}, sessionGroup: {w.topic, "pharos.mobile"}} {
		committed, err := kafka.CommittedOffsets(ctx, w.load.cl, group, topics...)
		if err != nil {
			return err
		}
		for tp, c := range committed {
			var m struct{ Generation uint64 }
			if err := json.Unmarshal([]byte(c.Metadata), &m); err != nil {
				return fmt.Errorf("%s/%d: %w", tp.Topic, tp.Partition, err)
			}
			if m.Generation != generation {
				return fmt.Errorf("%s/%d runs %d, not %d", tp.Topic, tp.Partition, m.Generation, generation)
			}
		}
	}
	return nil
}

// trim deletes what of the routes' logs no snapshot needs that is kept, as
// retention would: whoever takes a partition over has to begin with a snapshot.
func (w *world) trim(t *testing.T) {
	t.Helper()
	type kept struct {
		Kind, Topic string
		Partition   int32
		Offset      int64
	}
	oldest := kadm.Offsets{}
	n := 0
	for line := range bytes.Lines([]byte(pharos(t, "snapshots", "ls", "--json", "-c", w.hosts[0].config))) {
		var k kept
		if err := json.Unmarshal(line, &k); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if k.Kind != "snapshot" {
			continue
		}
		if o, ok := oldest.Lookup(k.Topic, k.Partition); !ok || k.Offset < o.At {
			oldest.AddOffset(k.Topic, k.Partition, k.Offset, -1)
			n++
		}
	}
	if n == 0 {
		w.say(t, "no snapshot is kept yet, the logs stay")
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	deleted, err := kadm.NewClient(w.load.cl).DeleteRecords(ctx, oldest)
	if err == nil {
		err = deleted.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	w.say(t, "logs of routes begin at their oldest snapshots")
}
