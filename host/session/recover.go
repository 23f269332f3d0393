package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/host/snapshot"
)

// Log reads the topics of routes again; kafka.LogReader is one.
type Log interface {
	// Read gives each the committed records with offsets from `from` up to, not
	// including, `to`, in order.
	Read(ctx context.Context, topic string, partition int32, from, to int64, each func([]*kgo.Record) error) error
	Bounds(ctx context.Context, topic string, partition int32) (kafka.Bounds, error)
}

// Snapshots keeps states of partitions; snapshot.Store is one.
type Snapshots interface {
	Put(ctx context.Context, info snapshot.Info, write func(io.Writer) error) error
	PutHandover(ctx context.Context, info snapshot.Info, write func(io.Writer) error) error
	List(ctx context.Context, key snapshot.Key) ([]snapshot.Info, error)
	All(ctx context.Context) ([]snapshot.Info, error)
	Open(ctx context.Context, info snapshot.Info) (io.ReadCloser, error)
	Delete(ctx context.Context, info snapshot.Info) error
	Mark(ctx context.Context, name string) error
	Marks(ctx context.Context, below string) ([]string, error)
}

// recovery makes the state that a partition had at its committed offset, beside
// the loop: from its newest snapshot that is not behind the offset, or an older
// one, or the beginning of its log, and the log from there on, processed muted
// and under the generations that were in force. What cannot be mended by trying
// again is an error.
type recovery struct {
	stage *Stage
	kafka.Assigned
	route string
	left  metadata // of Committed
	odd   error    // what is committed is of no use; nil: it is
	tried []string // what of the snapshots is of no use, and why

	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{} // closed when what follows holds
	result recovered
	err    error

	mu       sync.Mutex // of what Status asks
	doing    string
	at, of   int64
	sessions int

	began, said time.Time
}

// recovered is what a recovery comes to.
type recovered struct {
	core     *Partition // nil: the partition is closed and its sessions handed over
	next     int64      // the first offset that is not processed
	switches switches
	closed   bool          // see metadata
	handed   bool          // the hand-over is written
	snapshot snapshot.Info // the newest there is; zero: none
}

const (
	recoverMoment      = 200 * time.Millisecond
	recoverAgain       = 300 * time.Millisecond
	recoverAgainMost   = 32 // times that, between any two tries
	generationPatience = time.Minute
)

// errUnusable is a snapshot that this state cannot be had from.
var errUnusable = errors.New("of no use")

// newRecovery looks at what is committed.
func (s *Stage) newRecovery(p *part) *recovery {
	r := &recovery{stage: s, Assigned: p.Assigned, route: p.route, done: make(chan struct{}), doing: "begins", began: time.Now()}
	r.said = r.began
	r.ctx, r.cancel = context.WithCancel(s.ctx)
	if r.Committed < 0 {
		return r
	}
	var err error
	if r.left, err = parseMetadata(r.Metadata); err != nil {
		r.odd = fmt.Errorf("what the group has committed of it, offset %d and %q, is not a session stage's: %w", r.Committed, r.Metadata, err)
	} else if r.left.TopicID != topicID(r.TopicID) {
		r.odd = fmt.Errorf("the topic was made anew: the group's offset %d is of topic id %s, and this one has %s", r.Committed, r.left.TopicID, topicID(r.TopicID))
	}
	return r
}

// start is where the partition is read from while it is held: not behind anything
// that the recovery may come to.
func (r *recovery) start(a *kafka.Assigned) int64 {
	if a.Committed < 0 || r.odd != nil {
		return a.LogStart
	}
	return min(max(a.Committed, a.LogStart), a.LogEnd)
}

func topicID(id [16]byte) string { return fmt.Sprintf("%x", id) }

