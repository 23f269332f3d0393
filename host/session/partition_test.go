package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/experiment"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

func TestLate(t *testing.T) {
	s, p := run(t, testConfig(all), log(
		of("a", 20, `"m":[["order"]]`),
		of("b", 10, `"id":"x"`),      // exactly the lateness behind: counts
		of("b", 10, `"id":"x"`),      // a duplicate
		of("c", 9.999, ""),           // late
		of("d", 40, `"trap":"boom"`), // judged by the watermark before it, like all
		of("b", 29.9, `"trap":"boom"`),
	))
	check(t, "counts", s.countLines(), []string{"shop counted  3", "shop duplicate  1", "shop late  2", "shop trap list 1"})
	check(t, "dead letters", s.letters, []string{"late of shop: raw/0@3", "plugin list: boom of shop: raw/0@4", "late of shop: raw/0@5"})
	check(t, "figures", s.figures(), join(both("_all _all %s visit", " @20: 1 1 1 1"), both("_all _all %s order", " @20: 1 1 1 1"),
		both("_all _all %s visit", " @10: 1 1 1 1"), both("_all _all %s visit", " @40: 1 1 1 1")))
	if p.Watermark() != 40*minute {
		t.Errorf("watermark %d", p.Watermark())
	}
}

// The copy of a beacon that breaks the extractor goes out if it is counted.
func TestTrapOfDuplicate(t *testing.T) {
	s, _ := run(t, testConfig(all), log(at(0, `"id":"x","trap":"1"`), at(1, `"id":"x","trap":"2"`)))
	check(t, "counts", s.countLines(), []string{"shop counted  1", "shop duplicate  1", "shop trap list 1"})
	check(t, "dead letters", s.letters, []string{"plugin list: 1 of shop: raw/0@0"})
}

func TestRefused(t *testing.T) {
	records := log(at(0, ""), at(1, `"tenant":"gone"`), `{"sid":"s"}`, `{"ts":5}`, `{"tenant":null}`, at(2, ""))
	records[5].Value = []byte(`{"tenant":"shop"`)
	s, _ := run(t, testConfig(all), records)
	check(t, "counts", s.countLines(), []string{
		"shop counted  1", "gone dead unknown tenant 1", "shop dead no time 1", "shop dead no session 1",
		" undecodable no tenant 1", " undecodable not JSON 1",
	})
	if len(s.letters) != 5 {
		t.Errorf("dead letters: %q", s.letters)
	}
}

