//go:build linux

package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// world is hosts, what they work on, and who does them harm.
type world struct {
	*cluster
	load  *load
	hosts []*host // the first has all roles, the store and the figures
	rng   *rand.Rand
	said  time.Time
	holds []time.Duration // of the hosts that were killed
	web   int             // partitions of the route
	topic string          // of the route
}

const (
	roleDispatch = "dispatch"
	roleSession  = "session"
)

// newHost lays out a host. Nothing runs yet.
func (w *world) newHost(t *testing.T, name, roles string) *host {
	t.Helper()
	dir := filepath.Join(w.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	h := &host{name: name, dir: dir, config: filepath.Join(dir, "pharos.yaml"), roles: roles}
	w.configure(t, h)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("host %s said\n%.6000s\n…\n%s", h.name, h.errs.String(), h.errs.tail(20_000))
		}
	})
	return h
}

// configure writes a host's config as it should be now.
func (w *world) configure(t *testing.T, h *host) {
	t.Helper()
	s := setup{brokers: w.brokers, data: filepath.Join(h.dir, "data"), snapshots: filepath.Join(w.dir, "snapshots"), web: w.web, version: w.load.version}
	writeFile(t, h.config, []byte(s.config(t)))
}

// say notes what is done, with the time that it took.
func (w *world) say(t *testing.T, format string, args ...any) {
	t.Helper()
	now := time.Now()
	t.Logf("%s +%5.1fs  %s", now.Format("15:04:05"), now.Sub(w.said).Seconds(), fmt.Sprintf(format, args...))
	w.said = now
}

// working waits until a host has partitions of both roles of every host, and all
// partitions are somebody's.
func (w *world) working(t *testing.T, h *host) {
	t.Helper()
	waitFor(t, "host "+h.name+" to work", func() error {
		for _, role := range []string{roleDispatch, roleSession} {
			n, _, err := h.partitions(role)
			if err != nil {
				return err
			}
			if n == 0 {
				return fmt.Errorf("it has no partition of %s", role)
			}
		}
		return w.covered(t, nil)
	})
}

// covered is nil if the hosts but one have all partitions.
func (w *world) covered(t *testing.T, but *host) error {
	t.Helper()
	for role, all := range map[string]int{roleDispatch: len(w.load.queues), roleSession: w.web + mobilePartitions} {
		sum := 0
		for _, h := range w.hosts {
			if h == but {
				continue
			}
			n, _, err := h.partitions(role)
			if err != nil {
				return err
			}
			sum += n
		}
		if sum != all {
			return fmt.Errorf("%d of %d partitions of %s are owned", sum, all, role)
		}
	}
	return nil
}

// flow gives beacons bit by bit over a moment, so that what follows hits hosts at
// any point of their work.
func (w *world) flow(t *testing.T, beacons int) {
	t.Helper()
	slices := 1 + w.rng.IntN(30)
	for i := range slices {
		w.load.give(t, beacons/slices)
		if i < slices-1 {
			time.Sleep(50 * time.Millisecond)
		}
	}
}

// kill kills a host in the middle of its work and starts it again, at once or
// after the others have taken its partitions over.
func (w *world) kill(t *testing.T, beacons int) {
	t.Helper()
	h := w.hosts[w.rng.IntN(len(w.hosts))]
	w.flow(t, beacons)
	h.kill(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	held := hold(ctx, w.load.cl)
	late := w.rng.IntN(3) == 0
	if late {
		w.load.give(t, beacons)
		waitFor(t, "the others to take over from "+h.name, func() error { return w.covered(t, h) })
	}
	h.start(t)
	again := w.rng.IntN(3) == 0
	if !again { // else the next harm comes before it works
		w.working(t, h)
	}
	took, err := held()
	if err != nil {
		t.Fatal(err)
	}
	w.holds = append(w.holds, took)
	w.say(t, "killed %s, which held up readers for %.1fs; others took over before: %v, waited until it works: %v", h.name, took.Seconds(), late, !again)
}

// stop stops a host until the group has given its partitions to the others, and
// lets it go on.
func (w *world) stop(t *testing.T, beacons int) {
	t.Helper()
	h := w.hosts[w.rng.IntN(len(w.hosts))]
	w.working(t, h)
	w.flow(t, beacons)
	h.signal(t, syscall.SIGSTOP)
	w.load.give(t, beacons)
	waitFor(t, "the others to take over from "+h.name, func() error { return w.covered(t, h) })
	w.load.give(t, beacons)
	h.signal(t, syscall.SIGCONT)
	w.working(t, h)
	w.say(t, "stopped %s until the others had its partitions", h.name)
}

// joinAndLeave adds a host for a while.
func (w *world) joinAndLeave(t *testing.T, beacons, n int) {
	t.Helper()
	h := w.newHost(t, fmt.Sprintf("guest-%d", n), "dispatch,session")
	w.hosts = append(w.hosts, h)
	w.load.give(t, beacons)
	h.start(t)
	w.working(t, h)
	w.flow(t, beacons)
	h.terminate(t)
	w.hosts = w.hosts[:len(w.hosts)-1]
	w.say(t, "%s joined and left", h.name)
}

// leave ends a host well and starts it again.
func (w *world) leave(t *testing.T, beacons int) {
	t.Helper()
	h := w.hosts[w.rng.IntN(len(w.hosts))]
	w.flow(t, beacons)
	h.terminate(t)
	w.load.give(t, beacons)
	h.start(t)
	w.working(t, h)
	w.say(t, "%s left and came back", h.name)
}

// killBroker kills a broker and starts it again.
func (w *world) killBroker(t *testing.T, beacons int) {
	t.Helper()
	node := 1 + w.rng.IntN(w.nodes)
	w.flow(t, beacons)
	restart := w.killNode(t, node)
	w.flow(t, beacons)
	restart()
	waitFor(t, "all partitions to be owned", func() error { return w.covered(t, nil) })
	w.say(t, "killed broker %d", node)
}