// run works until there is a state, an error, or nobody who wants it.
func (r *recovery) run() {
	defer close(r.done)
	wait := r.stage.pace.again
	for {
		result, err := r.try(r.ctx)
		switch {
		case err == nil:
			r.publish(result)
			return
		case r.ctx.Err() != nil:
			r.err = r.ctx.Err()
			return
		case errors.Is(err, kafka.ErrStop):
			r.err = err
			return
		}
		r.say("tries again", 0, 0)
		r.stage.log.Error("the sessions of a partition cannot be had yet", "topic", r.Topic, "partition", r.Partition, "error", err, "again_in", wait)
		select {
		case <-r.ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, recoverAgainMost*r.stage.pace.again)
		if b, err := r.stage.cfg.Log.Bounds(r.ctx, r.Topic, r.Partition); err == nil {
			r.LogStart, r.LogEnd = b.Start, max(b.End, r.LogEnd)
		}
	}
}

// publish makes the result that of the recovery.
func (r *recovery) publish(result recovered) {
	if result.core != nil {
		result.core.ledger.mute = false
	}
	r.result = result
	if result.core == nil || time.Since(r.began) < sayEvery {
		return
	}
	args := []any{"topic", r.Topic, "partition", r.Partition, "offset", result.next, "sessions", result.core.Sessions(), "took", time.Since(r.began).Round(time.Millisecond)}
	if w := result.core.Watermark(); w != metric.NoWatermark {
		args = append(args, "watermark", time.UnixMilli(w).UTC().Format(time.RFC3339))
	}
	r.stage.log.Info("sessions are back, the partition is live", args...)
}

// abandon ends a recovery that nobody wants any more.
func (r *recovery) abandon() {
	r.cancel()
	r.stage.wg.Go(func() {
		<-r.done
		if r.result.core != nil {
			_ = r.result.core.Close() // it fails at worst to give memory back
		}
	})
}

// try makes the state once.
func (r *recovery) try(ctx context.Context) (recovered, error) {
	r.tried = nil
	if r.Committed < 0 || r.odd != nil {
		return r.begin(ctx)
	}
	result, err := r.restore(ctx)
	if err != nil || !r.left.Closed {
		return result, err
	}
	result.closed = true
	return result, nil
}

// restore makes the state at the committed offset.
func (r *recovery) restore(ctx context.Context) (recovered, error) {
	list, err := r.list(ctx)
	if err != nil {
		return recovered{}, err
	}
	if r.left.Closed {
		handed, err := r.isHanded(ctx)
		if handed || err != nil {
			return recovered{next: r.Committed, switches: r.left.Switches, closed: true, handed: handed}, err
		}
	}
	result := recovered{next: r.Committed, switches: r.left.Switches}
	if len(list) > 0 {
		result.snapshot = list[0]
	}
	if r.Committed < r.LogStart || r.Committed > r.LogEnd {
		return r.lossy(ctx, nil)
	}
	for _, info := range list {
		core, err := r.from(ctx, info)
		if errors.Is(err, errUnusable) {
			r.pass(info, err)
			continue
		}
		result.core = core
		return result, err
	}
	core, err := r.fromStart(ctx)
	if errors.Is(err, errState) {
		return r.lossy(ctx, err)
	}
	result.core = core
	return result, err
}

// list gives the partition's snapshots that are not behind what is committed,
// the newest first.
func (r *recovery) list(ctx context.Context) ([]snapshot.Info, error) {
	list, err := r.all(ctx)
	return slices.DeleteFunc(list, func(i snapshot.Info) bool { return r.Committed >= 0 && i.Offset > r.Committed }), err
}

// all gives all of the partition's snapshots, the newest first.
func (r *recovery) all(ctx context.Context) ([]snapshot.Info, error) {
	if r.stage.cfg.Snapshots == nil {
		return nil, nil
	}
	list, err := r.stage.cfg.Snapshots.List(ctx, r.key())
	if err != nil {
		return nil, fmt.Errorf("session: snapshots of %s/%d: %w", r.Topic, r.Partition, err)
	}
	return list, nil
}

