package session

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
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

// scaled is what a generation's extractor makes of "m" of a beacon: what is of
// its own points, with values multiplied. Attributes are those that it declares.
type scaled struct {
	listExtractor
	factor float64
}

func (e scaled) Extract(ctx context.Context, b *beacon.Batch, sel []int, emit func(metric.Measurement), bad func(int), _ func(int, beacon.Drop)) error {
	for _, row := range sel {
		var v struct{ M [][]any }
		if err := json.Unmarshal(b.Row(row).Raw, &v); err != nil {
			return err
		}
		for _, m := range v.M {
			if !slices.ContainsFunc(e.points, func(p abi.Point) bool { return p.Name == m[0] }) {
				continue
			}
			e.one(row, m, func(m metric.Measurement) {
				m.Value *= e.factor
				emit(m)
			}, bad)
		}
	}
	return ctx.Err()
}

// plain is the same for the definition.
func (e scaled) plain(b definition.Beacon) (all []definition.Measurement) {
	for i := 0; ; i++ {
		at := fmt.Sprintf("m.%d.", i)
		name := b.Field(at + "0").Text()
		if name == "" {
			return all
		}
		p := slices.IndexFunc(e.points, func(p abi.Point) bool { return p.Name == name })
		if p < 0 {
			continue
		}
		v, ok := b.Field(at + "1").Number()
		m := definition.Measurement{Point: name, Value: v * e.factor, Bad: !ok, Attributes: map[string]string{}}
		for _, a := range e.points[p].Attributes {
			m.Attributes[a] = b.Field(at + "2." + a).Text()
		}
		all = append(all, m)
	}
}

// shares are those of a phase of an experiment, whatever generation has it.
type shares struct {
	from     int64
	variants []experiment.Variant
	buckets  *[2]int64
}

var variantsAB = []experiment.Variant{{Name: "a", Weight: 1}, {Name: "b", Weight: 1}}

// evolving are experiments and the phases that a generation may have of them.
var evolving = []struct {
	experiment.Experiment
	phases []shares
}{
	{Experiment: experiment.Experiment{ID: "plain"}},
	{Experiment: experiment.Experiment{ID: "first", Qualify: "order"}},
	{Experiment: experiment.Experiment{ID: "carried", Qualify: "view"}, phases: []shares{{from: 10 * minute, variants: variantsAB}, {from: 20 * minute, variants: variantsAB}, {from: 35 * minute, variants: variantsAB}}},
	{Experiment: experiment.Experiment{ID: "drawn", Hash: true, Qualify: "view"}, phases: []shares{{from: 15 * minute, variants: []experiment.Variant{{Name: "b", Weight: 5}, {Name: "a", Weight: 1}}}}},
	{Experiment: experiment.Experiment{ID: "layered", Hash: true, Layer: &experiment.Layer{Name: "l"}, Buckets: &[2]int64{0, 4000}}, phases: []shares{
		{from: 12 * minute, variants: variantsAB, buckets: &[2]int64{0, 10_000}}, {from: 25 * minute, variants: variantsAB, buckets: &[2]int64{5000, 9000}},
	}},
	{Experiment: experiment.Experiment{ID: "unit", Hash: true, Unit: "visitor", Salt: "s", Qualify: "click"}, phases: []shares{
		{from: 22 * minute, variants: []experiment.Variant{{Name: "b", Weight: 1}, {Name: "a", Weight: 3}}},
	}},
	{Experiment: experiment.Experiment{ID: "unit-layered", Hash: true, Unit: "visitor", Layer: &experiment.Layer{Name: "m", Salt: "n"}, Buckets: &[2]int64{2000, 8000}}, phases: []shares{
		{from: 30 * minute, variants: variantsAB, buckets: &[2]int64{0, 5000}},
	}},
}

// plainVariants are variants as the definition has them.
func plainVariants(all []experiment.Variant) (plain []definition.Variant) {
	for _, v := range all {
		plain = append(plain, definition.Variant(v))
	}
	return plain
}

