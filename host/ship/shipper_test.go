package ship

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

const lateness = 3 // minutes

func series(name string) *metric.Series {
	return &metric.Series{Tenant: "shop", Experiment: "e", Variant: "a", Status: metric.Assigned, Point: name}
}

func hits(name string, minute, n int64) metric.Delta {
	return metric.Delta{Series: series(name), Minute: minute, Figure: metric.Figure{Hits: n, Sum: metric.NewInt(n)}}
}

func progress(partition, partitions int32, watermarkMinutes int64) metric.Progress {
	return metric.Progress{Route: "web", Partition: partition, Partitions: partitions, Watermark: watermarkMinutes * 60_000}
}

// horizon is one that knows generation 1.
func horizon(lateness time.Duration) *metric.Horizon {
	h := metric.NewHorizon(lateness * time.Minute)
	h.Generation(1, []string{"web"})
	return h
}

// log is one partition of the metrics topic and what a store must have of it.
type log struct {
	frames      []*metric.Frame
	generations map[uint64][]string
	final       int64           // minutes before it are final at the log's end
	totals      metric.Totals   // of all minutes
	offset      func(int) int64 // offset of a frame; transactions leave gaps
}

// writer is a route as the session stage writes of it.
type writer struct {
	name      string
	topic     byte
	watermark []int64 // by partition, minutes
	named     []uint64
}

func (w *writer) progress(p int) metric.Progress {
	g := progress(int32(p), int32(len(w.watermark)), w.watermark[p])
	g.Route, g.TopicID[0], g.Generation = w.name, w.topic, w.named[p]
	return g
}

// newWriter begins a topic at a watermark.
func newWriter(name string, topic byte, partitions int, watermark int64, generation uint64) *writer {
	w := &writer{name: name, topic: topic}
	for range partitions {
		w.watermark, w.named = append(w.watermark, watermark), append(w.named, generation)
	}
	return w
}

// anyLog draws what session partitions write: deltas of minutes from their watermark
// minus the lateness on, and progress, which only some frames carry; routes come in
// new generations, and some get topics of other partition counts.
func anyLog() *rapid.Generator[*log] {
	return rapid.Custom(func(t *rapid.T) *log {
		l := &log{offset: func(i int) int64 { return int64(i)*2 + 5 }, generations: map[uint64][]string{1: {"web"}}}
		routes := []*writer{newWriter("web", 1, 2, 1, 1)}
		generation, topics := uint64(1), byte(1)
		switched := int64(math.MaxInt64) // where source partitions were when the last route came: beyond, all have named it
		whole := metric.NewHorizon(lateness * time.Minute)
		whole.Generation(1, []string{"web"})
		put := func(f *metric.Frame) {
			f.Generation = generation
			l.frames = append(l.frames, f)
			for _, p := range f.Progress {
				whole.Observe(generation, p)
			}
			if m, ok := whole.FinalBefore(); ok {
				l.final = max(l.final, m)
			}
		}
		next := func() {
			generation++
			var names []string
			for _, r := range routes {
				names = append(names, r.name)
			}
			l.generations[generation] = names
			whole.Generation(generation, names)
		}
		for range rapid.IntRange(0, 60).Draw(t, "frames") {
			i := rapid.IntRange(0, len(routes)-1).Draw(t, "route")
			w := routes[i]
			switch rapid.IntRange(0, 25).Draw(t, "what") {
			case 0: // a new route, whose first beacons are no older than what all routes are at
				if len(routes) < 3 {
					low := slices.Min(w.watermark)
					for _, r := range routes {
						low = max(low, slices.Max(r.watermark))
					}
					topics++
					routes = append(routes, newWriter(fmt.Sprint("route", len(routes)), topics, 1, low, generation+1))
					next()
					switched = low
				}
				continue
			case 1: // another topic: the old one closes, with its last deltas
				next()
				f := &metric.Frame{}
				for p := range w.watermark {
					w.named[p] = generation
					g := w.progress(p)
					g.Closed = true
					f.Progress = append(f.Progress, g)
				}
				put(f)
				topics++
				routes[i] = newWriter(w.name, topics, rapid.IntRange(1, 4).Draw(t, "partitions"), slices.Min(w.watermark), generation)
				continue
			}
			p := rapid.IntRange(0, len(w.watermark)-1).Draw(t, "partition")
			f := &metric.Frame{}
			for range rapid.IntRange(0, 3).Draw(t, "deltas") {
				low := max(0, w.watermark[p]-lateness)
				d := hits(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "series"), rapid.Int64Range(low, low+2*lateness).Draw(t, "minute"), rapid.Int64Range(-1, 2).Draw(t, "hits"))
				f.Deltas = append(f.Deltas, d)
				l.totals.Add(d)
			}
			if rapid.Bool().Draw(t, "progress") {
				w.watermark[p] += rapid.Int64Range(0, 3).Draw(t, "passes")
				w.named[p] = max(w.named[p], rapid.Uint64Range(w.named[p], generation).Draw(t, "generation named"))
				if w.watermark[p] > switched {
					w.named[p] = generation
				}
				f.Progress = append(f.Progress, w.progress(p))
			}
			put(f)
		}
		end := &metric.Frame{} // each partition says how far it is again and again
		for _, w := range routes {
			for p := range w.watermark {
				end.Progress = append(end.Progress, w.progress(p))
			}
		}
		put(end)
		return l
	})
}

