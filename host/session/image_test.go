package session

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/kafka"
)

// imageOf freezes a partition and writes it.
func imageOf(t tester, p *Partition) []byte {
	t.Helper()
	f := p.Freeze()
	defer f.Close()
	var b bytes.Buffer
	n, err := f.WriteTo(&b)
	if err != nil {
		t.Fatal(err)
	}
	if n != int64(b.Len()) {
		t.Errorf("%d bytes were written, said to be %d", b.Len(), n)
	}
	return b.Bytes()
}

// generationsOf finds configs by number.
func generationsOf(all ...*Config) func(uint64) (*Config, error) {
	return func(generation uint64) (*Config, error) {
		for _, c := range all {
			if c.Generation == generation {
				return c, nil
			}
		}
		return nil, fmt.Errorf("no generation %d", generation)
	}
}

func restored(t tester, b []byte, all ...*Config) *Partition {
	t.Helper()
	r := bytes.NewReader(b)
	p, err := Restore(r, "web", 0, generationsOf(all...))
	if err != nil {
		t.Fatal(err)
	}
	if r.Len() > 0 {
		t.Errorf("%d bytes of the image were not read", r.Len())
	}
	return p
}

// process hands records to a partition and sums what comes of them.
func (s *sums) process(t tester, p *Partition, records []Record, sizes ...int) {
	t.Helper()
	for len(records) > 0 {
		n := len(records)
		if len(sizes) > 0 {
			n, sizes = min(n, sizes[0]), append(sizes[1:], sizes[0])
		}
		if err := p.Process(context.Background(), records[:n], &s.out); err != nil {
			t.Fatal(err)
		}
		s.take()
		records = records[n:]
	}
}

// held are the records of a partition by the session's name, and what else it
// would write.
func (p *Partition) heldText() []string {
	var all []string
	p.each(func(k *key) {
		all = append(all, fmt.Sprintf("%s %s: %x", k.tenant.name, unpackID(nil, k.name), k.text))
	})
	slices.Sort(all)
	return all
}

// drawLog draws a log of random beacons of so many source partitions, in about
// the order of their times.
func drawLog(t *rapid.T, draw func(*rapid.T) *plainBeacon, partitions int32, lateness int64, most int) []Record {
	beacons := rapid.SliceOfN(rapid.Custom(draw), 1, most).Draw(t, "beacons")
	delay := map[*plainBeacon]int64{}
	for _, b := range beacons {
		delay[b] = b.time + rapid.Int64Range(0, lateness*5/4).Draw(t, "delay")
	}
	slices.SortStableFunc(beacons, func(a, b *plainBeacon) int { return int(delay[a] - delay[b]) })
	var records []Record
	var highest [2]int64
	for i, b := range beacons {
		b.partition = rapid.Int32Range(0, partitions-1).Draw(t, "partition")
		b.header, b.offset = highest[b.partition], int64(i)
		highest[b.partition] = max(highest[b.partition], b.time)
		records = append(records, b.record(i))
	}
	return records
}

// To cut the log anywhere, write an image, restore it and go on is to go on
// without; so are the images after that.
func TestPropertyImage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gap, lateness := rapid.Int64Range(1, 12).Draw(t, "gap")*minute, rapid.Int64Range(0, 20).Draw(t, "lateness")*minute
		cfg := propertyConfig(time.Duration(gap)*time.Millisecond, time.Duration(lateness)*time.Millisecond, 2)
		records := drawLog(t, drawBeacon, 2, lateness, 60)
		batch := rapid.IntRange(1, 20).Draw(t, "batch")
		whole, cut := &sums{}, &sums{}
		p, q := NewPartition(cfg, "web", 0), NewPartition(cfg, "web", 0)
		defer p.Close()
		for len(records) > 0 {
			n := rapid.IntRange(1, len(records)).Draw(t, "until")
			whole.process(t, p, records[:n], batch)
			cut.process(t, q, records[:n], batch)
			records = records[n:]
			before := q
			q = restored(t, imageOf(t, q), cfg)
			check(t, "keys", q.heldText(), before.heldText())
			if q.Watermark() != p.Watermark() || q.Sessions() != p.Sessions() || q.swept != p.swept {
				t.Errorf("watermark %d, want %d; %d sessions, want %d; swept to %d, want %d", q.Watermark(), p.Watermark(), q.Sessions(), p.Sessions(), q.swept, p.swept)
			}
			before.Close()
		}
		defer q.Close()
		check(t, "figures", cut.plainLines(), whole.plainLines())
		check(t, "dead letters", cut.letters, whole.letters)
	})
}

