//go:build linux

package chaos

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/generate"
	"github.com/seed-6a2d649b/pharos/host/kafka"
)

// load is the beacons of a test, where each goes, and what they come to.
type load struct {
	config           string // without brokers: what replay takes
	lines            [][]byte
	figures, summary []byte

	queues [][][]byte // what is not given yet, by source partition
	left   int
	cl     *kgo.Client
	rng    *rand.Rand
}

const sourceTopic = "shop-events"

// closers end all sessions: beacons long after all others, of a tenant without
// figures, one for each source partition.
const closer = `{"id":"closer-%d","ts":%d,"tenant":"closer","sid":"closer-%d"}` + "\n"

// eventRate is how many beacons of the load happen in a second.
const eventRate = 20

// newLoad generates beacons, about a twentieth of them out of order and some
// twice, and lets replay say what they come to. The closers are the last lines.
func newLoad(t *testing.T, beacons, partitions int, seed uint64) *load {
	t.Helper()
	l := &load{config: filepath.Join(t.TempDir(), "pharos.yaml"), rng: rand.New(rand.NewPCG(seed, 1)), queues: make([][][]byte, partitions)}
	writeFile(t, l.config, []byte(shopConfig(t, "", "", "")))
	began := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	g := generate.New(generate.Options{Seed: seed, Start: began, Rate: eventRate, Delayed: 0.05, Doubled: 0.02})
	var end time.Time
	for range beacons {
		raw, at := g.Next()
		l.lines = append(l.lines, raw)
		if at.After(end) {
			end = at
		}
		p := l.rng.IntN(partitions)
		l.queues[p] = append(l.queues[p], raw)
	}
	l.left = beacons
	var file bytes.Buffer
	for _, raw := range l.lines {
		file.Write(append(raw, '\n'))
	}
	for p := range partitions {
		raw := fmt.Appendf(nil, closer, p, end.Add(24*time.Hour).UnixMilli(), p)
		file.Write(raw)
		l.queues[p] = append(l.queues[p], bytes.TrimSpace(raw))
	}
	dir := t.TempDir()
	in, out, summary := filepath.Join(dir, "in"), filepath.Join(dir, "out"), filepath.Join(dir, "summary")
	writeFile(t, in, file.Bytes())
	pharos(t, "replay", "-c", l.config, "--in", in, "--out", out, "--summary", summary)
	l.figures, l.summary = readFile(t, out), readFile(t, summary)
	return l
}

// send makes the source topic and a client that fills it.
func (l *load) send(t *testing.T, brokers []string) {
	t.Helper()
	var err error
	if l.cl, err = kafka.NewClient(kafka.Config{Brokers: brokers}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.cl.Close)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := kafka.EnsureTopics(ctx, l.cl, kafka.Topic{Name: sourceTopic, Partitions: int32(len(l.queues))}); err != nil {
		t.Fatal(err)
	}
}

// give sends about n beacons more, at most all but the closers: of each source
// partition another share, so that they run apart and come together again.
func (l *load) give(t *testing.T, n int) {
	t.Helper()
	n = min(n, l.left)
	parts := l.rng.Perm(len(l.queues))
	for i, p := range parts {
		share := n
		if i < len(parts)-1 {
			share = l.rng.IntN(2*n/(len(parts)-i) + 1)
		}
		k := min(share, n, len(l.queues[p])-1)
		l.produce(p, k)
		n -= k
		l.left -= k
	}
	l.flush(t)
}

// giveAll sends what is left, and the closers.
func (l *load) giveAll(t *testing.T) {
	t.Helper()
	for p := range l.queues {
		l.produce(p, len(l.queues[p]))
	}
	l.left = 0
	l.flush(t)
}

func (l *load) produce(partition, n int) {
	for _, raw := range l.queues[partition][:n] {
		l.cl.Produce(context.Background(), &kgo.Record{Topic: sourceTopic, Partition: int32(partition), Value: raw}, nil)
	}
	l.queues[partition] = l.queues[partition][n:]
}

func (l *load) flush(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := l.cl.Flush(ctx); err != nil {
		t.Fatalf("send beacons: %v", err)
	}
}

func writeFile(t *testing.T, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
