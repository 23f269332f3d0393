package query

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// stream is a metrics topic, a ship and a query, driven at random.
type stream struct {
	t       *rapid.T
	parts   [][]*metric.Frame // logs
	water   int64             // ms
	final   int64             // first minute that is not final
	clock   clockAt
	store   *fakeStore
	keys    *Keyspaces
	shipped []metric.SafePoint
	shipAt  []int // frames that ship has read
	live    *Live
	read    []int                     // frames that the view has read
	served  map[[2]int64]metric.Int   // by minute and variant: the last answer
	written map[int32]map[int64]bool  // minutes in the store
	sum     map[[2]int64]metric.Int   // what was booked at all
	seen    []map[[2]int64]metric.Int // by partition: what the view has read
}

var streamVariants = []string{"control", "blue"}

func (s *stream) series(t *rapid.T) (*metric.Series, int64) {
	v := rapid.IntRange(0, 1).Draw(t, "variant")
	dc := metric.Label{Name: "dc", Value: string(rune('a' + rapid.IntRange(0, 5).Draw(t, "dc")))}
	return series(streamVariants[v], "order", dc), int64(v)
}

// book appends figures of open minutes to the log, in one frame a partition.
func (s *stream) book(t *rapid.T) {
	frames := map[int32]*metric.Frame{}
	for range rapid.IntRange(1, 8).Draw(t, "bookings") {
		series, v := s.series(t)
		m := s.final + rapid.Int64Range(0, 14).Draw(t, "minute")
		value := metric.NewInt(rapid.Int64Range(1, 1_000_000_000).Draw(t, "value"))
		p := metric.PartitionOf(series, int32(len(s.parts)))
		if frames[p] == nil {
			frames[p] = &metric.Frame{Generation: 1}
		}
		frames[p].Deltas = append(frames[p].Deltas, metric.Delta{Series: series, Minute: m, Figure: metric.Figure{Hits: 1, Sum: value}})
		s.sum[[2]int64{m, v}] = s.sum[[2]int64{m, v}].Add(value)
	}
	for p, f := range frames {
		s.parts[p] = append(s.parts[p], f)
	}
}

// pass lets time go on in the stream: progress on every partition.
func (s *stream) pass(t *rapid.T) {
	s.water += rapid.Int64Range(0, 5*minute).Draw(t, "passed")
	s.final = max(s.final, (s.water-10*minute)/minute)
	for p := range s.parts {
		s.parts[p] = append(s.parts[p], &metric.Frame{Generation: 1, Progress: progress(s.water)})
	}
}

// ship writes what is final for it of one partition, and commits.
func (s *stream) ship(t *rapid.T) {
	p := rapid.IntRange(0, len(s.parts)-1).Draw(t, "partition")
	s.shipAt[p] = rapid.IntRange(s.shipAt[p], len(s.parts[p])).Draw(t, "ship reads")
	horizon := metric.NewHorizon(10 * time.Minute)
	horizon.Generation(1, []string{testRoute})
	var totals metric.Totals
	for _, f := range s.parts[p][:s.shipAt[p]] {
		for _, d := range f.Deltas {
			totals.Add(d)
		}
		for _, g := range f.Progress {
			horizon.Observe(1, g)
		}
	}
	final, ok := horizon.FinalBefore()
	if !ok {
		return
	}
	for _, m := range totals.Minutes() {
		if m < final {
			s.store.write(t, totals.Samples(m)...)
		}
	}
	if rapid.Bool().Draw(t, "commits") {
		// the first record of a minute that is not in the store
		offset := s.shipAt[p]
		for i := len(s.parts[p][:s.shipAt[p]]) - 1; i >= 0; i-- {
			for _, d := range s.parts[p][i].Deltas {
				if d.Minute >= final {
					offset = i
				}
			}
		}
		s.shipped[p] = metric.SafePoint{Offset: int64(offset), Horizon: final - 1}
		s.live.Shipped(int32(p), final-1)
	}
}

// follow lets the view read on.
func (s *stream) follow(t *rapid.T) {
	p := rapid.IntRange(0, len(s.parts)-1).Draw(t, "partition")
	s.readTo(p, rapid.IntRange(s.read[p], len(s.parts[p])).Draw(t, "reads"))
	if s.read[p] > 0 && rapid.Bool().Draw(t, "reads one twice") {
		s.live.Observe(int32(p), int64(s.read[p]-1), s.clock.t, s.parts[p][s.read[p]-1])
	}
}