// Images go on under older and later generations, and with values beyond their
// limits.
func TestImageOfGenerations(t *testing.T) {
	first := testConfig(func(c *Config, shop *Tenant) {
		c.MaxValues, shop.AllTraffic, shop.Dimensions = 1, true, []Dimension{{Name: "p", Path: "p"}}
		trials(plainTrial)(c, shop)
	})
	second := testConfig(func(c *Config, shop *Tenant) {
		c.Generation, c.MaxValues, shop.AllTraffic, shop.Dimensions = 2, 2, true, []Dimension{{Name: "o", Path: "o"}, {Name: "p", Path: "p"}}
		shop.Extractor = testPoints("order", "click:slot,image", "view")
	})
	lines := []string{
		of("s", 0, `"p":"x",`+a+`,"m":[["click",1,{"image":"i"}],["view",2]]`), of("t", 1, `"p":"y","m":[["click",1,{"image":"j"}]]`),
		of("s", 2, b), of("s", 1, `"m":[["view",-3]],"trap":"boom"`),
		of("s", 5, `"o":"1","p":"y","m":[["click",1,{"image":"k"}],["order",2]]`), of("u", 6, `"o":"2","p":"z"`), of("t", 3, a+`,"m":[["view"]]`),
		of("t", 9, `"m":[["view"]]`), of("v", 20, ""), of("s", 30, `"m":[["order"]]`), of("s", 65, `"p":"q"`), of("s", 500, ""), of("s", 900, ""),
	}
	records := log(lines...)
	const at = 4 // second is in force from here on
	want := &sums{}
	p := NewPartition(first, "web", 0)
	want.process(t, p, records[:at])
	if err := p.Switch(second); err != nil {
		t.Fatal(err)
	}
	want.process(t, p, records[at:])
	for cut := range len(records) {
		got := &sums{}
		q := NewPartition(first, "web", 0)
		for i := range records {
			if i == at {
				if err := q.Switch(second); err != nil {
					t.Fatal(err)
				}
			}
			if i == cut {
				q = restored(t, imageOf(t, q), first, second)
			}
			got.process(t, q, records[i:i+1])
		}
		check(t, fmt.Sprint("figures, cut at ", cut), got.figures(), want.figures())
		check(t, fmt.Sprint("counts, cut at ", cut), got.countLines(), want.countLines())
		if views := len(q.tenants[0].views); views != 1 {
			t.Errorf("%d generations are kept", views)
		}
	}
}

// An image that is written while the partition goes on is that of one that
// stopped there.
func TestImageMeanwhile(t *testing.T) {
	cfg := benchConfig(5)
	records := benchLog(5, 10)
	const half = benchBeacons / 2
	p, q := NewPartition(cfg, "web", 0), NewPartition(cfg, "web", 0)
	defer p.Close()
	defer q.Close()
	(&sums{}).process(t, p, records[:half], 1000)
	(&sums{}).process(t, q, records[:half], 1000)
	f := p.Freeze()
	defer f.Close()
	var b bytes.Buffer
	var err error
	var wait sync.WaitGroup
	wait.Go(func() { _, err = f.WriteTo(&b) })
	(&sums{}).process(t, p, records[half:], 1000)
	if wait.Wait(); err != nil {
		t.Fatal(err)
	}
	r := restored(t, b.Bytes(), cfg)
	defer r.Close()
	check(t, "keys", r.heldText(), q.heldText())
	(&sums{}).process(t, q, records[half:], 1000)
	(&sums{}).process(t, r, records[half:], 700)
	check(t, "keys in the end", r.heldText(), p.heldText())
}

