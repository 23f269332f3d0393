package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

const now = 1_700_000_000_000 // of the tests

// plugin is a filter and splitter that looks at the field "do": a beacon of
// {"do":"NAME:VERB:ARG …"} tells the plugin of that name what to do.
type plugin struct {
	name string
	seen []string // sessions of the rows that it saw
	err  error

	asked *int // how many rows were new; nil: nobody counts
}

func (p *plugin) each(b *beacon.Batch, sel []int, do func(row int, verb, arg string)) error {
	at := b.Fields().Index("do")
	if p.asked != nil {
		*p.asked += b.New(sel)
	}
	for _, i := range sel {
		r := b.Row(i)
		p.seen = append(p.seen, string(r.Session))
		for _, word := range strings.Fields(string(r.Values[at].Text)) {
			if parts := strings.SplitN(word, ":", 3); parts[0] == p.name {
				do(i, parts[1], parts[2])
			}
		}
	}
	return p.err
}

func (p *plugin) Filter(_ context.Context, b *beacon.Batch, sel []int, drop func(int, beacon.Drop)) error {
	return p.each(b, sel, func(i int, verb, arg string) { drop(i, p.dropOf(verb, arg)) })
}

func (p *plugin) Split(_ context.Context, b *beacon.Batch, sel []int, route func(int, string), drop func(int, beacon.Drop)) error {
	return p.each(b, sel, func(i int, verb, arg string) {
		if verb == "route" {
			route(i, arg)
			return
		}
		drop(i, p.dropOf(verb, arg))
	})
}

func (p *plugin) dropOf(verb, arg string) beacon.Drop {
	if verb == "drop" {
		return beacon.Drop{Reason: arg}
	}
	return beacon.Drop{Cause: beacon.Cause("plugin " + p.name + ": " + arg), Plugin: p.name, Version: "1", Digest: "sha256:1", Detail: "wasm stack"}
}

// recorder is an Output that keeps everything.
type recorder struct {
	routed  []routed
	letters []kafka.DeadLetter
	counts  metric.Counts
}

type routed struct {
	route, key, value string
	partition         int32
	header            beacon.Header
}

func (r *recorder) Route(route string, partition int32, key, header, value []byte) {
	h, err := beacon.ParseHeader(header)
	if err != nil {
		panic(err)
	}
	r.routed = append(r.routed, routed{route, string(key), string(value), partition, h})
}
func (r *recorder) DeadLetter(d kafka.DeadLetter) { r.letters = append(r.letters, d) }
func (r *recorder) Count(c metric.Count)          { r.counts.Add(c) }

// plugins are those of testConfig.
type plugins struct{ f, g, own, split plugin }

func testConfig() (Config, *plugins) {
	p := &plugins{plugin{name: "f"}, plugin{name: "g"}, plugin{name: "own"}, plugin{name: "split"}}
	path := func(s string) beacon.Locator { return beacon.Locator{Paths: []string{s}} }
	constant := func(s string) beacon.Locator { return beacon.Locator{IsConst: true, Const: s} }
	return Config{
		Generation: 7,
		Sources: []*beacon.Source{
			{Name: "site", Topic: "beacons", Format: beacon.JSON, Time: path("ts"), Tenant: path("tenant"), Session: path("sid")},
			{Name: "log", Topic: "log", Format: beacon.JSON, Time: path("ts"), Tenant: constant("shop"), Session: path("sid")},
			{Name: "lost", Topic: "lost", Format: beacon.JSON, Time: path("ts"), Tenant: constant("nobody"), Session: path("sid")},
		},
		Fields:  beacon.NewFields("do"),
		Filters: []Filter{&p.f, &p.g}, Splitter: &p.split,
		Tenants: map[string]Tenant{"shop": {}, "news": {Filters: []Filter{&p.own}}},
		Routes:  []Route{{Name: "web", Topic: "pharos.web", Partitions: 4}, {Name: "mobile", Topic: "pharos.mobile", Partitions: 2}},
		Default: "web", Ahead: 5 * time.Minute,
	}, p
}

