package expr

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestZones: up to the end of the table, a zone is what package time knows of it.
func TestZones(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Africa/Monrovia", "Asia/Kathmandu", "Africa/Casablanca", "Australia/Lord_Howe", "Pacific/Apia"} {
		z, err := LoadZone(name)
		if err != nil {
			t.Fatal(err)
		}
		location, err := zoneOf(name)
		if err != nil {
			t.Fatal(err)
		}
		same := func(t interface{ Fatalf(string, ...any) }, ms int64) {
			if _, want := time.UnixMilli(ms).In(location).Zone(); int(z.Offset(ms)) != want {
				t.Fatalf("%s: at %s the offset is %d, want %d", name, time.UnixMilli(ms).UTC(), z.Offset(ms), want)
			}
		}
		for _, start := range z.Starts[1:] {
			same(t, start-1)
			same(t, start)
		}
		rapid.Check(t, func(t *rapid.T) { same(t, rapid.Int64Range(0, zoneEnd.UnixMilli()-1).Draw(t, "ms")) })
		if len(z.Starts) > 1000 {
			t.Errorf("%s: a table of %d", name, len(z.Starts))
		}
		last := z.Offsets[len(z.Offsets)-1]
		if z.Offset(zoneEnd.UnixMilli()) != last || z.Offset(MaxTime) != last {
			t.Errorf("%s: behind the table another offset holds", name)
		}
	}
}

func TestFixedZones(t *testing.T) {
	for name, want := range map[string]int32{"+02:00": 7200, "-08:30": -30600, "05:45": 20700, "+00:00": 0} {
		z, err := LoadZone(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := z.Offset(0); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	for _, name := range []string{"", "Local", "+2:00", "24:00", "+02:60", "Europe/Nowhere", "../etc/passwd", "+02:00 "} {
		if _, err := LoadZone(name); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
}
