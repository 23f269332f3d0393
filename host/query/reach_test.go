package query

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// spoken is progress of the one partition of a route, whose log has named a generation.
func spoken(route string, generation uint64, minutes int64) metric.Progress {
	return metric.Progress{Route: route, TopicID: [16]byte{1}, Partitions: 1, Watermark: minutes * minute, Generation: generation}
}

// A tenant's figures are complete when the routes are that its beacons can take, on
// all partitions of the metrics topic.
func TestCompleteThroughOfATenant(t *testing.T) {
	l := newTestLive(2, &clockAt{})
	l.Use(1, []string{"web", "mobile"})
	offset := int64(0)
	say := func(partition int32, p ...metric.Progress) {
		l.Observe(partition, offset, time.Unix(0, 0), &metric.Frame{Generation: 1, Progress: p})
		offset++
	}
	expect := func(what string, all, shop, news, other int64) {
		t.Helper()
		s := Status{}
		s.complete(l, []string{"shop", "news", "other"})
		for tenant, want := range map[string]int64{"": all, "shop": shop, "news": news, "other": other} {
			got, ok := l.FinalBeforeOf(tenant)
			said := s.TenantsComplete[tenant]
			if tenant == "" {
				got, ok = l.FinalBefore()
				said = s.CompleteThrough
			}
			if ok != (want > 0) || ok && got != want {
				t.Errorf("%s: %q is final before %d, %v; want %d", what, tenant, got, ok, want)
			}
			if ok && (said == nil || *said != (got-1)*minute) || !ok && said != nil {
				t.Errorf("%s: the status says %v of %q, which is final before %d", what, said, tenant, got)
			}
			if k := l.moment(tenant); tenant != "" && (k.final != ok || ok && k.complete != got) {
				t.Errorf("%s: an answer would say %+v of %q", what, k, tenant)
			}
		}
	}
	l.Reach(map[string][]string{"shop": {"web"}, "news": {"web"}})
	l.Start(0, metric.SafePoint{Horizon: metric.NoMinute}, 0)
	l.Start(1, metric.SafePoint{Horizon: metric.NoMinute}, 0)
	say(0, spoken("web", 1, 40), spoken("mobile", 1, 30))
	expect("one partition has said nothing", 0, 0, 0, 0)
	say(1, spoken("web", 1, 40))
	expect("one route is known everywhere", 0, 30, 30, 0)
	say(1, spoken("mobile", 1, 30))
	expect("both are", 20, 30, 30, 20)
	l.Reach(map[string][]string{"news": {"mobile"}})
	expect("a tenant can take another route too", 20, 30, 30, 20)
	say(0, spoken("web", 1, 50), spoken("mobile", 1, 31))
	say(1, spoken("web", 1, 50), spoken("mobile", 1, 31))
	expect("it never goes back, and waits for both", 21, 40, 30, 21)
	say(0, spoken("web", 1, 60), spoken("mobile", 1, 60))
	expect("one partition is behind", 21, 40, 30, 21)
	say(1, spoken("web", 1, 60), spoken("mobile", 1, 60))
	expect("all are there", 50, 50, 50, 50)
	say(0, spoken("web", 2, 70))
	say(1, spoken("web", 2, 70))
	expect("a generation that is not known", 50, 50, 50, 50)
	s := Status{}
	if s.complete(l, nil); !strings.Contains(strings.Join(s.Faults, " "), "names generation 2") {
		t.Errorf("faults %q", s.Faults)
	}
	l.Use(2, []string{"web", "mobile", "tablet"})
	expect("it is known, and its new route is not", 50, 60, 50, 50)
	say(0, spoken("mobile", 2, 71), spoken("tablet", 2, 72))
	say(1, spoken("mobile", 2, 71), spoken("tablet", 2, 72))
	expect("all is known", 60, 60, 60, 60)
	s = Status{}
	if s.complete(l, nil); len(s.Faults) > 0 {
		t.Errorf("faults %q", s.Faults)
	}
	l.Reach(map[string][]string{"late": {"web"}})
	if got, ok := l.FinalBeforeOf("late"); !ok || got != 60 {
		t.Errorf("a tenant that is new: %d, %v", got, ok)
	}
}

