package query

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	minute   = int64(time.Minute / time.Millisecond) // ms
	hour     = 60                                    // minutes
	day      = 24 * hour
	lastTime = 253402300800000 // ms, the end of the year 9999
)

// Instant is a time of a request: RFC 3339, ms since 1970, or, where the
// request says so, a duration back from the end of the range ("-15m").
type Instant struct {
	Millis int64
	Back   time.Duration // > 0: this long before the end; Millis is unset
}

// UnmarshalJSON reads a number or a string.
func (t *Instant) UnmarshalJSON(b []byte) error {
	var text string
	if b = bytes.TrimSpace(b); len(b) > 0 && b[0] == '"' {
		if err := json.Unmarshal(b, &text); err != nil {
			return err
		}
		if rest, ok := strings.CutPrefix(text, "-"); ok {
			minutes, err := parseSpan(rest)
			if err != nil {
				return err
			}
			t.Back = time.Duration(minutes) * time.Minute
			return nil
		}
		parsed, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return fmt.Errorf("%q is no time: write RFC 3339 (2026-01-08T00:00:00Z), ms since 1970 as a number, or -15m for 15 minutes before the end", text)
		}
		t.Millis = parsed.UnixMilli()
	} else if err := json.Unmarshal(b, &t.Millis); err != nil {
		return fmt.Errorf("%.40s is no time: write RFC 3339 in quotes, or whole ms since 1970", b)
	}
	if t.Millis < 0 || t.Millis > lastTime {
		return fmt.Errorf("%.40s lies outside the years 1970 to 9999", b)
	}
	return nil
}

// Step is the width of a bucket.
type Step struct {
	Minutes int64
}

// UnmarshalJSON reads a string such as "5m".
func (s *Step) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("%.40s is no step: write a string such as \"5m\", \"1h\" or \"1d\"", b)
	}
	minutes, err := parseSpan(text)
	if err != nil {
		return err
	}
	s.Minutes = minutes
	return s.check()
}

// String writes the step as a request gives it.
func (s Step) String() string {
	switch {
	case s.Minutes%day == 0:
		return fmt.Sprintf("%dd", s.Minutes/day)
	case s.Minutes%hour == 0:
		return fmt.Sprintf("%dh", s.Minutes/hour)
	}
	return fmt.Sprintf("%dm", s.Minutes)
}

// check refuses steps that could not be aligned to hours and days.
func (s Step) check() error {
	m := s.Minutes
	switch {
	case m < hour, m == hour, m > hour && m < day && m%hour == 0 && day%m == 0, m >= day && m%day == 0 && m <= 366*day:
		return nil
	}
	return fmt.Errorf("a step of %s cuts through hours or days: take minutes below 1h, hours that divide a day (1h 2h 3h 4h 6h 8h 12h), or whole days up to 366d", s)
}

var span = regexp.MustCompile(`^([0-9]{1,9})(s|m|h|d|w)$`)

// parseSpan reads a positive duration in whole minutes.
func parseSpan(text string) (minutes int64, err error) {
	m := span.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("%.40q is no duration: write a number with s, m, h, d or w, such as 15m", text)
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return 0, err
	}
	seconds := n * map[string]int64{"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}[m[2]]
	if seconds == 0 || seconds%60 != 0 || seconds > 366*86400*100 {
		return 0, fmt.Errorf("%s is not a whole number of minutes from 1 up to 100 years: figures are kept by the minute", text)
	}
	return seconds / 60, nil
}

// ladder are the steps that a request without one may get.
var ladder = []Step{{1}, {2}, {5}, {10}, {15}, {30}, {hour}, {2 * hour}, {3 * hour}, {6 * hour}, {12 * hour}, {day}, {7 * day}, {28 * day}, {91 * day}, {364 * day}}

// autoStep is the smallest step that cuts the minutes into at most points.
func autoStep(minutes int64, points int) Step {
	for _, s := range ladder {
		if (minutes+s.Minutes-1)/s.Minutes <= int64(points) {
			return s
		}
	}
	return ladder[len(ladder)-1]
}

// cutter cuts time into buckets. Below an hour they are multiples of the step
// since 1970. An hour follows the clock of the timezone's offset, each hour its
// own, also the one that a change to winter time repeats. Longer ones begin
// where the wall clock shows a multiple of the step, days at local midnight, so
// the days of a change have 23 or 25 hours; several days are counted from a
// Monday.
type cutter struct {
	step     Step
	location *time.Location
	// what holds from and before these minutes
	from, before int64
	offset       int64 // minutes
}

// key numbers the bucket that a minute lies in, ascending with time where the
// offset does not change.
func (c *cutter) key(m int64) int64 {
	c.zone(m)
	m += c.offset
	if c.step.Minutes >= day {
		m += 3 * day // 1970 began on a Thursday
	}
	return floorDiv(m, c.step.Minutes)
}

func (c *cutter) zone(m int64) {
	if c.step.Minutes < hour || c.from <= m && m < c.before && c.before != 0 {
		return
	}
	t := time.Unix(m*60, 0).In(c.location)
	_, seconds := t.Zone()
	c.offset = floorDiv(int64(seconds), 60)
	c.from = m
	// The package time also tells of bounds where nothing changes, about a new year
	// far from the zone's tables, and on the last day of a leap year of one that is over.
	for range 10 {
		_, end := t.ZoneBounds()
		if end.IsZero() {
			c.before = 1 << 62
			return
		}
		if !end.After(t) {
			end = t.Truncate(24 * time.Hour).Add(24 * time.Hour)
		}
		c.before = ceilDiv(end.Unix(), 60)
		t = time.Unix(c.before*60, 0).In(c.location)
		if _, then := t.Zone(); then != seconds {
			return
		}
	}
}

// next gives the minute at which the bucket of m ends.
func (c *cutter) next(m int64) int64 {
	key := c.key(m)
	for {
		// the next multiple of the step, if the offset holds so long
		shift := c.offset
		if c.step.Minutes >= day {
			shift += 3 * day
		}
		end := (key+1)*c.step.Minutes - shift
		if c.step.Minutes < hour || end < c.before {
			return end
		}
		at := c.before
		if c.step.Minutes == hour || c.key(at) > key {
			return at
		}
		// the clock was set within the bucket, or back before it: it goes on
	}
}

// start gives the minute at which the bucket of m begins.
func (c *cutter) start(m int64) int64 {
	// from far enough back that a bucket surely begins before m's own
	at := m - 2*c.step.Minutes - 2*day
	if c.step.Minutes < hour {
		return floorDiv(m, c.step.Minutes) * c.step.Minutes
	}
	for at = c.next(at); ; {
		end := c.next(at)
		if end > m {
			return at
		}
		at = end
	}
}

// cut gives the bounds of the buckets that cover the minutes [from, to): one
// more than there are buckets. It stops at most buckets.
func (c *cutter) cut(from, to int64, most int) (bounds []int64, ok bool) {
	bounds = append(bounds, c.start(from))
	for bounds[len(bounds)-1] < to {
		if len(bounds) > most {
			return nil, false
		}
		bounds = append(bounds, c.next(bounds[len(bounds)-1]))
	}
	return bounds, true
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && a < 0 {
		q--
	}
	return q
}

func ceilDiv(a, b int64) int64 { return -floorDiv(-a, b) }
