package session

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed-6a2d649b/pharos/host/experiment"
)

// A schedule finds just the experiments that run and assign a unit.
func TestSchedule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		buckets := func(what string) *[2]int64 {
			from := rapid.Int64Range(0, experiment.Buckets-1).Draw(t, what)
			return &[2]int64{from, rapid.Int64Range(from+1, experiment.Buckets).Draw(t, what)}
		}
		times := rapid.Int64Range(0, 50)
		var trials []*trial
		for i := range rapid.IntRange(0, 12).Draw(t, "experiments") {
			e := experiment.Experiment{ID: fmt.Sprint("e", i), Hash: true}
			e.Start, e.HasStart = times.Draw(t, "start"), rapid.Bool().Draw(t, "starts")
			e.End, e.HasEnd = e.Start+1+times.Draw(t, "length"), rapid.Bool().Draw(t, "ends")
			if layer := rapid.IntRange(0, 2).Draw(t, "layer"); layer > 0 {
				e.Layer, e.Buckets = &experiment.Layer{Name: fmt.Sprint("l", layer)}, buckets("buckets")
			}
			for from := times.Draw(t, "phase"); from < 50 && len(e.Phases) < 3; from += 1 + times.Draw(t, "phase") {
				p := experiment.Phase{From: from, Variants: []experiment.Variant{{Name: "b", Weight: 1}, {Name: "a", Weight: 2}}}
				if e.Layer != nil {
					p.Buckets = buckets("buckets of a phase")
				}
				e.Phases = append(e.Phases, p)
			}
			trials = append(trials, &trial{Compiled: compile(e), number: int32(i)})
		}
		number := uint64(0)
		s := newSchedule(trials, &number)
		for range 20 {
			at, unit := rapid.Int64Range(-5, 110).Draw(t, "time"), []byte(rapid.StringN(1, 3, -1).Draw(t, "unit"))
			var want, got []int32
			for _, x := range trials {
				if _, ok := x.Assign(unit, at); ok && x.Running(at) {
					want = append(want, x.number)
				}
			}
			slot := s.at(at)
			for _, a := range slot.candidates(nil, unit) {
				got = append(got, a.trial)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Fatalf("at %d %q: got %v, want %v", at, unit, got, want)
			}
			all := !slices.ContainsFunc(trials, func(x *trial) bool { return !x.Running(at) })
			if slot.all != all || at < slot.from || at >= slot.to {
				t.Fatalf("at %d: from %d to %d, all run: %v", at, slot.from, slot.to, slot.all)
			}
		}
	})
}
