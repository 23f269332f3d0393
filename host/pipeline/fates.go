package pipeline

import (
	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/interest"
	"github.com/seed-6a2d649b/pharos/host/kafka"
)

// fates are what became of each beacon of a replay, by its offset.
type fates struct {
	of    []interest.Fate
	route []string // on which it went; "": on none
}

func newFates(beacons int) *fates {
	return &fates{of: make([]interest.Fate, beacons), route: make([]string, beacons)} // filtered, if nothing is heard of it
}

// routed takes a beacon that dispatch routes.
func (f *fates) routed(offset int64, route string) {
	f.of[offset], f.route[offset] = interest.Routed, route
}

// letter takes a dead letter. One for an extractor's failure is a copy: the beacon
// counts.
func (f *fates) letter(d *kafka.DeadLetter) {
	switch {
	case d.Cause == string(beacon.Late), d.Cause == string(beacon.SessionOverflow):
		f.of[d.Offset] = interest.Late
	case f.route[d.Offset] == "":
		f.of[d.Offset] = interest.Refused
	}
}