func newCore(t testing.TB, cfg Config) *Core {
	t.Helper()
	c, err := NewCore(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func count(tenant string, o metric.Outcome, reason string) metric.Count {
	return metric.Count{Tenant: tenant, Outcome: o, Reason: reason, N: 1}
}

// TestOneBeacon: what becomes of a beacon, cause by cause, and which cause
// counts where several hold.
func TestOneBeacon(t *testing.T) {
	const good = `"ts":1700000000000,"tenant":"shop","sid":"s1"`
	deep := strings.Repeat("[", 200) + strings.Repeat("]", 200)
	for name, c := range map[string]struct {
		topic, value string
		route        string // "": not routed
		cause        string // of the dead letter; "": none
		detail       string
		tenant       string // of the dead letter
		counts       []metric.Count
	}{
		"good":              {value: `{` + good + `}`, route: "web"},
		"routed":            {value: `{` + good + `,"do":"split:route:mobile"}`, route: "mobile"},
		"constant tenant":   {topic: "log", value: `{"ts":1,"sid":"s1"}`, route: "web"},
		"at the edge ahead": {value: `{"ts":1700000300000,"tenant":"shop","sid":"s1"}`, route: "web"},

		"not JSON":                   {value: `{"ts"`, cause: "not JSON"},
		"not JSON, constant":         {topic: "log", value: `{"ts"`, cause: "not JSON", tenant: "shop"},
		"not JSON, unknown constant": {topic: "lost", value: `{"ts"`, cause: "not JSON"},
		"no value":                   {value: ``, cause: "not JSON"},
		"not an object":              {value: `[1]`, cause: "not an object"},
		"not UTF-8":                  {value: "{\"a\":\"\xff\"}", cause: "not UTF-8"},
		"too deep":                   {value: `{` + good + `,"x":` + deep + `}`, cause: "too deep"},
		"too large":                  {value: `{` + good + `,"x":"` + strings.Repeat("x", 1<<20) + `"}`, cause: "too large"},
		"no tenant":                  {value: `{"ts":1,"sid":"s1"}`, cause: "no tenant"},
		"empty tenant":               {value: `{"ts":1,"sid":"s1","tenant":""}`, cause: "no tenant"},
		"unknown tenant":             {value: `{"ts":1,"sid":"s1","tenant":"else"}`, cause: "unknown tenant", detail: "else"},
		"unknown constant tenant":    {topic: "lost", value: `{"ts":1,"sid":"s1"}`, cause: "unknown tenant", detail: "nobody"},
		"no time":                    {value: `{"tenant":"shop","sid":"s1"}`, cause: "no time", tenant: "shop"},
		"year 10000":                 {value: `{"ts":253402300800000,"tenant":"shop","sid":"s1"}`, cause: "no time", tenant: "shop"},
		"no session":                 {value: `{"ts":1,"tenant":"shop"}`, cause: "no session", tenant: "shop"},
		"future":                     {value: `{"ts":1700000300001,"tenant":"shop","sid":"s1"}`, cause: "future", tenant: "shop"},
		"year 9999":                  {value: `{"ts":"9999-12-31T23:59:59Z","tenant":"shop","sid":"s1"}`, cause: "future", tenant: "shop"},

		"filtered":               {value: `{` + good + `,"do":"f:drop:bot"}`, counts: []metric.Count{count("shop", metric.Filtered, "bot")}},
		"second filter":          {value: `{` + good + `,"do":"g:drop:asset"}`, counts: []metric.Count{count("shop", metric.Filtered, "asset")}},
		"splitter drops":         {value: `{` + good + `,"do":"split:drop:odd"}`, counts: []metric.Count{count("shop", metric.Filtered, "odd")}},
		"other tenant's":         {value: `{` + good + `,"do":"own:drop:internal"}`, route: "web"},
		"own filter":             {value: `{"ts":1,"tenant":"news","sid":"s1","do":"own:drop:internal"}`, counts: []metric.Count{count("news", metric.Filtered, "internal")}},
		"filter broke":           {value: `{` + good + `,"do":"f:trap:unreachable"}`, cause: "plugin f: unreachable", detail: "wasm stack", tenant: "shop"},
		"splitter broke":         {value: `{` + good + `,"do":"split:trap:timeout"}`, cause: "plugin split: timeout", detail: "wasm stack", tenant: "shop"},
		"order: first filter":    {value: `{` + good + `,"do":"g:drop:b f:drop:a"}`, counts: []metric.Count{count("shop", metric.Filtered, "a")}},
		"order: general first":   {value: `{"ts":1,"tenant":"news","sid":"s1","do":"own:drop:c g:drop:b split:drop:d"}`, counts: []metric.Count{count("news", metric.Filtered, "b")}},
		"order: own, split":      {value: `{"ts":1,"tenant":"news","sid":"s1","do":"own:drop:c split:drop:d"}`, counts: []metric.Count{count("news", metric.Filtered, "c")}},
		"order: tenant, time":    {value: `{"tenant":"else"}`, cause: "unknown tenant", detail: "else"},
		"order: time, session":   {value: `{"tenant":"shop"}`, cause: "no time", tenant: "shop"},
		"order: session, future": {value: `{"ts":1800000000000,"tenant":"shop"}`, cause: "no session", tenant: "shop"},
		"order: future, filter":  {value: `{"ts":1800000000000,"tenant":"shop","sid":"s1","do":"f:drop:bot"}`, cause: "future", tenant: "shop"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, _ := testConfig()
			core := newCore(t, cfg)
			if c.topic == "" {
				c.topic = "beacons"
			}
			src := &Source{Topic: c.topic, Partition: 3, Watermark: 42}
			var out recorder
			if err := core.Process(context.Background(), src, []Raw{{Offset: 99, Value: []byte(c.value)}}, now, &out); err != nil {
				t.Fatal(err)
			}
			if c.route != "" {
				if len(out.routed) != 1 || len(out.letters) != 0 {
					t.Fatalf("routed %+v, dead letters %+v", out.routed, out.letters)
				}
				r := out.routed[0]
				n := map[string]int32{"web": 4, "mobile": 2}[c.route]
				want := beacon.Header{Topic: c.topic, Partition: 3, Offset: 99, Generation: 7, Watermark: 42}
				if r.route != c.route || r.key != "s1" || r.value != c.value || r.partition != kafka.PartitionOf([]byte("s1"), n) || r.header != want {
					t.Errorf("routed %+v", r)
				}
			} else if len(out.routed) != 0 || src.Watermark != 42 {
				t.Errorf("routed %+v, watermark %d", out.routed, src.Watermark)
			}
			switch {
			case c.cause == "" && len(out.letters) > 0:
				t.Errorf("dead letters %+v", out.letters)
			case c.cause != "":
				want := kafka.DeadLetter{Cause: c.cause, Detail: c.detail, Tenant: c.tenant, Topic: c.topic, Partition: 3, Offset: 99}
				if name, _, ok := strings.Cut(strings.TrimPrefix(c.cause, "plugin "), ":"); ok {
					want.Plugin, want.Version, want.Digest = name, "1", "sha256:1"
				}
				if len(out.letters) != 1 || string(out.letters[0].Value) != c.value {
					t.Fatalf("dead letters %+v", out.letters)
				}
				out.letters[0].Value = nil
				if fmt.Sprint(out.letters[0]) != fmt.Sprint(want) {
					t.Errorf("dead letter %+v\nwant        %+v", out.letters[0], want)
				}
				if c.tenant == "" {
					c.counts = []metric.Count{count("", metric.Undecodable, c.cause)}
				} else {
					c.counts = []metric.Count{count(c.tenant, metric.DeadLettered, c.cause)}
				}
			}
			var want metric.Counts
			for _, n := range c.counts {
				want.Add(n)
				if n.Tenant != "" {
					want.Add(count(n.Tenant, metric.In, ""))
				}
			}
			if c.route != "" {
				want.Add(count("shop", metric.In, ""))
			}
			if !slices.Equal(out.counts.All(), want.All()) {
				t.Errorf("counts %v, want %v", out.counts.All(), want.All())
			}
		})
	}
}

// TestPluginsSeeWhatIsLeft: a filter sees only what those before it kept, a
// tenant's filter only its tenant's rows, the splitter all that is left.
func TestPluginsSeeWhatIsLeft(t *testing.T) {
	cfg, p := testConfig()
	core := newCore(t, cfg)
	var records []Raw
	for i, line := range []string{
		`"tenant":"shop","sid":"a"`, `"tenant":"shop","sid":"b","do":"f:drop:x"`, `"tenant":"news","sid":"c"`,
		`"tenant":"news","sid":"d","do":"g:trap:x"`, `"tenant":"news","sid":"e","do":"own:drop:x"`, `"tenant":"else","sid":"f"`,
	} {
		records = append(records, Raw{Offset: int64(i), Value: []byte(`{"ts":1,` + line + `}`)})
	}
	var out recorder
	if err := core.Process(context.Background(), &Source{Topic: "beacons"}, records, now, &out); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		of   *plugin
		want string
	}{{&p.f, "a b c d e"}, {&p.g, "a c d e"}, {&p.own, "c e"}, {&p.split, "a c"}} {
		if got := strings.Join(c.of.seen, " "); got != c.want {
			t.Errorf("%s saw %s, want %s", c.of.name, got, c.want)
		}
	}
}

