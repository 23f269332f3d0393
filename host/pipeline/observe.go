package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/host/plugin"
	"github.com/seed-6a2d649b/pharos/host/query"
	"github.com/seed-6a2d649b/pharos/host/rollout"
	"github.com/seed-6a2d649b/pharos/host/ship"
)

// ready is nil once the host does its work, else it says what is waited for.
func (h *host) ready() error {
	if h.session != nil {
		if err := h.session.Ready(); err != nil {
			return err
		}
	}
	if h.has(Query) && !h.live.Ready() {
		return errLive
	}
	return nil
}

var errLive = notReady("query: reading the open minutes of the metrics topic")

type notReady string

func (n notReady) Error() string { return string(n) }

// status is what the host knows of itself; the API adds what its live view knows.
func (h *host) status(context.Context) Status {
	inForce, wanted, fault := h.gens.status()
	s := Status{Host: h.id, Version: Version(), Started: query.Millis(h.started), Generation: inForce, GenerationWanted: wanted}
	for _, text := range slices.Concat(h.fileFaults(), []string{fault, h.restartPending()}, h.gens.inForce().outOfOrder()) {
		if text != "" {
			s.Faults = append(s.Faults, text)
		}
	}
	for _, r := range h.roles {
		s.Roles = append(s.Roles, h.roleStatus(r))
	}
	s.Plugins, s.PastPlugins = h.gens.shelf.versions(h.gens.inForce())
	if h.ship != nil {
		for _, st := range h.ship.Status() {
			store := query.StoreStatus{Name: st.Store, Type: h.cfg.Stores.Get(st.Store).Type}
			if st.FinalBefore != metric.NoMinute {
				through := (st.FinalBefore - 1) * 60_000
				store.ShippedThrough = &through
			}
			if st.Error != nil {
				store.Error = st.Error.Error()
				s.Faults = append(s.Faults, "store "+st.Store+": "+store.Error)
			}
			s.Stores = append(s.Stores, store)
		}
	}
	return s
}

func (h *host) roleStatus(r Role) query.RoleStatus {
	s := query.RoleStatus{Name: string(r), State: "running"}
	add := func(topic string, partition int32, offset, lag, watermark int64) *query.PartitionStatus {
		p := query.PartitionStatus{Topic: topic, Partition: partition, Offset: offset}
		if lag >= 0 {
			p.Lag = &lag
		}
		if watermark != metric.NoWatermark {
			p.Watermark = &watermark
		}
		s.Partitions = append(s.Partitions, p)
		return &s.Partitions[len(s.Partitions)-1]
	}
	switch r {
	case Dispatch:
		for _, p := range h.dispatch.Status() {
			add(p.Topic, p.Partition, p.Offset, p.Lag, p.Watermark)
		}
	case Session:
		for _, p := range h.session.Status() {
			one := add(p.Topic, p.Partition, p.Offset, p.Lag, p.Watermark)
			one.Generation, one.Detail = p.Generation, p.Doing
			for _, sw := range p.Switches {
				one.Switches = append(one.Switches, query.Switch{Offset: sw.Offset, Generation: sw.Generation})
			}
		}
		if err := h.session.Ready(); err != nil {
			s.State, s.Detail = "starting", err.Error()
		} else {
			s.Detail = h.moving()
		}
	case Ship:
		s.Detail = shipDetail(h.ship.Status())
	case Query:
		if !h.live.Ready() {
			s.State, s.Detail = "starting", errLive.Error()
		}
	}
	if r != Ship && r != Query && len(s.Partitions) == 0 {
		s.State, s.Detail = "waiting", "no partition is assigned to this host"
	}
	return s
}

// shipDetail says how much of the metrics topic each store has yet to take.
func shipDetail(all []ship.Status) string {
	var parts []string
	for _, st := range all {
		parts = append(parts, fmt.Sprintf("%s: %d partitions, %d records behind", st.Store, st.Partitions, st.Lag))
	}
	return strings.Join(parts, "; ")
}

// Version is that of the build.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	return "devel"
}

// beaconCollector exports what became of beacons, as the live view counts it.
type beaconCollector struct{ live *query.Live }

var beaconCounts = prometheus.NewDesc("pharos_beacons", "What became of beacons, as counted in the metrics topic. A count can fall: a beacon out of order can make another a duplicate.",
	[]string{"tenant", "outcome", "reason"}, nil)

// Describe implements prometheus.Collector.
func (beaconCollector) Describe(ch chan<- *prometheus.Desc) { ch <- beaconCounts }

