package metric

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func progress(route string, partition, partitions int32, watermark int64) Progress {
	return Progress{Route: route, Partition: partition, Partitions: partitions, Watermark: watermark}
}

// spoken is progress of a topic, named by a byte, whose log has named a generation.
func spoken(route string, topic byte, partition, partitions int32, generation uint64, minutes int64) Progress {
	p := progress(route, partition, partitions, minutes*minuteMs)
	p.TopicID[0], p.Generation = topic, generation
	return p
}

// expect checks what is final before; -1: nothing.
func expect(t *testing.T, h *Horizon, what string, want int64) {
	t.Helper()
	if got, ok := h.FinalBefore(); ok != (want >= 0) || ok && got != want {
		t.Errorf("%s: final before %d, %v; want %d", what, got, ok, want)
	}
}

func TestHorizon(t *testing.T) {
	const min = minuteMs
	h := NewHorizon(10 * time.Minute)
	h.Generation(1, []string{"web", "mobile"})
	at := func(what string, want int64) { t.Helper(); expect(t, h, what, want) }
	at("nothing known", -1)
	h.Observe(1, progress("web", 0, 2, 30*min))
	h.Observe(1, progress("mobile", 0, 1, 40*min))
	at("a partition unknown", -1)
	h.Observe(1, progress("web", 1, 2, NoWatermark))
	at("a partition without watermark", -1)
	h.Observe(1, progress("web", 1, 2, 31*min))
	at("all known", 20)
	h.Observe(1, progress("web", 0, 2, 31*min-1))
	at("a moment before the minute's end", 20)
	h.Observe(1, progress("web", 0, 2, 31*min))
	at("at the minute's end", 21)
	h.Observe(1, progress("web", 0, 2, 5*min))
	h.Observe(1, progress("web", 1, 2, NoWatermark))
	at("a watermark never falls", 21)
	h.Observe(1, progress("else", 0, 1, 1*min))
	at("what is no route holds nothing", 21)
	if got := h.Partitions(); len(got) != 4 || got[1].Route != "mobile" || got[3].Partition != 1 {
		t.Errorf("partitions %+v", got)
	}
}

// A generation that is named and not known holds everything; one that is known
// and not named holds nothing.
func TestHorizonGenerations(t *testing.T) {
	h := NewHorizon(10 * time.Minute)
	at := func(what string, want int64) { t.Helper(); expect(t, h, what, want) }
	h.Observe(1, spoken("web", 1, 0, 1, 1, 30))
	at("no generation is known", -1)
	h.Generation(3, []string{"web"})
	at("only a later one is known", 20)
	h.Generation(1, []string{"web"})
	h.Generation(5, []string{"web", "tablet"})
	at("the newest known is not in the log yet", 20)
	h.Observe(9, spoken("web", 1, 0, 1, 3, 31))
	at("the writer's own generation says nothing of the log", 21)
	h.Observe(9, spoken("web", 1, 0, 1, 4, 32))
	at("the log comes to a generation between two known ones", -1)
	h.Observe(9, spoken("tablet", 2, 0, 2, 5, 50))
	h.Observe(9, spoken("tablet", 2, 1, 2, 5, 31))
	at("the new route has spoken", 21)
	if h.Waits() {
		t.Error("it waits for a generation")
	}
	h.Observe(9, spoken("web", 1, 0, 1, 6, 80))
	at("a generation that is not known", -1)
	if !h.Waits() || h.Named() != 6 {
		t.Errorf("it does not wait for generation 6, but %d", h.Named())
	}
	h.Generation(6, []string{"web", "tablet"})
	at("it becomes known", 21)
	h.Observe(7, Progress{Route: "web", TopicID: [16]byte{1}, Partitions: 1, Watermark: 90 * minuteMs})
	at("a writer that names none in its log stands for its own", -1)
}

// A topic in another's place counts when all of it has spoken; until then the
// other's last progress holds.
func TestHorizonRepartition(t *testing.T) {
	h := NewHorizon(10 * time.Minute)
	h.Generation(1, []string{"web"})
	at := func(what string, want int64) { t.Helper(); expect(t, h, what, want) }
	h.Observe(1, spoken("web", 1, 0, 2, 1, 30))
	h.Observe(1, spoken("web", 1, 1, 2, 1, 31))
	at("before", 20)
	h.Generation(2, []string{"web"})
	closed := func(partition int32, minutes int64) Progress {
		p := spoken("web", 1, partition, 2, 2, minutes)
		p.Closed = true
		return p
	}
	h.Observe(2, closed(0, 33))
	h.Observe(2, closed(1, 32))
	at("the old topic is closed", 22)
	h.Observe(2, spoken("web", 2, 1, 3, 2, 60))
	h.Observe(2, spoken("web", 2, 0, 3, 2, 50))
	at("a part of the new one has spoken", 22)
	h.Observe(2, closed(0, 33))
	at("the old one says it again", 22)
	h.Observe(2, spoken("web", 2, 2, 3, 2, 40))
	at("all of the new one has spoken", 30)
	h.Observe(2, closed(1, 32))
	h.Observe(2, closed(0, 33))
	at("the old one speaks still", 30)

	// Begun behind the closing: what is closed is older, whenever it is heard.
	h = NewHorizon(10 * time.Minute)
	h.Generation(2, []string{"web"})
	h.Observe(2, spoken("web", 2, 1, 3, 2, 60))
	h.Observe(2, closed(0, 33))
	h.Observe(2, closed(1, 32))
	at("the old one alone is whole", 22)
	h.Observe(2, spoken("web", 2, 0, 3, 2, 50))
	h.Observe(2, spoken("web", 2, 2, 3, 2, 40))
	at("the new one is", 30)
	h.Observe(2, closed(1, 32))
	at("the old one speaks still", 30)

	// A topic made anew, or grown by hand, is another one.
	h.Observe(2, spoken("web", 3, 0, 2, 2, 90))
	h.Observe(2, spoken("web", 2, 3, 4, 2, 90))
	at("others have begun", 30)
	for i := range byte(10) {
		h.Observe(2, spoken("web", 10+i, 0, 2, 2, 90))
	}
	if n := len(h.routes["web"].topics); n > maxTopics {
		t.Errorf("%d topics are kept", n)
	}
	at("more than can be told apart: nothing more becomes final", -1)
	h.Observe(2, spoken("web", 19, 1, 2, 2, 91))
	at("until one is whole", 80)
}

