package metric

import (
	"testing"
	"time"
)

func progress(route string, partition, partitions int32, watermark int64) Progress {
	return Progress{Route: route, Partition: partition, Partitions: partitions, Watermark: watermark}
}

func TestHorizon(t *testing.T) {
	const min = 60_000
	h := NewHorizon(10*time.Minute, []string{"web", "mobile"})
	at := func(what string, want int64) {
		t.Helper()
		if got, ok := h.FinalBefore(); ok != (want >= 0) || ok && got != want {
			t.Errorf("%s: final before %d, %v; want %d", what, got, ok, want)
		}
	}
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
	h.Observe(2, progress("new", 0, 2, 90*min))
	at("the newest generation has a new route", -1)
	h.Observe(2, progress("new", 1, 2, 12*min))
	at("the new route is known", 2)
	h.Observe(3, progress("web", 0, 2, 40*min))
	at("the route was removed again", 21)
	p := progress("mobile", 0, 1, 70*min)
	p.TopicID[0] = 1
	h.Observe(3, p)
	at("a topic made anew, of one partition", 21)
	h.Observe(3, progress("web", 2, 3, 40*min))
	at("another number of partitions", -1)
	if got := h.Partitions(); len(got) != 4 || got[0] != p || got[3].Partition != 2 {
		t.Errorf("partitions %+v", got)
	}
}

func TestMinuteOf(t *testing.T) {
	for ms, want := range map[int64]int64{0: 0, 59_999: 0, 60_000: 1, -1: -1, -60_000: -1, -60_001: -2} {
		if got := MinuteOf(ms); got != want {
			t.Errorf("minute of %d is %d, want %d", ms, got, want)
		}
	}
}

func TestSafePoint(t *testing.T) {
	for _, p := range []SafePoint{{0, NoMinute}, {17, 26_000_000}, {17, -5}, {3, 0}} {
		if got, err := ParseSafePoint(p.Offset, p.Metadata()); err != nil || got != p {
			t.Errorf("%+v came back as %+v, %v", p, got, err)
		}
	}
	if got, err := ParseSafePoint(-1, ""); err != nil || got != (SafePoint{0, NoMinute}) {
		t.Errorf("nothing committed: %+v, %v", got, err)
	}
	for _, bad := range []string{"", "17", "pharos-horizon-2:17", safePrefix, safePrefix + "x"} {
		if _, err := ParseSafePoint(5, bad); err == nil {
			t.Errorf("metadata %q is taken", bad)
		}
	}
}
