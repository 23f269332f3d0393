package session

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/experiment"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// plainBeacon is a beacon of the property test and what is to be known of it.
type plainBeacon struct {
	time                int64
	tenant, session, id string
	platform, visitor   string
	exp                 [][2]string
	measured            []plainMeasurement
	partition           int32
	offset              int64
	header              int64 // the source partition's watermark before it
	bad                 int
}

// dimension is what a session that begins with b is labelled with.
func (b *plainBeacon) dimension() string {
	switch b.platform {
	case "":
		return "none"
	case "web", "ios":
		return b.platform
	}
	return metric.OtherValue
}

type plainMeasurement struct {
	point, image string
	micros       int64
}

// naive computes the totals from the definition: all beacons in memory, one
// pass for each experiment, status and point.
type naive struct {
	gap     int64
	trials  []*experiment.Compiled
	pairs   [][2]string
	figures map[string]*[4]big.Int // hits, sum, sessions, sumsq
	counts  map[string]int64
}

func (n *naive) key(beacons []*plainBeacon) {
	slices.SortFunc(beacons, func(a, b *plainBeacon) int {
		return cmp.Or(cmp.Compare(a.time, b.time), strings.Compare(a.id, b.id), cmp.Compare(a.partition, b.partition), cmp.Compare(a.offset, b.offset))
	})
	var counted []*plainBeacon
next:
	for _, b := range beacons {
		for _, c := range counted {
			if b.id != "" && b.id == c.id && b.time-c.time <= n.gap {
				n.counts[b.tenant+" duplicate"]++
				continue next
			}
		}
		n.counts[b.tenant+" counted"]++
		n.counts[b.tenant+" bad"] += int64(b.bad)
		for _, x := range b.exp {
			if x[1] == "z" && x[0] != "none" && x[0] != "drawn" {
				n.counts[b.tenant+" unknown"]++
			}
		}
		counted = append(counted, b)
	}
	for len(counted) > 0 {
		end := 1
		for end < len(counted) && counted[end].time-counted[end-1].time <= n.gap {
			end++
		}
		n.session(counted[:end])
		counted = counted[end:]
	}
}

func (n *naive) session(s []*plainBeacon) {
	for _, e := range n.trials {
		n.experiment(e, s)
	}
	n.book(s, "_all _all assigned", 0, -1)
	n.book(s, "_all _all qualified", 0, -1)
}

func (n *naive) experiment(e *experiment.Compiled, s []*plainBeacon) {
	variantAt := func(i int) int {
		switch b := s[i]; {
		case e.Hash() && e.Unit() == "":
			if v, ok := e.Assign([]byte(b.session), b.time); ok {
				return v
			}
		case e.Hash():
			if v, ok := e.Assign([]byte(b.visitor), b.time); ok {
				return v
			}
		default:
			for _, x := range b.exp {
				if v, ok := e.VariantIndex([]byte(x[1])); ok && x[0] == e.ID() {
					return v
				}
			}
		}
		return -1
	}
	a := 0
	for a < len(s) && !(e.Running(s[a].time) && variantAt(a) >= 0) {
		a++
	}
	if a == len(s) {
		return
	}
	variant, cross := variantAt(a), -1
	for i := a + 1; i < len(s) && cross < 0; i++ {
		if v := variantAt(i); v >= 0 && v != variant && e.Phase(s[i].time) == e.Phase(s[a].time) {
			cross = i
		}
	}
	name := e.ID() + " " + e.Names()[variant]
	if cross >= 0 {
		n.one(s, name+" assigned", "crossover", cross, 1)
	}
	out := -1
	if e.Exclude() {
		out = cross
	}
	q := a
	for e.Qualify() != "" && q < len(s) && !slices.ContainsFunc(s[q].measured, func(m plainMeasurement) bool { return m.point == e.Qualify() }) {
		q++
	}
	n.book(s, name+" assigned", a, out)
	if q < len(s) && (out < 0 || q < out) {
		n.book(s, name+" qualified", q, out)
	}
}

