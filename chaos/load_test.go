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

	"github.com/seed-6a2d649b/pharos/host/definition"
	"github.com/seed-6a2d649b/pharos/host/generate"
	"github.com/seed-6a2d649b/pharos/host/kafka"
)

// load is the beacons of a test, where each goes, and what they come to.
type load struct {
	beacons []*sent // in the order of their happening
	summary []byte  // of a replay
	figures []byte  // of a replay under the first version of the config

	queues  [][]*sent // what is not given yet, by source partition
	left    int
	version int // of the config in force
	cl      *kgo.Client
	rng     *rand.Rand
}

// sent is a beacon and its place.
type sent struct {
	raw       []byte
	partition int32
	offset    int64
	version   int // of the config in force when it was given
}

const sourceTopic = "shop-events"

// closer is a beacon long after all others, of a tenant without figures: one in
// each source partition ends all sessions.
const closer = `{"id":"closer-%d","ts":%d,"tenant":"closer","sid":"closer-%d"}`

// eventRate is how many beacons of the load happen in a second.
const eventRate = 20

// newLoad generates beacons, about a twentieth of them out of order and some
// twice, a third of the tenant visits, and lets replay say what they come to.
func newLoad(t *testing.T, beacons, partitions int, seed uint64) *load {
	t.Helper()
	l := &load{rng: rand.New(rand.NewPCG(seed, 1)), queues: make([][]*sent, partitions), left: beacons}
	began := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	g := generate.New(generate.Options{Seed: seed, Start: began, Rate: eventRate, Delayed: 0.05, Doubled: 0.02})
	add := func(raw []byte, partition int) {
		s := &sent{raw: raw, partition: int32(partition), offset: int64(len(l.queues[partition]))}
		l.beacons = append(l.beacons, s)
		l.queues[partition] = append(l.queues[partition], s)
	}
	var end time.Time
	for range beacons {
		raw, at := g.Next()
		if at.After(end) {
			end = at
		}
		if l.rng.IntN(3) == 0 {
			raw = bytes.Replace(raw, []byte(`"tenant":"shop"`), []byte(`"tenant":"visits"`), 1)
		}
		add(raw, l.rng.IntN(partitions))
	}
	for p := range partitions {
		add(fmt.Appendf(nil, closer, p, end.Add(24*time.Hour).UnixMilli(), p), p)
	}
	var file bytes.Buffer
	for _, b := range l.beacons {
		file.Write(b.raw)
		file.WriteByte('\n')
	}
	dir := t.TempDir()
	config, in, out, summary := filepath.Join(dir, "pharos.yaml"), filepath.Join(dir, "in"), filepath.Join(dir, "out"), filepath.Join(dir, "summary")
	writeFile(t, config, []byte(setup{}.config(t)))
	writeFile(t, in, file.Bytes())
	pharos(t, "replay", "-c", config, "--in", in, "--out", out, "--summary", summary)
	l.figures, l.summary = readFile(t, out), readFile(t, summary)
	return l
}

// defined is what the definition says of the beacons, each under the version of
// the config that was in force.
func (l *load) defined() *definition.Result {
	versions := []definition.Config{setup{}.define(), setup{version: 1}.define()}
	var lines []definition.Line
	for _, b := range l.beacons {
		cfg := &versions[b.version]
		lines = append(lines, definition.Line{Topic: sourceTopic, Partition: b.partition, Offset: b.offset, Raw: b.raw, Dispatch: cfg, Session: cfg})
	}
	return definition.Compute(versions[0], lines)
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
	for _, b := range l.queues[partition][:n] {
		b.version = l.version
		l.cl.Produce(context.Background(), &kgo.Record{Topic: sourceTopic, Partition: b.partition, Value: b.raw}, nil)
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
