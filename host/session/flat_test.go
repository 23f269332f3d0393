//go:build unix

package session

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/experiment"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// flatCases make so many experiments of which each session is in five.
var flatCases = []struct {
	name string
	of   func(i, n int) experiment.Experiment
}{
	{"carried", func(int, int) experiment.Experiment { return experiment.Experiment{} }},
	{"session", layered("")},
	{"unit", layered("visitor")},
	{"ended", ended("")},
	{"ended-unit", ended("visitor")},
}

// layered are five layers, cut between the experiments.
func layered(unit string) func(i, n int) experiment.Experiment {
	return func(i, n int) experiment.Experiment {
		at, each := int64(i/5), int64(experiment.Buckets/(n/5))
		return experiment.Experiment{Hash: true, Unit: unit, Layer: &experiment.Layer{Name: fmt.Sprintf("layer-%d", i%5)}, Buckets: &[2]int64{at * each, (at + 1) * each}}
	}
}

// ended are five that run among others that have ended one after another.
func ended(unit string) func(i, n int) experiment.Experiment {
	return func(i, n int) experiment.Experiment {
		e := experiment.Experiment{Hash: true, Unit: unit}
		if i >= 5 {
			e.Start, e.HasStart, e.End, e.HasEnd = -int64(i+100)*minute, true, -int64(i)*minute, true
		}
		return e
	}
}

// The log of BenchmarkExperiments: so many sessions at once, of so many beacons
// each, a minute apart.
const (
	flatSessions = 10_000
	flatBeacons  = 10
	flatWarm     = 100_000 // beacons before those that are timed
	flatLen      = 250_000
)

func flatLog(n int) []Record {
	records := make([]Record, flatLen)
	watermark, points := metric.NoWatermark, []string{"view", "cart", "order", "other"}
	for i := range records {
		session := i/flatSessions/flatBeacons*flatSessions + i%flatSessions
		ts := int64(i) * minute / flatSessions
		var exp []string
		for e := range 5 {
			exp = append(exp, fmt.Sprintf(`{"id":"experiment-%d","variant":"%c"}`, (session*7+e)%n, 'a'+(session>>e)%2))
		}
		records[i] = Record{
			Offset: int64(i), Header: beacon.Header{Topic: "raw", Offset: int64(i), Generation: 1, Watermark: watermark},
			Value: fmt.Appendf(nil, `{"ts":%d,"tenant":"shop","sid":"session-%08d","id":"beacon-%010d","type":%q,"platform":"web","visitor":"visitor-%d","exp":[%s]}`,
				ts, session, i, points[i/flatSessions%4], session, strings.Join(exp, ",")),
		}
		watermark = ts
	}
	return records
}

// BenchmarkExperiments is the cost of a beacon of a tenant with so many
// experiments, each session in five, as a stage has it: in batches of 1000 and
// transactions of ten batches, a minute of the beacons' time. On a machine that does other things too, the
// processor's time is what counts.
func BenchmarkExperiments(b *testing.B) {
	for _, c := range flatCases {
		for _, n := range []int{10, 100, 1000} {
			b.Run(fmt.Sprintf("%s/%d", c.name, n), func(b *testing.B) {
				benchFlat(b, testConfig(func(_ *Config, shop *Tenant) {
					shop.Extractor = typeExtractor{testPoints("view", "cart", "order", "other").points}
					shop.Fields = []string{"type"}
					shop.Dimensions = []Dimension{{Name: "platform", Path: "platform"}}
					for i := range n {
						e := c.of(i, n)
						e.ID, e.Qualify = fmt.Sprintf("experiment-%d", i), "cart"
						shop.Experiments = append(shop.Experiments, compile(e))
					}
				}), flatLog(n))
			})
		}
	}
}

func benchFlat(b *testing.B, cfg *Config, records []Record) {
	b.ReportAllocs()
	b.StopTimer()
	b.ResetTimer()
	var used time.Duration
	for n := b.N; n > 0; {
		p, out := NewPartition(cfg, "web", 0), &Output{}
		take := func(from, to int) {
			for batch := 1; from < to; batch++ {
				size := min(1000, to-from)
				if err := p.take(b.Context(), records[from:from+size], out); err != nil {
					b.Fatal(err)
				}
				if batch%10 == 0 {
					p.flush(out)
				}
				out.Reset()
				from += size
			}
		}
		take(0, flatWarm)
		to := min(flatLen, flatWarm+n)
		n -= to - flatWarm
		before := cpuTime(b)
		b.StartTimer()
		take(flatWarm, to)
		b.StopTimer()
		used += cpuTime(b) - before
	}
	b.ReportMetric(float64(used)/float64(b.N), "cpu-ns/op")
}

// cpuTime is the processor time that this process has used.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
