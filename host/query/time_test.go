package query

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func chicago(t rapid.TB) *time.Location {
	t.Helper()
	l, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// bounds writes buckets as local times with their lengths.
func bounds(t rapid.TB, l *time.Location, step string, from, to string) (out []string) {
	t.Helper()
	parse := func(s string) int64 {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return at.Unix() / 60
	}
	minutes, err := parseSpan(step)
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{step: Step{minutes}, location: l}
	b, ok := c.cut(parse(from), parse(to), 1000)
	if !ok {
		t.Fatal("too many buckets")
	}
	for i := range b[:len(b)-1] {
		at := time.Unix(b[i]*60, 0).In(l)
		out = append(out, at.Format("02 15:04 MST ")+(time.Duration(b[i+1]-b[i])*time.Minute).String())
	}
	return out
}

func TestBucketsOverDaylightSaving(t *testing.T) {
	l := chicago(t)
	for _, c := range []struct {
		step, from, to string
		want           []string
	}{
		{"1d", "2026-03-07T12:00:00Z", "2026-03-09T12:00:00Z", []string{"07 00:00 CST 24h0m0s", "08 00:00 CST 23h0m0s", "09 00:00 CDT 24h0m0s"}},
		{"1d", "2026-11-01T12:00:00Z", "2026-11-02T12:00:00Z", []string{"01 00:00 CDT 25h0m0s", "02 00:00 CST 24h0m0s"}},
		{"6h", "2026-03-08T06:00:00Z", "2026-03-09T05:00:00Z", []string{"08 00:00 CST 5h0m0s", "08 06:00 CDT 6h0m0s", "08 12:00 CDT 6h0m0s", "08 18:00 CDT 6h0m0s"}},
		{"6h", "2026-11-01T05:00:00Z", "2026-11-01T13:00:00Z", []string{"01 00:00 CDT 7h0m0s", "01 06:00 CST 6h0m0s"}},
		{"1h", "2026-11-01T05:30:00Z", "2026-11-01T08:30:00Z", []string{"01 00:00 CDT 1h0m0s", "01 01:00 CDT 1h0m0s", "01 01:00 CST 1h0m0s", "01 02:00 CST 1h0m0s"}},
		{"1h", "2026-03-08T07:00:00Z", "2026-03-08T09:00:00Z", []string{"08 01:00 CST 1h0m0s", "08 03:00 CDT 1h0m0s"}},
		{"2h", "2026-03-08T06:00:00Z", "2026-03-08T11:00:00Z", []string{"08 00:00 CST 2h0m0s", "08 03:00 CDT 1h0m0s", "08 04:00 CDT 2h0m0s"}},
		{"7d", "2026-03-04T12:00:00Z", "2026-03-12T12:00:00Z", []string{"02 00:00 CST 167h0m0s", "09 00:00 CDT 168h0m0s"}}, // from a Monday
		{"5m", "2026-03-08T07:58:00Z", "2026-03-08T08:03:00Z", []string{"08 01:55 CST 5m0s", "08 03:00 CDT 5m0s"}},
	} {
		if got := bounds(t, l, c.step, c.from, c.to); !slices.Equal(got, c.want) {
			t.Errorf("%s from %s to %s: %q, want %q", c.step, c.from, c.to, got, c.want)
		}
	}
}

func TestBucketsOfOddTimezones(t *testing.T) {
	for zone, c := range map[string]struct {
		step, from, to string
		want           []string
	}{
		"Asia/Kathmandu":      {"1h", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z", []string{"01 05:00 +0545 1h0m0s", "01 06:00 +0545 1h0m0s"}},
		"Australia/Lord_Howe": {"1h", "2026-04-04T14:30:00Z", "2026-04-04T16:00:00Z", []string{"05 01:00 +11 1h0m0s", "05 01:30 +1030 30m0s", "05 02:00 +1030 1h0m0s"}},
		// summer time began at midnight: the day's first hour is missing
		"America/Sao_Paulo": {"1d", "2018-11-03T12:00:00Z", "2018-11-05T12:00:00Z", []string{"03 00:00 -03 24h0m0s", "04 01:00 -02 23h0m0s", "05 00:00 -02 24h0m0s"}},
		// and ended at midnight: the day's last hour comes twice
		"America/Asuncion": {"1d", "2024-03-23T12:00:00Z", "2024-03-24T12:00:00Z", []string{"23 00:00 -03 25h0m0s", "24 00:00 -04 24h0m0s"}},
		"UTC":              {"12h", "2026-01-01T13:00:00Z", "2026-01-02T00:00:00Z", []string{"01 12:00 UTC 12h0m0s"}},
	} {
		l, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := bounds(t, l, c.step, c.from, c.to); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", zone, got, c.want)
		}
	}
}

// Buckets do not depend on where a range begins, and none is empty.
func TestBucketsAreTheSameOfAnyRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom([]string{"America/Chicago", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kathmandu", "UTC", "America/Asuncion"}).Draw(t, "zone")
		l, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		step := rapid.SampledFrom(ladder).Draw(t, "step")
		from := rapid.Int64Range(0, 30_000_000).Draw(t, "from")
		whole := &cutter{step: step, location: l}
		bounds, ok := whole.cut(from, from+step.Minutes*40, 100)
		if !ok {
			t.Fatal("too many buckets")
		}
		if bounds[0] > from || bounds[1] <= from || bounds[len(bounds)-1] < from+step.Minutes*40 {
			t.Fatalf("%v do not cover from %d on", bounds, from)
		}
		for i := range bounds[1:] {
			if bounds[i+1] <= bounds[i] {
				t.Fatalf("%v do not ascend", bounds)
			}
		}
		i := rapid.IntRange(0, len(bounds)-2).Draw(t, "bucket")
		m := rapid.Int64Range(bounds[i], bounds[i+1]-1).Draw(t, "minute")
		part := &cutter{step: step, location: l}
		if start := part.start(m); start != bounds[i] {
			t.Fatalf("the bucket of %d begins at %d in one range and at %d in another", m, bounds[i], start)
		}
	})
}