// The keys of k partitions are taken over by n: they go on as one that had all
// from the beginning.
func TestPropertyAbsorb(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gap, lateness := rapid.Int64Range(1, 12).Draw(t, "gap")*minute, rapid.Int64Range(0, 20).Draw(t, "lateness")*minute
		config := func(generation uint64) *Config {
			c := propertyConfig(time.Duration(gap)*time.Millisecond, time.Duration(lateness)*time.Millisecond, 2)
			c.Generation = generation
			if err := c.Prepare(); err != nil {
				t.Fatal(err)
			}
			return c
		}
		before, after := config(1), config(2)
		records := drawLog(t, drawBeacon, 2, lateness, 80)
		// Each partition hears of all: a mark behind each beacon.
		var marks []beacon.Mark
		high := [2]int64{}
		for i := range records {
			h := &records[i].Header
			var v plainTime
			v.read(records[i].Value)
			high[h.Partition] = max(high[h.Partition], h.Watermark, int64(v))
			marks = append(marks, beacon.Mark{Generation: 1, Entries: []beacon.MarkEntry{
				{Topic: "raw", Partition: 0, Partitions: 2, Watermark: high[0]}, {Topic: "raw", Partition: 1, Partitions: 2, Watermark: high[1]},
			}})
		}
		cut := rapid.IntRange(0, len(records)).Draw(t, "cut")
		k, n := rapid.Int32Range(1, 4).Draw(t, "k"), rapid.Int32Range(1, 4).Draw(t, "n")
		want, got := &sums{}, &sums{}
		one := NewPartition(before, "web", 0)
		defer one.Close()
		spread := func(parts []*Partition, records []Record, marks []beacon.Mark) {
			for i := range records {
				var v struct{ sid string }
				v.sid = sessionOf(records[i].Value)
				for j, p := range parts {
					var batch []Record
					if kafka.PartitionOf([]byte(v.sid), int32(len(parts))) == int32(j) {
						batch = append(batch, records[i])
					}
					got.process(t, p, append(batch, Record{Mark: &marks[i]}))
				}
				want.process(t, one, []Record{records[i], {Mark: &marks[i]}})
			}
		}
		var old, parts []*Partition
		for i := range k {
			old = append(old, NewPartition(before, "web", i))
		}
		spread(old, records[:cut], marks[:cut])
		sessions := 0
		for i := range n {
			p := NewPartition(after, "web", i)
			defer p.Close()
			for _, o := range old {
				if err := p.Absorb(bytes.NewReader(imageOf(t, o)), generationsOf(before, after), func(session []byte) bool {
					return kafka.PartitionOf(session, n) == i
				}); err != nil {
					t.Fatal(err)
				}
			}
			if cut > 0 && p.Watermark() != one.Watermark() {
				t.Errorf("watermark %d, want %d", p.Watermark(), one.Watermark())
			}
			sessions += p.Sessions()
			parts = append(parts, p)
		}
		for _, o := range old {
			sessions -= o.Sessions()
			o.Close()
		}
		if sessions != 0 {
			t.Errorf("%d sessions too many", sessions)
		}
		if err := one.Switch(after); err != nil {
			t.Fatal(err)
		}
		spread(parts, records[cut:], marks[cut:])
		check(t, "figures", got.plainLines(), want.plainLines())
		check(t, "dead letters", sortedText(got.letters), sortedText(want.letters))
	})
}

// A value that was beyond its limit where a beacon came to stays so for it, and
// one that was within it anywhere is so from then on.
func TestAbsorbLimits(t *testing.T) {
	cfg := testConfig(func(c *Config, shop *Tenant) {
		c.MaxValues, shop.AllTraffic, shop.Dimensions = 1, true, []Dimension{{Name: "p", Path: "p"}}
	})
	s := &sums{}
	one, two, into := NewPartition(cfg, "web", 0), NewPartition(cfg, "web", 1), NewPartition(cfg, "web", 0)
	s.process(t, one, log(of("a", 1, `"p":"x","m":[["click",1,{"image":"i"}]]`), of("b", 2, `"p":"y","m":[["click",1,{"image":"j"}]]`)))
	s.process(t, two, log(of("c", 1, `"p":"y","m":[["click",1,{"image":"j"}]]`), of("d", 2, `"p":"x","m":[["click",1,{"image":"i"}]]`)))
	for _, p := range []*Partition{one, two} {
		if err := into.Absorb(bytes.NewReader(imageOf(t, p)), generationsOf(cfg), func([]byte) bool { return true }); err != nil {
			t.Fatal(err)
		}
	}
	s.process(t, into, log(of("b", 1.5, ""), of("c", 0.5, ""), of("d", 1.5, `"p":"x"`), of("e", 3, `"p":"y","m":[["click",1,{"image":"i"}]]`), of("f", 3, `"p":"z"`)))
	check(t, "figures", s.figures(), join(
		both("_all _all %s visit{p=x}", " @1: 2 2 2 2"), both("_all _all %s visit{p=y}", " @3: 1 1 1 1"), both("_all _all %s visit", " @1: 1 1 1 1"),
		both("_all _all %s visit", " @0: 1 1 1 1"), both("_all _all %s visit{p=_other}", " @3: 1 1 1 1"),
		both("_all _all %s click{p=x}", " @1: 1 1 1 1"), both("_all _all %s click{p=x}", " @2: 1 1 1 1"), both("_all _all %s click", " @2: 1 1 1 1"),
		both("_all _all %s click", " @1: 1 1 1 1"), both("_all _all %s click{p=y}", " @3: 1 1 1 1"),
		both("_all _all %s click[image=i]{p=x}", " @1: 1 1 1 1"), both("_all _all %s click[image=_other]{p=x}", " @2: 1 1 1 1"),
		both("_all _all %s click[image=_other]", " @2: 1 1 1 1"), both("_all _all %s click[image=j]", " @1: 1 1 1 1"),
		both("_all _all %s click[image=i]{p=y}", " @3: 1 1 1 1"),
	))
}

