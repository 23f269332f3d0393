package session

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/definition"
	"github.com/seed-6a2d649b/pharos/host/experiment"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// rememberer is an extractor of a beacon's fields kind and value that keeps how
// many beacons a session had, and the highest value.
type rememberer struct{ cells, closes bool }

var _ SessionExtractor = rememberer{}

var rememberedPoints = []abi.Point{
	{Name: "view"}, {Name: "order"}, {Name: "click", Attributes: []string{"slot"}}, {Name: "length"}, {Name: "most", Attributes: []string{"of"}},
}

func (e rememberer) Points() []abi.Point { return rememberedPoints }
func (e rememberer) Closes() bool        { return e.closes }

// Cells are in another order where there is no close function.
func (e rememberer) Cells() []abi.Cell {
	all := []abi.Cell{{Name: "n", Type: abi.I64}, {Name: "high", Type: abi.F64}}
	switch {
	case !e.cells:
		return nil
	case !e.closes:
		slices.Reverse(all)
	}
	return all
}

// saying is one measurement.
type saying struct {
	point      string
	value      float64
	attributes []string
}

// says is what the extractor makes of a beacon: measurements, or that it breaks.
func says(kind string, value float64, n *int64, high *float64) (all []saying, trap bool) {
	switch kind {
	case "peek":
		return []saying{{"view", float64(*n % 4), nil}, {"click", 1, []string{fmt.Sprint("n", *n%3)}}}, false
	case "trap":
		return nil, true
	case "bad":
		*n++
		return []saying{{"order", math.NaN(), nil}}, false
	case "value":
		*high = max(*high, value)
		return []saying{{"order", *high, nil}}, false
	}
	*n++
	return []saying{{"view", 1, nil}, {"click", float64(*n), []string{fmt.Sprint("n", *n%3)}}}, false
}

// ends is what it makes of a session.
func ends(first, last, views, orders, n int64, high float64) (all []saying, trap bool) {
	if (last-first)/1000%7 == 5 {
		return nil, true
	}
	all = append(all, saying{"length", float64(last-first) / 1000, nil})
	if high > 2 {
		all = append(all, saying{"most", high, []string{fmt.Sprint("n", n%4)}}, saying{"view", float64(views + 10*orders), nil})
	}
	if orders == 2 {
		all = append(all, saying{"order", math.Inf(1), nil})
	}
	return all, false
}

func emitAll(row int, all []saying, emit func(metric.Measurement)) {
	for _, s := range all {
		m := metric.Measurement{Row: row, Value: s.value, Point: slices.IndexFunc(rememberedPoints, func(p abi.Point) bool { return p.Name == s.point })}
		for _, a := range s.attributes {
			m.Attributes = append(m.Attributes, []byte(a))
		}
		emit(m)
	}
}

func remembered(b *beacon.Batch, row int) (kind string, value float64) {
	r := b.Row(row)
	if err := json.Unmarshal(r.Values[b.Fields().Index("value")].Text, &value); err != nil {
		panic(err)
	}
	return string(r.Values[b.Fields().Index("kind")].Text), value
}

var broken = beacon.Drop{Cause: "plugin remember: trap", Plugin: "remember"}

func (e rememberer) Extract(ctx context.Context, b *beacon.Batch, sel []int, emit func(metric.Measurement), bad func(int), fail func(int, beacon.Drop)) error {
	if e.cells {
		panic("beacons are to be looked at with cells")
	}
	for _, row := range sel {
		var n int64
		var high float64
		kind, value := remembered(b, row)
		all, trap := says(kind, value, &n, &high)
		if trap {
			fail(row, broken)
		}
		emitAll(row, all, emit)
	}
	return ctx.Err()
}