func (r *recovery) key() snapshot.Key {
	return snapshot.Key{Route: r.route, Topic: r.Topic, TopicID: r.TopicID, Partition: r.Partition}
}

// pass says that a snapshot is of no use.
func (r *recovery) pass(info snapshot.Info, err error) {
	r.tried = append(r.tried, fmt.Sprintf("snapshot of offset %d: %v", info.Offset, err))
	r.stage.log.Error("a snapshot is of no use, looking for an older one", "topic", r.Topic, "partition", r.Partition, "offset", info.Offset, "error", err)
}

// from makes the state from a snapshot; errUnusable if it cannot be had from it.
func (r *recovery) from(ctx context.Context, info snapshot.Info) (*Partition, error) {
	switch {
	case info.Offset < r.LogStart && info.Offset < r.Committed:
		return nil, fmt.Errorf("%w: the log begins at offset %d by now", errUnusable, r.LogStart)
	case info.Offset < r.left.Switches.from():
		return nil, fmt.Errorf("%w: which generations were in force is known from offset %d on only", errUnusable, r.left.Switches.from())
	}
	defer r.slot(ctx)()
	core, err := r.open(ctx, info)
	if err != nil {
		return nil, err
	}
	if err := r.leadsTo(ctx, core, info); err != nil {
		_ = core.Close() // it is of no more use either way
		return nil, err
	}
	return core, nil
}

// leadsTo processes the log from a snapshot's state on; errUnusable if that does
// not come to what is committed.
func (r *recovery) leadsTo(ctx context.Context, core *Partition, info snapshot.Info) error {
	if core.history != r.left.History {
		return fmt.Errorf("%w: records that it has seen were lost since, and the log goes on otherwise", errUnusable)
	}
	if g := core.Generation(); g != info.Generation || !r.left.Switches.held(info.Offset, g) {
		return fmt.Errorf("%w: it is of generation %d, and generation %d was in force", errUnusable, g, r.left.Switches.at(info.Offset))
	}
	if err := r.replay(ctx, core, info.Offset, r.Committed); err != nil {
		return err
	}
	if w, within := core.Watermark(), !core.refused; w != r.left.Watermark || within != r.left.Within {
		return fmt.Errorf("%w: it leads to the watermark %d (%t), and %d (%t) is committed", errUnusable, w, within, r.left.Watermark, r.left.Within)
	}
	return nil
}

