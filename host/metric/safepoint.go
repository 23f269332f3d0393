package metric

import (
	"encoding/hex"
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
	TopicID [16]byte // of the topic: offsets of one that was made anew mean nothing
	Offset  int64
	Horizon int64 // minutes since 1970, or NoMinute
}

// safePrefix begins the metadata of a committed safe point; it carries the
// version. The topic's id in hex and the horizon follow, or "none".
const safePrefix = "pharos-horizon-2:"

// Metadata returns what is committed beside the offset.
func (p SafePoint) Metadata() string {
	horizon := "none"
	if p.Horizon != NoMinute {
		horizon = strconv.FormatInt(p.Horizon, 10)
	}
	return safePrefix + hex.EncodeToString(p.TopicID[:]) + ":" + horizon
}

// ParseSafePoint reads a committed offset with its metadata. An offset that is
// negative stands for none: everything is read from the topic's start.
func ParseSafePoint(offset int64, metadata string) (SafePoint, error) {
	p := SafePoint{Horizon: NoMinute}
	if offset < 0 {
		return p, nil
	}
	p.Offset = offset
	text, ok := strings.CutPrefix(metadata, safePrefix)
	id, horizon, both := strings.Cut(text, ":")
	n, err := hex.Decode(p.TopicID[:], []byte(id[:min(len(id), 2*len(p.TopicID))]))
	ok = ok && both && err == nil && n == len(p.TopicID) && len(id) == 2*n
	if horizon != "none" && ok {
		p.Horizon, err = strconv.ParseInt(horizon, 10, 64)
	}
	if !ok || err != nil {
		return SafePoint{}, fmt.Errorf("committed offset %d has the metadata %.80q, not a horizon that this binary reads: was the offset set by hand? delete it to write all minutes that the topic holds once more", offset, metadata)
	}
	return p, nil
}

// WholeAfter returns the minute after which a log whose beginning is gone
// holds every delta: none before the first record left can be of a beacon
// later than that record's append time plus session.ahead.
func WholeAfter(appended time.Time, ahead time.Duration) int64 {
	return MinuteOf(appended.Add(ahead).UnixMilli())
}
