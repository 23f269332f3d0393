package session

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/experiment"
	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/host/session/table"
)

// descending are n beacons of one session, each before the one before it, all
// within the lateness.
func descending(n int, rest func(i int) string) []Record {
	var lines []string
	for i := range n {
		lines = append(lines, at(9-9*float64(i)/float64(n), rest(i)))
	}
	return log(lines...)
}

func descendingConfig() *Config {
	return testConfig(func(c *Config, shop *Tenant) {
		shop.AllTraffic, shop.Dimensions = true, []Dimension{{Name: "p", Path: "p"}}
		shop.Experiments = append(shop.Experiments, compile(qualifyTrial))
	})
}

func descendingRest(i int) string {
	return fmt.Sprintf(`"id":"id-%08d","p":"%d","m":[["order",%d]]`, i, i, i%7)
}

// Beacons out of order cost their session's tail once a batch, not once each.
func TestDescending(t *testing.T) {
	records := descending(2000, descendingRest)
	got, p := run(t, descendingConfig(), records, 1000)
	if most := int64(10 * len(records)); p.ledger.steps > most {
		t.Errorf("%d beacons were folded, %d would do", p.ledger.steps, most)
	}
	once, _ := run(t, descendingConfig(), records[:300], 1)
	batch, _ := run(t, descendingConfig(), records[:300])
	check(t, "figures, one by one", once.figures(), batch.figures())
	check(t, "counts, one by one", once.countLines(), batch.countLines())
	if n := len(got.figures()); n == 0 {
		t.Error("no figures")
	}
}

func BenchmarkDescending(b *testing.B) {
	for _, n := range []int{2_500, 10_000} {
		records := descending(n, descendingRest)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				p, out := NewPartition(descendingConfig(), "web", 0), &Output{}
				for batch := range slices.Chunk(records, 1000) {
					if err := p.Process(b.Context(), batch, out); err != nil {
						b.Fatal(err)
					}
					out.Reset()
				}
			}
		})
	}
}

// Which values are within a limit, and which copies of beacons that an
// extractor broke on go out, hangs on the order of arrival alone: however it is
// cut into batches, a log comes to the same.
func TestPropertyBatches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gap := time.Duration(rapid.IntRange(1, 6).Draw(t, "gap")) * time.Minute
		cfg := testConfig(func(c *Config, shop *Tenant) {
			c.MaxValues, c.Gap = rapid.IntRange(1, 4).Draw(t, "limit"), gap
			shop.AllTraffic, shop.Dimensions = true, []Dimension{{Name: "p", Path: "p"}}
		})
		var lines []string
		clock := 0.0
		for range rapid.IntRange(1, 60).Draw(t, "beacons") {
			n := func(what string, most int) int { return rapid.IntRange(0, most).Draw(t, what) }
			clock += float64(n("forward", 4)) / 4
			rest := fmt.Sprintf(`"p":"%d","m":[["click",1,{"image":"%d"}]]`, n("p", 5), n("image", 5))
			if id := n("id", 3); id > 0 {
				rest += fmt.Sprintf(`,"id":"%d"`, id)
			}
			if n("trap", 4) == 0 {
				rest += `,"trap":"boom"`
			}
			lines = append(lines, of(string(rune('r'+n("session", 1))), max(0, clock-float64(n("back", 40))/4), rest))
		}
		records := log(lines...)
		one, p := run(t, cfg, records, 1)
		got, q := run(t, cfg, records, rapid.SliceOfN(rapid.IntRange(1, 20), 1, 10).Draw(t, "batches")...)
		check(t, "figures", got.figures(), one.figures())
		check(t, "counts", got.countLines(), one.countLines())
		check(t, "dead letters", got.letters, one.letters)
		if p.refused != q.refused {
			t.Errorf("refused %v and %v", p.refused, q.refused)
		}
		if beyond := strings.Contains(strings.Join(one.countLines(), ""), "other"); beyond && !p.refused {
			t.Error("a value was beyond its limit, and nothing was refused")
		}
	})
}