// Years beyond the tables of a zone: on the last day of a leap year the package
// time tells of a change that is over, and at a new year of one that is none.
func TestBucketsFarAhead(t *testing.T) {
	for _, zone := range []string{"America/Chicago", "Australia/Adelaide", "America/St_Johns", "Europe/Berlin", "UTC"} {
		l, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		for _, year := range []int{2024, 2040, 2041, 2044, 2068} {
			from := time.Date(year, 12, 30, 0, 0, 0, 0, l).Unix() / 60
			for _, step := range []Step{{hour}, {6 * hour}, {day}} {
				c := &cutter{step: step, location: l}
				bounds, ok := c.cut(from, from+4*day, 200)
				if !ok || int64(len(bounds)) != 4*day/step.Minutes+1 || bounds[0] != from {
					t.Errorf("%s, %d by %s: %d buckets", zone, year, step, len(bounds)-1)
				}
			}
		}
	}
}

func TestSteps(t *testing.T) {
	for text, want := range map[string]int64{
		`"1m"`: 1, `"60s"`: 1, `"7m"`: 7, `"1h"`: 60, `"60m"`: 60, `"12h"`: 720, `"24h"`: 1440, `"1d"`: 1440, `"1w"`: 7 * 1440,
		`"30s"`: 0, `"0m"`: 0, `"90m"`: 0, `"5h"`: 0, `"36h"`: 0, `"400d"`: 0, `"1"`: 0, `""`: 0, `"-5m"`: 0, `60`: 0, `"1m30s"`: 0, `"99999999999m"`: 0,
	} {
		var s Step
		err := json.Unmarshal([]byte(text), &s)
		if want == 0 && err == nil || want != 0 && (err != nil || s.Minutes != want) {
			t.Errorf("%s is %v, %v", text, s.Minutes, err)
		}
	}
	for step, want := range map[int64]string{1: "1m", 60: "1h", 90: "90m", 1440: "1d", 720: "12h"} {
		if got := (Step{step}).String(); got != want {
			t.Errorf("%d minutes are %s", step, got)
		}
	}
	for _, s := range ladder {
		if err := s.check(); err != nil {
			t.Error(err)
		}
	}
}
