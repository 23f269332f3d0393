package main_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/seed-6a2d649b/pharos/host/definition"
	"github.com/seed-6a2d649b/pharos/host/definition/examples"
)

// load is a file of beacons that is sent in parts, what it comes to, and a
// config for it.
type load struct {
	config           string
	lines            [][]byte // with their \n
	figures, summary []byte
	define           *definition.Config
}

// newLoad generates beacons for a shop with carried and engine-made assignments,
// dimensions and exclusion. Replay and definition agree on what they come to.
func newLoad(t *testing.T, beacons int) *load {
	t.Helper()
	l := &load{config: configOf(t, root+"/docs/examples/shop.yaml", replaced(t, "    experiments:\n", `    dimensions:
      platform: {path: platform, values: [web, ios, android], default: web}
    experiments:
      free-shipping:
        variants: {"off": 1, "on": 1, over-50: 1}
        crossover: exclude
`))}
	keepPort(t, l.config)
	define := examples.Shop()
	shop := define.Tenants["shop"]
	shop.Dimensions = []definition.Dimension{{Name: "platform", Path: "platform", Default: "web", Values: []string{"web", "ios", "android"}}}
	shop.Experiments = append(shop.Experiments, definition.Experiment{
		ID: "free-shipping", Exclude: true, Variants: []definition.Variant{{Name: "off", Weight: 1}, {Name: "on", Weight: 1}, {Name: "over-50", Weight: 1}},
	})
	define.Tenants["shop"] = shop
	l.define = &define

	file := generated(t, beacons)
	for line := range bytes.Lines(read(t, file)) {
		l.lines = append(l.lines, line)
	}
	want := definition.Compute(define, examples.ReadLines(t, file, "file"))
	l.figures, l.summary = replay(t, l.config, file)
	if err := examples.CompareFigures(l.figures, want); err != nil {
		t.Errorf("replay and definition: %v", err)
	}
	if err := examples.CompareSummary(l.summary, want); err != nil {
		t.Errorf("replay and definition: %v", err)
	}
	return l
}

// keepPort gives the broker of a config a port that no other test wants: a send
// that goes on finds it there again.
func keepPort(t *testing.T, config string) {
	t.Helper()
	for {
		addr := fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000)) // below those that clients are given
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		broker := filepath.Join(filepath.Dir(config), "data", "broker")
		if err := os.MkdirAll(broker, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(broker, "address"), []byte(addr+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
}

// sending is a pharos send that is given beacons bit by bit.
type sending struct {
	*process
	left [][]byte
	all  int
	pipe *io.PipeWriter
}

func (l *load) send(t *testing.T) *sending {
	t.Helper()
	out, in := io.Pipe()
	t.Cleanup(func() { _ = out.Close() })
	return &sending{start(t, "", out, "send", "-c", l.config, "--in", "-"), l.lines, len(l.lines), in}
}

// give gives send n more beacons; it does not wait until they are sent.
func (s *sending) give(t *testing.T, n int) {
	t.Helper()
	part := bytes.Join(s.left[:n], nil)
	s.left = s.left[n:]
	if _, err := s.pipe.Write(part); err != nil {
		t.Fatal(err)
	}
}

// finish gives the rest, and sees that all have arrived.
func (s *sending) finish(t *testing.T) {
	t.Helper()
	s.give(t, len(s.left))
	if err := s.pipe.Close(); err != nil {
		t.Fatal(err)
	}
	if code, out := s.code(t), s.out.String(); code != 0 || out != fmt.Sprintf("sent %d beacons\n", s.all) {
		t.Errorf("send: exit code %d, %s%s", code, out, s.errs.String())
	}
}

// TestRestartOfUp ends up in the middle of a load and starts it again on its data
// directory, while a send goes on.
func TestRestartOfUp(t *testing.T) {
	for name, signal := range map[string]os.Signal{"SIGTERM": syscall.SIGTERM, "SIGKILL": os.Kill} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLoad(t, 9000)
			h := up(t, "-c", l.config)
			s := l.send(t)
			s.give(t, 3000)
			waitFor(t, "beacons to be dispatched and booked", func() error { return h.booked(t, 1000) })
			s.give(t, 3000)
			h.signal(t, signal)
			if code := h.code(t); signal == syscall.SIGTERM && code != 0 {
				t.Errorf("exit code %d", code)
			}

			again := up(t, "-c", l.config)
			if again.broker != h.broker {
				t.Errorf("the broker was at %s and is at %s", h.broker, again.broker)
			}
			s.finish(t)
			again.waitForFigures(t, "shop", l.figures)
			again.terminate(t)
		})
	}
}

// booked is nil once so many records of the routes are booked.
func (h *host) booked(t *testing.T, n int64) error {
	t.Helper()
	_, records, err := h.partitions("session")
	if err == nil && records < n {
		err = fmt.Errorf("%d are", records)
	}
	return err
}
