package interest

import (
	"cmp"
	"slices"
)

// Whole says of each beacon whether it says something of whole sessions: those that
// come to sessions only where no beacon from before or behind the sample can be of the
// same one, late ones never. What came before is not later than the first beacon's
// time and the lateness, what comes behind not earlier than the highest time less the
// lateness: else one of them would be late.
func (s *Sample) Whole() []bool {
	whole := make([]bool, len(s.beacons))
	for i := range s.beacons {
		whole[i] = s.beacons[i].fate == Filtered || s.beacons[i].fate == Refused
	}
	first, last, some := int64(0), int64(0), false
	for i := range s.beacons {
		if b := &s.beacons[i]; b.fate == Routed {
			if !some {
				first, last, some = b.time, b.time, true
			}
			last = max(last, b.time)
		}
	}
	gap, lateness := s.o.Session.Gap.Milliseconds(), s.o.Session.Lateness.Milliseconds()
	for _, members := range s.members {
		sorted := slices.Clone(members)
		slices.SortFunc(sorted, func(i, j int32) int { return cmp.Compare(s.beacons[i].time, s.beacons[j].time) })
		from := 0
		for i, at := range sorted {
			t := s.beacons[at].time
			if i < len(sorted)-1 && s.beacons[sorted[i+1]].time-t <= gap {
				continue
			}
			if s.beacons[sorted[from]].time-gap > first+lateness && t+gap < last-lateness {
				for _, at := range sorted[from : i+1] {
					whole[at] = true
				}
			}
			from = i + 1
		}
	}
	return whole
}
