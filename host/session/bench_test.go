package session

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/experiment"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// typeExtractor gives the point that a beacon's type names, without garbage.
type typeExtractor struct{ points []abi.Point }

func (e typeExtractor) Points() []abi.Point { return e.points }

func (e typeExtractor) Extract(_ context.Context, b *beacon.Batch, sel []int, emit func(metric.Measurement), _ func(int), _ func(int, beacon.Drop)) error {
	field := b.Fields().Index("type")
	for _, row := range sel {
		v := b.Row(row).Values[field]
		for i := range e.points {
			if string(v.Text) == e.points[i].Name {
				emit(metric.Measurement{Row: row, Point: i, Value: 1.5})
			}
		}
	}
	return nil
}

const (
	benchSessions = 5000
	benchBeacons  = 100_000
)

// benchLog is a shop's log: sessions of about ten minutes, four points, each
// beacon with an id and the assignments to five of so many experiments. One
// beacon in outOfOrder comes half a minute too late; 0: none.
func benchLog(experiments, outOfOrder int) []Record {
	records := make([]Record, benchBeacons)
	watermark := metric.NoWatermark
	points := []string{"view", "cart", "order", "other"}
	for i := range records {
		session := i % benchSessions
		ts := int64(i)/benchSessions*minute + int64(session)*minute/benchSessions
		if outOfOrder > 0 && i%outOfOrder == 0 && i > benchSessions {
			ts -= 90_000
		}
		var exp []string
		for e := range 5 {
			exp = append(exp, fmt.Sprintf(`{"id":"experiment-%d","variant":"%c"}`, (session*7+e)%experiments, 'a'+(session>>e)%2))
		}
		records[i] = Record{
			Offset: int64(i), Header: beacon.Header{Topic: "raw", Offset: int64(i), Generation: 1, Watermark: watermark},
			Value: fmt.Appendf(nil, `{"ts":%d,"tenant":"shop","sid":"session-%08d","id":"beacon-%010d","type":%q,"platform":"web","exp":[%s]}`,
				ts, session, i, points[i/7%4], strings.Join(exp, ",")),
		}
		watermark = max(watermark, ts)
	}
	return records
}

func benchConfig(experiments int) *Config {
	return testConfig(func(_ *Config, shop *Tenant) {
		shop.Extractor = typeExtractor{testPoints("view", "cart", "order", "other").points}
		shop.Fields = []string{"type"}
		shop.Dimensions = []Dimension{{Name: "platform", Path: "platform"}}
		for i := range experiments {
			shop.Experiments = append(shop.Experiments, compile(experiment.Experiment{ID: fmt.Sprintf("experiment-%d", i), Qualify: "cart"}))
		}
	})
}

// BenchmarkProcess is the whole cost of a beacon of the session stage, decoding
// included, without Kafka.
func BenchmarkProcess(b *testing.B) {
	for _, c := range []struct {
		name        string
		experiments int
		outOfOrder  int
	}{
		{"experiments=5", 5, 0}, {"experiments=10", 10, 0}, {"experiments=100", 100, 0}, {"experiments=1000", 1000, 0},
		{"experiments=5/out-of-order=1%", 5, 100}, {"experiments=5/out-of-order=10%", 5, 10},
	} {
		b.Run(c.name, func(b *testing.B) {
			cfg, records := benchConfig(c.experiments), benchLog(c.experiments, c.outOfOrder)
			benchBatches(b, records, func() func([]Record) {
				p, out := NewPartition(cfg, "web", 0), &Output{}
				return func(batch []Record) {
					if err := p.Process(b.Context(), batch, out); err != nil {
						b.Fatal(err)
					}
					out.Reset()
				}
			})
		})
	}
}

// BenchmarkDecode is the part of it that is decoding.
func BenchmarkDecode(b *testing.B) {
	cfg := benchConfig(5)
	benchBatches(b, benchLog(5, 0), func() func([]Record) {
		batch := beacon.NewBatch(cfg.prepared.fields)
		return func(records []Record) {
			for i := range records {
				if _, cause := batch.Add(cfg.prepared.sources[0].projection, records[i].Value); cause != "" {
					b.Fatal(cause)
				}
			}
			batch.Reset()
		}
	})
}

// benchBatches gives records in batches of 1000 to what start makes, anew for
// each time through; one operation is one beacon.
func benchBatches(b *testing.B, records []Record, start func() func([]Record)) {
	b.ReportAllocs()
	b.ResetTimer()
	var take func([]Record)
	for at, n := 0, b.N; n > 0; at = (at + 1000) % len(records) {
		if at == 0 {
			take = start()
		}
		size := min(1000, n)
		take(records[at : at+size])
		n -= size
	}
}
