package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/host/snapshot"
)

// begin begins a partition of which nothing is committed. If it was begun before,
// going on would book again what has been booked, or lose it: that is for people
// to decide.
func (r *recovery) begin(ctx context.Context) (recovered, error) {
	cfg, _ := r.stage.newest()
	why, err := r.wasBegun(ctx)
	if err != nil {
		return recovered{}, err
	}
	if why != nil {
		return r.beginAgain(ctx, cfg, why)
	}
	if r.LogStart > 0 {
		what := fmt.Errorf("nothing of it has been read yet, and its log begins at offset %d: %d records were deleted before they were read", r.LogStart, r.LogStart)
		if err := r.accept(what, "goes on with what is left: the beacons in those records are lost, and sessions that they belong to are torn"); err != nil {
			return recovered{}, err
		}
	}
	core, err := r.first(ctx, cfg)
	if err != nil {
		return recovered{}, err
	}
	floor, err := r.floor(ctx, core.cfg)
	if err != nil {
		return recovered{}, err
	}
	core.raise(floor)
	if err := core.closeNow(ctx); err != nil { // of those taken over from partitions that were behind
		return recovered{}, err
	}
	return recovered{core: core, next: r.LogStart, switches: switches{{r.LogStart, core.Generation(), core.Watermark()}}}, nil
}

// errExpired is a partition whose committed offset is gone.
var errExpired = errors.New("it was begun before, and the group has no committed offset of it any more: it has expired (offsets.retention.minutes), or was deleted")

// wasBegun says what tells of a partition without a commit that it was begun
// before; nil if nothing does.
func (r *recovery) wasBegun(ctx context.Context) (why, err error) {
	if r.odd != nil {
		return r.odd, nil
	}
	if r.stage.cfg.Snapshots == nil {
		return nil, nil
	}
	marks, err := r.stage.cfg.Snapshots.Marks(ctx, r.mark())
	if err != nil {
		return nil, fmt.Errorf("session: marks of %s/%d: %w", r.Topic, r.Partition, err)
	}
	for _, m := range marks {
		if strings.HasSuffix(m, "/"+topicID(r.TopicID)) {
			return errExpired, nil
		}
		why = fmt.Errorf("the topic was made anew: %s was begun before, and this one has topic id %s", m, topicID(r.TopicID))
	}
	if why != nil {
		return why, nil
	}
	list, err := r.list(ctx)
	if err == nil && len(list) > 0 {
		why = errExpired
	}
	return why, err
}

// mark is where it is noted that a partition was begun; below are topic ids.
func (r *recovery) mark() string { return startedMark(r.route, r.Topic, r.Partition) }

func startedMark(route, topic string, partition int32) string {
	return fmt.Sprintf("started/%s/%s/%d", route, topic, partition)
}

// beginAgain begins a partition anew if that is accepted: from its newest snapshot
// if there is one.
func (r *recovery) beginAgain(ctx context.Context, cfg *Config, why error) (recovered, error) {
	r.Committed = -1
	list, err := r.list(ctx)
	if err != nil {
		return recovered{}, err
	}
	for _, info := range list {
		if info.Offset < r.LogStart || info.Offset > r.LogEnd {
			continue
		}
		if err := r.accept(why, fmt.Sprintf("goes on from the snapshot of offset %d, taken %s: what was booked behind it is booked once more", info.Offset, info.Taken.UTC().Format(time.RFC3339))); err != nil {
			return recovered{}, err
		}
		core, err := r.open(ctx, info)
		if errors.Is(err, errUnusable) {
			r.pass(info, err)
			continue
		} else if err != nil {
			return recovered{}, err
		}
		return r.anew(ctx, core, info.Offset)
	}
	if err := r.accept(why, fmt.Sprintf("begins with the log's first record, offset %d, and no sessions: what was booked of this log is booked once more, what was open is cut", r.LogStart)); err != nil {
		return recovered{}, err
	}
	core := NewPartition(cfg, r.route, r.Partition)
	if len(r.left.Switches) > 0 { // of a topic that was made anew
		core.raise(r.left.Watermark)
	}
	return r.anew(ctx, core, r.LogStart)
}

