package session

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/experiment"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

const minute = 60_000

// testSource is the raw topic of the tests: JSON, tenant "shop" unless given.
var testSource = beacon.Source{
	Name: "site", Topic: "raw", Format: beacon.JSON,
	Time: path("ts"), Tenant: path("tenant"), Session: path("sid"), ID: path("id"), Assignments: path("exp"),
}

func path(p string) beacon.Locator { return beacon.Locator{Paths: []string{p}} }

// listExtractor reads what a test beacon says of itself:
// "m": [["order", 2.5, {"slot": "a"}], …], "trap": "detail".
type listExtractor struct{ points []abi.Point }

var _ Extractor = listExtractor{}

func (e listExtractor) Points() []abi.Point { return e.points }

func (e listExtractor) Extract(ctx context.Context, b *beacon.Batch, sel []int, emit func(metric.Measurement), bad func(int), fail func(int, beacon.Drop)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, row := range sel {
		var v struct {
			M    [][]any
			Trap string
		}
		if err := json.Unmarshal(b.Row(row).Raw, &v); err != nil {
			return err
		}
		if v.Trap != "" {
			fail(row, beacon.Drop{Cause: beacon.Cause("plugin list: " + v.Trap), Plugin: "list", Version: "1", Detail: v.Trap})
			continue
		}
		for _, m := range v.M {
			e.one(row, m, emit, bad)
		}
	}
	return nil
}

func (e listExtractor) one(row int, m []any, emit func(metric.Measurement), bad func(int)) {
	point := slices.IndexFunc(e.points, func(p abi.Point) bool { return p.Name == m[0] })
	out := metric.Measurement{Row: row, Point: point, Value: 1}
	if len(m) > 1 {
		v, ok := m[1].(float64)
		if !ok {
			bad(row)
			return
		}
		out.Value = v
	}
	if len(m) > 2 {
		given := m[2].(map[string]any)
		for _, name := range e.points[point].Attributes {
			text, _ := given[name].(string)
			out.Attributes = append(out.Attributes, []byte(text))
		}
	}
	emit(out)
}

func testPoints(names ...string) listExtractor {
	var e listExtractor
	for _, name := range names {
		name, attributes, _ := strings.Cut(name, ":")
		p := abi.Point{Name: name}
		if attributes != "" {
			p.Attributes = strings.Split(attributes, ",")
		}
		e.points = append(e.points, p)
	}
	return e
}

// testConfig has gap 30 min, lateness 10 min and the points view, order, click.
func testConfig(change func(c *Config, shop *Tenant)) *Config {
	c := &Config{
		Generation: 1, Gap: 30 * time.Minute, Lateness: 10 * time.Minute,
		Sources: []Source{{Source: &testSource, Partitions: 1}},
	}
	shop := Tenant{Extractor: testPoints("view", "order", "click:image,slot")}
	if change != nil {
		change(c, &shop)
	}
	c.Tenants = map[string]Tenant{"shop": shop}
	if err := c.Prepare(); err != nil {
		panic(err)
	}
	return c
}

func compile(e experiment.Experiment) *experiment.Compiled {
	if e.Variants == nil {
		e.Variants = []experiment.Variant{{Name: "a", Weight: 1}, {Name: "b", Weight: 1}}
	}
	c, err := experiment.Compile(e)
	if err != nil {
		panic(err)
	}
	return c
}

// log makes the records of one source partition whose beacons all go to one
// route partition.
func log(lines ...string) []Record {
	records := make([]Record, len(lines))
	watermark := metric.NoWatermark
	for i, line := range lines {
		var v struct {
			TS     int64
			Tenant *string
		}
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			panic(fmt.Sprintf("%s: %v", line, err))
		}
		if v.Tenant == nil {
			line = strings.Replace(line, "{", `{"tenant":"shop",`, 1)
		}
		records[i] = Record{Offset: int64(i), Header: beacon.Header{Topic: "raw", Offset: int64(i), Generation: 1, Watermark: watermark}, Value: []byte(line)}
		watermark = max(watermark, v.TS)
	}
	return records
}