// book books what a session gives from a beacon on, and takes it back at out,
// if there is one.
func (n *naive) book(s []*plainBeacon, name string, from, out int) {
	n.one(s, name, "visit", from, 1)
	if out >= 0 {
		n.one(s, name, "visit", out, -1)
	}
	totals := map[string]*big.Int{}
	hits := map[string]int64{}
	measure := func(point string, i int, micros int64) {
		x := totals[point]
		if x == nil {
			x = new(big.Int)
			totals[point] = x
		}
		before := new(big.Int).Mul(x, x)
		x.Add(x, big.NewInt(micros))
		sessions := int64(0)
		if hits[point]++; hits[point] == 1 {
			sessions = 1
		}
		n.add(s, name, point, i, 1, big.NewInt(micros), sessions, new(big.Int).Sub(new(big.Int).Mul(x, x), before))
	}
	product := func(pair [2]string) *big.Int {
		x, y := totals[pair[0]], totals[pair[1]]
		if x == nil || y == nil {
			return new(big.Int)
		}
		return new(big.Int).Mul(x, y)
	}
	for i := from; i < len(s) && i != out; i++ {
		before := make([]*big.Int, len(n.pairs))
		for j, pair := range n.pairs {
			before[j] = product(pair)
		}
		for _, m := range s[i].measured {
			measure(m.point, i, m.micros)
			if m.image != "" {
				measure(m.point+"[image="+m.image+"]", i, m.micros)
			}
		}
		for j, pair := range n.pairs {
			n.add(s, name, pair[0]+"*"+pair[1], i, 0, new(big.Int).Sub(product(pair), before[j]), 0, new(big.Int))
		}
	}
	if out < 0 {
		return
	}
	for point, x := range totals {
		n.add(s, name, point, out, -hits[point], new(big.Int).Neg(x), -1, new(big.Int).Neg(new(big.Int).Mul(x, x)))
	}
	for _, pair := range n.pairs {
		n.add(s, name, pair[0]+"*"+pair[1], out, 0, new(big.Int).Neg(product(pair)), 0, new(big.Int))
	}
}

func (n *naive) one(s []*plainBeacon, name, point string, at int, sign int64) {
	n.add(s, name, point, at, sign, big.NewInt(sign*1e6), sign, big.NewInt(sign*1e12))
}

// add books at beacon at of session s.
func (n *naive) add(s []*plainBeacon, name, point string, at int, hits int64, sum *big.Int, sessions int64, sumsq *big.Int) {
	key := fmt.Sprintf("%s %s %s {platform=%s} @%d", s[0].tenant, name, point, s[0].dimension(), s[at].time/minute)
	f := n.figures[key]
	if f == nil {
		f = new([4]big.Int)
		n.figures[key] = f
	}
	for i, v := range []*big.Int{big.NewInt(hits), sum, big.NewInt(sessions), sumsq} {
		f[i].Add(&f[i], v)
	}
}

func (n *naive) lines() []string {
	var lines []string
	for key, f := range n.figures {
		if f[0].Sign() != 0 || f[1].Sign() != 0 || f[2].Sign() != 0 || f[3].Sign() != 0 {
			lines = append(lines, fmt.Sprintf("%s: %v %v %v %v", key, &f[0], &f[1], &f[2], &f[3]))
		}
	}
	for key, n := range n.counts {
		if n != 0 {
			lines = append(lines, fmt.Sprintf("%s: %d", key, n))
		}
	}
	slices.Sort(lines)
	return lines
}

// plainLines gives what was booked in the same form.
func (s *sums) plainLines() []string {
	var lines []string
	s.totals.Each(func(series *metric.Series, m int64, f metric.Figure) {
		lines = append(lines, fmt.Sprintf("%s %s %s %s %s%s %s @%d: %d %v %d %v", series.Tenant, series.Experiment, series.Variant, series.Status,
			series.Point, labels(series.Attributes, "[]"), labels(series.Dims, "{}"), m, f.Hits, f.Sum, f.Sessions, f.SumSq))
	})
	for _, c := range s.counts.All() {
		lines = append(lines, fmt.Sprintf("%s %s: %d", c.Tenant, outcomeNames[c.Outcome], c.N))
	}
	slices.Sort(lines)
	return lines
}

