package session

import (
	"context"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed-6a2d649b/pharos/host/experiment"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// generationConfig is testConfig of a generation.
func generationConfig(number uint64, change func(c *Config, shop *Tenant)) *Config {
	return testConfig(func(c *Config, shop *Tenant) {
		c.Generation = number
		if change != nil {
			change(c, shop)
		}
	})
}

func TestSwitchRefusals(t *testing.T) {
	three := []experiment.Variant{{Name: "a", Weight: 1}, {Name: "c", Weight: 1}, {Name: "b", Weight: 1}}
	p := NewPartition(generationConfig(3, trials(experiment.Experiment{ID: "x"})), "web", 0)
	if err := p.Switch(generationConfig(5, nil)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		to   *Config
		want string
	}{
		{generationConfig(5, nil), "only a later one"},
		{generationConfig(4, nil), "only a later one"},
		{generationConfig(6, func(c *Config, _ *Tenant) { c.Gap = time.Hour }), "session.gap is 1h0m0s and was 30m0s"},
		{generationConfig(6, func(c *Config, _ *Tenant) { c.Lateness = time.Hour }), "session.lateness 1h0m0s and 10m0s"},
		{generationConfig(6, trials(experiment.Experiment{ID: "x", Variants: three})), `tenant shop: experiment x: the variants are ["a" "c" "b"] and were ["a" "b"]`},
	} {
		if err := p.Switch(c.to); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
		if p.Generation() != 5 {
			t.Fatalf("generation %d is in force", p.Generation())
		}
	}
	if err := p.Switch(generationConfig(6, trials(experiment.Experiment{ID: "x"}, experiment.Experiment{ID: "y", Variants: three}))); err != nil || p.Generation() != 6 {
		t.Errorf("generation %d is in force: %v", p.Generation(), err)
	}
}

// An experiment that a generation does not have stands still, and goes on
// later; a pair counts where it is there.
func TestExperimentStandsStill(t *testing.T) {
	with := func(c *Config, shop *Tenant) {
		trials(experiment.Experiment{ID: "x", Exclude: true})(c, shop)
		shop.Pairs = [][2]string{{"view", "order"}}
	}
	first, second := generationConfig(1, with), generationConfig(2, trials(experiment.Experiment{ID: "y"}))
	records := log(
		`{"ts":0,"sid":"s","exp":{"x":"a","y":"a"},"m":[["view",2]]}`,
		`{"ts":60000,"sid":"s","exp":{"x":"b","y":"a"},"m":[["view",10],["order",10]]}`,
		`{"ts":120000,"sid":"s","m":[["order",3]]}`,
		`{"ts":180000,"sid":"s","exp":{"x":"b"}}`,
	)
	s, _ := runSwitched(t, first, []switchAt{{1, second}, {2, generationConfig(3, with)}}, records, []int{9})
	const both = " view @0: 1 2 1 4"
	check(t, "figures", s.figures(), []string{
		"x a assigned visit @0: 1 1 1 1", "x a qualified visit @0: 1 1 1 1", "x a assigned" + both, "x a qualified" + both,
		"y a assigned visit @1: 1 1 1 1", "y a qualified visit @1: 1 1 1 1",
		"y a assigned view @1: 1 10 1 100", "y a qualified view @1: 1 10 1 100", "y a assigned order @1: 1 10 1 100", "y a qualified order @1: 1 10 1 100",
		"x a assigned order @2: 1 3 1 9", "x a qualified order @2: 1 3 1 9", "x a assigned view*order @2: 0 6 0 0", "x a qualified view*order @2: 0 6 0 0",
		"x a assigned crossover @3: 1 1 1 1",
		"x a assigned visit @3: -1 -1 -1 -1", "x a qualified visit @3: -1 -1 -1 -1",
		"x a assigned view @3: -1 -2 -1 -4", "x a qualified view @3: -1 -2 -1 -4",
		"x a assigned order @3: -1 -3 -1 -9", "x a qualified order @3: -1 -3 -1 -9",
		"x a assigned view*order @3: 0 -6 0 0", "x a qualified view*order @3: 0 -6 0 0",
	})
}

// Sessions of a tenant that is gone stay for a generation that has it again.
func TestTenantGoneAndBack(t *testing.T) {
	without := &Config{Generation: 2, Gap: 30 * time.Minute, Lateness: 10 * time.Minute, Sources: []Source{{Source: &testSource, Partitions: 1}}}
	if err := without.Prepare(); err != nil {
		t.Fatal(err)
	}
	records := log(`{"ts":0,"sid":"s","m":[["view"]]}`, `{"ts":60000,"sid":"s","m":[["view"]]}`, `{"ts":120000,"sid":"s","m":[["view"]]}`)
	s, _ := runSwitched(t, generationConfig(1, all), []switchAt{{1, without}, {2, generationConfig(3, all)}}, records, []int{9})
	check(t, "counts", s.countLines(), []string{"shop counted  2", "shop dead unknown tenant 1"})
	check(t, "figures", s.figures(), []string{
		"_all _all assigned visit @0: 1 1 1 1", "_all _all qualified visit @0: 1 1 1 1",
		"_all _all assigned view @0: 1 1 1 1", "_all _all qualified view @0: 1 1 1 1",
		"_all _all assigned view @2: 1 1 0 3", "_all _all qualified view @2: 1 1 0 3",
	})
}

// A source that a generation adds holds the watermark where it stands until it
// has spoken; one that is gone holds it no longer.
func TestSwitchSources(t *testing.T) {
	second := testSource
	second.Name, second.Topic = "app", "app"
	two := func(c *Config, _ *Tenant) { c.Sources = append(c.Sources, Source{&second, 1}) }
	p, out := NewPartition(generationConfig(1, nil), "web", 0), &Output{}
	take := func(topic string, ts int64, want int64) {
		t.Helper()
		r := log(`{"ts":0,"sid":"s"}`)[0]
		r.Header.Topic, r.Header.Watermark = topic, ts
		if err := p.Process(context.Background(), []Record{r}, out); err != nil {
			t.Fatal(err)
		}
		if p.Watermark() != want {
			t.Errorf("watermark %d, want %d", p.Watermark(), want)
		}
	}
	take("raw", 5*minute, 5*minute)
	if err := p.Switch(generationConfig(2, two)); err != nil {
		t.Fatal(err)
	}
	take("raw", 7*minute, 5*minute)
	take("app", 6*minute, 6*minute)
	take("raw", 9*minute, 6*minute)
	if err := p.Switch(generationConfig(3, nil)); err != nil {
		t.Fatal(err)
	}
	if p.Watermark() != 9*minute {
		t.Errorf("watermark %d once the source that held it is gone", p.Watermark())
	}
	take("raw", 12*minute, 12*minute)
	if err := p.Switch(generationConfig(4, two)); err != nil {
		t.Fatal(err)
	}
	take("app", 13*minute, 12*minute)
}

// Beacons that are equal in time and id go by topic, whichever generation has
// brought it.
func TestSwitchOrdersTopics(t *testing.T) {
	second := testSource
	second.Name, second.Topic = "app", "app"
	x := trials(experiment.Experiment{ID: "x"})
	p, s := NewPartition(generationConfig(1, x), "web", 0), &sums{}
	records := log(`{"ts":0,"sid":"s","exp":{"x":"a"}}`, `{"ts":0,"sid":"s","exp":{"x":"b"}}`)
	records[1].Header.Topic = "app"
	for i := range records {
		if i == 1 {
			if err := p.Switch(generationConfig(2, func(c *Config, shop *Tenant) {
				c.Sources = append(c.Sources, Source{&second, 1})
				x(c, shop)
			})); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Process(t.Context(), records[i:i+1], &s.out); err != nil {
			t.Fatal(err)
		}
		s.take()
	}
	check(t, "figures", s.figures(), []string{
		"x b assigned visit @0: 1 1 1 1", "x b qualified visit @0: 1 1 1 1", "x b assigned crossover @0: 1 1 1 1",
	})
}

// What is within a limit hangs on the order of arrival alone, however batches
// are cut, under limits that change.
func TestLimitsThatChange(t *testing.T) {
	limits := func(number uint64, limit int) *Config {
		return generationConfig(number, func(c *Config, shop *Tenant) {
			all(c, shop)
			c.MaxValues = limit
			shop.Dimensions = []Dimension{{Name: "platform", Path: "platform"}}
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		var lines []string
		for range rapid.IntRange(1, 40).Draw(t, "beacons") {
			b := drawBeacon(t)
			b.tenant, b.platform = "shop", rapid.SampledFrom([]string{"p", "q", "r", "u", "v"}).Draw(t, "platform")
			for i := range b.measured {
				b.measured[i].point = "click"
				b.measured[i].image = rapid.SampledFrom([]string{"p", "q", "r", "u", "v"}).Draw(t, "image")
			}
			lines = append(lines, string(b.record(0).Value))
		}
		records := log(lines...)
		for i := range records {
			records[i].Header.Watermark = metric.NoWatermark
		}
		var changes []switchAt
		for at := range len(records) {
			if rapid.IntRange(0, 5).Draw(t, "switch") == 0 {
				changes = append(changes, switchAt{at, limits(uint64(len(changes)+2), rapid.IntRange(1, 4).Draw(t, "limit"))})
			}
		}
		once, _ := runSwitched(t, limits(1, 2), changes, records, []int{len(records)})
		single, _ := runSwitched(t, limits(1, 2), changes, records, []int{1})
		check(t, "beacon by beacon", single.plainLines(), once.plainLines())
		once.totals.Each(func(series *metric.Series, _ int64, f metric.Figure) {
			if f.Hits < 0 {
				t.Errorf("%v %v: %d hits: what is taken back was not booked there", series.Point, series.Dims, f.Hits)
			}
		})
	})
}
