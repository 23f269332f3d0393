package session

import (
	"cmp"
	"context"
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed-6a2d649b/pharos/host/experiment"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// fold sums what the runs of a key come to without some of its beacons, by their
// places.
func (a *Apart) fold(t tester, runs []Run, without map[int]bool) (*sums, []Span) {
	t.Helper()
	s := &sums{}
	var sessions []Span
	for n := range runs {
		b, err := a.Fold(context.Background(), n, func(place int) bool { return without[place] })
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range b.Figures {
			s.totals.Add(d)
		}
		sessions = append(sessions, b.Sessions...)
	}
	return s, sessions
}

// spans are the sessions of beacons by the definition.
func spans(beacons []*plainBeacon, gap int64) (all []Span) {
	sorted := slices.Clone(beacons)
	slices.SortFunc(sorted, func(a, b *plainBeacon) int {
		return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.id, b.id), cmp.Compare(a.offset, b.offset))
	})
	var counted []*plainBeacon
	for _, b := range sorted {
		copied := b.id != "" && slices.ContainsFunc(counted, func(c *plainBeacon) bool { return c.id == b.id && b.time-c.time <= gap })
		if copied {
			continue
		}
		if counted = append(counted, b); len(all) > 0 && b.time-all[len(all)-1].Last <= gap {
			all[len(all)-1].Last = b.time
		} else {
			all = append(all, Span{b.time, b.time})
		}
	}
	return all
}

// Whichever of a key's beacons are taken out, the others come to what the definition
// says of them, key after key.
func TestApartIsTheDefinitionOfTheOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gap := rapid.Int64Range(1, 12).Draw(t, "gap") * minute
		cfg := propertyConfig(time.Duration(gap)*time.Millisecond, 0, 1)
		cfg.OneSource = true
		a := NewApart(cfg)
		defer func() { _ = a.Close() }()
		for range rapid.IntRange(1, 3).Draw(t, "keys") {
			beacons := rapid.SliceOfN(rapid.Custom(drawBeacon), 1, 30).Draw(t, "beacons")
			var records []Record
			for i, b := range beacons {
				b.tenant, b.session, b.offset, b.header = beacons[0].tenant, beacons[0].session, int64(i), metric.NoWatermark
				records = append(records, b.record(i))
			}
			runs, err := a.Load(context.Background(), records)
			if err != nil {
				t.Fatal(err)
			}
			for range 5 {
				without := map[int]bool{}
				for _, i := range rapid.SliceOf(rapid.IntRange(0, len(beacons)-1)).Draw(t, "without") {
					without[i] = true
				}
				var left []*plainBeacon
				for i, b := range beacons {
					if !without[i] {
						left = append(left, b)
					}
				}
				n := &naive{gap: gap, pairs: propertyPairs, figures: map[string]*[4]big.Int{}, counts: map[string]int64{}}
				for _, e := range propertyTrials {
					n.trials = append(n.trials, compile(e))
				}
				n.key(slices.Clone(left))
				clear(n.counts)
				got, sessions := a.fold(t, runs, without)
				check(t, fmt.Sprintf("without %v", without), got.plainLines(), n.lines())
				if want := spans(left, gap); !slices.Equal(sessions, want) {
					t.Errorf("without %v: sessions %v, not %v", without, sessions, want)
				}
			}
		}
	})
}

// The same of an extractor that keeps cells and closes sessions: what is left comes
// to what a partition makes of it.
func TestApartKeepsAndClosesAsAPartition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := rememberer{cells: rapid.Bool().Draw(t, "cells"), closes: rapid.Bool().Draw(t, "closes")}
		cfg := testConfig(func(c *Config, shop *Tenant) {
			c.OneSource, c.Lateness = true, 1000*time.Hour
			shop.Extractor, shop.Fields, shop.AllTraffic = e, []string{"kind", "value"}, true
			trials(experiment.Experiment{ID: "plain", Qualify: "order"})(c, shop)
		})
		var lines []string
		for i := range rapid.IntRange(1, 40).Draw(t, "beacons") {
			lines = append(lines, fmt.Sprintf(`{"ts":%d,"sid":"s","id":"%d","kind":"%s","value":%d,"exp":{"plain":"%s"}}`,
				rapid.Int64Range(0, 120).Draw(t, "time")*minute, rapid.IntRange(0, 30).Draw(t, "id")+i%2,
				rapid.SampledFrom([]string{"view", "peek", "trap", "bad", "value"}).Draw(t, "kind"), rapid.IntRange(0, 5).Draw(t, "value"),
				rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "variant")))
		}
		records := log(lines...)
		a := NewApart(cfg)
		defer func() { _ = a.Close() }()
		runs, err := a.Load(context.Background(), records)
		if err != nil {
			t.Fatal(err)
		}
		without := map[int]bool{}
		var left []Record
		for i := range records {
			if rapid.Bool().Draw(t, "out") {
				without[i] = true
			} else {
				left = append(left, records[i])
			}
		}
		want, p := run(t, cfg, left)
		if err := p.Finish(context.Background(), &want.out); err != nil {
			t.Fatal(err)
		}
		want.take()
		got, _ := a.fold(t, runs, without)
		check(t, "without some", got.figures(), want.figures())
	})
}

// Beacons of two keys are a fault of the caller.
func TestApartTakesOneKey(t *testing.T) {
	cfg := testConfig(func(c *Config, _ *Tenant) { c.OneSource = true })
	a := NewApart(cfg)
	defer func() { _ = a.Close() }()
	if _, err := a.Load(context.Background(), log(`{"ts":1,"sid":"a"}`, `{"ts":2,"sid":"b"}`)); err == nil {
		t.Error("beacons of two keys were taken")
	}
}
