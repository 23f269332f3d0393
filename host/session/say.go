package session

import (
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// foreign is what is to be said of a partition's foreign records.
type foreign struct {
	said   time.Time
	unsaid int // since
}

// foreignEvery is how often a partition's foreign records are logged: there may
// be any number of them.
const foreignEvery = time.Second

// sayForeign counts a record that is passed over, and logs it if none was in
// the last second. err says what is wrong with it; nil: it has nothing that
// makes it dispatch's.
func (s *Stage) sayForeign(f *foreign, r *kgo.Record, err error, now time.Time) {
	s.cfg.Counters.foreign.Inc()
	if now.Sub(f.said) < foreignEvery {
		f.unsaid++
		return
	}
	args := []any{"topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "more_before", f.unsaid}
	if err != nil {
		args = append(args, "error", err)
	}
	s.log.Error("passed over a record that dispatch did not write", args...)
	*f = foreign{said: now}
}

// errClosed is what is wrong with beacons of a partition that is closed.
var errClosed = errors.New("all source partitions had ended on this topic: a dispatch host still writes to it, and what it writes is not counted")

// sayClosed counts beacons that come to a partition that is closed.
func (s *Stage) sayClosed(p *part, records []*kgo.Record) {
	for _, r := range records {
		for _, h := range r.Headers {
			if h.Key == beacon.HeaderKey {
				s.sayForeign(&p.feeder.foreign, r, errClosed, time.Now())
			}
		}
	}
}

// still is since when a partition's watermark has been what it is.
type still struct {
	since     time.Time
	watermark int64
}

// stillAfter is how long a watermark may stay, held by one source partition,
// before that is logged, and how often.
const stillAfter = 5 * time.Minute

// sayStill logs what holds the watermark of a live partition, if it has stayed
// long: no minute becomes final so. A source that nobody dispatches from any
// more does that, as one whose topic was made anew with fewer partitions.
func (s *Stage) sayStill(p *part, now time.Time) {
	holder := p.core.watermark.holder()
	if w := p.core.Watermark(); w != p.still.watermark || p.still.since.IsZero() || holder == "" {
		p.still = still{since: now, watermark: w}
		return
	}
	if now.Sub(p.still.since) < stillAfter {
		return
	}
	p.still.since = now
	args := []any{"topic", p.Topic, "partition", p.Partition, "source_partition", holder}
	if w := p.core.Watermark(); w != metric.NoWatermark {
		args = append(args, "watermark", time.UnixMilli(w).UTC().Format(time.RFC3339))
	}
	s.log.Warn("the watermark stands still, so no minute becomes final: one source partition holds it; if that partition is gone for good, give the route a new topic (dispatch.routes)", args...)
}
