package snapshot

import (
	"context"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-6a2d649b/pharos/host/blob"
)

// metrics are what a store tells of itself. The age of a partition's snapshot is
// time() - max by (topic, partition) (pharos_snapshot_timestamp_seconds): a
// partition that has moved leaves its last time on its old host.
type metrics struct {
	taken, size *prometheus.GaugeVec // by partition
	took        *prometheus.HistogramVec
	failures    *prometheus.CounterVec
}

// What a store does that can fail, as a label.
const (
	opWrite    = "write"
	opHandover = "handover"
	opRetain   = "retention"
	opRead     = "read"
	opList     = "list"
	opBroken   = "broken"
)

func newMetrics() *metrics {
	const namespace, subsystem = "pharos", "snapshot"
	partition := []string{"topic", "partition"}
	m := &metrics{
		taken: prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Subsystem: subsystem, Name: "timestamp_seconds",
			Help: "When the newest snapshot of the partition that this host wrote or read was taken."}, partition),
		size: prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Subsystem: subsystem, Name: "size_bytes",
			Help: "Bytes in the bucket of the newest snapshot of the partition that this host wrote."}, partition),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Subsystem: subsystem, Name: "duration_seconds",
			Help:    "How long a snapshot or hand-over took to be written.",
			Buckets: prometheus.ExponentialBuckets(0.01, 4, 9)}, []string{"operation"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Subsystem: subsystem, Name: "failures_total",
			Help: "What failed: to write a snapshot or a handover, to delete those beyond retention, to read or list; or one that was read was broken."}, []string{"operation"}),
	}
	for _, op := range []string{opWrite, opHandover, opRetain, opRead, opList, opBroken} {
		m.failures.WithLabelValues(op) // so that an alert sees the first one
	}
	return m
}

// Describe implements prometheus.Collector.
func (s *Store) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range []prometheus.Collector{s.metrics.taken, s.metrics.size, s.metrics.took, s.metrics.failures} {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (s *Store) Collect(ch chan<- prometheus.Metric) {
	for _, c := range []prometheus.Collector{s.metrics.taken, s.metrics.size, s.metrics.took, s.metrics.failures} {
		c.Collect(ch)
	}
}

func (k Key) labels() []string { return []string{k.Topic, strconv.Itoa(int(k.Partition))} }

// written counts a snapshot or hand-over that was written, or failed to be.
func (m *metrics) written(info Info, op string, size int64, took time.Duration, err error) {
	if m.failed(op, err) {
		return
	}
	m.took.WithLabelValues(op).Observe(took.Seconds())
	if !info.Handover {
		m.size.WithLabelValues(info.labels()...).Set(float64(size))
		m.read(info)
	}
}

// read notes when a snapshot was taken that is whole.
func (m *metrics) read(info Info) {
	if !info.Handover && !info.Taken.IsZero() {
		m.taken.WithLabelValues(info.labels()...).Set(float64(info.Taken.UnixMilli()) / 1000)
	}
}

// failed counts an error; not that somebody gave up, nor that there is no object.
func (m *metrics) failed(op string, err error) bool {
	switch {
	case err == nil:
		return false
	case errors.Is(err, ErrBroken):
		op = opBroken
	case errors.Is(err, context.Canceled) || errors.Is(err, blob.ErrNotFound):
		return true
	}
	m.failures.WithLabelValues(op).Inc()
	return true
}

// sized counts the bytes that pass.
type sized struct {
	w io.Writer
	n int64
}

func (s *sized) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.n += int64(n)
	return n, err
}