// evolve gives a random tenant of one generation, as both have it.
func evolve(r *rand.Rand) (t Tenant, plain definition.Tenant) {
	chance := func(n int) bool { return r.IntN(n) == 0 }
	var points []string
	if !chance(8) {
		for _, p := range [][]string{{"view"}, {"order"}, {"click", "click:image", "click:image,slot", "click:slot"}, {"extra:slot"}} {
			if !chance(4) {
				points = append(points, p[r.IntN(len(p))])
			}
		}
		r.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
		e := scaled{testPoints(points...), []float64{1, 1, 2, -0.5}[r.IntN(4)]}
		t.Extractor, plain.Extract = e, e.plain
	}
	for i, p := range points {
		points[i], _, _ = strings.Cut(p, ":")
	}
	t.AllTraffic = !chance(3)
	plain.AllTraffic = t.AllTraffic
	for range r.IntN(4) {
		if len(points) == 0 {
			break
		}
		pair := [2]string{points[r.IntN(len(points))], points[r.IntN(len(points))]}
		if !slices.Contains(t.Pairs, pair) {
			t.Pairs = append(t.Pairs, pair)
		}
	}
	plain.Pairs = t.Pairs
	for _, name := range []string{"dc", "platform", "zone"} {
		if chance(3) {
			continue
		}
		d := Dimension{Name: name, Path: []string{"platform", "visitor"}[r.IntN(2)], Default: []string{"", "none"}[r.IntN(2)]}
		if chance(2) {
			d.Values = []string{"web", "u"}
		}
		t.Dimensions = append(t.Dimensions, d)
		plain.Dimensions = append(plain.Dimensions, definition.Dimension{Name: d.Name, Path: d.Path, Default: d.Default, Values: d.Values})
	}
	for _, x := range r.Perm(len(evolving)) {
		e := evolving[x]
		if chance(3) || e.Qualify != "" && !slices.Contains(points, e.Qualify) {
			continue
		}
		e.Variants, e.Exclude = variantsAB, chance(2)
		if e.HasStart = chance(4); e.HasStart {
			e.Start = 8 * minute
		}
		if e.HasEnd = chance(4); e.HasEnd {
			e.End = 28 * minute
		}
		d := definition.Experiment{
			ID: e.ID, Variants: plainVariants(e.Variants), Hash: e.Hash, Salt: e.Salt, Unit: e.Unit, Buckets: e.Buckets, Qualify: e.Qualify, Exclude: e.Exclude,
		}
		if e.Layer != nil {
			d.Layer, d.LayerSalt = e.Layer.Name, e.Layer.Salt
		}
		if e.HasStart {
			d.Start = &e.Start
		}
		if e.HasEnd {
			d.End = &e.End
		}
		for _, p := range e.phases {
			if !chance(3) {
				e.Phases = append(e.Phases, experiment.Phase{From: p.from, Variants: p.variants, Buckets: p.buckets})
				d.Phases = append(d.Phases, definition.Phase{From: p.from, Variants: plainVariants(p.variants), Buckets: p.buckets})
			}
		}
		t.Experiments = append(t.Experiments, compile(e.Experiment))
		plain.Experiments = append(plain.Experiments, d)
	}
	return t, plain
}

// generations makes some generations, as both have them.
func generations(r *rand.Rand, n int, gap, lateness int64) (all []*Config, plain []*definition.Config) {
	for i := range n {
		c := &Config{
			Generation: uint64(i + 1), Gap: time.Duration(gap) * time.Millisecond, Lateness: time.Duration(lateness) * time.Millisecond,
			Sources: []Source{{&testSource, 1}}, Tenants: map[string]Tenant{},
		}
		d := &definition.Config{Gap: gap, Lateness: lateness, Tenants: map[string]definition.Tenant{}}
		for _, name := range []string{"shop", "news"} {
			if r.IntN(6) > 0 {
				c.Tenants[name], d.Tenants[name] = evolve(r)
			}
		}
		if err := c.Prepare(); err != nil {
			panic(err)
		}
		all, plain = append(all, c), append(plain, d)
	}
	return all, plain
}

var plainSource = definition.Source{
	Format: "json", Time: plainPath("ts"), Tenant: plainPath("tenant"), Session: plainPath("sid"), ID: plainPath("id"), Assignments: plainPath("exp"),
}

func plainPath(p string) definition.Locator { return definition.Locator{Paths: []string{p}} }

// resultLines gives what the definition says in the form of plainLines.
func resultLines(r *definition.Result) (lines []string) {
	around := func(labels, signs string) string {
		if labels == "" {
			return ""
		}
		return signs[:1] + strings.ReplaceAll(strings.TrimSuffix(labels, "\n"), "\n", " ") + signs[1:]
	}
	for k, f := range r.Figures {
		lines = append(lines, fmt.Sprintf("%s %s %s %s %s%s %s @%d: %d %v %d %v", k.Tenant, k.Experiment, k.Variant, k.Status,
			k.Point, around(k.Attributes, "[]"), around(k.Dims, "{}"), k.Minute, f.Hits, f.Sum, f.Sessions, f.SumSq))
	}
	for name, s := range r.Tenants {
		for what, n := range map[string]int64{"counted": s.Counted, "duplicate": s.Duplicate, "late": s.Late, "bad": s.BadValue, "dead": s.DeadLettered["unknown tenant"]} {
			if n != 0 {
				lines = append(lines, fmt.Sprintf("%s %s: %d", name, what, n))
			}
		}
	}
	return lines
}

