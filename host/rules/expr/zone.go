package expr

import (
	"archive/zip"
	_ "embed"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Zone is a time zone as a table: from Starts[i] on, Offsets[i] holds. What the
// last one says holds for ever.
type Zone struct {
	Name    string
	Starts  []int64 // ms since 1970, ascending; the first is before every event time
	Offsets []int32 // seconds east of UTC
}

// zoneEnd is where a zone's table ends: rules of summer time are not known to
// hold so far ahead.
var zoneEnd = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

// utc is the zone where none is named.
var utc = &Zone{Name: "UTC", Starts: []int64{0}, Offsets: []int32{0}}

var fixedZone = regexp.MustCompile(`^([+-]?)([01][0-9]|2[0-3]):([0-5][0-9])$`)

// LoadZone is the zone of a name: UTC, an offset such as +02:00, or one of the
// IANA database, such as Europe/Berlin.
func LoadZone(name string) (*Zone, error) {
	if m := fixedZone.FindStringSubmatch(name); m != nil {
		hours, _ := strconv.Atoi(m[2]) // the expression has digits there
		minutes, _ := strconv.Atoi(m[3])
		offset := int32(hours*3600 + minutes*60)
		if m[1] == "-" {
			offset = -offset
		}
		return &Zone{Name: name, Starts: []int64{0}, Offsets: []int32{offset}}, nil
	}
	location, err := zoneOf(name)
	if err != nil {
		return nil, fmt.Errorf("%q is no time zone: give UTC, an offset as +02:00, or a name as Europe/Berlin", name)
	}
	return tableOf(location), nil
}

// zoneinfo is the IANA database, version 2025c, as Go has it in lib/time. That of the machine
// is not asked: a rule means the same on every host.
//
//go:embed zoneinfo.zip
var zoneinfo string

var zoneFiles = sync.OnceValues(func() (*zip.Reader, error) {
	return zip.NewReader(strings.NewReader(zoneinfo), int64(len(zoneinfo)))
})

// zoneOf is a zone of the database.
func zoneOf(name string) (*time.Location, error) {
	files, err := zoneFiles()
	if err != nil {
		return nil, fmt.Errorf("time zones: %w", err)
	}
	data, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, fmt.Errorf("time zone: %w", err)
	}
	return time.LoadLocationFromTZData(name, data)
}

// tableOf is what a zone's clocks have shown since 1970, and will.
func tableOf(location *time.Location) *Zone {
	z := &Zone{Name: location.String()}
	for t := time.UnixMilli(0).In(location); t.Before(zoneEnd); {
		_, offset := t.Zone()
		if n := len(z.Offsets); n == 0 || z.Offsets[n-1] != int32(offset) {
			z.Starts = append(z.Starts, t.UnixMilli())
			z.Offsets = append(z.Offsets, int32(offset))
		}
		_, end := t.ZoneBounds()
		if end.IsZero() {
			break
		}
		if !end.After(t) { // said of the last day of some years
			end = t.Add(24 * time.Hour)
		}
		t = end
	}
	return z
}

// Offset is how many seconds the zone is east of UTC at a time.
func (z *Zone) Offset(ms int64) int32 {
	i, found := slices.BinarySearch(z.Starts, ms)
	if !found {
		i--
	}
	return z.Offsets[max(i, 0)]
}

// Of is the part of a time, in ms since 1970, in a zone.
func (p TimePart) Of(ms int64, z *Zone) int {
	t := time.UnixMilli(ms + 1000*int64(z.Offset(ms))).UTC()
	switch p {
	case Milliseconds:
		return t.Nanosecond() / 1e6
	case Seconds:
		return t.Second()
	case Minutes:
		return t.Minute()
	case Hours:
		return t.Hour()
	case DayOfWeek:
		return int(t.Weekday())
	case DayOfMonth:
		return t.Day() - 1
	case Date:
		return t.Day()
	case DayOfYear:
		return t.YearDay() - 1
	case Month:
		return int(t.Month()) - 1
	}
	return t.Year()
}
