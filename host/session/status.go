package session

import (
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// PartitionStatus is how far a partition that a stage owns is.
type PartitionStatus struct {
	Route, Topic string
	Partition    int32
	Live         bool   // false while its sessions are being got back, and where they are handed over
	Doing        string // what it does while it is not live, or what it waits for
	Closed       bool   // all its sources have ended: a repartition goes on on another topic
	Generation   uint64 // in force; 0: not known yet
	Switches     []Switch
	Offset       int64 // the next to process
	LiveFrom     int64 // it is live from this offset on
	Lag          int64 // records behind; -1: not known
	Watermark    int64 // epoch ms, or metric.NoWatermark
	Sessions     int   // held
	// Holder is the source partition that holds the watermark, as topic/number:
	// one that has said nothing yet, or the lowest of those that are not idle.
	// Empty: none does, all are idle, or their number is not known yet.
	Holder string

	SnapshotOffset int64     // of the newest snapshot; meaningless where SnapshotTaken is zero
	SnapshotTaken  time.Time // when it was taken; zero: there is none that this host knows of
	SnapshotError  string    // why the last one failed; empty: it did not
}

// Switch says that from an offset on a generation is in force.
type Switch struct {
	Offset     int64
	Generation uint64
}

// Status is how far all owned partitions are: the live ones after the last batch,
// the others now, by topic and number. It may be called at any time.
func (s *Stage) Status() []PartitionStatus {
	s.statusMu.Lock()
	defer s.statusMu.Unlock()
	status := slices.Clone(s.status)
	for i := range status {
		if r := s.recoveries[i]; r != nil {
			r.status(&status[i])
		}
	}
	return status
}

// Ready is nil if all owned partitions are live, else it names one that is not.
// It may be called at any time.
func (s *Stage) Ready() error {
	for _, p := range s.Status() {
		if !p.Live && !p.Closed {
			return fmt.Errorf("session: %s/%d: %s", p.Topic, p.Partition, p.Doing)
		}
	}
	return nil
}

// report makes the status. tx is nil outside of a transaction.
func (s *Stage) report(tx *kafka.Tx) {
	status := make([]PartitionStatus, 0, len(s.parts))
	recoveries := make([]*recovery, 0, len(s.parts))
	sessions := 0
	for _, p := range s.sorted() {
		st := PartitionStatus{
			Route: p.route, Topic: p.Topic, Partition: p.Partition, Live: p.live(), Closed: p.closed, Offset: p.next, LiveFrom: p.Committed,
			Lag: -1, Watermark: metric.NoWatermark, SnapshotOffset: p.snapshot.Offset, SnapshotTaken: p.snapshot.Taken,
		}
		for _, sw := range p.switches {
			st.Switches = append(st.Switches, Switch{sw.offset, sw.generation})
		}
		if p.live() {
			st.Generation, st.Watermark, st.Sessions, st.Holder = p.core.Generation(), p.core.Watermark(), p.core.Sessions(), p.core.watermark.holder()
			if p.ahead.waits() {
				st.Doing = "waits for a generation that is not loaded here yet"
			}
		} else if p.closed {
			st.Doing = "its sessions are handed over"
		}
		if p.snapErr != nil {
			st.SnapshotError = p.snapErr.Error()
		}
		if tx != nil {
			st.Lag = tx.Lag(p.Topic, p.Partition)
		}
		sessions += st.Sessions
		status, recoveries = append(status, st), append(recoveries, p.recovery)
	}
	s.statusMu.Lock()
	defer s.statusMu.Unlock()
	before := 0
	for i := range s.status {
		before += s.status[i].Sessions
	}
	s.cfg.Counters.sessions.Add(float64(sessions - before))
	s.status, s.recoveries = status, recoveries
}

// sayEvery is how often a recovery says how far it is, once it takes that long.
const sayEvery = 2 * time.Second

// say notes what a recovery does, and how far it is with it.
func (r *recovery) say(doing string, at, of int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.doing, r.at, r.of = doing, at, of
}

// sayReplay notes how far the log is read again, and logs it if it takes long.
func (r *recovery) sayReplay(core *Partition, at, of int64) {
	r.say(replaying, at, of)
	now := time.Now()
	r.mu.Lock()
	r.sessions = core.Sessions()
	r.mu.Unlock()
	if now.Sub(r.said) < sayEvery {
		return
	}
	r.said = now
	args := []any{"topic", r.Topic, "partition", r.Partition, "offset", at, "of", of, "sessions", core.Sessions()}
	if w := core.Watermark(); w != metric.NoWatermark {
		args = append(args, "watermark", time.UnixMilli(w).UTC().Format(time.RFC3339))
	}
	r.stage.log.Info("getting sessions back from the route's log", args...)
}

const replaying = "reading again what was booked before: offset"

// status fills in how far the recovery is.
func (r *recovery) status(st *PartitionStatus) {
	r.mu.Lock()
	defer r.mu.Unlock()
	st.Doing, st.Sessions = r.doing, r.sessions
	if r.of > 0 {
		st.Doing = fmt.Sprintf("%s %d of %d", r.doing, r.at, r.of)
	}
	if r.doing == replaying {
		st.Offset = r.at
	}
}

// Counters are what stages say of themselves.
type Counters struct {
	records, replayed, deadLetters, deltas, foreign prometheus.Counter
	partitions, sessions                            prometheus.Gauge
}

// NewCounters registers counters, which several stages may share.
func NewCounters(reg prometheus.Registerer) (*Counters, error) {
	c := newCounters()
	for _, m := range []prometheus.Collector{c.records, c.replayed, c.deadLetters, c.deltas, c.foreign, c.partitions, c.sessions} {
		if err := reg.Register(m); err != nil {
			return nil, fmt.Errorf("session: metrics: %w", err)
		}
	}
	return c, nil
}

func newCounters() *Counters {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "pharos", Subsystem: "session", Name: name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "pharos", Subsystem: "session", Name: name, Help: help})
	}
	return &Counters{
		records:     counter("records_total", "Records of route topics processed, beacons and marks, replayed ones too."),
		replayed:    counter("replayed_records_total", "Records processed again to get sessions back, without booking anything."),
		deadLetters: counter("dead_letters_total", "Beacons, or copies of them, given to the dead letters."),
		deltas:      counter("deltas_total", "Changes of figures given to the metrics topic."),
		foreign:     counter("foreign_records_total", "Records of route topics that dispatch did not write, or not so, passed over. Any is a fault of somebody else."),
		partitions:  gauge("partitions", "Route partitions that this process owns."),
		sessions:    gauge("sessions", "Session keys that this process holds in memory."),
	}
}
