package metric

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ShipGroup returns the consumer group whose committed offsets are a store's
// safe points. The group is the prefix that the config gives.
func ShipGroup(group, store string) string { return group + "-ship-" + store }

// SafePoint is where a reader of one partition of the metrics topic begins:
// every delta of the minutes after Horizon lies at Offset or behind it, and
// the store has all minutes up to Horizon, so deltas of those are skipped.
type SafePoint struct {
	Offset  int64
	Horizon int64 // minutes since 1970, or NoMinute
}

// safePrefix begins the metadata of a committed safe point; it carries the
// version.
const safePrefix = "pharos-horizon-1:"

// Metadata returns what is committed beside the offset.
func (p SafePoint) Metadata() string {
	if p.Horizon == NoMinute {
		return safePrefix + "none"
	}
	return safePrefix + strconv.FormatInt(p.Horizon, 10)
}

// ParseSafePoint reads a committed offset with its metadata. An offset that is
// negative stands for none: everything is read from the topic's start.
func ParseSafePoint(offset int64, metadata string) (SafePoint, error) {
	if offset < 0 {
		return SafePoint{Offset: 0, Horizon: NoMinute}, nil
	}
	text, ok := strings.CutPrefix(metadata, safePrefix)
	if ok && text == "none" {
		return SafePoint{Offset: offset, Horizon: NoMinute}, nil
	}
	horizon, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil {
		return SafePoint{}, fmt.Errorf("committed offset %d has the metadata %.60q, not a horizon that this binary reads: was the offset set by hand? delete it to write all minutes that the topic holds once more", offset, metadata)
	}
	return SafePoint{Offset: offset, Horizon: horizon}, nil
}

// WholeAfter returns the minute after which a log whose beginning is gone
// holds every delta: none before the first record left can be of a beacon
// later than that record's append time plus session.ahead.
func WholeAfter(appended time.Time, ahead time.Duration) int64 {
	return MinuteOf(appended.Add(ahead).UnixMilli())
}