// TestWatermark: every routed beacon moves it, and each has the one before it.
func TestWatermark(t *testing.T) {
	cfg, _ := testConfig()
	core := newCore(t, cfg)
	src := &Source{Topic: "beacons", Watermark: metric.NoWatermark}
	var out recorder
	for i, b := range []struct {
		ts     int64
		more   string
		before int64 // -1: not routed
	}{
		{1000, "", metric.NoWatermark}, {900, "", 1000}, {5000, `,"do":"f:drop:bot"`, -1}, {1000, "", 1000}, {2000, `,"do":"split:route:mobile"`, 1000},
		{now + 1_000_000, "", -1}, {3000, `,"do":"split:trap:x"`, -1}, {1, "", 2000},
	} {
		out.routed = nil
		value := fmt.Appendf(nil, `{"ts":%d,"tenant":"shop","sid":"s"%s}`, b.ts, b.more)
		if err := core.Process(context.Background(), src, []Raw{{Offset: int64(i), Value: value}}, now, &out); err != nil {
			t.Fatal(err)
		}
		switch {
		case b.before == -1 && len(out.routed) != 0:
			t.Errorf("beacon %d is routed", i)
		case b.before != -1 && (len(out.routed) != 1 || out.routed[0].header.Watermark != b.before):
			t.Errorf("beacon %d: %+v, want watermark %d", i, out.routed, b.before)
		}
	}
	if src.Watermark != 2000 {
		t.Errorf("watermark %d at the end", src.Watermark)
	}
}

