package session

import (
	"fmt"
	"slices"
	"testing"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// A generation is not forgotten while a session refers to it. Beacons that are looked
// at again together can only be folded together: so one waits for others that are
// within the lateness for much longer, and with it what came before, under a
// generation of which nothing has come since.
func TestViewsHeld(t *testing.T) {
	const second, lateness = 1000, 20 * minute
	w := newKeptWorld(minute, lateness, []rememberer{{cells: true, closes: true}, {cells: true}, {cells: true}}, 0)
	p, s := NewPartition(w.configs[0], "web", 0), &sums{}
	offset, watermark := int64(0), metric.NoWatermark
	put := func(session string, times ...int64) {
		t.Helper()
		for _, time := range times {
			raw := fmt.Appendf(nil, `{"ts":%d,"tenant":"shop","sid":"%s","kind":"view","value":1}`, time, session)
			r := Record{Offset: offset, Value: raw, Header: beacon.Header{Topic: "raw", Offset: offset, Watermark: watermark}}
			if err := p.Process(t.Context(), []Record{r}, &s.out); err != nil {
				t.Fatal(err)
			}
			s.take()
			offset, watermark = offset+1, max(watermark, time)
		}
	}
	use := func(generation int) {
		t.Helper()
		if err := p.Switch(w.configs[generation-1]); err != nil {
			t.Fatal(err)
		}
	}
	held := func() (generations []uint64) {
		for generation := range p.tenants[0].views {
			generations = append(generations, generation)
		}
		slices.Sort(generations)
		return generations
	}

	// Of the session one beacon is looked at again, and then twice as many as the last
	// time together: 2, 4 and 8 of generation 1, and 16 of generation 2.
	for i := range int64(14) {
		put("s", (i+2)*second)
	}
	use(2)
	for i := range int64(16) {
		put("s", (i+1)*50*second)
	}
	use(3)
	put("s", second)
	for at := int64(lateness); at < lateness+790*second; at += 5 * second {
		put("other", at)
	}
	if got := held(); !slices.Equal(got, []uint64{1, 2, 3}) {
		t.Errorf("generations %v are held, want 1 to 3: the session's beacons wait for the one at 800 s", got)
	}
	put("s", 800*second)
	for at := int64(lateness) + 800*second; at < 2*lateness+800*second; at += 5 * second {
		put("other", at)
	}
	if got := held(); !slices.Equal(got, []uint64{3}) {
		t.Errorf("generations %v are held, want 3 alone", got)
	}
}
