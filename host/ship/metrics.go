package ship

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what ship says of itself, all by store.
type metrics struct {
	samples, failures, afterFinal, again, tooOld, refused *prometheus.CounterVec
	lag, stored, held                                     *prometheus.GaugeVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	label := []string{"store"}
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "pharos", Subsystem: "ship", Name: name, Help: help}, label)
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "pharos", Subsystem: "ship", Name: name, Help: help}, label)
	}
	m := &metrics{
		samples:    counter("samples_total", "Samples that the store acknowledged."),
		failures:   counter("write_failures_total", "Writes that the store refused or did not answer."),
		afterFinal: counter("deltas_after_final_total", "Deltas of minutes that were final already. Any is a fault of what writes the metrics topic."),
		tooOld:     counter("too_old_samples_total", "Samples that were not sent, because they are older than the store takes."),
		refused:    counter("refused_samples_total", "Samples that the store refused, and that are dead letters."),
		again:      counter("read_again_total", "Times that a partition was read again, because more figures were open than may be held."),
		held:       gauge("figures", "Figures of open minutes that are held for the store."),
		lag:        gauge("lag_records", "Records of the metrics topic that this process has not looked at yet for the store."),
		stored:     gauge("complete_through_seconds", "End of the last minute that the store has, of the slowest partition that this process ships, in seconds since 1970."),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.samples, m.failures, m.afterFinal, m.again, m.tooOld, m.refused, m.held, m.lag, m.stored} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("ship: metrics: %w", err)
		}
	}
	return m, nil
}