func TestCoreErrors(t *testing.T) {
	cfg, p := testConfig()
	core := newCore(t, cfg)
	src := &Source{Topic: "beacons"}
	one := func(core *Core, do string) error {
		var out recorder
		err := core.Process(context.Background(), src, []Raw{{Value: []byte(`{"ts":1,"tenant":"news","sid":"s","do":"` + do + `"}`)}}, now, &out)
		if err != nil && len(out.counts.All()) != 0 {
			t.Errorf("a failed batch counts %v", out.counts.All())
		}
		return err
	}
	if err := one(core, "split:route:tablet"); err == nil || !strings.Contains(err.Error(), `"tablet"`) {
		t.Errorf("unknown route: %v", err)
	}
	broken := errors.New("host broken")
	for _, p := range []*plugin{&p.f, &p.own, &p.split} {
		p.err = broken
		if err := one(core, ""); !errors.Is(err, broken) {
			t.Errorf("%s is broken: %v", p.name, err)
		}
		p.err = nil
	}
	if err := one(core, ""); err != nil {
		t.Errorf("after errors: %v", err)
	}
	src.Topic = "elsewhere"
	if err := one(core, ""); !errors.Is(err, kafka.ErrStop) {
		t.Errorf("unknown topic: %v", err)
	}
	for name, change := range map[string]func(*Config){
		"none of the routes": func(c *Config) { c.Default = "tablet" },
		"partitions":         func(c *Config) { c.Routes[0].Partitions = 0 },
		"one source":         func(c *Config) { c.Sources[1].Topic = "beacons" },
	} {
		cfg, _ := testConfig()
		change(&cfg)
		if _, err := NewCore(cfg); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestConservation: of random beacons, in any batches, each is routed, filtered
// or a dead letter, once; order within the partition holds; and how they were
// cut into batches shows nowhere.
func TestConservation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.SampledFrom([]string{"", "f:drop:a", "g:drop:b", "own:drop:c", "split:drop:d", "f:trap:x", "split:route:mobile", "split:route:web"})
		line := rapid.Custom(func(t *rapid.T) string {
			if rapid.IntRange(0, 9).Draw(t, "broken") == 0 {
				return rapid.SampledFrom([]string{"", "[]", "{", "null", "{}"}).Draw(t, "text")
			}
			return fmt.Sprintf(`{"ts":%d,"tenant":%q,"sid":%q,"do":%q}`,
				rapid.Int64Range(now-1000, now+400_000).Draw(t, "ts"),
				rapid.SampledFrom([]string{"shop", "news", "else", ""}).Draw(t, "tenant"),
				rapid.SampledFrom([]string{"", "s1", "s2", "s3"}).Draw(t, "sid"),
				word.Draw(t, "do")+" "+word.Draw(t, "do"))
		})
		lines := rapid.SliceOfN(line, 0, 60).Draw(t, "lines")
		process := func(cuts func() int) (*recorder, int64) {
			cfg, _ := testConfig()
			core, err := NewCore(cfg)
			if err != nil {
				t.Fatal(err)
			}
			src := &Source{Topic: "beacons", Watermark: metric.NoWatermark}
			var out recorder
			for at := 0; at < len(lines); {
				n := min(cuts(), len(lines)-at)
				var records []Raw
				for i := range n {
					records = append(records, Raw{Offset: int64(at + i), Value: []byte(lines[at+i])})
				}
				if err := core.Process(context.Background(), src, records, now, &out); err != nil {
					t.Fatal(err)
				}
				at += n
			}
			return &out, src.Watermark
		}
		all, watermark := process(func() int { return len(lines) })
		cut, watermark2 := process(func() int { return rapid.IntRange(1, 10).Draw(t, "cut") })
		slices.SortFunc(all.letters, func(a, b kafka.DeadLetter) int { return int(a.Offset - b.Offset) })
		slices.SortFunc(cut.letters, func(a, b kafka.DeadLetter) int { return int(a.Offset - b.Offset) })
		if fmt.Sprint(all.routed, all.letters, all.counts.All(), watermark) != fmt.Sprint(cut.routed, cut.letters, cut.counts.All(), watermark2) {
			t.Fatalf("batches show:\n%+v\n%+v", all, cut)
		}
		byOutcome := map[metric.Outcome]int64{}
		for _, c := range all.counts.All() {
			byOutcome[c.Outcome] += c.N
		}
		if in := byOutcome[metric.In]; in != int64(len(all.routed))+byOutcome[metric.Filtered]+byOutcome[metric.DeadLettered] {
			t.Fatalf("%d in, %d routed, %v", in, len(all.routed), byOutcome)
		}
		if n := byOutcome[metric.In] + byOutcome[metric.Undecodable]; n != int64(len(lines)) {
			t.Fatalf("%d of %d are counted", n, len(lines))
		}
		if n := byOutcome[metric.DeadLettered] + byOutcome[metric.Undecodable]; n != int64(len(all.letters)) {
			t.Fatalf("%d dead letters, counted %d", len(all.letters), n)
		}
		last := int64(-1)
		for _, r := range all.routed {
			if r.header.Offset <= last || lines[r.header.Offset] != r.value {
				t.Fatalf("routed %+v after offset %d", r, last)
			}
			last = r.header.Offset
		}
	})
}