func (s *stream) readTo(p, end int) {
	for ; s.read[p] < end; s.read[p]++ {
		f := s.parts[p][s.read[p]]
		s.live.Observe(int32(p), int64(s.read[p]), s.clock.t, f)
		s.count(p, f)
	}
}

func (s *stream) count(p int, f *metric.Frame) {
	for _, d := range f.Deltas {
		v := int64(0)
		if d.Series.Variant == streamVariants[1] {
			v = 1
		}
		k := [2]int64{d.Minute, v}
		s.seen[p][k] = s.seen[p][k].Add(d.Figure.Sum)
	}
}

// restart makes a new view from what ship has committed, and reads to the end.
func (s *stream) restart(t *rapid.T) {
	s.live = newTestLive(int32(len(s.parts)), &s.clock)
	for p := range s.parts {
		s.live.Start(int32(p), s.shipped[p], int64(len(s.parts[p])))
		s.read[p] = int(s.shipped[p].Offset)
		s.seen[p] = map[[2]int64]metric.Int{}
		for _, f := range s.parts[p][:s.read[p]] {
			s.count(p, f)
		}
		s.live.Shipped(int32(p), s.shipped[p].Horizon)
		s.readTo(p, len(s.parts[p]))
	}
	if !s.live.Ready() {
		t.Fatal("it has read all and is not ready")
	}
}

// check asks for all minutes.
func (s *stream) check(t *rapid.T) {
	s.live.Expire()
	a := ask(t, s.keys, s.live, Request{From: at(1000), To: at(2000), Step: &Step{1}, Formulas: []string{"sales"}})
	for v, name := range streamVariants {
		for _, p := range a.find(t, "sales", "variant", name).Points {
			key := [2]int64{p.Millis / minute, int64(v)}
			var want metric.Int
			for i := range s.seen {
				want = want.Add(s.seen[i][key])
			}
			got := integer(*p.Value, 6)
			if got.Cmp(want) != 0 {
				t.Fatalf("minute %d of %s: served %v, booked in what was read %v", key[0], name, got, want)
			}
			if got.Cmp(s.served[key]) < 0 {
				t.Fatalf("minute %d of %s went back from %v to %v", key[0], name, s.served[key], got)
			}
			if got.Cmp(s.sum[key]) > 0 {
				t.Fatalf("minute %d of %s: served %v of %v", key[0], name, got, s.sum[key])
			}
			s.served[key] = got
		}
	}
	if a.CompleteThrough != nil && *a.CompleteThrough/minute >= s.final {
		t.Fatalf("complete through %d, and only minutes before %d are final", *a.CompleteThrough/minute, s.final)
	}
}

// Whenever ship writes, however the view lags, served figures are those that
// were booked: never doubled, never going back, also over restarts.
func TestOverlayReplacesAndNeverAdds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 3).Draw(t, "partitions")
		s := &stream{t: t, water: 1010 * minute, final: 1000, store: &fakeStore{}, parts: make([][]*metric.Frame, n), shipAt: make([]int, n), read: make([]int, n),
			served: map[[2]int64]metric.Int{}, sum: map[[2]int64]metric.Int{}}
		s.clock.t = time.Unix(1_700_000_000, 0)
		s.keys = mustCompile(t, testKeyspace(s.store))
		for range n {
			s.shipped = append(s.shipped, metric.SafePoint{Horizon: metric.NoMinute})
			s.seen = append(s.seen, map[[2]int64]metric.Int{})
		}
		s.restart(t)
		t.Repeat(map[string]func(*rapid.T){
			"book": s.book, "pass": s.pass, "ship": s.ship, "follow": s.follow, "restart": s.restart,
			"wait": func(t *rapid.T) {
				s.clock.t = s.clock.t.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "minutes")) * time.Minute)
			},
			"": s.check,
		})
	})
}