func TestUnknownSource(t *testing.T) {
	records := log(at(0, ""))
	records[0].Header.Topic = "gone"
	err := NewPartition(testConfig(all), "web", 3).Process(t.Context(), records, &Output{})
	if err == nil || !strings.Contains(err.Error(), `route web partition 3 offset 0: the beacon is of topic "gone"`) {
		t.Error(err)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := NewPartition(testConfig(all), "web", 0).Process(ctx, log(at(0, "")), &Output{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestSessionOverflow(t *testing.T) {
	c := testConfig(func(c *Config, shop *Tenant) { c.MaxSessions, c.MaxBeacons = 2, 3 })
	var lines []string
	add := func(session string, m float64) { lines = append(lines, of(session, m, "")) }
	add("a", 0)
	add("b", 1)
	add("c", 2) // one session too many
	for range 3 {
		add("b", 3) // the third is one beacon too many
	}
	add("b", 13) // those of minute 3 are still within the lateness, which is judged by the watermark before: overflow
	add("b", 13) // now that of minute 1 is beyond it
	add("c", 40) // a is not beyond gap and lateness yet
	add("a", 30) // judged at minute 40: late is before 30
	add("c", 71)
	add("c", 71.1) // at 71 a (last beacon 0) and b (13) are gone
	for _, batch := range []int{1, 5, 100} {
		s, p := run(t, c, log(lines...), batch)
		check(t, "dead letters", s.letters, []string{
			"session overflow of shop: raw/0@2", "session overflow of shop: raw/0@5", "session overflow of shop: raw/0@6",
			"session overflow of shop: raw/0@8", "session overflow of shop: raw/0@10",
		})
		check(t, "counts", s.countLines(), []string{"shop counted  7", "shop dead session overflow 5"})
		if p.Sessions() != 1 {
			t.Errorf("%d sessions held", p.Sessions())
		}
	}
}

func TestWatermark(t *testing.T) {
	const none = metric.NoWatermark
	type step struct {
		topic     string // of a beacon
		partition int32
		header    int64
		time      int64
		mark      []beacon.MarkEntry
		want      int64
	}
	second := testSource
	second.Name, second.Topic = "app", "app"
	entry := func(topic string, partition, partitions int32, watermark int64, idle bool) beacon.MarkEntry {
		return beacon.MarkEntry{Topic: topic, Partition: partition, Partitions: partitions, Watermark: watermark, Idle: idle}
	}
	for _, c := range []struct {
		name    string
		sources []Source
		one     bool
		steps   []step
	}{
		{"one source partition", []Source{{&testSource, 1}}, false, []step{
			{topic: "raw", header: none, time: 5, want: 5},
			{topic: "raw", header: 9, time: 3, want: 9}, // another route had 9
			{topic: "raw", header: 9, time: 12, want: 12},
			{mark: []beacon.MarkEntry{entry("raw", 0, 1, 20, false)}, want: 20},
			{topic: "raw", header: 12, time: 12, want: 20}, // never falls
		}},
		{"none before all have spoken, of all topics", []Source{{&testSource, 2}, {&second, 1}}, false, []step{
			{topic: "raw", partition: 1, header: none, time: 5, want: none},
			{topic: "app", header: none, time: 7, want: none},
			{topic: "raw", header: 6, time: 5, want: 5},
			{topic: "raw", partition: 1, header: 8, time: 1, want: 6},
			{topic: "raw", header: 6, time: 9, want: 7},
		}},
		{"a mark says how many there are", []Source{{&testSource, 0}}, false, []step{
			{topic: "raw", partition: 2, header: none, time: 5, want: none},
			{mark: []beacon.MarkEntry{entry("raw", 0, 3, 4, false), entry("gone", 0, 1, none, false)}, want: none},
			{mark: []beacon.MarkEntry{entry("raw", 1, 3, none, false)}, want: none}, // has spoken, has none
			{topic: "raw", partition: 1, header: none, time: 3, want: 3},
		}},
		{"the idle are passed over; while all are idle it stays", []Source{{&testSource, 2}}, false, []step{
			{mark: []beacon.MarkEntry{entry("raw", 0, 2, 10, false), entry("raw", 1, 2, none, true)}, want: 10},
			{topic: "raw", header: 10, time: 30, want: 30},
			{topic: "raw", partition: 1, header: none, time: 4, want: 30}, // awake again, and behind
			{topic: "raw", header: 30, time: 40, want: 30},
			{mark: []beacon.MarkEntry{entry("raw", 0, 2, 50, true), entry("raw", 1, 2, 60, true)}, want: 30},
			{mark: []beacon.MarkEntry{entry("raw", 1, 2, 60, false)}, want: 60},
		}},
		{"a partition that is added must speak first", []Source{{&testSource, 1}}, false, []step{
			{topic: "raw", header: none, time: 5, want: 5},
			{mark: []beacon.MarkEntry{entry("raw", 0, 2, 9, false)}, want: 5},
			{topic: "raw", partition: 1, header: none, time: 7, want: 7},
			{topic: "raw", partition: 1, header: 7, time: 11, want: 9},
		}},
		{"all sources are one", []Source{{&testSource, 2}, {&second, 0}}, true, []step{
			{topic: "app", header: none, time: 5, want: 5},
			{topic: "raw", partition: 1, header: 5, time: 7, want: 7},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := testConfig(func(cfg *Config, _ *Tenant) { cfg.Sources, cfg.OneSource = c.sources, c.one })
			p := NewPartition(cfg, "web", 0)
			for i, s := range c.steps {
				r := Record{Offset: int64(i), Header: beacon.Header{Topic: s.topic, Partition: s.partition, Offset: int64(i), Watermark: s.header}}
				if s.mark != nil {
					r.Mark = &beacon.Mark{Entries: s.mark}
				} else {
					r.Value = fmt.Appendf(nil, `{"ts":%d,"sid":"s","tenant":"shop"}`, s.time)
				}
				if err := p.Process(t.Context(), []Record{r}, &Output{}); err != nil {
					t.Fatal(err)
				}
				if p.Watermark() != s.want {
					t.Fatalf("step %d: watermark %d, want %d", i, p.Watermark(), s.want)
				}
			}
		})
	}
}

// Position decides among equal times and ids: topic, partition, offset,
// whatever came first; in a replay the offset alone.
func TestPosition(t *testing.T) {
	second := testSource
	second.Topic = "app"
	for _, c := range []struct {
		one  bool
		want string
	}{{false, "b"}, {true, "a"}} {
		cfg := testConfig(func(cfg *Config, shop *Tenant) {
			trials(plainTrial)(cfg, shop)
			cfg.Sources, cfg.OneSource = []Source{{&testSource, 1}, {&second, 1}}, c.one
		})
		records := log(at(1, a), at(1, b))
		records[1].Header.Topic = "app"
		s, _ := run(t, cfg, records)
		check(t, "figures", s.figures(), join(both("e "+c.want+" %s visit", " @1: 1 1 1 1"), []string{"e " + c.want + " assigned crossover @1: 1 1 1 1"}))
	}
}

// State goes with the watermark alone, and compacting it changes nothing.
func TestStateIsLetGo(t *testing.T) {
	p := NewPartition(testConfig(all), "web", 0)
	var out Output
	var lines []string
	for i := range 2000 {
		lines = append(lines, of("busy", float64(i)/10, fmt.Sprintf(`"id":"%d","m":[["order"]]`, i)), of(fmt.Sprint(i), float64(i)/10, ""))
	}
	if err := p.Process(t.Context(), log(lines...), &out); err != nil {
		t.Fatal(err)
	}
	p.each(func(k *key) {
		if string(unpackID(nil, k.name)) != "busy" {
			return
		}
		if n := len(k.tail); n > 100+43 { // 100 lie within the lateness; others go when it is swept
			t.Errorf("a tail of %d beacons", n)
		}
		if n := len(k.head.ids.list); n > 700 { // 301 lie within the gap
			t.Errorf("%d ids", n)
		}
	})
	// 401 others are of the last 40 minutes, 43 may not have been swept yet.
	if n := p.Sessions(); n < 402 || n > 402+43 || n != p.table.Len() {
		t.Errorf("%d sessions, %d in the table", n, p.table.Len())
	}
}

// Combinations of dimensions that nobody uses are let go.
func TestSweep(t *testing.T) {
	p := NewPartition(testConfig(func(c *Config, shop *Tenant) {
		shop.AllTraffic, c.MaxValues = true, 1_000_000
		shop.Dimensions = []Dimension{{Name: "p", Path: "p"}}
	}), "web", 0)
	var s sums
	for i := range 5000 {
		if err := p.Process(t.Context(), log(of(fmt.Sprint(i), float64(i), fmt.Sprintf(`"p":"%d"`, i)), of("stays", float64(i), `"p":"stays"`)), &s.out); err != nil {
			t.Fatal(err)
		}
		s.take()
	}
	if n := len(p.tenants[0].dimsets); n > combosFrom {
		t.Errorf("%d combinations", n)
	}
	if n := len(s.figures()); n != 2*5001 {
		t.Errorf("%d figures", n)
	}
}

func TestIDs(t *testing.T) {
	var s idSet
	id := func(i int64) []byte { return packID(nil, fmt.Append(nil, i)) }
	for i := range int64(1000) {
		s.add(id(i%150), i, 100) // ids come again, but after the gap
		for _, back := range []int64{0, 1, 50, 99, 100, 101, 120} {
			if want := back <= 100 && back <= i; s.has(id((i-back)%150), i, 100) != want {
				t.Fatalf("at %d, %d back: want %v", i, back, want)
			}
		}
		if i%97 == 0 {
			s.drop(s.before(i - 100))
		}
	}
	var c idSet
	c.add(id(777), 1, 100)
	c.copyFrom(&s)
	s.clear()
	if !c.has(id(99), 1000, 100) || c.has(id(777), 1000, 100) || s.has(id(99), 1000, 100) {
		t.Error("the copy is not one of its own")
	}
}

func TestPrepareFaults(t *testing.T) {
	hidden := testSource
	hidden.Names = map[string]beacon.Locator{"p": path("elsewhere")}
	c := Config{
		Gap: -time.Second, Lateness: time.Microsecond, MaxBeacons: -1,
		Sources: []Source{{&testSource, 1}, {&hidden, 1}},
		Tenants: map[string]Tenant{"shop": {
			Extractor:   testPoints("view", "visit"),
			Pairs:       [][2]string{{"view", "order"}, {"view", "view"}, {"view", "view"}},
			Dimensions:  []Dimension{{Name: "p", Path: "p"}, {Name: "p", Path: "q"}, {}},
			Experiments: []*experiment.Compiled{compile(experiment.Experiment{ID: "e", Qualify: "order"}), compile(plainTrial)},
		}},
	}
	err := c.Prepare()
	for _, want := range []string{
		"gap", "lateness", "max_beacons", `two sources have the topic "raw"`, `"visit": the name is reserved`, "[view, order]",
		"stands there twice", `two dimensions have the name "p"`, "needs a name and a path", `no point "order"`, `two experiments have the id "e"`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in:\n%v", want, err)
		}
	}
	if (&Config{Gap: time.Second}).Prepare() == nil {
		t.Error("a config without sources is fine")
	}
}

// A dimension can have a limit of its own.
func TestDimensionLimit(t *testing.T) {
	s, _ := run(t, testConfig(func(c *Config, shop *Tenant) {
		all(c, shop)
		shop.Dimensions = []Dimension{{Name: "p", Path: "p", Limit: 1}, {Name: "q", Path: "p"}}
	}), log(of("1", 1, `"p":"x"`), of("2", 1, `"p":"y"`)))
	check(t, "figures", s.figures(), join(both("_all _all %s visit{p=x q=x}", " @1: 1 1 1 1"), both("_all _all %s visit{p=_other q=y}", " @1: 1 1 1 1")))
}

// A value that is too long for a series is beyond the limit.
func TestLongValues(t *testing.T) {
	long := strings.Repeat("x", MaxValueBytes+1)
	s, _ := run(t, testConfig(func(c *Config, shop *Tenant) {
		all(c, shop)
		shop.Dimensions = []Dimension{{Name: "p", Path: "p"}}
	}), log(of("1", 1, fmt.Sprintf(`"p":%q,"m":[["click",1,{"slot":%[1]q}]]`, long)), of("2", 2, fmt.Sprintf(`"p":%q`, long[1:]))))
	check(t, "counts", s.countLines(), []string{"shop counted  2", "shop other p 1", "shop other slot 1"})
}

// What is left of a log will do if every session that goes on begins more than
// the gap after all that is gone.
func TestResume(t *testing.T) {
	for _, c := range []struct {
		name      string
		log       []string
		watermark int64 // where it was left
		want      string
	}{
		{"a session that begins more than the gap later", []string{at(50.01, "")}, metric.NoWatermark, ""},
		{"one that may have begun before", []string{at(50, "")}, metric.NoWatermark, "1 of 1 sessions"},
		{"its first beacon is in the tail, its last long after", []string{at(50, ""), at(55, "")}, metric.NoWatermark, "1 of 1 sessions"},
		{"its first beacon is in the prefix", join([]string{at(50, "")}, repeat(40, 51, 70)), metric.NoWatermark, "1 of 1 sessions"},
		{"it has ended, another goes on", []string{at(50, ""), at(81, ""), at(95, "")}, metric.NoWatermark, ""},
		{"it is let go", []string{at(50, ""), of("r", 91, "")}, metric.NoWatermark, ""},
		{"it is let go by the watermark that there was", []string{at(50, ""), of("r", 90, "")}, 91 * minute, ""},
		{"nothing has spoken", nil, 91 * minute, "not all source partitions"},
	} {
		t.Run(c.name, func(t *testing.T) {
			records := log(c.log...)
			if len(records) > 0 {
				records[0].Header.Watermark = 20 * minute
			}
			_, p := run(t, testConfig(nil), records)
			switch err := p.resume(c.watermark, true); {
			case c.want == "" && err != nil, c.want != "" && (!errors.Is(err, errState) || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v, want %q", err, c.want)
			}
			if c.want == "" && p.Watermark() < c.watermark {
				t.Errorf("watermark %d", p.Watermark())
			}
		})
	}
}

// repeat gives n beacons of one session over some minutes.
func repeat(n int, from, to float64) (lines []string) {
	for i := range n {
		lines = append(lines, at(from+(to-from)*float64(i)/float64(n), ""))
	}
	return lines
}

// A dimension is a path even where the source has a further name like it.
func TestDimensionIsPath(t *testing.T) {
	named := testSource
	named.Names = map[string]beacon.Locator{"p": path("elsewhere")}
	s, _ := run(t, testConfig(func(c *Config, shop *Tenant) {
		all(c, shop)
		c.Sources[0].Source, shop.Dimensions, shop.Fields = &named, []Dimension{{Name: "d", Path: "p"}}, []string{"p"}
	}), log(at(1, `"p":"path","elsewhere":"name"`)))
	check(t, "figures", s.figures(), both("_all _all %s visit{d=path}", " @1: 1 1 1 1"))
}