func TestImageFaults(t *testing.T) {
	cfg := testConfig(all)
	_, p := run(t, cfg, log(at(0, `"id":"1"`), of("r", 1, "")))
	good := imageOf(t, p)
	other := testConfig(func(c *Config, shop *Tenant) { c.Gap = time.Minute })
	for _, c := range []struct {
		name  string
		image []byte
		cfg   *Config
		want  error
	}{
		{"empty", nil, cfg, ErrImage},
		{"another magic", append([]byte("x"), good[1:]...), cfg, ErrImage},
		{"another version", slices.Replace(slices.Clone(good), len(imageMagic), len(imageMagic)+1, imageVersion+1), cfg, ErrImageVersion},
		{"another gap", good, other, ErrImage},
	} {
		if _, err := Restore(bytes.NewReader(c.image), "web", 0, generationsOf(c.cfg)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for cut := range len(good) {
		if _, err := Restore(bytes.NewReader(good[:cut]), "web", 0, generationsOf(cfg)); !errors.Is(err, ErrImage) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
	if _, err := Restore(bytes.NewReader(good), "web", 1, generationsOf(cfg)); !errors.Is(err, ErrImage) {
		t.Error(err)
	}
	broken := fmt.Errorf("broken")
	if _, err := Restore(io.MultiReader(bytes.NewReader(good[:30]), errorReader{broken}), "web", 0, generationsOf(cfg)); !errors.Is(err, broken) || errors.Is(err, ErrImage) {
		t.Error(err)
	}
	if _, err := Restore(bytes.NewReader(good), "web", 0, func(uint64) (*Config, error) { return nil, broken }); !errors.Is(err, broken) || errors.Is(err, ErrImage) {
		t.Error(err)
	}
}

type errorReader struct{ error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.error }

// Whatever stands in an image, it is refused or a partition that goes on.
func FuzzRestore(f *testing.F) {
	cfg := propertyConfig(5*time.Minute, 10*time.Minute, 1)
	records := log(
		`{"ts":60000,"tenant":"shop","sid":"s","id":"12","platform":"web","visitor":"u","exp":{"plain":"a","out":"b"},"m":[["view"],["order",2.5],["click",1,{"image":"i"}]]}`,
		`{"ts":90000,"tenant":"news","sid":"123e4567-e89b-12d3-a456-426614174000","platform":"tv"}`,
		`{"ts":120000,"tenant":"shop","sid":"s","id":"ab","m":[["view"]]}`, `{"ts":1500000,"tenant":"shop","sid":"s","id":"ac","exp":{"out":"a"},"m":[["click"]]}`,
	)
	for n := range len(records) + 1 {
		_, p := run(f, cfg, records[:n])
		f.Add(imageOf(f, p))
	}
	more := log(`{"ts":1600000,"tenant":"shop","sid":"s","id":"ac","m":[["view"]]}`, `{"ts":1550000,"tenant":"shop","sid":"s","id":"ad"}`,
		`{"ts":9000000,"tenant":"news","sid":"s"}`)
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Restore(bytes.NewReader(b), "web", 0, generationsOf(cfg))
		if err != nil {
			return
		}
		defer p.Close()
		if err := p.Process(t.Context(), more, &Output{}); err != nil {
			t.Log(err)
		}
		q := NewPartition(cfg, "web", 0)
		defer q.Close()
		if err := q.Absorb(bytes.NewReader(imageOf(t, p)), generationsOf(cfg), func([]byte) bool { return true }); err != nil {
			return
		}
		if err := q.Process(t.Context(), more, &Output{}); err != nil {
			t.Log(err)
		}
	})
}

// plainTime and sessionOf read test beacons.
type plainTime int64

func (v *plainTime) read(value []byte) {
	var line struct{ TS int64 }
	mustRead(value, &line)
	*v = plainTime(line.TS)
}

func sessionOf(value []byte) string {
	var line struct{ SID string }
	mustRead(value, &line)
	return line.SID
}

func mustRead(value []byte, into any) {
	if err := json.Unmarshal(value, into); err != nil {
		panic(err)
	}
}

func sortedText(lines []string) []string { return slices.Sorted(slices.Values(lines)) }