// sums are the totals of outputs, in a form that tests can read.
type sums struct {
	totals  metric.Totals
	counts  metric.Counts
	letters []string
	out     Output
}

func (s *sums) take() {
	for _, d := range s.out.Deltas {
		if d.Figure.IsZero() {
			panic("a zero delta")
		}
		s.totals.Add(d)
	}
	for _, c := range s.out.Counts {
		if c.N == 0 {
			panic("a zero count")
		}
		s.counts.Add(c)
	}
	for _, d := range s.out.DeadLetters {
		s.letters = append(s.letters, fmt.Sprintf("%s of %s: %s/%d@%d", d.Cause, d.Tenant, d.Topic, d.Partition, d.Offset))
	}
	s.out.Reset()
}

// figures gives a line for each figure: experiment variant status point
// attributes dims minute: hits sum sessions sumsq.
func (s *sums) figures() (lines []string) {
	s.totals.Each(func(series *metric.Series, m int64, f metric.Figure) {
		place := fmt.Sprintf("%s %s %s %s%s%s", series.Experiment, series.Variant, series.Status, series.Point, labels(series.Attributes, "[]"), labels(series.Dims, "{}"))
		sum := f.Sum.Float64(series.SumDecimals())
		lines = append(lines, fmt.Sprintf("%s @%d: %d %v %d %v", place, m, f.Hits, sum, f.Sessions, f.SumSq.Float64(12)))
	})
	slices.Sort(lines)
	return lines
}

func labels(all []metric.Label, around string) string {
	if len(all) == 0 {
		return ""
	}
	s := around[:1]
	for i, l := range all {
		if i > 0 {
			s += " "
		}
		s += l.Name + "=" + l.Value
	}
	return s + around[1:]
}

func (s *sums) countLines() (lines []string) {
	for _, c := range s.counts.All() {
		lines = append(lines, fmt.Sprintf("%s %s %s %d", c.Tenant, outcomeNames[c.Outcome], c.Reason, c.N))
	}
	return lines
}

var outcomeNames = map[metric.Outcome]string{
	metric.Counted: "counted", metric.Duplicate: "duplicate", metric.LateBeacon: "late", metric.DeadLettered: "dead",
	metric.Undecodable: "undecodable", metric.BadValue: "bad", metric.UnknownVariant: "unknown", metric.PluginError: "trap",
	metric.OtherDimension: "other",
}

// tester is testing.TB, or rapid's T.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
}

// run processes a log, cut into batches of the given sizes (the last one for
// all the rest; none: all at once).
func run(t tester, c *Config, records []Record, batches ...int) (*sums, *Partition) {
	t.Helper()
	p, s := NewPartition(c, "web", 0), &sums{}
	for len(records) > 0 {
		n := len(records)
		if len(batches) > 0 {
			n = min(n, cmp.Or(batches[0], 1))
			if len(batches) > 1 {
				batches = batches[1:]
			}
		}
		if err := p.Process(context.Background(), records[:n], &s.out); err != nil {
			t.Fatal(err)
		}
		s.take()
		records = records[n:]
	}
	return s, p
}

// each shows all keys, unpacked.
func (p *Partition) each(show func(k *key)) {
	for shard := range sweepShards {
		p.table.Sweep(shard, func(at, record []byte) ([]byte, bool) {
			k := &key{tenant: p.tenantOf(at), at: at, name: nameIn(at)}
			p.unpack(k, record, math.MinInt64)
			p.foldMuted(k, &k.head, k.tail)
			show(k)
			return nil, false
		})
	}
}

func check(t tester, what string, got, want []string) {
	t.Helper()
	want = slices.Clone(want)
	slices.Sort(want)
	got = slices.Clone(got)
	slices.Sort(got)
	if slices.Equal(got, want) {
		return
	}
	only := func(a, b []string) string {
		a = slices.DeleteFunc(slices.Clone(a), func(l string) bool { _, there := slices.BinarySearch(b, l); return there })
		return strings.Join(a, "\n\t")
	}
	t.Errorf("%s:\nonly got, of %d lines\n\t%s\nonly wanted, of %d lines\n\t%s", what, len(got), only(got, want), len(want), only(want, got))
}
