package pipeline_test

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/seed-6a2d649b/pharos/host/definition"
)

// tidyBeacons generates beacons none of which is late in order of time, nor
// equal to another in time and id: what they come to depends on no order.
func tidyBeacons(w *world, seed uint64) (all []definition.Beacon) {
	g := newTraffic(w, seed)
	type place struct {
		time int64
		id   string
	}
	seen := map[place]bool{}
	for range pick(g.Rand, 20, 100, 400) {
		raw := g.beacon(&w.sources[0].def)
		b, _ := definition.Decode(w.sources[0].def, raw)
		b.Line.Raw = raw
		if at := (place{b.Time, b.ID}); !seen[at] {
			seen[at] = true
			all = append(all, b)
		}
	}
	slices.SortStableFunc(all, func(a, b definition.Beacon) int { return cmp.Compare(a.Time, b.Time) })
	w.def.Now = 1 << 50
	return all
}

func (w *world) replayOf(t *testing.T, all []definition.Beacon, cuts ...int) string {
	t.Helper()
	var files []file
	from := 0
	for _, to := range append(cuts, len(all)) {
		f := file{source: w.sources[0].name}
		for _, b := range all[from:to] {
			f.content = append(append(f.content, b.Line.Raw...), '\n')
		}
		files = append(files, f)
		from = to
	}
	out, summary, err := w.replay(t, t.TempDir(), files)
	if err != nil {
		t.Fatalf("%v\n%s", err, w.yaml.String())
	}
	if !bytes.Contains(summary, []byte(`"late":0`)) {
		t.Errorf("some are late: %s", summary)
	}
	return string(out) + string(summary)
}

// TestNoOrderOfArrivalShows replays the same beacons in other orders within the
// lateness, over other numbers of partitions, and cut into several files.
func TestNoOrderOfArrivalShows(t *testing.T) {
	for seed := *firstSeed; seed < *firstSeed+*seeds/8; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(seed, params{tidy: true})
			all := tidyBeacons(w, seed)
			want := w.replayOf(t, all)
			same := func(what, got string) {
				t.Helper()
				if got != want {
					t.Errorf("%s:\n%s\nwant\n%s\nseed %d, the config is\n%s", what, got, want, seed, w.yaml.String())
				}
			}
			// Nothing that arrives is further behind than the lateness, if each
			// is held up by at most that.
			arrivals := slices.Clone(all)
			held := map[string]int64{}
			for _, b := range all {
				held[string(b.Line.Raw)] = b.Time + w.Int64N(w.def.Lateness+1)
			}
			slices.SortStableFunc(arrivals, func(a, b definition.Beacon) int {
				return cmp.Compare(held[string(a.Line.Raw)], held[string(b.Line.Raw)])
			})
			same("another order of arrival", w.replayOf(t, arrivals))
			same("two files", w.replayOf(t, all, w.IntN(len(all)+1)))
			for _, partitions := range []int{1, 7} {
				same(fmt.Sprint(partitions, " partitions"), newWorld(seed, params{tidy: true, partitions: partitions}).at(w).replayOf(t, arrivals))
			}
		})
	}
}

// at takes over the moment of a replay.
func (w *world) at(o *world) *world {
	w.def.Now = o.def.Now
	return w
}
