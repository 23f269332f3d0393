//go:build linux

package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/seed-6a2d649b/pharos/host/kafka"
)

// TestNothingIsGuessed takes from Kafka what a host needs: it ends, and says what
// is gone and which flag accepts it. With the flag it goes on.
func TestNothingIsGuessed(t *testing.T) {
	w := &world{cluster: startKafka(t, 1), rng: rand.New(rand.NewPCG(1, 2)), said: time.Now(), web: webPartitions, topic: "pharos.web"}
	w.load = newLoad(t, 3000, 2, 1)
	w.load.send(t, w.brokers)
	h := w.newHost(t, "a", "")
	w.hosts = []*host{h}
	h.start(t)
	w.working(t, h)
	w.load.give(t, 1000)
	w.drained(t)
	h.terminate(t)

	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	adm := kadm.NewClient(w.load.cl)
	for _, c := range []struct{ group, topic string }{{dispatchGroup, sourceTopic}, {sessionGroup, w.topic}} {
		before, err := kafka.CommittedOffsets(ctx, w.load.cl, c.group, c.topic)
		if err != nil {
			t.Fatal(err)
		}
		set := kadm.TopicsSet{}
		set.Add(c.topic, 0)
		resps, err := adm.DeleteOffsets(ctx, c.group, set)
		if err == nil {
			err = resps.Error()
		}
		if err != nil {
			t.Fatal(err)
		}
		h.start(t)
		h.refuses(t, "--accept-loss "+c.topic+"/0")
		if err := kafka.CommitOffsets(ctx, w.load.cl, c.group, before); err != nil {
			t.Fatal(err)
		}
		h.start(t)
		w.working(t, h)
		h.terminate(t)
		w.say(t, "without its offset of %s, the host has ended; with it, it goes on", c.topic)
	}

	w.load.give(t, 1000)
	gone := kadm.Offsets{}
	gone.AddOffset(sourceTopic, 1, -1, -1) // all
	resps, err := adm.DeleteRecords(ctx, gone)
	if err == nil {
		err = resps.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	h.start(t)
	h.refuses(t, "--accept-loss "+sourceTopic+"/1")
	h.args = []string{"--accept-loss", sourceTopic + "/1"}
	h.start(t)
	w.working(t, h)
	w.load.giveAll(t)
	w.drained(t)
	h.terminate(t)
	w.say(t, "without records that were not read, the host has ended; told to, it goes on")
}

// refuses waits for the host to end with an error that says something.
func (h *host) refuses(t *testing.T, what string) {
	t.Helper()
	waitFor(t, "host "+h.name+" to refuse to go on", func() error {
		select {
		case <-h.done:
			return nil
		default:
			return fmt.Errorf("it runs: %s", h.errs.tail(2000))
		}
	})
	if code, said := h.cmd.ProcessState.ExitCode(), h.errs.tail(3000); code == 0 || !strings.Contains(said, what) {
		t.Errorf("exit code %d, and %q is not said in\n%s", code, what, said)
	}
}