// memory is a store that notices a second value.
type memory map[string]float64

func (m memory) write(samples []metric.Sample) error {
	for _, s := range samples {
		k := fmt.Sprintf("%s@%d", s.Series.Point, s.Minute)
		if old, ok := m[k]; ok && old != s.Hits {
			return fmt.Errorf("%s was %v and becomes %v", k, old, s.Hits)
		}
		m[k] = s.Hits
	}
	return nil
}

// has checks that exactly the final minutes from one on are stored.
func (m memory) has(totals *metric.Totals, from, before int64) error {
	want := memory{}
	totals.Each(func(s *metric.Series, minute int64, f metric.Figure) {
		if from <= minute && minute < before {
			want[fmt.Sprintf("%s@%d", s.Point, minute)] = float64(f.Hits)
		}
	})
	if fmt.Sprint(map[string]float64(m)) != fmt.Sprint(map[string]float64(want)) {
		return fmt.Errorf("the store has %v, want %v", m, want)
	}
	return nil
}

var errCrash = errors.New("crash")

// Whatever happens between any two steps, and whichever safe point ever
// committed a new life begins at, the store ends up with every final minute,
// each with one value, the sum of all its deltas; and with no other. So it does
// with room for a few figures only, and where generations become known late.
func TestCrashAnywhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := anyLog().Draw(t, "log")
		store := memory{}
		points := []metric.SafePoint{{Offset: 0, Horizon: metric.NoMinute}}
		room := math.MaxInt
		if rapid.Bool().Draw(t, "little room") {
			room = rapid.IntRange(1, 6).Draw(t, "room")
		}
		const lives = 6
		for life := range lives {
			i := len(points) - 1
			if rapid.IntRange(0, 3).Draw(t, "stale commit wins") == 0 {
				i = rapid.IntRange(0, i).Draw(t, "safe point")
			}
			last := life == lives-1
			budget := math.MaxInt
			if !last {
				budget = rapid.IntRange(0, 40).Draw(t, "steps before the crash")
			}
			// Metadata is how safe points travel.
			at, err := metric.ParseSafePoint(points[i].Offset, points[i].Metadata())
			if err != nil {
				t.Fatal(err)
			}
			for again := true; again; {
				var s *Shipper
				s, again = l.live(t, at, store, &points, &budget, room)
				if again {
					at, again = s.Behind()
				}
			}
			if last {
				if err := store.has(&l.totals, 0, l.final); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// live is a life of a shipper, from a safe point until the budget of steps is spent,
// the log ends, or it goes back for what it had no room for.
func (l *log) live(t *rapid.T, at metric.SafePoint, store memory, points *[]metric.SafePoint, budget *int, room int) (s *Shipper, goesOn bool) {
	step := func() bool { *budget--; return *budget >= 0 }
	s = NewShipper(at, metric.NewHorizon(lateness*time.Minute))
	untold := slices.Sorted(maps.Keys(l.generations))
	tell := func(all bool) {
		for len(untold) > 0 && (all || rapid.Bool().Draw(t, "a generation becomes known")) {
			s.Use(untold[0], l.generations[untold[0]])
			untold = untold[1:]
		}
	}
	for n, f := range l.frames {
		if l.offset(n) < at.Offset {
			continue
		}
		if !step() {
			return s, false
		}
		if late := s.Observe(l.offset(n), f); late != 0 {
			t.Fatalf("%d deltas after final", late)
		}
		if again := s.Observe(l.offset(n), f); again != 0 {
			t.Fatal("a record seen twice counts twice")
		}
		s.Passed(l.offset(n) + 1)
		tell(n == len(l.frames)-1)
		if rapid.IntRange(0, 2).Draw(t, "look") > 0 && n < len(l.frames)-1 {
			continue
		}
		err := s.Due(rapid.IntRange(1, 3).Draw(t, "batch"), func(samples []metric.Sample) error {
			if !step() {
				return errCrash
			}
			return store.write(samples)
		})
		if errors.Is(err, errCrash) {
			return s, false
		}
		if err != nil {
			t.Fatal(err)
		}
		s.Wrote()
		s.Shed(room)
		if now := s.Safe(); now.Offset < at.Offset || now.Horizon < at.Horizon {
			t.Fatalf("a safe point goes back: %+v to %+v", at, now)
		}
		if !step() {
			return s, false
		}
		*points = append(*points, s.Safe())
		if _, ok := s.Behind(); ok {
			return s, true
		}
	}
	return s, false
}

// A shipper holds what it may, and takes the rest later.
func TestShipperHasLittleRoom(t *testing.T) {
	s := NewShipper(metric.SafePoint{Horizon: metric.NoMinute}, horizon(lateness))
	for m := range int64(100) {
		s.Observe(m, &metric.Frame{Deltas: []metric.Delta{hits("a", m, 1), hits("b", m, 1)}})
		s.Shed(10)
	}
	if s.Len() != 10 || s.Safe() != (metric.SafePoint{Offset: 0, Horizon: metric.NoMinute}) {
		t.Errorf("%d figures are held, safe point %+v", s.Len(), s.Safe())
	}
	if _, ok := s.Behind(); ok {
		t.Error("it goes back before anything is written")
	}
	s.Observe(100, &metric.Frame{Progress: []metric.Progress{progress(0, 1, 1000)}})
	store := memory{}
	if err := s.Due(100, store.write); err != nil || !s.Wrote() || len(store) != 10 {
		t.Fatalf("%d figures are written, %v", len(store), err)
	}
	if at, ok := s.Behind(); !ok || at != (metric.SafePoint{Offset: 5, Horizon: 4}) {
		t.Errorf("behind %+v, %v", at, ok)
	}
	final := NewShipper(metric.SafePoint{Horizon: metric.NoMinute}, horizon(lateness))
	final.Observe(0, &metric.Frame{Deltas: []metric.Delta{hits("a", 1, 1), hits("a", 2, 1), hits("a", 3, 1)}, Progress: []metric.Progress{progress(0, 1, 3+lateness)}})
	if final.Shed(1); final.Len() != 2 {
		t.Errorf("%d figures are held, two are final and one is open", final.Len())
	}
	one := NewShipper(metric.SafePoint{Horizon: metric.NoMinute}, horizon(lateness))
	one.Observe(0, &metric.Frame{Deltas: []metric.Delta{hits("a", 1, 1), hits("b", 1, 1), hits("c", 1, 1)}})
	one.Shed(1)
	if one.Len() != 3 {
		t.Errorf("%d figures of the oldest minute are held", one.Len())
	}
}

// What is held, and with it the safe point's distance, is what is open.
func TestShipperForgets(t *testing.T) {
	s := NewShipper(metric.SafePoint{Horizon: metric.NoMinute}, horizon(lateness))
	store := memory{}
	for m := range int64(1000) {
		s.Observe(m, &metric.Frame{Deltas: []metric.Delta{hits("a", m, 1), hits("b", m, 1), hits("b", m, -1)}, Progress: []metric.Progress{progress(0, 1, m)}})
		if err := s.Due(10, store.write); err != nil {
			t.Fatal(err)
		}
		if !s.Wrote() {
			t.Fatalf("minute %d: the horizon did not move", m)
		}
	}
	if s.totals.Len() > 2*(lateness+1) || len(s.first) > lateness+1 {
		t.Errorf("%d figures of %d minutes are held", s.totals.Len(), len(s.first))
	}
	if got, want := s.Safe(), (metric.SafePoint{Offset: 996, Horizon: 995}); got != want {
		t.Errorf("safe point %+v, want %+v", got, want)
	}
	if len(store) != 996 { // zero figures are not written
		t.Errorf("%d figures in the store", len(store))
	}
}

// A delta of a minute that is final changes nothing, and is told.
func TestDeltaAfterFinal(t *testing.T) {
	s := NewShipper(metric.SafePoint{Horizon: metric.NoMinute}, horizon(lateness))
	s.Observe(0, &metric.Frame{Deltas: []metric.Delta{hits("a", 5, 1)}, Progress: []metric.Progress{progress(0, 1, 9)}})
	if n := s.Observe(1, &metric.Frame{Deltas: []metric.Delta{hits("a", 5, 1), hits("a", 6, 1)}}); n != 1 {
		t.Errorf("%d deltas after final", n)
	}
	store := memory{}
	if err := s.Due(10, store.write); err != nil || store["a@5"] != 1 || len(store) != 1 {
		t.Errorf("the store has %v, %v", store, err)
	}
	failing := errors.New("no")
	if err := s.Due(10, func([]metric.Sample) error { return failing }); err != failing {
		t.Errorf("error %v", err)
	}
}

func TestDueInBatches(t *testing.T) {
	s := NewShipper(metric.SafePoint{Horizon: metric.NoMinute}, horizon(0))
	f := &metric.Frame{Progress: []metric.Progress{progress(0, 1, 3)}}
	for i := range 10 {
		f.Deltas = append(f.Deltas, hits(strings.Repeat("x", i+1), 1, 1), hits(strings.Repeat("x", i+1), 2, 1))
	}
	s.Observe(0, f)
	var sizes []int
	if err := s.Due(7, func(b []metric.Sample) error { sizes = append(sizes, len(b)); return nil }); err != nil || fmt.Sprint(sizes) != "[7 7 6]" {
		t.Errorf("batches %v, %v", sizes, err)
	}
}
