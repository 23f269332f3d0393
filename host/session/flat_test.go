//go:build unix

package session

import (
	"fmt"
	"runtime"
	"slices"
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

// flatCounts are the numbers of experiments that are compared.
var flatCounts = []int{10, 100, 1000}

// flatRounds is how often each number has its turn: a machine's speed drifts.
const flatRounds = 5

// BenchmarkExperiments is the cost of a beacon of a tenant with so many
// experiments, each session in five, as a stage has it: in batches of 1000 and
// transactions of ten batches, a minute of the beacons' time. One operation is
// flatRounds turns of each number; what they cost is the processor's time, and the
// ratios are those of turns next to each other, their medians.
func BenchmarkExperiments(b *testing.B) {
	for _, c := range flatCases {
		b.Run(c.name, func(b *testing.B) {
			var logs [][]Record
			var cfgs []*Config
			for _, n := range flatCounts {
				logs, cfgs = append(logs, flatLog(n)), append(cfgs, flatConfig(n, c.of))
			}
			for b.Loop() {
				var costs [flatRounds][]float64
				for round := range costs {
					for i := range flatCounts {
						costs[round] = append(costs[round], flatCost(b, cfgs[i], logs[i]))
					}
				}
				for i, n := range flatCounts {
					b.ReportMetric(median(costs[:], func(turn []float64) float64 { return turn[i] }), fmt.Sprintf("ns/beacon-of-%d", n))
					if i > 0 {
						b.ReportMetric(median(costs[:], func(turn []float64) float64 { return turn[i] / turn[0] }), fmt.Sprintf("ratio-%d", n))
					}
				}
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}

func median(turns [][]float64, of func([]float64) float64) float64 {
	var all []float64
	for _, t := range turns {
		all = append(all, of(t))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func flatConfig(n int, of func(i, n int) experiment.Experiment) *Config {
	return testConfig(func(_ *Config, shop *Tenant) {
		shop.Extractor = typeExtractor{testPoints("view", "cart", "order", "other").points}
		shop.Fields = []string{"type"}
		shop.Dimensions = []Dimension{{Name: "platform", Path: "platform"}}
		for i := range n {
			e := of(i, n)
			e.ID, e.Qualify = fmt.Sprintf("experiment-%d", i), "cart"
			shop.Experiments = append(shop.Experiments, compile(e))
		}
	})
}

// flatCost is the processor's time of a beacon, ns.
func flatCost(b *testing.B, cfg *Config, records []Record) float64 {
	p, out := NewPartition(cfg, "web", 0), &Output{}
	defer p.Close()
	take := func(records []Record) {
		batch := 0
		for some := range slices.Chunk(records, 1000) {
			if err := p.take(b.Context(), some, out); err != nil {
				b.Fatal(err)
			}
			if batch++; batch%10 == 0 {
				p.flush(out)
			}
			out.Reset()
		}
	}
	take(records[:flatWarm])
	runtime.GC()
	before := cpuTime(b)
	take(records[flatWarm:])
	return float64(cpuTime(b)-before) / float64(flatLen-flatWarm)
}

// cpuTime is the processor time that this process has used.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
