package session

import (
	"bytes"
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/experiment"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

var (
	memorySessions   = flag.Int("sessions", 100_000, "open sessions of BenchmarkSessions and BenchmarkRestore")
	memoryPartitions = flag.Int("partitions", 12, "partitions that BenchmarkSessions spreads them over")
)

// crowd writes the beacons of many sessions that go on at once: UUIDs of 36
// bytes, ids of 16, 5 experiments, 4 points. Each has 10 beacons, in rounds of a
// minute; those of the last two are within the lateness when all have come.
type crowd struct {
	sessions  int
	line      []byte
	watermark int64
}

var crowdRounds = []int64{0, 1, 2, 3, 4, 5, 6, 7, 14, 19} // minutes

const crowdPoints = 4

// scramble is a bijection that makes ids of numbers.
func scramble(v uint64) uint64 {
	v ^= v >> 31
	v *= 0x9e3779b97f4a7c15
	v ^= v >> 29
	v *= 0xbf58476d1ce4e5b9
	return v ^ v>>32
}

func (c *crowd) id(v uint64) []byte {
	var b [8]byte
	for i := range b {
		b[i] = byte(v >> (8 * i))
	}
	return hex.AppendEncode(nil, b[:])
}

// record is the i-th session's beacon of a round.
func (c *crowd) record(round, i int, offset int64) Record {
	s := uint64(i)
	ts := crowdRounds[round]*minute + int64(i)*minute/int64(c.sessions)
	b := c.line[:0]
	b = append(b, `{"ts":`...)
	b = strconv.AppendInt(b, ts, 10)
	b = append(b, `,"tenant":"shop","sid":"`...)
	lo, hi := c.id(scramble(2*s)), c.id(scramble(2*s+1))
	b = append(append(b, lo[:8]...), '-')
	b = append(append(b, lo[8:12]...), '-')
	b = append(append(b, lo[12:]...), '-')
	b = append(append(b, hi[:4]...), '-')
	b = append(b, hi[4:]...)
	b = append(b, `","id":"`...)
	b = append(b, c.id(scramble(uint64(offset)|1<<60))...)
	b = append(b, `","type":"`...)
	b = append(b, "view"...)
	b[len(b)-1] = byte('0' + (round+i)%crowdPoints)
	b = append(b, `","exp":[`...)
	for e := range 5 {
		if e > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"id":"experiment-`...)
		b = append(b, byte('0'+e), '"', ',')
		b = append(b, `"variant":"`...)
		b = append(b, byte('a'+(i>>e)%2), '"', '}')
	}
	b = append(b, `]}`...)
	c.line = b
	r := Record{
		Offset: offset, Header: beacon.Header{Topic: "raw", Offset: offset, Generation: 1, Watermark: c.watermark},
		Value: bytes.Clone(b),
	}
	c.watermark = max(c.watermark, ts)
	return r
}

// hitExtractor is typeExtractor with values 1.
type hitExtractor struct{ typeExtractor }

func (e hitExtractor) Extract(ctx context.Context, b *beacon.Batch, sel []int, emit func(metric.Measurement), bad func(int), fail func(int, beacon.Drop)) error {
	return e.typeExtractor.Extract(ctx, b, sel, func(m metric.Measurement) {
		m.Value = 1
		emit(m)
	}, bad, fail)
}

func crowdConfig(sessions int) *Config {
	cfg := benchConfig(5)
	shop := cfg.Tenants["shop"]
	shop.Extractor = hitExtractor{typeExtractor{testPoints("vie0", "vie1", "vie2", "vie3").points}}
	for i := range shop.Experiments {
		shop.Experiments[i] = compile(experiment.Experiment{ID: fmt.Sprintf("experiment-%d", i), Qualify: "vie2"})
	}
	shop.Dimensions = nil
	cfg.Tenants["shop"], cfg.MaxSessions = shop, max(sessions, DefaultMaxSessions)
	if err := cfg.Prepare(); err != nil {
		panic(err)
	}
	return cfg
}

// resident is the memory of the process, in bytes; 0 where it is not known.
func resident() float64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	kib, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, _ := strconv.ParseFloat(kib, 64)
	return n * 1024
}

// gcPauses are the pauses of the garbage collector so far.
func gcPauses() *metrics.Float64Histogram {
	s := []metrics.Sample{{Name: "/sched/pauses/total/gc:seconds"}}
	metrics.Read(s)
	h := s[0].Value.Float64Histogram()
	return &metrics.Float64Histogram{Counts: append([]uint64(nil), h.Counts...), Buckets: h.Buckets}
}

