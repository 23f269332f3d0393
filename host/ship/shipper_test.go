package ship

import (
	"errors"
	"fmt"
	"math"
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
	frames []*metric.Frame
	final  int64           // minutes before it are final at the log's end
	totals metric.Totals   // of all minutes
	offset func(int) int64 // offset of a frame; transactions leave gaps
}

// anyLog draws what two session partitions write: deltas of minutes from their
// watermark minus the lateness on, and progress, which only some frames carry.
func anyLog() *rapid.Generator[*log] {
	return rapid.Custom(func(t *rapid.T) *log {
		l := &log{offset: func(i int) int64 { return int64(i)*2 + 5 }}
		watermark := [2]int64{1, 1}
		for range rapid.IntRange(0, 60).Draw(t, "frames") {
			p := rapid.IntRange(0, 1).Draw(t, "partition")
			f := &metric.Frame{Generation: 1}
			for range rapid.IntRange(0, 3).Draw(t, "deltas") {
				low := max(0, watermark[p]-lateness)
				d := hits(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "series"), rapid.Int64Range(low, low+2*lateness).Draw(t, "minute"), rapid.Int64Range(-1, 2).Draw(t, "hits"))
				f.Deltas = append(f.Deltas, d)
				l.totals.Add(d)
			}
			if rapid.Bool().Draw(t, "progress") {
				watermark[p] += rapid.Int64Range(0, 3).Draw(t, "passes")
				f.Progress = append(f.Progress, progress(int32(p), 2, watermark[p]))
			}
			l.frames = append(l.frames, f)
		}
		h := horizon(lateness)
		for _, f := range l.frames {
			for _, p := range f.Progress {
				h.Observe(1, p)
			}
		}
		l.final, _ = h.FinalBefore()
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
// each with one value, the sum of all its deltas; and with no other.
func TestCrashAnywhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := anyLog().Draw(t, "log")
		store := memory{}
		points := []metric.SafePoint{{Offset: 0, Horizon: metric.NoMinute}}
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
			step := func() bool { budget--; return budget >= 0 }
			// Metadata is how safe points travel.
			at, err := metric.ParseSafePoint(points[i].Offset, points[i].Metadata())
			if err != nil {
				t.Fatal(err)
			}
			s := NewShipper(at, horizon(lateness))
			for n, f := range l.frames {
				if l.offset(n) < at.Offset {
					continue
				}
				if !step() {
					break
				}
				if late := s.Observe(l.offset(n), f); late != 0 {
					t.Fatalf("%d deltas after final", late)
				}
				if again := s.Observe(l.offset(n), f); again != 0 {
					t.Fatal("a record seen twice counts twice")
				}
				s.Passed(l.offset(n) + 1)
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
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				s.Wrote()
				if !step() {
					break
				}
				points = append(points, s.Safe())
			}
			if now := s.Safe(); now.Offset < at.Offset || now.Horizon < at.Horizon {
				t.Fatalf("a safe point goes back: %+v to %+v", at, now)
			}
			if last {
				if err := store.has(&l.totals, 0, l.final); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
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
