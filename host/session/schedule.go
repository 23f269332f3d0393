package session

import (
	"math"
	"slices"

	"github.com/seed-6a2d649b/pharos/host/experiment"
)

// schedule finds, among the experiments that the engine assigns, those that a
// unit can be assigned to at a time, without looking at all of them: of many
// experiments most are over, or have other buckets of their layer.
type schedule struct {
	trials []*trial
	times  []int64       // sorted: where any of them begins or ends to run, or changes its phase
	slots  map[int]*slot // by the number of times gone by; made where they are asked for
	last   *slot
	number *uint64 // of slots made so far
}

// slot is a time during which the same experiments run in the same phases.
type slot struct {
	number   uint64 // other than that of any other slot
	from, to int64
	all      bool    // all run
	free     []int32 // numbers of those that run and are in no layer
	layers   []layer
}

// layer are those that run and are in one layer, by bucket.
type layer struct {
	any   *trial
	cuts  []int64                                    // sorted: where buckets of any of them begin or end
	near  [experiment.Buckets/nearBuckets + 1]uint16 // the number of cuts not above a multiple of nearBuckets
	parts []int32                                    // by the number of cuts not above a bucket: where its trials begin
	all   []int32                                    // numbers of trials
}

// nearBuckets is how far apart buckets are from which others are looked for.
const nearBuckets = 50

// maxSlots bounds the slots that are kept: beacons of one batch mostly lie in one
// or two.
const maxSlots = 16

func newSchedule(trials []*trial, number *uint64) schedule {
	s := schedule{trials: trials, slots: map[int]*slot{}, number: number}
	for _, x := range trials {
		start, end := x.Window()
		s.times = append(s.times, start, end)
		for i := range x.Phases() {
			if from, ok := x.From(i); ok {
				s.times = append(s.times, from)
			}
		}
	}
	slices.Sort(s.times)
	s.times = slices.Compact(s.times)
	return s
}

// at is the slot of a time.
func (s *schedule) at(t int64) *slot {
	if s.last != nil && s.last.from <= t && t < s.last.to {
		return s.last
	}
	i, found := slices.BinarySearch(s.times, t)
	if found {
		i++
	}
	if s.slots[i] == nil {
		if len(s.slots) >= maxSlots {
			clear(s.slots)
		}
		s.slots[i] = s.newSlot(i)
	}
	s.last = s.slots[i]
	return s.last
}

func (s *schedule) newSlot(i int) *slot {
	*s.number++
	o := &slot{number: *s.number, from: math.MinInt64, to: math.MaxInt64, all: true}
	if i > 0 {
		o.from = s.times[i-1]
	}
	if i < len(s.times) {
		o.to = s.times[i]
	}
	var salts []string
	var layers [][]*trial
	for _, x := range s.trials {
		if !x.running(o.from) {
			o.all = false
			continue
		}
		salt := x.LayerSalt()
		if salt == "" {
			o.free = append(o.free, x.number)
			continue
		}
		at := slices.Index(salts, salt)
		if at < 0 {
			at = len(salts)
			salts, layers = append(salts, salt), append(layers, nil)
		}
		layers[at] = append(layers[at], x)
	}
	for _, trials := range layers {
		o.layers = append(o.layers, newLayer(trials, o.from))
	}
	return o
}

func newLayer(trials []*trial, t int64) layer {
	l := layer{any: trials[0]}
	for _, x := range trials {
		from, to := x.BucketRange(x.Phase(t))
		l.cuts = append(l.cuts, from, to)
	}
	slices.Sort(l.cuts)
	l.cuts = slices.Compact(l.cuts)
	for at, bucket := 0, 0; bucket <= experiment.Buckets; bucket += nearBuckets {
		for at < len(l.cuts) && l.cuts[at] <= int64(bucket) {
			at++
		}
		l.near[bucket/nearBuckets] = uint16(at)
	}
	parts := make([][]int32, len(l.cuts)+1)
	for _, x := range trials {
		from, to := x.BucketRange(x.Phase(t))
		for i := l.part(from); i < l.part(to); i++ {
			parts[i] = append(parts[i], x.number)
		}
	}
	for _, numbers := range parts {
		l.parts = append(l.parts, int32(len(l.all)))
		l.all = append(l.all, numbers...)
	}
	l.parts = append(l.parts, int32(len(l.all)))
	return l
}

// part is the number of cuts not above a bucket.
func (l *layer) part(bucket int64) int {
	i := int(l.near[bucket/nearBuckets])
	for i < len(l.cuts) && l.cuts[i] <= bucket {
		i++
	}
	return i
}

// candidates appends the numbers of the trials that a unit is assigned to, their
// variants not known yet.
func (o *slot) candidates(dst []assign, unit []byte) []assign {
	if len(unit) == 0 {
		return dst
	}
	for _, n := range o.free {
		dst = append(dst, assign{n, undrawn})
	}
	for i := range o.layers {
		l := &o.layers[i]
		part := l.part(l.any.Bucket(unit))
		for _, n := range l.all[l.parts[part]:l.parts[part+1]] {
			dst = append(dst, assign{n, undrawn})
		}
	}
	return dst
}

// undrawn is a variant that has not been drawn yet.
const undrawn = -1