// A session without an end stays small: 1,000,000 beacons in three days.
func TestEndlessSession(t *testing.T) {
	p, out := NewPartition(testConfig(all), "web", 0), &Output{}
	defer p.Close()
	const beacons, days = 1_000_000, 3
	var records []Record
	most, watermark := 0, metric.NoWatermark
	for i := range beacons {
		ts := int64(i) * days * 24 * 60 * minute / beacons
		records = append(records, Record{
			Offset: int64(i), Header: beacon.Header{Topic: "raw", Offset: int64(i), Watermark: watermark},
			Value: fmt.Appendf(nil, `{"ts":%d,"tenant":"shop","sid":"s","id":"%016x","m":[["order"]]}`, ts, i),
		})
		if watermark = ts; len(records) < 2000 {
			continue
		}
		if err := p.Process(t.Context(), records, out); err != nil {
			t.Fatal(err)
		}
		out.Reset()
		records = records[:0]
		most = max(most, p.table.Memory())
	}
	// 2315 beacons lie within the lateness and 9260 within gap and lateness, of
	// which there is an id of 8 bytes with its time.
	if most > 400<<10 {
		t.Errorf("%d KiB", most>>10)
	}
	t.Logf("%d KiB", most>>10)
}

// Closed partitions leave no memory behind, whatever they held.
func TestClose(t *testing.T) {
	records := log(slices.Repeat([]string{of("s", 1, ""), of("r", 1, "")}, 2500)...)
	before := table.Mapped()
	for range 5 {
		p := NewPartition(testConfig(all), "web", 0)
		if err := p.Process(t.Context(), records, &Output{}); err != nil {
			t.Fatal(err)
		}
		f := p.Freeze()
		if table.Mapped() <= before {
			t.Fatal("nothing is held")
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteTo(io.Discard); !errors.Is(err, table.ErrClosed) {
			t.Error(err)
		}
		f.Close()
	}
	if n := table.Mapped(); n > before { // others of tests before may have gone
		t.Errorf("%d bytes are left", n-before)
	}
}

// Values, session ids and beacon ids of any length keep no more than so much.
func TestLongTextsAreNotKept(t *testing.T) {
	const n, size = 400, 100 << 10
	long := strings.Repeat("x", size)
	cfg := testConfig(func(c *Config, shop *Tenant) {
		shop.AllTraffic, shop.Dimensions = true, []Dimension{{Name: "p", Path: "p"}}
	})
	p := NewPartition(cfg, "web", 0)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range n {
		id := fmt.Sprintf("%d%s", i, long)
		line := of(id, float64(i), fmt.Sprintf(`"id":%q,"p":%[1]q,"m":[["click",1,{"image":%[1]q}]]`, id))
		if err := p.Process(t.Context(), log(line), &Output{}); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if kept := int64(after.HeapAlloc) - int64(before.HeapAlloc); kept > 100*size { // the ids of ten minutes are in tails
		t.Errorf("%d KiB are kept for %d sessions", kept>>10, p.Sessions())
	}
	runtime.KeepAlive(p)
}

// What is kept of a tenant goes with its last session, but for which values
// are within their limits.
func TestTenantIsLetGo(t *testing.T) {
	cfg := testConfig(func(c *Config, shop *Tenant) {
		c.MaxValues = 1
		shop.AllTraffic, shop.Dimensions = true, []Dimension{{Name: "p", Path: "p"}}
	})
	p, s := NewPartition(cfg, "web", 0), &sums{}
	for i, line := range []string{
		of("s", 0, `"p":"x","m":[["click",1,{"image":"i"}]]`), of("t", 200, `"tenant":"gone"`),
		of("s", 200, `"p":"y","m":[["click",1,{"image":"j"}],["click",1,{"image":"i"}]]`),
	} {
		r := log(line)
		r[0].Header.Watermark = int64(i) * 100 * minute
		if err := p.Process(t.Context(), r, &s.out); err != nil {
			t.Fatal(err)
		}
		s.take()
		if shop := p.tenants[0]; i == 1 && len(shop.dimsets)+len(shop.tuples)+len(shop.tupleOf)+len(shop.shapes.of) > 0 {
			t.Errorf("%d combinations, %d tuples, %d shapes", len(shop.dimsets), len(shop.tuples), len(shop.shapes.of))
		}
	}
	check(t, "figures", s.figures(), join(both("_all _all %s visit{p=x}", " @0: 1 1 1 1"), both("_all _all %s click{p=x}", " @0: 1 1 1 1"),
		both("_all _all %s click[image=i]{p=x}", " @0: 1 1 1 1"), both("_all _all %s visit{p=_other}", " @200: 1 1 1 1"),
		both("_all _all %s click{p=_other}", " @200: 2 2 1 4"), both("_all _all %s click[image=i]{p=_other}", " @200: 1 1 1 1"),
		both("_all _all %s click[image=_other]{p=_other}", " @200: 1 1 1 1")))
}

// Long ids are kept by their digests; figures, duplicates and the order among
// equal times are those of the ids.
func TestLongIDs(t *testing.T) {
	long := strings.Repeat("x", 3000)
	e := experiment.Experiment{ID: "e", Hash: true, Salt: "aa-2026", Layer: &experiment.Layer{Name: "l"}, Buckets: &[2]int64{0, 5000},
		Phases: []experiment.Phase{
			{From: 2 * minute, Buckets: &[2]int64{2500, 7500}}, {From: 4 * minute, Variants: []experiment.Variant{{Name: "b", Weight: 9}, {Name: "a", Weight: 1}}},
		}}
	c := compile(e)
	records := []string{}
	var want []string
	random := rand.New(rand.NewPCG(1, 2))
	visits := map[string]int{}
	for i := range 200 {
		id := fmt.Sprintf("%s%d", long, i)
		last := random.IntN(6)
		records = append(records, of(id, float64(last), ""), of(id, 0, fmt.Sprintf(`"id":%q`, id)), of(id, 0, fmt.Sprintf(`"id":%q`, id)))
		for _, m := range []int{0, last} {
			if v, ok := c.Assign([]byte(id), int64(m)*minute); ok {
				visits[fmt.Sprintf("e %s %%s visit@%d", c.Names()[v], m)]++
				break
			}
		}
	}
	for at, n := range visits {
		place, m, _ := strings.Cut(at, "@")
		want = append(want, both(place, fmt.Sprintf(" @%s: %d %[2]d %[2]d %[2]d", m, n))...)
	}
	s, p := run(t, testConfig(trials(e)), log(records...))
	check(t, "figures", s.figures(), want)
	check(t, "counts", s.countLines(), []string{"shop counted  400", "shop duplicate  200"})
	p.each(func(k *key) {
		if digest := 2 + len(nameOf([]byte(long))); len(k.name) != digest || len(k.head.ids.text) != digest*len(k.head.ids.list) {
			t.Fatalf("a name of %d bytes, ids of %d", len(k.name), len(k.head.ids.text))
		}
	})

	// In order of ids b, which ends in 1, comes before a, which ends in 2.
	s, _ = run(t, testConfig(trials(plainTrial)), log(at(1, fmt.Sprintf(`"id":"%s2",%s`, long, a)), at(1, fmt.Sprintf(`"id":"%s1",%s`, long, b))))
	check(t, "order", s.figures(), join(both("e b %s visit", " @1: 1 1 1 1"), []string{"e b assigned crossover @1: 1 1 1 1"}))
}

// What is left of a log will not do where a value was beyond its limit.
func TestResumeBeyondLimit(t *testing.T) {
	cfg := testConfig(func(c *Config, shop *Tenant) {
		c.MaxValues, shop.AllTraffic, shop.Dimensions = 1, true, []Dimension{{Name: "p", Path: "p"}}
	})
	for _, c := range []struct {
		name   string
		log    []string
		within bool // where it was left
		ok     bool
	}{
		{"within", []string{of("1", 50, `"p":"x"`), of("2", 51, `"p":"x"`), of("3", 52, ""), of("4", 53, `"p":"_other"`)}, true, true},
		{"beyond before it was left", []string{of("1", 50, `"p":"x"`)}, false, false},
		{"beyond now, the limit being lower", []string{of("1", 50, `"p":"x"`), of("2", 51, `"p":"y"`)}, true, false},
		{"beyond by its length alone", []string{of("1", 50, fmt.Sprintf(`"p":%q`, strings.Repeat("x", MaxValueBytes+1)))}, true, true},
	} {
		_, p := run(t, cfg, log(c.log...))
		if err := p.resume(metric.NoWatermark, c.within); (err == nil) != c.ok || err != nil && !strings.Contains(err.Error(), "more values than its limit") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