// anew begins the partition's history with a state at an offset: nothing leads to
// it from older snapshots or from the log before, so its own comes first; nor from
// it to snapshots behind, which were of records that are lost. They would also be
// kept in the place of those to come.
func (r *recovery) anew(ctx context.Context, core *Partition, next int64) (recovered, error) {
	core.history = time.Now().UnixMilli()
	result := recovered{core: core, next: next, switches: switches{{next, core.Generation(), core.Watermark()}}}
	if r.stage.cfg.Snapshots == nil {
		return result, nil
	}
	list, err := r.all(ctx)
	if err != nil {
		return recovered{}, err
	}
	for _, info := range list {
		if info.Offset < next || info.Offset == next && info.Generation <= core.Generation() {
			continue
		}
		if err := r.stage.cfg.Snapshots.Delete(ctx, info); err != nil {
			return recovered{}, fmt.Errorf("session: a snapshot of what is lost: %w", err)
		}
	}
	first := snapshot.Info{Key: r.key(), Offset: next, Generation: core.Generation(), Taken: time.Now()}
	frozen := core.Freeze()
	defer frozen.Close()
	err = r.stage.cfg.Snapshots.Put(ctx, first, func(w io.Writer) error {
		_, err := frozen.WriteTo(w)
		return err
	})
	if err != nil && !errors.Is(err, snapshot.ErrRetention) {
		return recovered{}, fmt.Errorf("session: a snapshot of what is left of %s/%d: %w", r.Topic, r.Partition, err)
	}
	result.snapshot = first
	return result, nil
}

// lossy makes a state out of what is left, if that is accepted: of the newest
// snapshot that can be read, and of what the log still has.
func (r *recovery) lossy(ctx context.Context, state error) (recovered, error) {
	if err := r.accept(r.loss(state)); err != nil {
		return recovered{}, err
	}
	to := min(r.Committed, r.LogEnd)
	var core *Partition
	from := r.LogStart
	list, err := r.all(ctx)
	if err != nil {
		return recovered{}, err
	}
	for _, info := range list {
		if info.Offset > max(to, r.LogStart) { // one at LogStart is of an earlier try
			continue
		}
		c, err := r.open(ctx, info)
		if errors.Is(err, errUnusable) {
			continue
		} else if err != nil {
			return recovered{}, err
		}
		core, from = c, max(from, info.Offset)
		break
	}
	if core == nil {
		at := max(from, r.left.Switches.from())
		cfg, err := r.stage.generation(ctx, r.left.Switches.at(at))
		if err != nil {
			return recovered{}, err
		}
		core = NewPartition(cfg, r.route, r.Partition)
	}
	if from < to {
		if err := r.replay(ctx, core, from, to); err != nil {
			return recovered{}, err
		}
	} else if err := r.switchAt(ctx, core, to); err != nil {
		return recovered{}, err
	}
	core.raise(r.left.Watermark)
	return r.anew(ctx, core, max(to, r.LogStart))
}

// raise brings the watermark to what has been said of it: minutes before it are
// final.
func (p *Partition) raise(watermark int64) {
	if watermark <= p.watermark.value {
		return
	}
	p.watermark.value = watermark
	p.sweepAll(p.limit(p.watermark.value))
}

// loss says what is lost of a partition, and what going on would mean.
func (r *recovery) loss(state error) (what error, goesOn string) {
	left := fmt.Sprintf("left at offset %d under generation %d", r.Committed, r.left.Generation)
	if w := r.left.Watermark; w != metric.NoWatermark {
		left += ", with its watermark at " + time.UnixMilli(w).UTC().Format(time.RFC3339)
	}
	switch {
	case r.Committed < r.LogStart:
		return fmt.Errorf("%s, and its log begins at offset %d: %d records were deleted before they were read", left, r.LogStart, r.LogStart-r.Committed),
			"goes on with what is left: the beacons in those records are lost, and sessions that they belong to are torn"
	case r.Committed > r.LogEnd:
		return fmt.Errorf("%s, and its log ends at offset %d: the brokers have lost %d records that had been read", left, r.LogEnd, r.Committed-r.LogEnd),
			"goes on at the log's end: what was booked of those records stays booked"
	}
	tried := "there is no snapshot"
	if len(r.tried) > 0 {
		tried = strings.Join(r.tried, "; ")
	}
	return fmt.Errorf("%s: %w; %s", left, state, tried), "goes on with what is left: sessions that were open there and began before it are torn, or missing, from there on"
}

// accept is nil if the loss is accepted, and says it; else an error that names
// what would make it so.
func (r *recovery) accept(what error, goesOn string) error {
	if !r.stage.cfg.AcceptLoss(r.Topic, r.Partition) {
		return fmt.Errorf("session: %w: %s/%d: %w. Mend that, or accept it: with --accept-loss %s/%d the partition %s; keep the topic longer (retention.ms, retention.bytes), and its snapshots",
			kafka.ErrStop, r.Topic, r.Partition, what, r.Topic, r.Partition, goesOn)
	}
	r.stage.log.Warn("a loss is accepted", "topic", r.Topic, "partition", r.Partition, "what", what, "partition_now", goesOn)
	return nil
}