// Whoever begins in the middle of a log never takes more for final than who has
// read all of it: there repartitions, new routes and generations lie between.
func TestHorizonFromTheMiddle(t *testing.T) {
	type entry struct {
		generation uint64
		p          Progress
	}
	rapid.Check(t, func(t *rapid.T) {
		var log []entry
		generation := uint64(1)
		routes := map[string]struct {
			topic byte
			parts []int64
		}{"web": {1, make([]int64, 2)}}
		known := map[uint64][]string{1: {"web"}}
		names := func() (all []string) { return slices.Sorted(maps.Keys(routes)) }
		topics := byte(1)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			name := rapid.SampledFrom(names()).Draw(t, "route")
			r := routes[name]
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0: // a new route
				generation++
				topics++
				routes["tablet"] = struct {
					topic byte
					parts []int64
				}{topics, make([]int64, 1)}
				known[generation] = names()
			case 1: // repartition
				generation++
				known[generation] = names()
				low := slices.Min(r.parts)
				for i := range r.parts {
					p := spoken(name, r.topic, int32(i), int32(len(r.parts)), generation, r.parts[i])
					p.Closed = true
					log = append(log, entry{generation, p})
				}
				topics++
				r.topic, r.parts = topics, make([]int64, rapid.IntRange(1, 4).Draw(t, "partitions"))
				for i := range r.parts {
					r.parts[i] = low
				}
				routes[name] = r
			default:
				i := rapid.IntRange(0, len(r.parts)-1).Draw(t, "partition")
				r.parts[i] += rapid.Int64Range(0, 3).Draw(t, "minutes")
				log = append(log, entry{generation, spoken(name, r.topic, int32(i), int32(len(r.parts)), generation, r.parts[i])})
			}
		}
		begin := rapid.IntRange(0, len(log)).Draw(t, "begin")
		whole, late := NewHorizon(0), NewHorizon(0)
		for n, routes := range known {
			whole.Generation(n, routes)
			if n == generation || rapid.Bool().Draw(t, "is told of it") {
				late.Generation(n, routes)
			}
		}
		final := NoMinute
		for i, e := range log {
			whole.Observe(e.generation, e.p)
			if m, ok := whole.FinalBefore(); ok {
				final = max(final, m)
			}
			if i < begin {
				continue
			}
			late.Observe(e.generation, e.p)
			if m, ok := late.FinalBefore(); ok && m > final {
				t.Fatalf("record %d: from %d on, minutes before %d are final; of the whole log those before %d", i, begin, m, final)
			}
		}
	})
}

func TestMinuteOf(t *testing.T) {
	for ms, want := range map[int64]int64{0: 0, 59_999: 0, 60_000: 1, -1: -1, -60_000: -1, -60_001: -2} {
		if got := MinuteOf(ms); got != want {
			t.Errorf("minute of %d is %d, want %d", ms, got, want)
		}
	}
}

func TestSafePoint(t *testing.T) {
	id := [16]byte{1, 15: 255}
	for _, p := range []SafePoint{{id, 0, NoMinute}, {id, 17, 26_000_000}, {id, 17, -5}, {id, 3, 0}} {
		if got, err := ParseSafePoint(p.Offset, p.Metadata()); err != nil || got != p {
			t.Errorf("%+v came back as %+v, %v", p, got, err)
		}
	}
	if got, err := ParseSafePoint(-1, ""); err != nil || got != (SafePoint{Horizon: NoMinute}) {
		t.Errorf("nothing committed: %+v, %v", got, err)
	}
	for _, bad := range []string{"", "17", "pharos-horizon-1:17", safePrefix, safePrefix + "x", safePrefix + "17", safePrefix + "00:17", safePrefix + strings.Repeat("0", 34) + ":17", safePrefix + strings.Repeat("0", 32) + ":", safePrefix + strings.Repeat("x", 32) + ":17"} {
		if _, err := ParseSafePoint(5, bad); err == nil {
			t.Errorf("metadata %q is taken", bad)
		}
	}
}
