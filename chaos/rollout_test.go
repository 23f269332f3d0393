//go:build linux

package chaos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-6a2d649b/pharos/host/definition/examples"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/rollout"
)

// rolledPlugin is the one that gets new versions.
const rolledPlugin = "shop-points"

const canaryShare = 40 // percent

// TestRollout brings new versions of an extractor in on three hosts, one of which is
// killed in every phase: a version that measures more is promoted by way of a shadow
// and a canary, one that traps is rolled back. Each step is published by whichever host
// is first. No beacon is lost or doubled, and figures are the definition's, by the
// generation at each beacon's place in its route's log, and by its session.
func TestRollout(t *testing.T) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed %d", *seed)
	w := &world{cluster: startKafka(t, 1), rng: rand.New(rand.NewPCG(*seed, 4)), said: time.Now(), web: webPartitions, topic: "pharos.web"}
	w.load = newLoad(t, *beacons, 6, *seed)
	w.load.send(t, w.brokers)
	for i, roles := range []string{"", "dispatch,session", "dispatch,session"} {
		w.hosts = append(w.hosts, w.newHost(t, string(rune('a'+i)), roles))
	}
	for _, h := range w.hosts {
		h.start(t)
	}
	for _, h := range w.hosts {
		w.working(t, h)
	}
	w.load.give(t, 500)
	canary := fmt.Sprintf("    canary: {share: %d%%, for: 1s, min_rows: 100}\n", canaryShare)

	more := edit{"        - {point: item_page, is: view}\n", "        - {point: item_page, is: view}\n        - {point: any_view, is: view}\n"}
	w.publish(t, edit{"  shop-points:\n", "  shop-points:\n    shadow: {for: 1s, max_diff: 100%, min_rows: 100}\n" + canary}, more)
	from := w.becomes(t, rollout.Shadow, 2)
	from = w.becomes(t, rollout.Canary, from)
	from = w.becomes(t, rollout.Live, from)

	module, err := filepath.Abs("../plugins/clicks/clicks.wasm")
	if err != nil {
		t.Fatal(err)
	}
	touchy, err := filepath.Abs("../cmd/pharos/testdata/touchy.wasm")
	if err != nil {
		t.Fatal(err)
	}
	text := string(readFile(t, w.hosts[0].config))
	_, block, _ := strings.Cut(text, module+"\n")
	block, _, _ = strings.Cut(block, "  device:")
	w.publish(t, edit{"  shop-points:\n", "  shop-points:\n" + canary}, more, edit{module + "\n" + block, touchy + "\n"})
	from = w.becomes(t, rollout.Canary, from)
	w.becomes(t, rollout.RolledBack, from)

	w.load.giveAll(t)
	w.drained(t)
	want := w.byGeneration(t)
	w.say(t, "the definition has %d figures", len(want.Figures))
	h := w.hosts[0]
	waitFor(t, "the figures", func() error {
		shop, err := h.get("api/v1/shop/figures")
		if err != nil {
			return err
		}
		visits, err := h.get("api/v1/visits/figures")
		if err != nil {
			return err
		}
		return examples.CompareFigures(append(shop, visits...), want)
	})
	waitFor(t, "the counts", func() error {
		s, err := h.status()
		if err != nil {
			return err
		}
		got, err := json.Marshal(map[string]any{"tenants": s.Beacons, "undecodable": s.Undecodable, "bad_value": s.BadValue})
		if err != nil {
			return err
		}
		return examples.CompareSummary(got, want)
	})
	w.lettered(t)
	w.say(t, "figures, counts and dead letters are right")
	for _, h := range w.hosts {
		h.terminate(t)
	}
}

// lettered sees that the version that traps, and nothing else, has made dead letters, of
// each beacon one.
func (w *world) lettered(t *testing.T) {
	t.Helper()
	all := w.logOf(t, "pharos.dead-letters")
	if len(all) == 0 {
		t.Error("there is no dead letter")
	}
	seen := map[string]bool{}
	for _, r := range all {
		d, err := kafka.ParseDeadLetter(r)
		if err != nil {
			t.Fatal(err)
		}
		at := fmt.Sprintf("%s/%d@%d", d.Topic, d.Partition, d.Offset)
		if d.Cause != "plugin "+rolledPlugin+": trap" || !bytes.Contains(d.Value, []byte(`"purchase"`)) || seen[at] {
			t.Errorf("a dead letter of %s (seen before: %v): %s: %s", at, seen[at], d.Cause, d.Value)
		}
		seen[at] = true
	}
}

// edit is a text that stands once in a config, and what takes its place.
type edit struct{ old, new string }

// publish gives all hosts another config, and has one of them publish it.
func (w *world) publish(t *testing.T, edits ...edit) {
	t.Helper()
	for _, h := range w.hosts {
		w.configure(t, h)
		text := string(readFile(t, h.config))
		for _, e := range edits {
			if strings.Count(text, e.old) != 1 {
				t.Fatalf("there is no %q, or more than one, in\n%s", e.old, text)
			}
			text = strings.Replace(text, e.old, e.new, 1)
		}
		writeFile(t, h.config, []byte(text))
	}
	h := w.hosts[w.rng.IntN(len(w.hosts))]
	var url string
	waitFor(t, "host "+h.name+" to serve", func() (err error) {
		url, err = h.address()
		return err
	})
	pharos(t, "reload", "--addr", strings.TrimSuffix(url, "/"))
	w.say(t, "%s has published another version", h.name)
}

// becomes gives beacons, no faster than they are dispatched, until a generation from
// one on has the extractor in a phase, and kills a host. It gives the next generation.
func (w *world) becomes(t *testing.T, phase rollout.Phase, from uint64) (next uint64) {
	t.Helper()
	waitFor(t, rolledPlugin+" to be "+string(phase), func() error {
		dispatched := int64(0)
		for _, h := range w.hosts {
			_, n, err := h.partitions(roleDispatch)
			if err != nil {
				return err
			}
			dispatched += n
		}
		if int64(*beacons-w.load.left)-dispatched < 500 {
			w.load.give(t, 100)
		}
		var is rollout.State
		for _, g := range w.generations(t) {
			if is = g.Rollouts[rolledPlugin]; is.Phase == phase && g.Number >= from {
				next = g.Number + 1
				return nil
			}
		}
		return fmt.Errorf("it is %s by generation %d: %s; %d beacons are left", is.Phase, is.Generation, is.Reason, w.load.left)
	})
	h := w.hosts[w.rng.IntN(len(w.hosts))]
	w.flow(t, 200)
	h.kill(t)
	h.start(t) // what comes next does not wait until it works
	w.say(t, "it is %s by generation %d; %s was killed meanwhile", phase, next-1, h.name)
	return next
}