func (e rememberer) ExtractSessions(ctx context.Context, b *beacon.Batch, sel []int, s *abi.Sessions, emit func(metric.Measurement), bad func(int), fail func(int, beacon.Drop)) error {
	n, high := e.places()
	for i, row := range sel {
		slot := s.Slots[i]
		count, highest := int64(s.Cells[n][slot]), math.Float64frombits(s.Cells[high][slot])
		kind, value := remembered(b, row)
		all, trap := says(kind, value, &count, &highest)
		if trap {
			fail(row, broken)
		}
		emitAll(row, all, emit)
		s.Cells[n][slot], s.Cells[high][slot] = uint64(count), math.Float64bits(highest)
	}
	return ctx.Err()
}

func (e rememberer) places() (n, high int) {
	if e.closes {
		return 0, 1
	}
	return 1, 0
}

func (e rememberer) CloseSessions(ctx context.Context, c *abi.Closed, emit func(metric.Measurement), bad func(int), fail func(int, beacon.Drop)) error {
	for row := range c.First {
		var n int64
		var high float64
		if e.cells {
			n, high = int64(c.Cells[0][c.Slots[row]]), math.Float64frombits(c.Cells[1][c.Slots[row]])
		}
		all, trap := ends(c.First[row], c.Last[row], c.Counts[0][row], c.Counts[1][row], n, high)
		if trap {
			fail(row, broken)
		}
		emitAll(row, all, emit)
	}
	return ctx.Err()
}

// define is the extractor in the words of the definition.
func (e rememberer) define(t *definition.Tenant) {
	tell := func(all []saying) (measured []definition.Measurement) {
		for _, s := range all {
			m := definition.Measurement{Point: s.point, Value: s.value}
			if len(s.attributes) > 0 {
				i := slices.IndexFunc(rememberedPoints, func(p abi.Point) bool { return p.Name == s.point })
				m.Attributes = map[string]string{rememberedPoints[i].Attributes[0]: s.attributes[0]}
			}
			measured = append(measured, m)
		}
		return measured
	}
	t.ExtractIn = func(b definition.Beacon, cells definition.Cells) []definition.Measurement {
		if !e.cells {
			cells = definition.Cells{}
		}
		n, high := int64(cells["n i64"]), math.Float64frombits(cells["high f64"])
		value, _ := b.Field("value").Number()
		all, _ := says(b.Field("kind").Text(), value, &n, &high)
		cells["n i64"], cells["high f64"] = uint64(n), math.Float64bits(high)
		return tell(all)
	}
	if e.closes {
		t.Close = func(s definition.Session) []definition.Measurement {
			n, high := int64(0), 0.0
			if e.cells {
				n, high = int64(s.Cells["n i64"]), math.Float64frombits(s.Cells["high f64"])
			}
			all, _ := ends(s.First, s.Last, s.Counts["view"], s.Counts["order"], n, high)
			return tell(all)
		}
	}
}

// keptWorld is some generations of a tenant, and what the definition says of them.
type keptWorld struct {
	configs []*Config
	defined []*definition.Config
}

func newKeptWorld(gap, lateness int64, extractors []rememberer, limit int) *keptWorld {
	w := &keptWorld{}
	for i, e := range extractors {
		trials := []experiment.Experiment{{ID: "plain"}, {ID: "out", Qualify: "order", Exclude: true}, {ID: "late", Qualify: "length"}}
		shop := definition.Tenant{AllTraffic: true, Pairs: [][2]string{{"view", "order"}, {"length", "length"}}}
		config := Tenant{Extractor: e, Fields: []string{"kind", "value"}, AllTraffic: true, Pairs: shop.Pairs}
		for _, x := range trials {
			config.Experiments = append(config.Experiments, compile(x))
			shop.Experiments = append(shop.Experiments, definition.Experiment{
				ID: x.ID, Qualify: x.Qualify, Exclude: x.Exclude, Variants: []definition.Variant{{Name: "a", Weight: 1}, {Name: "b", Weight: 1}},
			})
		}
		e.define(&shop)
		cfg := &Config{
			Generation: uint64(i + 1), Gap: time.Duration(gap) * time.Millisecond, Lateness: time.Duration(lateness) * time.Millisecond,
			Sources: []Source{{&testSource, 1}}, Tenants: map[string]Tenant{"shop": config}, MaxValues: limit,
		}
		if err := cfg.Prepare(); err != nil {
			panic(err)
		}
		w.configs = append(w.configs, cfg)
		w.defined = append(w.defined, &definition.Config{Gap: gap, Lateness: lateness, Tenants: map[string]definition.Tenant{"shop": shop}})
	}
	return w
}