// switchAt is where a partition goes over to a generation.
type switchAt struct {
	at int // records before it
	to *Config
}

// runSwitched processes a log, in batches of given sizes, the last one over and
// over; switches cut them.
func runSwitched(t tester, first *Config, changes []switchAt, records []Record, sizes []int) (*sums, *Partition) {
	t.Helper()
	p, s := NewPartition(first, "web", 0), &sums{}
	for at, i := 0, 0; at < len(records); i++ {
		for len(changes) > 0 && changes[0].at == at {
			if err := p.Switch(changes[0].to); err != nil {
				t.Fatal(err)
			}
			changes = changes[1:]
		}
		to := min(len(records), at+sizes[min(i, len(sizes)-1)])
		if len(changes) > 0 {
			to = min(to, changes[0].at)
		}
		if err := p.Process(context.Background(), records[at:to], &s.out); err != nil {
			t.Fatal(err)
		}
		s.take()
		at = to
	}
	return s, p
}

// A partition that is switched between random generations, with random beacons
// in a random order about as far as the lateness, in random batches, comes to
// what the definition says where each beacon has the generation of its place.
func TestGenerations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		compareSwitched(t, rapid.SliceOfN(rapid.Custom(drawEvolving), 1, 60).Draw(t, "beacons"))
	})
}

// The same of a few long sessions, whose tails are compacted.
func TestGenerationsLong(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		beacons := rapid.SliceOfN(rapid.Custom(drawEvolving), 80, 160).Draw(t, "beacons")
		for _, b := range beacons {
			b.tenant = "shop"
			if b.session != "r" {
				b.session = "s"
			}
		}
		compareSwitched(t, beacons)
	})
}

// drawEvolving is drawBeacon with the experiments of evolving.
func drawEvolving(t *rapid.T) *plainBeacon {
	b := drawBeacon(t)
	for i := range b.exp {
		b.exp[i][0] = rapid.SampledFrom([]string{"plain", "plain", "first", "first", "carried", "carried", "unit", "none"}).Draw(t, "experiment")
	}
	if rapid.IntRange(0, 9).Draw(t, "long session") == 0 {
		b.session = strings.Repeat("long", maxName/4) + b.session
	}
	if b.visitor != "" && rapid.IntRange(0, 9).Draw(t, "long visitor") == 0 {
		b.visitor = strings.Repeat("long", maxName/4) + b.visitor
	}
	return b
}

func compareSwitched(t *rapid.T, beacons []*plainBeacon) {
	gap := rapid.Int64Range(1, 12).Draw(t, "gap") * minute
	lateness := rapid.Int64Range(0, 20).Draw(t, "lateness") * minute
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "generations"), 1))
	all, plain := generations(r, rapid.IntRange(1, 5).Draw(t, "number"), gap, lateness)
	delay := map[*plainBeacon]int64{}
	for _, b := range beacons {
		delay[b] = b.time + rapid.Int64Range(0, lateness*5/4).Draw(t, "delay")
	}
	slices.SortStableFunc(beacons, func(a, b *plainBeacon) int { return cmp.Compare(delay[a], delay[b]) })

	var changes []switchAt
	for _, to := range all[1:] {
		changes = append(changes, switchAt{rapid.IntRange(0, len(beacons)).Draw(t, "switch"), to})
	}
	slices.SortFunc(changes, func(a, b switchAt) int { return cmp.Compare(a.at, b.at) })
	for i := range changes {
		changes[i].to = all[i+1]
	}
	dispatched := &definition.Config{Source: plainSource, Now: 1 << 50, Default: "web", Gap: gap, Lateness: lateness, Tenants: map[string]definition.Tenant{"shop": {}, "news": {}}}
	var records []Record
	var lines []definition.Line
	watermark, generation := metric.NoWatermark, 0
	for i, b := range beacons {
		for generation < len(changes) && changes[generation].at == i {
			generation++
		}
		b.header, b.offset = watermark, int64(i)
		watermark = max(watermark, b.time)
		records = append(records, b.record(i))
		lines = append(lines, definition.Line{Topic: "raw", Offset: int64(i), Raw: records[i].Value, Session: plain[generation]})
	}
	want := resultLines(definition.Compute(*dispatched, lines))
	unknown := func(lines []string) []string { // not of the definition
		return slices.DeleteFunc(lines, func(l string) bool { return strings.Contains(l, " unknown: ") })
	}
	sizes := rapid.SliceOfN(rapid.IntRange(1, 20), 1, 10).Draw(t, "batches")
	got, _ := runSwitched(t, all[0], changes, records, sizes)
	check(t, "random batches", unknown(got.plainLines()), want)
	once, _ := runSwitched(t, all[0], changes, records, []int{len(records)})
	check(t, "one batch a generation", unknown(once.plainLines()), want)
}
