package dispatch

import (
	"fmt"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// PartitionStatus is how far a source partition that a stage owns is.
type PartitionStatus struct {
	Topic     string
	Partition int32
	Offset    int64 // the next to dispatch
	Lag       int64 // records behind; -1: not known
	Watermark int64 // epoch ms, or metric.NoWatermark
	// Generation is that it was last dispatched under, Waits the one that it is held
	// for; 0: none.
	Generation, Waits uint64
}

// Status is how far all owned partitions were about a second ago, by topic and
// number. It may be called at any time.
func (s *Stage) Status() []PartitionStatus {
	s.statusMu.Lock()
	defer s.statusMu.Unlock()
	return s.status
}

// report makes the status. tx is nil outside of a transaction.
func (s *Stage) report(tx *kafka.Tx) {
	status := make([]PartitionStatus, 0, len(s.parts))
	for _, p := range s.sorted() {
		st := PartitionStatus{Topic: p.Topic, Partition: p.Partition, Offset: p.next, Lag: -1, Watermark: p.Watermark, Generation: p.generation}
		if p.waits {
			st.Waits = p.needs
		}
		if tx != nil {
			st.Lag = tx.Lag(p.Topic, p.Partition)
			s.cfg.Counters.lag.WithLabelValues(p.Topic, strconv.Itoa(int(p.Partition))).Set(float64(st.Lag))
		}
		status = append(status, st)
	}
	s.statusMu.Lock()
	defer s.statusMu.Unlock()
	s.status = status
}

// Counters are what dispatch stages count for Prometheus. What an aborted
// transaction counted is counted again; the metrics topic is exact.
type Counters struct {
	in, filtered, deadLettered, undecodable, marks prometheus.Counter
	partitions                                     prometheus.Gauge
	lag                                            *prometheus.GaugeVec
}

// NewCounters registers counters, which several stages may share.
func NewCounters(reg prometheus.Registerer) (*Counters, error) {
	c := newCounters()
	for _, m := range []prometheus.Collector{c.in, c.filtered, c.deadLettered, c.undecodable, c.marks, c.partitions, c.lag} {
		if err := reg.Register(m); err != nil {
			return nil, fmt.Errorf("dispatch: metrics: %w", err)
		}
	}
	return c, nil
}

func newCounters() *Counters {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "pharos", Subsystem: "dispatch", Name: name, Help: help})
	}
	return &Counters{
		in:           counter("beacons_total", "Beacons of known tenants."),
		filtered:     counter("filtered_total", "Beacons dropped by a filter."),
		deadLettered: counter("dead_letters_total", "Beacons of known tenants given to the dead letters."),
		undecodable:  counter("undecodable_total", "Raw records whose tenant cannot be told; they are dead letters too."),
		marks:        counter("marks_total", "Marks written to route partitions."),
		partitions: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "pharos", Subsystem: "dispatch", Name: "partitions", Help: "Source partitions that this process owns.",
		}),
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "pharos", Subsystem: "dispatch", Name: "lag_records", Help: "Records of a source partition that are not dispatched yet; -1: not known.",
		}, []string{"topic", "partition"}),
	}
}

// count adds a transaction's counts.
func (c *Counters) count(counts []metric.Count) {
	for _, n := range counts {
		switch v := float64(n.N); n.Outcome {
		case metric.In:
			c.in.Add(v)
		case metric.Filtered:
			c.filtered.Add(v)
		case metric.DeadLettered:
			c.deadLettered.Add(v)
		case metric.Undecodable:
			c.undecodable.Add(v)
		}
	}
}

// forget ends what is said of a partition.
func (c *Counters) forget(tp kafka.TopicPartition) {
	c.partitions.Dec()
	c.lag.DeleteLabelValues(tp.Topic, strconv.Itoa(int(tp.Partition)))
}
