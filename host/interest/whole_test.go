package interest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/session"
)

var site = beacon.Source{
	Name: "site", Topic: "raw", Format: beacon.JSON, Time: path1("ts"), Tenant: beacon.Locator{Const: "shop", IsConst: true}, Session: path1("sid"),
}

func path1(p string) beacon.Locator { return beacon.Locator{Paths: []string{p}} }

// sampleOf makes a sample of beacons: times in s and sessions.
func sampleOf(t interface{ Fatal(...any) }, gap, lateness time.Duration, beacons []arrival) *Sample {
	cfg := &session.Config{
		Generation: 1, Gap: gap, Lateness: lateness, OneSource: true, Sources: []session.Source{{Source: &site, Partitions: 1}},
		Tenants: map[string]session.Tenant{"shop": {AllTraffic: true}},
	}
	if err := cfg.Prepare(); err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Sources: []*beacon.Source{&site}, Session: cfg, Least: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range beacons {
		s.Add(0, fmt.Appendf(nil, `{"ts":%d,"sid":"%s"}`, b.time*1000, b.session), b.fate, "all")
	}
	return s
}

type arrival struct {
	time    int64
	session string
	fate    Fate
}

// A session that is said to be whole in a part of a stream is so in all of it,
// whatever the part; and not none is said to be.
func TestWholeSessionsAreWhole(t *testing.T) {
	some := 0
	rapid.Check(t, func(t *rapid.T) {
		gap, lateness := rapid.Int64Range(1, 4).Draw(t, "gap"), rapid.Int64Range(0, 3).Draw(t, "lateness")
		var stream []arrival
		watermark := int64(-1)
		for i := range rapid.IntRange(40, 100).Draw(t, "beacons") {
			b := arrival{max(int64(i)+rapid.Int64Range(-lateness-2, 3).Draw(t, "time"), 0), rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g", "h"}).Draw(t, "session"), Routed}
			if b.time < watermark-lateness {
				b.fate = Late
			}
			watermark = max(watermark, b.time)
			stream = append(stream, b)
		}
		from := rapid.IntRange(0, 20).Draw(t, "from")
		part := slices.Clone(stream[from:rapid.IntRange(from+1, len(stream)).Draw(t, "to")])
		whole := sampleOf(t, time.Duration(gap)*time.Second, time.Duration(lateness)*time.Second, part).Whole()
		for i, is := range whole {
			if !is {
				continue
			}
			if some++; part[i].fate != Routed {
				t.Fatalf("beacon %d is late", i)
			}
			// Nothing outside of the part is within the gap of its run.
			times := []int64{}
			for j, b := range part {
				if b.session == part[i].session && whole[j] {
					times = append(times, b.time)
				}
			}
			for j, b := range stream {
				inside := j >= from && j < from+len(part)
				if b.session != part[i].session || b.fate != Routed || inside && whole[j-from] {
					continue
				}
				if slices.ContainsFunc(times, func(t int64) bool { return max(t-b.time, b.time-t) <= gap }) {
					t.Fatalf("the session %s of beacon %d has another at %d s", b.session, i, b.time)
				}
			}
		}
	})
	if some < 200 {
		t.Errorf("only %d beacons were of whole sessions: that tries nothing", some)
	}
}
