package session

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// PartitionStatus is how far a partition that a stage owns is.
type PartitionStatus struct {
	Route, Topic string
	Partition    int32
	Live         bool  // false while what was booked before is read again
	Offset       int64 // the next to process
	LiveFrom     int64 // it is live from this offset on
	Lag          int64 // records behind; -1: not known
	Watermark    int64 // epoch ms, or metric.NoWatermark
	Sessions     int   // held
	// Holder is the source partition that holds the watermark, as topic/number:
	// one that has said nothing yet, or the lowest of those that are not idle.
	// Empty: none does, all are idle, or their number is not known yet.
	Holder string
}

// Status is how far all owned partitions were after the last batch, by topic
// and number. It may be called at any time.
func (s *Stage) Status() []PartitionStatus {
	s.statusMu.Lock()
	defer s.statusMu.Unlock()
	return s.status
}

// Ready is nil if all owned partitions are live, else it names one that is not.
// It may be called at any time.
func (s *Stage) Ready() error {
	for _, p := range s.Status() {
		if !p.Live {
			return fmt.Errorf("session: %s/%d: reading again what was booked before: offset %d of %d", p.Topic, p.Partition, p.Offset, p.LiveFrom)
		}
	}
	return nil
}

// report makes the status. tx is nil outside of a transaction.
func (s *Stage) report(tx *kafka.Tx) {
	status := make([]PartitionStatus, 0, len(s.parts))
	sessions := 0
	for _, p := range s.sorted() {
		st := PartitionStatus{
			Route: p.route, Topic: p.Topic, Partition: p.Assigned.Partition, Live: p.is, Offset: p.next, LiveFrom: p.live,
			Lag: -1, Watermark: p.Watermark(), Sessions: p.Sessions(), Holder: p.watermark.holder(),
		}
		if tx != nil {
			st.Lag = tx.Lag(p.Topic, p.Assigned.Partition)
		}
		sessions += st.Sessions
		status = append(status, st)
	}
	s.statusMu.Lock()
	defer s.statusMu.Unlock()
	before := 0
	for i := range s.status {
		before += s.status[i].Sessions
	}
	s.cfg.Counters.sessions.Add(float64(sessions - before))
	s.status = status
}

// sayEvery is how often a replay says how far it is, once it takes that long.
const sayEvery = 2 * time.Second

// sayReplay says how far a partition's muted replay is, if it takes long.
func (s *Stage) sayReplay(p *part) {
	now := time.Now()
	if now.Sub(p.said) < sayEvery && !(p.is && now.Sub(p.began) >= sayEvery) {
		return
	}
	p.said = now
	args := []any{"topic", p.Topic, "partition", p.Assigned.Partition, "offset", p.next, "of", p.live, "sessions", p.Sessions()}
	if w := p.Watermark(); w != metric.NoWatermark {
		args = append(args, "watermark", time.UnixMilli(w).UTC().Format(time.RFC3339))
	}
	if p.is {
		s.log.Info("sessions are back, the partition is live", args...)
		return
	}
	s.log.Info("getting sessions back from the route's log", args...)
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