func (w *keptWorld) config(generation uint64) (*Config, error) { return w.configs[generation-1], nil }

// Extractors that keep something with sessions say what the definition says,
// whatever order the beacons come in, however they are cut into batches, over
// generations and images; and no minute that is final changes.
func TestPropertyKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { checkKept(t, 1, 40, 3) })
}

// The same of one long session, of which many beacons are looked at again together.
func TestPropertyKeptLong(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { checkKept(t, 17, 250, 1) })
}

func checkKept(t *rapid.T, least, most, sessions int) {
	l := drawKept(t, least, most, sessions, 0)
	got := l.run(t, func() int { return rapid.IntRange(1, 12).Draw(t, "batch") }, func(at int, p *Partition, generation uint64) *Partition {
		if rapid.IntRange(0, 5).Draw(t, "image") == 0 {
			return throughImage(t, p, l, generation)
		}
		return p
	})
	want := definition.Count(l.arrivals)
	if l.late > 0 {
		want.Tenants["shop"].Late = l.late
	}
	lines := slices.DeleteFunc(got.plainLines(), func(l string) bool { return strings.Contains(l, " trap: ") })
	check(t, "against the definition", lines, resultLines(want))
}

// Which attributes are within a limit hangs on the log alone, not on how it is cut
// into batches nor on who reads it.
func TestPropertyKeptLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawKept(t, 1, 60, 3, rapid.IntRange(1, 3).Draw(t, "limit"))
		one := l.run(t, func() int { return 1 }, func(_ int, p *Partition, _ uint64) *Partition { return p })
		other := l.run(t, func() int { return rapid.IntRange(1, 40).Draw(t, "batch") }, func(_ int, p *Partition, generation uint64) *Partition {
			if rapid.IntRange(0, 3).Draw(t, "image") == 0 {
				return restoredImage(t, p, l)
			}
			return p
		})
		check(t, "another cut", other.plainLines(), one.plainLines())
	})
}

// keptLog is a log and under which generations it is read.
type keptLog struct {
	*keptWorld
	records  []Record
	switches []int // before which record the generations 2, 3, … are put in force
	arrivals []definition.Arrival
	late     int64
}