// propertyTrials meet every rule about assignments; times are minutes 0 to 60.
var propertyTrials = []experiment.Experiment{
	{ID: "plain"},
	{ID: "out", Qualify: "view", Exclude: true},
	{ID: "short", Qualify: "order", Start: 10 * minute, HasStart: true, End: 30 * minute, HasEnd: true},
	{ID: "phased", Exclude: true, Phases: []experiment.Phase{
		{From: 20 * minute, Variants: []experiment.Variant{{Name: "b", Weight: 3}, {Name: "a", Weight: 1}}},
	}},
	{ID: "drawn", Hash: true, Qualify: "view", Start: 5 * minute, HasStart: true},
	{ID: "layered", Hash: true, Exclude: true, Layer: &experiment.Layer{Name: "l"}, Buckets: &[2]int64{0, 5000},
		Phases: []experiment.Phase{{From: 15 * minute, Buckets: &[2]int64{3000, 9000}}, {From: 25 * minute, Variants: []experiment.Variant{{Name: "b", Weight: 1}, {Name: "a", Weight: 0}}}}},
	{ID: "unit", Hash: true, Unit: "visitor", Exclude: true, Qualify: "order", Phases: []experiment.Phase{
		{From: 30 * minute, Variants: []experiment.Variant{{Name: "b", Weight: 1}, {Name: "a", Weight: 1}}},
	}},
}

var propertyPairs = [][2]string{{"view", "order"}, {"order", "order"}, {"order", "click"}}

func propertyConfig(gap, lateness time.Duration, partitions int32) *Config {
	tenant := func(c *Config, t *Tenant) {
		t.AllTraffic, t.Pairs = true, propertyPairs
		t.Extractor = testPoints("view", "order", "click:image")
		t.Dimensions = []Dimension{{Name: "platform", Path: "platform", Default: "none", Values: []string{"web", "ios"}}}
		trials(propertyTrials...)(c, t)
	}
	c := &Config{Gap: gap, Lateness: lateness, Sources: []Source{{&testSource, partitions}}, Tenants: map[string]Tenant{}}
	for _, name := range []string{"shop", "news"} {
		var t Tenant
		tenant(c, &t)
		c.Tenants[name] = t
	}
	if err := c.Prepare(); err != nil {
		panic(err)
	}
	return c
}

func drawBeacon(t *rapid.T) *plainBeacon {
	pick := func(what string, of ...string) string { return rapid.SampledFrom(of).Draw(t, what) }
	b := &plainBeacon{
		time:     rapid.Int64Range(0, 60*4).Draw(t, "time") * minute / 4,
		tenant:   pick("tenant", "shop", "shop", "news"),
		session:  pick("session", "s", "r", "q"),
		id:       pick("id", "", "", "1", "2", "3"),
		platform: pick("platform", "", "web", "ios", "tv"),
		visitor:  pick("visitor", "", "u", "v", "w"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "assignments") {
		b.exp = append(b.exp, [2]string{pick("experiment", "plain", "out", "short", "phased", "drawn", "none"), pick("variant", "a", "a", "b", "z")})
	}
	for range rapid.IntRange(0, 3).Draw(t, "measurements") {
		m := plainMeasurement{point: pick("point", "view", "order", "click"), micros: rapid.SampledFrom([]int64{1e6, -2e6, 0, 3e15 / 3, 1}).Draw(t, "value")}
		if m.point == "click" {
			m.image = pick("image", "", "i", "j")
		}
		b.measured = append(b.measured, m)
	}
	b.bad = rapid.IntRange(0, 1).Draw(t, "bad")
	return b
}

func (b *plainBeacon) record(at int) Record {
	line := map[string]any{"ts": b.time, "tenant": b.tenant, "sid": b.session, "id": b.id, "platform": b.platform, "visitor": b.visitor}
	var exp []map[string]string
	for _, e := range b.exp {
		exp = append(exp, map[string]string{"id": e[0], "variant": e[1]})
	}
	line["exp"] = exp
	var measured [][]any
	for _, m := range b.measured {
		measured = append(measured, []any{m.point, float64(m.micros) / 1e6, map[string]string{"image": m.image}})
	}
	for range b.bad {
		measured = append(measured, []any{"order", "no number"})
	}
	line["m"] = measured
	value, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	return Record{Offset: int64(at), Value: value,
		Header: beacon.Header{Topic: "raw", Partition: b.partition, Offset: b.offset, Watermark: b.header}}
}

// Random beacons, in a random order about as far as the lateness, in random
// batches, from two source partitions, come to what the definition says, and
// to what the same beacons come to in order.
func TestProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		compare(t, rapid.SliceOfN(rapid.Custom(drawBeacon), 1, 50).Draw(t, "beacons"))
	})
}