// Collect implements prometheus.Collector.
func (c beaconCollector) Collect(ch chan<- prometheus.Metric) {
	for _, n := range c.live.Counts() {
		ch <- prometheus.MustNewConstMetric(beaconCounts, prometheus.GaugeValue, float64(n.N), n.Tenant, n.Outcome.String(), n.Reason)
	}
}

// pluginCollector exports what plugins count of themselves.
type pluginCollector struct{ generations *generations }

var (
	pluginLabels  = []string{"plugin", "version", "digest"}
	tenantLabels  = append([]string{"tenant"}, pluginLabels...)
	pluginRows    = prometheus.NewDesc("pharos_plugin_rows_total", "Beacons that the plugin answered.", pluginLabels, nil)
	pluginEnded   = prometheus.NewDesc("pharos_plugin_sessions_total", "Sessions that the plugin's close function answered.", pluginLabels, nil)
	pluginCalls   = prometheus.NewDesc("pharos_plugin_calls_total", "Calls of the plugin's code.", pluginLabels, nil)
	pluginFailed  = prometheus.NewDesc("pharos_plugin_failures_total", "Calls that trapped, ran out of fuel or answered wrongly.", pluginLabels, nil)
	pluginGuilty  = prometheus.NewDesc("pharos_plugin_guilty_beacons_total", "Beacons, and sessions that have ended, at which the plugin failed alone.", pluginLabels, nil)
	pluginBusy    = prometheus.NewDesc("pharos_plugin_busy_seconds_total", "Time in the plugin's code, for a tenant's beacons; that of a call with beacons of several is shared out by their number.", tenantLabels, nil)
	pluginFuel    = prometheus.NewDesc("pharos_plugin_fuel_total", "Work that the plugin has done for a tenant's beacons, in units of fuel, shared out likewise; rules have none.", tenantLabels, nil)
	pluginCounter = prometheus.NewDesc("pharos_plugin_counter_total", "The plugin's own counters.", append([]string{"counter"}, pluginLabels...), nil)
)

// Describe implements prometheus.Collector.
func (pluginCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{pluginRows, pluginEnded, pluginCalls, pluginFailed, pluginGuilty, pluginBusy, pluginFuel, pluginCounter} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c pluginCollector) Collect(ch chan<- prometheus.Metric) {
	for name, p := range c.generations.inForce().plugins {
		state := p.State()
		c.collect(ch, name, p.Version(), cmp.Or(state.New, p.Digest()), p.Stats())
		if old := p.Old(); old != nil {
			c.collect(ch, name, old.Version(), rollout.IDOf(*state.Old), old.Stats())
		}
	}
}

// digestDigits is how much of a version's id tells versions apart.
const digestDigits = 12

// collect has the id of a version in a label: versions of one number differ in it, and
// it stays the same whatever phase the version is in.
func (pluginCollector) collect(ch chan<- prometheus.Metric, name, version, id string, s plugin.Stats) {
	digest := strings.TrimPrefix(id, "sha256:")
	digest = digest[:min(len(digest), digestDigits)]
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, append(labels, name, version, digest)...)
	}
	counter(pluginRows, float64(s.Rows))
	counter(pluginEnded, float64(s.Sessions))
	counter(pluginCalls, float64(s.Calls))
	counter(pluginFailed, float64(s.Failures))
	counter(pluginGuilty, float64(s.Guilty))
	for _, use := range s.Tenants {
		counter(pluginBusy, use.Busy.Seconds(), use.Tenant)
		counter(pluginFuel, float64(use.Fuel), use.Tenant)
	}
	for _, own := range s.Counters {
		counter(pluginCounter, float64(own.Value), own.Name)
	}
}

// generationCollector exports which generation is in force.
type generationCollector struct{ generations *generations }

var (
	generationInForce = prometheus.NewDesc("pharos_generation", "The generation of the config that this host runs.", nil, nil)
	generationWanted  = prometheus.NewDesc("pharos_generation_wanted", "The newest generation that is published.", nil, nil)
	pluginsLoaded     = prometheus.NewDesc("pharos_plugins_loaded", "Plugins in memory: those of the generation in force, and of older ones that sessions still need.", nil, nil)
)

// Describe implements prometheus.Collector.
func (generationCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- generationInForce
	ch <- generationWanted
	ch <- pluginsLoaded
}

// Collect implements prometheus.Collector.
func (c generationCollector) Collect(ch chan<- prometheus.Metric) {
	inForce, wanted, _ := c.generations.status()
	ch <- prometheus.MustNewConstMetric(generationInForce, prometheus.GaugeValue, float64(inForce))
	ch <- prometheus.MustNewConstMetric(generationWanted, prometheus.GaugeValue, float64(wanted))
	ch <- prometheus.MustNewConstMetric(pluginsLoaded, prometheus.GaugeValue, float64(c.generations.shelf.len()))
}
