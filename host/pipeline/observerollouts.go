package pipeline

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-6a2d649b/pharos/host/rollout"
)

// outOfOrder says which plugins do not do what the config says, and what helps.
func (g *Generation) outOfOrder() (faults []string) {
	for name := range g.Config.Plugins.All() {
		p := g.plugins[name]
		s := p.State()
		since := time.UnixMilli(s.Since).UTC().Format(time.RFC3339)
		switch s.Phase {
		case rollout.RolledBack:
			faults = append(faults, fmt.Sprintf("plugin %s: version %s is rolled back since %s and %s decides: %s. Give another version, or go on with it by 'pharos plugin promote %s'",
				name, p.Version(), since, p.Old().Version(), s.Reason, name))
		case rollout.Fallback:
			faults = append(faults, fmt.Sprintf("plugin %s: version %s is taken out since %s and %s decides: %s. It is tried again", name, p.Version(), since, p.Old().Version(), s.Reason))
		case rollout.Out:
			faults = append(faults, fmt.Sprintf("plugin %s is taken out since %s, and its on_error holds for all beacons: %s. It is tried again", name, since, s.Reason))
		}
	}
	return faults
}

// rolloutCollector exports in which phases the plugins of the generation in force
// are, and what shadows have compared on this host.
type rolloutCollector struct{ generations *generations }

var (
	rolloutPhase = prometheus.NewDesc("pharos_plugin_phase", "1 for the phase that the plugin is in: live, shadow, canary, rolled back, fallback or out.", []string{"plugin", "phase"}, nil)
	breakerState = prometheus.NewDesc("pharos_plugin_breaker_state", "1 while the plugin is taken out because it keeps failing, else 0.", []string{"plugin"}, nil)
	compared     = prometheus.NewDesc("pharos_plugin_compared_beacons_total", "Beacons of which a shadow's answer was compared on this host.", []string{"plugin"}, nil)
	differing    = prometheus.NewDesc("pharos_plugin_differing_beacons_total", "Beacons of them that the shadow answered otherwise.", []string{"plugin"}, nil)
)

// Describe implements prometheus.Collector.
func (rolloutCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- rolloutPhase
	ch <- breakerState
	ch <- compared
	ch <- differing
}

// Collect implements prometheus.Collector.
func (c rolloutCollector) Collect(ch chan<- prometheus.Metric) {
	for name, p := range c.generations.inForce().plugins {
		phase, open := p.State().Phase, 0.0
		if phase == rollout.Fallback || phase == rollout.Out {
			open = 1
		}
		ch <- prometheus.MustNewConstMetric(rolloutPhase, prometheus.GaugeValue, 1, name, string(phase))
		ch <- prometheus.MustNewConstMetric(breakerState, prometheus.GaugeValue, open, name)
		if phase == rollout.Shadow {
			rows, other := p.Compared()
			ch <- prometheus.MustNewConstMetric(compared, prometheus.CounterValue, float64(rows), name)
			ch <- prometheus.MustNewConstMetric(differing, prometheus.CounterValue, float64(other), name)
		}
	}
}