// The same of a few long sessions, whose tails are compacted.
func TestPropertyLong(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		beacons := rapid.SliceOfN(rapid.Custom(drawBeacon), 100, 200).Draw(t, "beacons")
		for _, b := range beacons {
			b.tenant = "shop"
			if b.session = "r"; b.id != "3" {
				b.session = "s"
			}
		}
		compare(t, beacons)
	})
}

func compare(t *rapid.T, beacons []*plainBeacon) {
	gap := rapid.Int64Range(1, 12).Draw(t, "gap") * minute
	lateness := rapid.Int64Range(0, 20).Draw(t, "lateness") * minute
	partitions := rapid.Int32Range(1, 2).Draw(t, "partitions")
	cfg := propertyConfig(time.Duration(gap)*time.Millisecond, time.Duration(lateness)*time.Millisecond, partitions)
	delay := map[*plainBeacon]int64{}
	for _, b := range beacons {
		delay[b] = b.time + rapid.Int64Range(0, lateness*5/4).Draw(t, "delay")
		b.partition = rapid.Int32Range(0, partitions-1).Draw(t, "partition")
	}
	slices.SortStableFunc(beacons, func(a, b *plainBeacon) int { return cmp.Compare(delay[a], delay[b]) })

	n := &naive{gap: gap, pairs: propertyPairs, figures: map[string]*[4]big.Int{}, counts: map[string]int64{}}
	for _, e := range propertyTrials {
		n.trials = append(n.trials, compile(e))
	}
	// The watermark is the lowest of the source partitions' highest times,
	// once all have spoken; a source partition has other routes too.
	highest := []int64{metric.NoWatermark, metric.NoWatermark}[:partitions]
	said := slices.Clone(highest)
	var records []Record
	keys := map[string][]*plainBeacon{}
	watermark, offsets := metric.NoWatermark, [2]int64{}
	for i, b := range beacons {
		p := b.partition
		if rapid.IntRange(0, 9).Draw(t, "another route") == 0 {
			highest[p] = max(highest[p], b.time)
		}
		b.header, b.offset = highest[p], offsets[p]
		offsets[p]++
		said[p] = max(said[p], b.header)
		watermark = max(watermark, slices.Min(said))
		records = append(records, b.record(i))
		if watermark != metric.NoWatermark && b.time < watermark-lateness {
			n.counts[b.tenant+" late"]++
		} else {
			keys[b.tenant+" "+b.session] = append(keys[b.tenant+" "+b.session], b)
		}
		highest[p] = max(highest[p], b.time)
		said[p] = highest[p]
	}
	var sorted []*plainBeacon
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		sorted = append(sorted, keys[name]...)
	}
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		n.key(keys[name])
	}
	batches := rapid.SliceOfN(rapid.IntRange(1, 20), 1, 10).Draw(t, "batches")
	got, p := run(t, cfg, records, batches...)
	check(t, "random batches, against the definition", got.plainLines(), n.lines())
	if want := max(watermark, slices.Min(said)); p.Watermark() != want {
		t.Errorf("watermark %d, want %d", p.Watermark(), want)
	}
	once, _ := run(t, cfg, records)
	check(t, "one batch", once.plainLines(), got.plainLines())

	slices.SortStableFunc(sorted, func(a, b *plainBeacon) int { return cmp.Compare(a.time, b.time) })
	var inOrder []Record
	for i, b := range sorted {
		b.header = metric.NoWatermark
		if i > 0 {
			b.header = sorted[i-1].time
		}
		r := b.record(i)
		inOrder = append(inOrder, r)
	}
	want, _ := run(t, cfg, inOrder)
	drop := func(lines []string) []string {
		return slices.DeleteFunc(lines, func(l string) bool { return strings.Contains(l, " late: ") })
	}
	check(t, "in order, against the definition", want.plainLines(), drop(n.lines()))
}