// However partitions lag, no tenant's minutes are complete before they are, and they
// never become less so, also where routes and topics change and reading begins anew
// at a safe point.
func TestCompleteThroughIsRight(t *testing.T) {
	type route struct {
		topic byte
		water []int64 // by partition, minutes
	}
	rapid.Check(t, func(t *rapid.T) {
		routes := map[string]*route{"web": {1, []int64{20, 20}}, "mobile": {2, []int64{20}}}
		topics, generation := byte(2), uint64(1)
		l := newTestLive(2, &clockAt{})
		l.Use(1, []string{"web", "mobile"})
		reach := map[string][]string{"a": {"web"}, "b": {"mobile"}, "c": {"web", "mobile"}}
		l.Reach(reach)
		for p := range int32(2) {
			l.Start(p, metric.SafePoint{Horizon: metric.NoMinute}, 0)
		}
		truth := func(names []string) int64 {
			low := int64(1 << 40)
			for _, name := range names {
				for _, w := range routes[name].water {
					low = min(low, w-10)
				}
			}
			return low
		}
		was := map[string]int64{}
		for i := range rapid.Int64Range(1, 60).Draw(t, "steps") {
			name := rapid.SampledFrom([]string{"web", "mobile"}).Draw(t, "route")
			r := routes[name]
			f := &metric.Frame{Generation: generation}
			put := func(p int, closed bool) {
				f.Progress = append(f.Progress, metric.Progress{Route: name, TopicID: [16]byte{r.topic}, Partition: int32(p), Partitions: int32(len(r.water)), Watermark: r.water[p] * minute, Generation: generation, Closed: closed})
			}
			if rapid.IntRange(0, 9).Draw(t, "repartition") == 0 {
				generation++
				if rapid.Bool().Draw(t, "is known at once") {
					l.Use(generation, []string{"web", "mobile"})
				}
				low := int64(1 << 40)
				for p, w := range r.water {
					low = min(low, w)
					put(p, true)
				}
				topics++
				routes[name] = &route{topics, nil}
				for range rapid.IntRange(1, 3).Draw(t, "partitions") {
					routes[name].water = append(routes[name].water, low)
				}
			} else {
				p := rapid.IntRange(0, len(r.water)-1).Draw(t, "partition")
				r.water[p] += rapid.Int64Range(0, 4).Draw(t, "minutes")
				put(p, false)
			}
			for p := range int32(2) {
				l.Observe(p, i, time.Unix(0, 0), f)
			}
			for tenant, names := range reach {
				got, ok := l.FinalBeforeOf(tenant)
				if ok && got > truth(names) {
					t.Fatalf("step %d: %s is complete before %d, its routes are before %d", i, tenant, got, truth(names))
				}
				if got < was[tenant] {
					t.Fatalf("step %d: %s goes back from %d to %d", i, tenant, was[tenant], got)
				}
				was[tenant] = got
			}
		}
		// When all have spoken, all is known that is true.
		l.Use(generation, []string{"web", "mobile"})
		f := &metric.Frame{Generation: generation}
		for name, r := range routes {
			for p, w := range r.water {
				f.Progress = append(f.Progress, metric.Progress{Route: name, TopicID: [16]byte{r.topic}, Partition: int32(p), Partitions: int32(len(r.water)), Watermark: w * minute, Generation: generation})
			}
		}
		l.Observe(0, 1000, time.Unix(0, 0), f)
		l.Observe(1, 1000, time.Unix(0, 0), f)
		for tenant, names := range reach {
			if got, ok := l.FinalBeforeOf(tenant); !ok || got != truth(names) {
				t.Fatalf("%s is complete before %d, its routes are before %d", tenant, got, truth(names))
			}
		}
	})
}