// fromStart makes the state from the beginning of the log; errState if that
// cannot be told any more.
func (r *recovery) fromStart(ctx context.Context) (*Partition, error) {
	if from := r.left.Switches.from(); from > r.LogStart {
		return nil, fmt.Errorf("%w: which generations were in force is known from offset %d on only", errState, from)
	}
	if r.left.History != 0 {
		return nil, fmt.Errorf("%w: it went on with what was left after a loss was accepted, and only its snapshots have that", errState)
	}
	cfg, err := r.stage.generation(ctx, r.left.Switches.at(r.LogStart))
	if err != nil {
		return nil, err
	}
	core, err := r.first(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer r.slot(ctx)()
	if r.LogStart == 0 {
		core.raise(r.left.Switches[0].watermark) // of a route that was added: see floor
	}
	core.ledger.mute, core.again = true, true
	if err := core.closeNow(ctx); err != nil { // as when it was begun
		return nil, err
	}
	if err := r.replay(ctx, core, r.LogStart, r.Committed); err != nil {
		return nil, err
	}
	if r.LogStart == 0 {
		return core, nil
	}
	if r.replaces() != nil {
		return nil, fmt.Errorf("%w: it took sessions over from another topic", errState)
	}
	return core, core.resume(r.left.Watermark, r.left.Within)
}

// first is the partition at the beginning of its log, under a generation or, where
// it takes sessions over that were left under a later one, under that.
func (r *recovery) first(ctx context.Context, cfg *Config) (*Partition, error) {
	old := r.replaces()
	if old == nil {
		return NewPartition(cfg, r.route, r.Partition), nil
	}
	from, err := r.handovers(ctx, old)
	if err != nil {
		return nil, err
	}
	for _, info := range from {
		if info.Generation > cfg.Generation {
			if cfg, err = r.stage.generation(ctx, info.Generation); err != nil {
				return nil, err
			}
		}
	}
	core := NewPartition(cfg, r.route, r.Partition)
	if err := r.takeOver(ctx, core, from); err != nil {
		_ = core.Close() // it is of no more use either way
		return nil, err
	}
	return core, nil
}

// replay processes the log from one offset up to another again.
func (r *recovery) replay(ctx context.Context, core *Partition, from, to int64) error {
	core.ledger.mute = true
	var f feeder
	var muted Output
	read := r.stage.cfg.Log.Read
	if from == to {
		read = readNothing
	}
	err := read(ctx, r.Topic, r.Partition, from, to, func(records []*kgo.Record) error {
		r.stage.cfg.Counters.replayed.Add(float64(len(records)))
		for len(records) > 0 {
			if err := r.switchAt(ctx, core, records[0].Offset); err != nil {
				return err
			}
			n := len(records)
			if next, ok := r.left.Switches.next(records[0].Offset); ok {
				n, _ = slices.BinarySearchFunc(records, next, func(rec *kgo.Record, next int64) int { return int(rec.Offset - next) })
			}
			if _, err := f.feed(ctx, r.stage, core, records[:n], math.MaxUint64, 0, &muted); err != nil {
				return err
			}
			core.flush(&muted) // nothing is booked, but what is not needed any more goes
			muted.Reset()
			r.sayReplay(core, records[n-1].Offset+1, to)
			records = records[n:]
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.switchAt(ctx, core, to)
}

func readNothing(context.Context, string, int32, int64, int64, func([]*kgo.Record) error) error {
	return nil
}

// switchAt puts the generation in force that was so at an offset.
func (r *recovery) switchAt(ctx context.Context, core *Partition, offset int64) error {
	if r.odd != nil || r.Committed < 0 || offset < r.left.Switches.from() {
		return nil
	}
	for g := r.left.Switches.at(offset); core.Generation() < g; {
		// One after the other, as then.
		i := slices.IndexFunc(r.left.Switches, func(sw generationSwitch) bool { return sw.generation > core.Generation() })
		cfg, err := r.stage.generation(ctx, r.left.Switches[i].generation)
		if err != nil {
			return err
		}
		if err := core.Switch(cfg); err != nil {
			return fmt.Errorf("session: %w: %s/%d: %w", kafka.ErrStop, r.Topic, r.Partition, err)
		}
	}
	return nil
}

// slot waits until fewer recoveries work; what it gives ends this one.
func (r *recovery) slot(ctx context.Context) (free func()) {
	select {
	case r.stage.slots <- struct{}{}:
		return func() { <-r.stage.slots }
	default:
	}
	r.say("waits for other partitions", 0, 0)
	select {
	case r.stage.slots <- struct{}{}:
		return func() { <-r.stage.slots }
	case <-ctx.Done():
		return func() {}
	}
}

// generation gives the config of a generation. One that is not known yet is
// waited for, but not for ever.
func (s *Stage) generation(ctx context.Context, number uint64) (*Config, error) {
	for until := time.Now().Add(s.pace.unknown); ; {
		newest, used := s.newest()
		for _, c := range []*Config{newest, s.cfg.Config} {
			if c != nil && c.Generation == number {
				return c, nil
			}
		}
		err := fmt.Errorf("this host runs generation %d", newest.Generation)
		if s.cfg.Configs != nil {
			var c *Config
			if c, err = s.cfg.Configs(number); err == nil {
				return c, nil
			}
		}
		if time.Now().After(until) {
			return nil, fmt.Errorf("session: %w: generation %d is needed, and could not be loaded for %v: %w", kafka.ErrStop, number, s.pace.unknown, err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-used:
		case <-time.After(time.Second):
		}
	}
}
