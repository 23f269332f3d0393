package embedded

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() }) // a second Close does nothing
	return s
}

func minuteAt(year int, month time.Month, day, hour int) int64 {
	return time.Date(year, month, day, hour, 0, 0, 0, time.UTC).Unix() / 60
}

var web = &metric.Series{
	Tenant: "shop", Experiment: "e", Variant: "a", Status: metric.Assigned, Point: "order",
	Dims: []metric.Label{{Name: "platform", Value: "web"}},
}

func sample(s *metric.Series, minute int64, v float64) metric.Sample {
	return metric.Sample{Series: s, Minute: minute, Hits: v, Sum: v + 0.1, Sessions: -v, SumSq: v / 3}
}

func write(t *testing.T, s *Store, samples ...metric.Sample) {
	t.Helper()
	if err := s.Write(context.Background(), samples); err != nil {
		t.Fatal(err)
	}
}

// read returns stored values by series key, stat and minute.
func read(t *testing.T, s *Store, sel metric.Selector) map[string]float64 {
	t.Helper()
	if sel.To == 0 {
		sel.From, sel.To = math.MinInt64, math.MaxInt64
	}
	got := map[string]float64{}
	err := s.Read(context.Background(), sel, func(s *metric.Series, stat string, minute int64, v float64) error {
		k := name(s, stat, minute)
		if _, ok := got[k]; ok {
			t.Errorf("%q is read twice", k)
		}
		got[k] = v
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func name(s *metric.Series, stat string, minute int64) string {
	return fmt.Sprintf("%s %s %d", s.AppendKey(nil), stat, minute)
}

// holds checks that exactly the samples are stored, to the last bit.
func holds(t *testing.T, got map[string]float64, samples ...metric.Sample) {
	t.Helper()
	if len(got) != len(samples)*len(metric.Stats) {
		t.Errorf("%d values, want %d", len(got), len(samples)*len(metric.Stats))
	}
	for _, s := range samples {
		for _, stat := range metric.Stats {
			want, _ := s.Stat(stat)
			v, ok := got[name(s.Series, stat, s.Minute)]
			if !ok || math.Float64bits(v) != math.Float64bits(want) {
				t.Errorf("%s of %+v at %d is %v, %v; want %v", stat, *s.Series, s.Minute, v, ok, want)
			}
		}
	}
}

// A restart writes the last minutes once more, in any order: the same values
// come out, once.
func TestRewrite(t *testing.T) {
	dir := t.TempDir()
	base := minuteAt(2019, 10, 1, 0)
	var all []metric.Sample
	for m := range int64(600) { // beyond one chunk, and beyond one block's range
		all = append(all, sample(web, base+m, float64(m)*1.1))
	}
	s := open(t, dir)
	write(t, s, all...)
	holds(t, read(t, s, metric.Selector{Tenant: "shop"}), all...)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, dir)
		write(t, s, all[300:]...)
		write(t, s, all[:300]...)
		holds(t, read(t, s, metric.Selector{Tenant: "shop"}), all...)
		if err := s.db.Compact(context.Background()); err != nil {
			t.Fatal(err)
		}
		holds(t, read(t, s, metric.Selector{Tenant: "shop"}), all...)
	}
	if tooOld, differs := s.LeftOut(); tooOld+differs != 0 {
		t.Errorf("%d, %d samples were left out", tooOld, differs)
	}
}

// Minutes long past are kept while nothing much newer comes, also when a
// younger series was there first; retention counts from the newest.
func TestOldMinutes(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	other := &metric.Series{Tenant: "shop", Experiment: "e", Variant: "b", Status: metric.Assigned, Point: "order"}
	old := []metric.Sample{
		sample(web, minuteAt(2015, 5, 17, 10), 1), sample(web, minuteAt(2015, 5, 20, 21), 2),
		sample(other, minuteAt(2015, 5, 1, 0), 3), sample(web, minuteAt(2015, 5, 2, 0), 4),
	}
	write(t, s, old...)
	compact := func() {
		t.Helper()
		if err := s.db.Compact(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	compact()
	holds(t, read(t, s, metric.Selector{Tenant: "shop"}), old...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	holds(t, read(t, s, metric.Selector{Tenant: "shop"}), old...)

	// 2019 follows: 2015 is beyond the retention now, and left out when it comes again.
	newer := []metric.Sample{sample(web, minuteAt(2019, 10, 1, 0), 5), sample(web, minuteAt(2019, 10, 3, 0), 6)}
	write(t, s, newer...)
	holds(t, read(t, s, metric.Selector{Tenant: "shop", From: minuteAt(2019, 1, 1, 0), To: minuteAt(2020, 1, 1, 0)}), newer...)
	write(t, s, old[0], newer[0])
	if tooOld, _ := s.LeftOut(); tooOld != int64(len(metric.Stats)) {
		t.Errorf("%d values older than the retention were left out", tooOld)
	}
	holds(t, read(t, s, metric.Selector{Tenant: "shop", From: minuteAt(2019, 1, 1, 0), To: minuteAt(2020, 1, 1, 0)}), newer...)
}

// The store keeps the first value of a minute, and says that another came.
func TestAnotherValue(t *testing.T) {
	s := open(t, t.TempDir())
	first := sample(web, minuteAt(2026, 1, 1, 0), 1)
	write(t, s, first)
	write(t, s, sample(web, first.Minute, 2))
	holds(t, read(t, s, metric.Selector{Tenant: "shop"}), first)
	if _, differs := s.LeftOut(); differs != int64(len(metric.Stats)) {
		t.Errorf("%d values differ", differs)
	}
}

func TestNastyLabels(t *testing.T) {
	s := open(t, t.TempDir())
	minute := minuteAt(2026, 1, 1, 0)
	var want []metric.Sample
	for i, v := range []string{"a", "a\x00b", "\xff\xfe", `"\n{}`, "é ✓", ".*", "a|b", strings.Repeat("x", 1<<16), "\n", " "} {
		want = append(want, sample(&metric.Series{
			Tenant: "shop", Experiment: v, Variant: v, Status: metric.Qualified, Point: v,
			Attributes: []metric.Label{{Name: "img.id", Value: v}, {Name: "img_id", Value: "other"}, {Name: "\xff", Value: v}},
			Dims:       []metric.Label{{Name: "__name__", Value: v}, {Name: "data-center", Value: v}, {Name: "é", Value: v}},
		}, minute, float64(i)))
	}
	want = append(want, sample(&metric.Series{Tenant: "shop"}, minute, 99)) // empty labels are left out
	write(t, s, want...)
	holds(t, read(t, s, metric.Selector{Tenant: "shop"}), want...)
	for _, w := range want[:len(want)-1] {
		holds(t, read(t, s, metric.Selector{Tenant: "shop", Experiments: []string{w.Series.Experiment}, Points: []string{w.Series.Point, "none"}}), w)
	}
}

func TestSelect(t *testing.T) {
	s := open(t, t.TempDir())
	minute := minuteAt(2026, 1, 1, 0)
	var all []metric.Sample
	for _, tenant := range []string{"shop", "news"} {
		for _, experiment := range []string{"e", "f"} {
			for _, status := range []string{metric.Assigned, metric.Qualified} {
				for _, point := range []string{"order", "visit"} {
					for m := range int64(3) {
						series := &metric.Series{Tenant: tenant, Experiment: experiment, Variant: "a", Status: status, Point: point}
						all = append(all, sample(series, minute+m, float64(len(all))))
					}
				}
			}
		}
	}
	write(t, s, all...)
	for _, sel := range []metric.Selector{
		{Tenant: "shop"}, {Tenant: "none"}, {Tenant: ""}, {Tenant: "news", Status: metric.Qualified}, {Tenant: "shop", Experiments: []string{"e", "f"}},
		{Tenant: "shop", Experiments: []string{"f"}, Points: []string{"visit"}}, {Tenant: "shop", Points: []string{"vis"}},
		{Tenant: "shop", From: minute + 1, To: minute + 2}, {Tenant: "shop", From: minute + 2, To: minute + 2}, {Tenant: "shop", From: minute + 3, To: minute + 9},
	} {
		var want []metric.Sample
		for _, a := range all {
			if sel.Matches(a.Series) && (sel.To == 0 || sel.Holds(a.Minute)) {
				want = append(want, a)
			}
		}
		holds(t, read(t, s, sel), want...)
	}
	if got := read(t, s, metric.Selector{Tenant: "shop", Experiments: []string{"e"}, Points: []string{"order"}, Stats: []string{metric.StatSum}}); len(got) != 6 {
		t.Errorf("one stat: %v", got)
	}
}

func TestReadEnds(t *testing.T) {
	s := open(t, t.TempDir())
	write(t, s, sample(web, 100, 1), sample(web, 101, 1))
	stop := errors.New("enough")
	calls := 0
	err := s.Read(context.Background(), metric.Selector{Tenant: "shop", To: 1000}, func(*metric.Series, string, int64, float64) error { calls++; return stop })
	if err != stop || calls != 1 {
		t.Errorf("error %v after %d calls", err, calls)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err = s.Read(ctx, metric.Selector{Tenant: "shop", To: 1000}, func(*metric.Series, string, int64, float64) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestSecondOpener(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if _, err := Open(Options{Dir: dir}); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), dir) {
		t.Errorf("a second opener: %v", err)
	}
	write(t, s, sample(web, 100, 1))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	holds(t, read(t, open(t, dir), metric.Selector{Tenant: "shop"}), sample(web, 100, 1))
}

const (
	childDir  = "PHAROS_EMBEDDED_TEST_DIR"
	childFrom = "PHAROS_EMBEDDED_TEST_FROM"
)

// TestMain lets the test binary be the process that TestKill kills.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		child(dir)
	}
	os.Exit(m.Run())
}

// child writes minute after minute from the one that the environment names,
// each followed by one far older, and says each that Write acknowledged. It
// never ends.
func child(dir string) {
	s, err := Open(Options{Dir: dir})
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	from, err := strconv.ParseInt(os.Getenv(childFrom), 10, 64)
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	base := minuteAt(2026, 1, 10, 0)
	for m := from; ; m++ {
		if err := s.Write(context.Background(), []metric.Sample{sample(web, base+m, float64(m)), sample(web, base-1-m, float64(-m))}); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		fmt.Println(m)
	}
}

// What Write acknowledged is there after kill -9, also one in the midst of a
// compaction: the minutes cross the bounds of blocks.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	acknowledged := int64(0)
	for kill := range int64(12) {
		acknowledged = writeAndKill(t, dir, acknowledged, 150+17*kill)
		s := open(t, dir)
		got := read(t, s, metric.Selector{Tenant: "shop"})
		base := minuteAt(2026, 1, 10, 0)
		for m := range acknowledged {
			for _, want := range []metric.Sample{sample(web, base+m, float64(m)), sample(web, base-1-m, float64(-m))} {
				if v, ok := got[name(web, metric.StatSum, want.Minute)]; !ok || v != want.Sum {
					t.Fatalf("kill %d: of %d acknowledged, minute %d is %v, %v", kill, acknowledged, want.Minute-base, v, ok)
				}
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// writeAndKill lets a child write from a minute on, kills it once it has
// written so many, and returns the first minute that was not acknowledged.
func writeAndKill(t *testing.T, dir string, from, count int64) int64 {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir, childFrom+"="+strconv.FormatInt(from, 10))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	last := int64(-1)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if last, err = strconv.ParseInt(lines.Text(), 10, 64); err != nil {
			t.Fatalf("the child says %q", lines.Text())
		}
		if last == from+count {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	cmd.Wait() // killed: its error says so
	if last < from+count {
		t.Fatalf("the child ended after minute %d", last)
	}
	return last + 1
}