// nothing is an Output that costs nothing.
type nothing struct{ n int }

func (o *nothing) Route(string, int32, []byte, []byte, []byte) { o.n++ }
func (*nothing) DeadLetter(kafka.DeadLetter)                   {}
func (*nothing) Count(metric.Count)                            {}

// even drops every other row.
type even struct{}

func (even) Filter(_ context.Context, _ *beacon.Batch, sel []int, drop func(int, beacon.Drop)) error {
	for _, i := range sel {
		if i%2 == 1 {
			drop(i, beacon.Drop{Reason: "odd"})
		}
	}
	return nil
}

// mobile routes every fourth row.
type mobile struct{}

func (mobile) Split(_ context.Context, _ *beacon.Batch, sel []int, route func(int, string), _ func(int, beacon.Drop)) error {
	for _, i := range sel {
		if i%4 == 0 {
			route(i, "mobile")
		}
	}
	return nil
}

func benchCore(t testing.TB) (*Core, []Raw) {
	cfg, _ := testConfig()
	cfg.Filters, cfg.Splitter = []Filter{even{}}, mobile{}
	var records []Raw
	for i := range 4096 {
		records = append(records, Raw{Offset: int64(i), Value: fmt.Appendf(nil,
			`{"ts":%d,"tenant":"shop","sid":"session-%d","type":"view","url":"https://shop.example/item/%d?ref=mail","headers":{"ua":"Mozilla/5.0 (X11; Linux x86_64)"},"product":{"id":"p%d","price":12.5},"do":"none"}`,
			now+i, i%500, i, i)})
	}
	return newCore(t, cfg), records
}

func BenchmarkCore(b *testing.B) {
	core, records := benchCore(b)
	src, out := &Source{Topic: "beacons", Watermark: metric.NoWatermark}, &nothing{}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if err := core.Process(context.Background(), src, records, now, out); err != nil {
			b.Fatal(err)
		}
		n += len(records)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/beacon")
}

// TestNoGarbage: a batch of good beacons allocates nothing once memory has grown.
func TestNoGarbage(t *testing.T) {
	core, records := benchCore(t)
	src, out := &Source{Topic: "beacons", Watermark: metric.NoWatermark}, &nothing{}
	if n := testing.AllocsPerRun(20, func() {
		if err := core.Process(context.Background(), src, records, now, out); err != nil {
			t.Fatal(err)
		}
	}); n > 8 {
		t.Errorf("%v allocations in a batch of %d beacons", n, len(records))
	}
}