func TestFinalMinutesGoAfterKeep(t *testing.T) {
	clock := &clockAt{time.Unix(1_700_000_000, 0)}
	l := newTestLive(1, clock)
	l.Start(0, metric.SafePoint{Horizon: metric.NoMinute}, 0)
	book := func(offset, m int64) {
		l.Observe(0, offset, clock.t, &metric.Frame{Generation: 1, Deltas: []metric.Delta{{Series: series("blue", "order"), Minute: m, Figure: metric.Figure{Hits: 1}}}})
	}
	held := func(want int, when string) {
		t.Helper()
		l.Expire()
		if got := l.Figures(); got != want {
			t.Errorf("%s %d figures are held, want %d", when, got, want)
		}
	}
	book(0, 1000)
	book(1, 1001)
	l.Observe(0, 2, clock.t, &metric.Frame{Generation: 1, Progress: progress(1011 * minute)})
	if final, ok := l.FinalBefore(); !ok || final != 1001 {
		t.Fatalf("final before %d, %v", final, ok)
	}
	clock.t = clock.t.Add(14 * time.Minute)
	held(2, "before the 15 minutes are over")
	l.Shipped(0, metric.NoMinute)
	clock.t = clock.t.Add(time.Hour)
	held(2, "while the store has none")
	l.Shipped(0, 1000)
	held(1, "when the store has it")
	if l.parts[0].from != 1001 {
		t.Errorf("held from %d", l.parts[0].from)
	}
}

func TestTheViewIsBounded(t *testing.T) {
	clock := &clockAt{time.Unix(1_700_000_000, 0)}
	l := NewLive(LiveOptions{Partitions: 1, Lateness: 10 * time.Minute, Generation: 1, Routes: []string{testRoute}, Now: clock.now, MaxFigures: 10})
	l.Start(0, metric.SafePoint{Horizon: metric.NoMinute}, 0)
	offset := int64(0)
	for m := int64(0); m < 100; m++ {
		l.Observe(0, offset, clock.t, &metric.Frame{Generation: 1, Deltas: []metric.Delta{{Series: series("blue", "order"), Minute: 1000 + m, Figure: metric.Figure{Hits: 1}}}, Progress: progress((1010 + m) * minute)})
		l.Shipped(0, 1000+m-2)
		offset++
	}
	if got := l.Figures(); got > 11 {
		t.Errorf("%d figures are held although the store has them", got)
	}
}

// Where the log's beginning is gone, minutes that it may not hold whole are the
// store's: before the first record that is left, all of them.
func TestWhatIsCutIsTheStores(t *testing.T) {
	for _, safe := range []metric.SafePoint{{Horizon: metric.NoMinute}, {Offset: 3, Horizon: 101}} {
		l := newTestLive(1, &clockAt{time.Unix(1_700_000_000, 0)})
		safe.Offset = 10
		l.Start(0, safe, 11)
		l.Cut(0)
		k := mustCompile(t, testKeyspace(demoStore(t)))
		orders := func() []float64 {
			return ask(t, k, l, Request{From: at(100), To: at(110), Step: &Step{1}, Formulas: []string{"order_count"}}).find(t, "order_count", "variant", "blue").numbers()
		}
		if got, want := orders(), []float64{2, 2, 2, 2, 2}; !slices.Equal(got, want) {
			t.Errorf("%+v: before the first record %v", safe, got)
		}
		frame := &metric.Frame{Generation: 1}
		for m := int64(100); m < 110; m++ {
			frame.Deltas = append(frame.Deltas, metric.Delta{Series: series("blue", "order"), Minute: m, Figure: metric.Figure{Hits: 1}})
		}
		l.Observe(0, 10, time.UnixMilli(102*minute), frame) // whole after 107: 5 minutes ahead
		if got, want := orders(), []float64{2, 2, 2, 2, 2, 0, 0, 0, 1, 1}; !slices.Equal(got, want) {
			t.Errorf("%+v: %v, want %v", safe, got, want)
		}
	}
}

// More open figures than are bargained for cannot be let go: the status says so.
func TestCrowdedIsAFault(t *testing.T) {
	l := NewLive(LiveOptions{Partitions: 1, Lateness: 10 * time.Minute, Generation: 1, Routes: []string{testRoute}, MaxFigures: 2})
	l.Start(0, metric.SafePoint{Horizon: metric.NoMinute}, 0)
	for i := range int64(3) {
		l.Observe(0, i, time.Unix(0, 0), &metric.Frame{Deltas: []metric.Delta{{Series: series("blue", "order"), Minute: i, Figure: metric.Figure{Hits: 1}}}})
		s := Status{Faults: []string{"another"}}
		s.complete(l, nil)
		if crowded := strings.Contains(strings.Join(s.Faults, " "), "the live view holds 3 figures, more than 2"); crowded != (i == 2) {
			t.Errorf("%d figures: %q", i+1, s.Faults)
		}
	}
}