func drawKept(t *rapid.T, least, most, sessions, limit int) *keptLog {
	gap := rapid.Int64Range(1, 12).Draw(t, "gap") * minute
	lateness := rapid.Int64Range(0, 20).Draw(t, "lateness") * minute
	extractors := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) rememberer {
		return rememberer{rapid.IntRange(0, 3).Draw(t, "cells") > 0, rapid.Bool().Draw(t, "closes")}
	}), 1, 4).Draw(t, "generations")
	type sent struct {
		time, arrives int64
		line          string
	}
	kinds := rapid.SampledFrom([]string{"view", "view", "peek", "value", "value", "trap", "bad"})
	all := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) sent {
		at := rapid.Int64Range(0, 60*4).Draw(t, "time") * minute / 4
		variant := rapid.SampledFrom([]string{`{}`, `{"plain":"a","out":"b"}`, `{"plain":"b","out":"b","late":"a"}`, `{"out":"a","late":"b"}`}).Draw(t, "exp")
		line := fmt.Sprintf(`{"ts":%d,"tenant":"shop","sid":"s%d","id":"%s","kind":"%s","value":%d,"exp":%s}`, at, rapid.IntRange(1, sessions).Draw(t, "session"),
			rapid.SampledFrom([]string{"", "", "1", "2", "3"}).Draw(t, "id"), kinds.Draw(t, "kind"), rapid.IntRange(0, 5).Draw(t, "value"), variant)
		return sent{at, at + rapid.Int64Range(0, lateness*5/4).Draw(t, "delay"), line}
	}), least, most).Draw(t, "beacons")
	slices.SortStableFunc(all, func(a, b sent) int { return cmp.Compare(a.arrives, b.arrives) })

	l := &keptLog{keptWorld: newKeptWorld(gap, lateness, extractors, limit)}
	for range extractors[1:] {
		l.switches = append(l.switches, rapid.IntRange(0, len(all)).Draw(t, "switch"))
	}
	slices.Sort(l.switches)
	watermark := metric.NoWatermark
	for i, b := range all {
		raw := []byte(b.line)
		l.records = append(l.records, Record{Offset: int64(i), Value: raw, Header: beacon.Header{Topic: "raw", Offset: int64(i), Watermark: watermark}})
		if watermark != metric.NoWatermark && b.time < watermark-lateness {
			l.late++
		} else {
			d, _ := definition.Decode(plainSource, raw)
			d.Line = definition.Line{Topic: "raw", Offset: int64(i), Raw: raw}
			generation, _ := slices.BinarySearch(l.switches, i+1)
			l.arrivals = append(l.arrivals, definition.Arrival{Beacon: d, Route: "web", Config: l.defined[generation]})
		}
		watermark = max(watermark, b.time)
	}
	return l
}

// run reads the log in batches, behind each of which the partition may become
// another.
func (l *keptLog) run(t *rapid.T, batch func() int, between func(at int, p *Partition, generation uint64) *Partition) *sums {
	p, got, final := NewPartition(l.configs[0], "web", 0), &sums{}, int64(math.MinInt64)
	switches := l.switches
	for from := 0; from < len(l.records); {
		for len(switches) > 0 && switches[0] == from {
			if err := p.Switch(l.configs[len(l.configs)-len(switches)]); err != nil {
				t.Fatal(err)
			}
			switches = switches[1:]
		}
		to := min(len(l.records), from+batch())
		if len(switches) > 0 {
			to = min(to, switches[0])
		}
		if err := p.Process(t.Context(), l.records[from:to], &got.out); err != nil {
			t.Fatal(err)
		}
		checkFinal(t, &got.out, final)
		got.take()
		final = metric.MinuteOf(p.limit(p.Watermark()))
		p = between(to, p, p.Generation())
		from = to
	}
	if err := p.Finish(t.Context(), &got.out); err != nil {
		t.Fatal(err)
	}
	checkFinal(t, &got.out, final)
	got.take()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	return got
}

// checkFinal says where a minute that is final changes.
func checkFinal(t *rapid.T, out *Output, final int64) {
	for _, d := range out.Deltas {
		if d.Minute < final {
			t.Fatalf("%v changes in minute %d, and all before %d are final", d.Series, d.Minute, final)
		}
	}
}

// throughImage gives what is left of a partition by its image: restored, or taken
// over by another one.
func throughImage(t *rapid.T, p *Partition, l *keptLog, generation uint64) *Partition {
	if rapid.Bool().Draw(t, "restored") {
		return restoredImage(t, p, l)
	}
	q := NewPartition(l.configs[generation-1], "web", 0)
	if err := q.Absorb(keptImage(t, p), l.config, func([]byte) bool { return true }); err != nil {
		t.Fatal(err)
	}
	return q
}

func restoredImage(t *rapid.T, p *Partition, l *keptLog) *Partition {
	q, err := Restore(keptImage(t, p), "web", 0, l.config)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// keptImage gives the image of a partition, which is closed.
func keptImage(t *rapid.T, p *Partition) io.Reader {
	f := p.Freeze()
	var image bytes.Buffer
	if _, err := f.WriteTo(&image); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	return &image
}