// quantile is one of the pauses since before, in seconds.
func quantile(q float64, before, h *metrics.Float64Histogram) (pause float64, n uint64) {
	for i := range h.Counts {
		n += h.Counts[i] - before.Counts[i]
	}
	seen := uint64(0)
	for i := range h.Counts {
		if seen += h.Counts[i] - before.Counts[i]; float64(seen) >= q*float64(n) && n > 0 {
			return h.Buckets[i+1], n
		}
	}
	return math.NaN(), n
}

// BenchmarkSessions holds so many open sessions: -sessions, -partitions. One
// operation is all of them with 10 beacons each.
func BenchmarkSessions(b *testing.B) {
	for b.Loop() {
		n := *memorySessions
		cfg := crowdConfig(n)
		var parts []*Partition
		for i := range *memoryPartitions {
			parts = append(parts, NewPartition(cfg, "web", int32(i)))
		}
		runtime.GC()
		before, pauses := resident(), gcPauses()
		c, out := &crowd{sessions: n, watermark: metric.NoWatermark}, &Output{}
		batches := make([][]Record, len(parts))
		offset := int64(0)
		busy := time.Duration(0)
		take := func(p int) {
			start := time.Now()
			if err := parts[p].Process(b.Context(), batches[p], out); err != nil {
				b.Fatal(err)
			}
			busy += time.Since(start)
			out.Reset()
			clear(batches[p])
			batches[p] = batches[p][:0]
		}
		for round := range crowdRounds {
			for i := range n {
				p := int(scramble(uint64(i)) % uint64(len(parts)))
				batches[p] = append(batches[p], c.record(round, i, offset))
				if offset++; len(batches[p]) == 2000 {
					take(p)
				}
			}
			for p := range parts {
				take(p)
			}
			b.Logf("round %d: %.0f MB, %.0f B a session", round, resident()/1e6, (resident()-before)/float64(n))
		}
		held, packed, pages := 0, 0, 0
		for _, p := range parts {
			held, pages = held+p.Sessions(), pages+p.table.Memory()
			packed += p.table.Size()
		}
		pause, collections := quantile(0.99, pauses, gcPauses())
		b.Logf("%d sessions held; %d collections", held, collections)
		b.ReportMetric(resident()/1e6, "MB-RSS")
		b.ReportMetric((resident()-before)/float64(held), "B-RSS/session")
		b.ReportMetric(float64(pages)/float64(held), "B-table/session")
		b.ReportMetric(float64(packed)/float64(held), "B-packed/session")
		b.ReportMetric(pause*1e3, "ms-GC-p99")
		b.ReportMetric(float64(busy.Nanoseconds())/float64(offset), "ns/beacon")
		for _, p := range parts {
			if err := p.Close(); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkRestore restores a partition of so many sessions, -sessions, and
// processes again what came since the image: a beacon of every third session.
func BenchmarkRestore(b *testing.B) {
	n := *memorySessions
	cfg := crowdConfig(n)
	p, out := NewPartition(cfg, "web", 0), &Output{}
	c := &crowd{sessions: n, watermark: metric.NoWatermark}
	process := func(p *Partition, records []Record) {
		for batch := range slices.Chunk(records, 2000) {
			if err := p.Process(b.Context(), batch, out); err != nil {
				b.Fatal(err)
			}
			out.Reset()
		}
	}
	var records []Record
	for round := range crowdRounds {
		for i := range n {
			if round == len(crowdRounds)-1 && i%3 != 0 {
				continue
			}
			records = append(records, c.record(round, i, int64(round*n+i)))
			if round < len(crowdRounds)-1 && (len(records) == 2000 || i == n-1) {
				process(p, records)
				records = records[:0]
			}
		}
	}
	var image bytes.Buffer
	f := p.Freeze()
	start := time.Now()
	if _, err := f.WriteTo(&image); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(image.Len())/float64(n), "B-image/session")
	b.ReportMetric(time.Since(start).Seconds(), "s-written")
	f.Close()
	if err := p.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		start := time.Now()
		p, err := Restore(bytes.NewReader(image.Bytes()), "web", 0, generationsOf(cfg))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(start).Seconds(), "s-restored")
		p.ledger.mute = true
		process(p, records)
		b.ReportMetric(time.Since(start).Seconds(), "s-live")
		b.ReportMetric(float64(p.Sessions()), "sessions")
		if err := p.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