func TestNotReadyBeforeTheEnd(t *testing.T) {
	l := newTestLive(2, &clockAt{})
	if l.Ready() {
		t.Error("ready before the start")
	}
	l.Start(0, metric.SafePoint{Offset: 5, Horizon: 1000}, 7)
	l.Start(1, metric.SafePoint{Offset: 3, Horizon: 1000}, 3)
	l.Observe(0, 5, time.Unix(0, 0), &metric.Frame{})
	if l.Ready() {
		t.Error("ready before the end")
	}
	l.Position(0, 7)
	if !l.Ready() {
		t.Error("not ready at the end")
	}
	if final, ok := l.FinalBefore(); !ok || final != 1001 {
		t.Errorf("what the store has is final: before %d, %v", final, ok)
	}
}

func TestAnotherGenerationKeepsWhatIsFinal(t *testing.T) {
	l := newTestLive(1, &clockAt{})
	l.Start(0, metric.SafePoint{Horizon: metric.NoMinute}, 0)
	l.Observe(0, 0, time.Unix(0, 0), &metric.Frame{Generation: 1, Progress: progress(1011 * minute)})
	l.Use(2, []string{testRoute, "mobile"})
	if final, ok := l.FinalBefore(); !ok || final != 1001 {
		t.Errorf("final before %d, %v", final, ok)
	}
	l.Observe(0, 1, time.Unix(0, 0), &metric.Frame{Generation: 2, Progress: progress(1020 * minute)})
	if final, _ := l.FinalBefore(); final != 1001 {
		t.Errorf("a route that has not spoken holds nothing up: final before %d", final)
	}
	mobile := progress(1030 * minute)
	mobile[0].Route = "mobile"
	l.Observe(0, 2, time.Unix(0, 0), &metric.Frame{Generation: 2, Progress: mobile})
	if final, _ := l.FinalBefore(); final != 1010 {
		t.Errorf("final before %d", final)
	}
}

func TestBeaconsAreSummed(t *testing.T) {
	l := newTestLive(1, &clockAt{})
	l.Start(0, metric.SafePoint{Horizon: metric.NoMinute}, 0)
	when := time.Unix(1_600_000_000, 0)
	for i := range int64(3) {
		l.Observe(0, i, when.Add(time.Duration(i)*time.Second), &metric.Frame{Counts: []metric.Count{{Tenant: "shop", Outcome: metric.In, N: 2}, {Tenant: "shop", Outcome: metric.Counted, N: 1}, {Tenant: "shop", Outcome: metric.Filtered, Reason: "bot", N: 1}}})
	}
	got, since := l.Beacons([]string{"shop", "idle"})
	if s := got.Tenants["shop"]; s.In != 6 || s.Counted != 3 || s.Filtered["bot"] != 3 || !since.Equal(when) || got.Tenants["idle"] == nil {
		t.Errorf("%+v since %v", got, since)
	}
}

// Safe points of partitions lie far apart: what is between them and the start is
// not counted, of any partition, or outcomes would not add up.
func TestBeaconsAreCountedSinceARestart(t *testing.T) {
	l := newTestLive(2, &clockAt{})
	l.Start(0, metric.SafePoint{Horizon: 1000, Offset: 5}, 20)
	l.Start(1, metric.SafePoint{Horizon: metric.NoMinute}, 10)
	when := time.Unix(1_600_000_000, 0)
	observe := func(partition int32, offset int64, c metric.Count) {
		c.Tenant = "shop"
		l.Observe(partition, offset, when.Add(time.Duration(offset)*time.Second), &metric.Frame{Counts: []metric.Count{c}})
	}
	observe(0, 5, metric.Count{Outcome: metric.Counted, N: 100})
	observe(1, 9, metric.Count{Outcome: metric.In, N: 1})
	if got, since := l.Beacons(nil); len(got.Tenants) != 0 || !since.IsZero() {
		t.Errorf("%+v since %v", got, since)
	}
	observe(1, 10, metric.Count{Outcome: metric.In, N: 2})
	observe(0, 20, metric.Count{Outcome: metric.Counted, N: 2})
	if got, since := l.Beacons(nil); got.Tenants["shop"].In != 2 || got.Tenants["shop"].Counted != 2 || !since.Equal(when.Add(10*time.Second)) {
		t.Errorf("%+v since %v", got.Tenants["shop"], since)
	}
}
