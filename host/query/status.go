package query

import (
	"fmt"
	"time"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// Status is how a host and what it can see of the stream are doing. Times are
// ms since 1970; a watermark or time that is not known is null.
type Status struct {
	Host       string `json:"host"`
	Version    string `json:"version"`
	Started    *int64 `json:"started"`
	Generation uint64 `json:"generation"` // in force on this host
	// GenerationWanted is the newest that is published; above Generation while this
	// host can not load it, which faults then say.
	GenerationWanted uint64         `json:"generation_wanted"`
	Roles            []RoleStatus   `json:"roles"`
	Plugins          []PluginStatus `json:"plugins"`      // of the generation in force
	PastPlugins      []PluginStatus `json:"past_plugins"` // versions that older generations still need, or that were let go or refused of late
	Stores           []StoreStatus  `json:"stores"`
	Faults           []string       `json:"faults"` // what an operator should look at
	// What follows is filled in by the API from the live view.
	CompleteThrough *int64                           `json:"complete_through"`         // the last final minute of all tenants
	TenantsComplete map[string]*int64                `json:"tenants_complete_through"` // by tenant; null: none is known
	LiveFigures     int                              `json:"live_figures"`
	LiveReady       bool                             `json:"live_ready"`
	BeaconsSince    *int64                           `json:"beacons_since"` // append time of the first record counted
	Beacons         map[string]*metric.TenantSummary `json:"beacons"`       // by tenant
	Undecodable     map[string]int64                 `json:"undecodable"`   // by cause
	BadValue        map[string]int64                 `json:"bad_value"`     // by tenant
	// Counted beside what became of beacons, by tenant.
	UnknownVariant    map[string]int64 `json:"unknown_variant"`    // assignments to variants that the experiment does not have
	OtherValues       map[string]int64 `json:"other_values"`       // values of dimensions and attributes beyond their limit
	ExtractorFailures map[string]int64 `json:"extractor_failures"` // beacons without measurements because the extractor failed
}

// RoleStatus is one role that this host runs.
type RoleStatus struct {
	Name       string            `json:"name"`  // dispatch, session, ship, query
	State      string            `json:"state"` // running, starting, waiting
	Detail     string            `json:"detail,omitempty"`
	Partitions []PartitionStatus `json:"partitions"` // that the role reads here
}

// PartitionStatus is how far a role has come with one partition.
type PartitionStatus struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Lag       *int64 `json:"lag"`       // records behind the end; null: unknown
	Watermark *int64 `json:"watermark"` // null: none, or the role has none
	// Of the role session: the generation in force, and from which offsets on the
	// last ones were.
	Generation uint64   `json:"generation,omitempty"`
	Switches   []Switch `json:"switches,omitempty"`
	Detail     string   `json:"detail,omitempty"` // what it does while it is not live
}

// Switch says that from an offset of a partition on a generation is in force.
type Switch struct {
	Offset     int64  `json:"offset"`
	Generation uint64 `json:"generation"`
}

// PluginStatus is one version of a plugin on this host.
type PluginStatus struct {
	Name    string  `json:"name"`
	Kind    string  `json:"kind"`
	Version string  `json:"version"`
	Digest  string  `json:"digest,omitempty"`
	State   string  `json:"state"`           // of its life, or PluginFailing
	Since   *int64  `json:"since"`           // when it came into the state of its life
	Rows    int64   `json:"rows"`            // beacons that it answered on this host
	Fuel    int64   `json:"fuel"`            // that it has used on this host; rules use none
	Traps   int64   `json:"traps"`           // beacons that it failed at, alone
	Error   string  `json:"error,omitempty"` // of the last call that failed since it was loaded
	Life    []Event `json:"life"`            // what it has gone through on this host
}

// Event is a step in the life of a version: of loading it, or a state that it came
// into.
type Event struct {
	Step   string  `json:"step"`
	At     *int64  `json:"at"` // when it began
	TookMS float64 `json:"took_ms"`
	Detail string  `json:"detail,omitempty"`
}

// PluginLive is the state of a version that is of the generation in force, and
// PluginFailing takes its place in a status where a call failed in the last minute.
const (
	PluginLive    = "live"
	PluginFailing = "failing"
)

// Failed takes note of the last call that failed.
func (p *PluginStatus) Failed(at time.Time, text string, now time.Time) {
	p.Error = text
	if p.State == PluginLive && now.Sub(at) < time.Minute {
		p.State = PluginFailing
	}
}

// StoreStatus is one store that figures are shipped to.
type StoreStatus struct {
	Name           string `json:"name"`
	Type           string `json:"type"`
	ShippedThrough *int64 `json:"shipped_through"` // the last minute that it has
	Error          string `json:"error,omitempty"`
}

// complete fills in what the live view knows. Lists and maps are never null in
// JSON.
func (s *Status) complete(live *Live, tenants []string) {
	if final, ok := live.FinalBefore(); ok {
		s.CompleteThrough = millis(final - 1)
	}
	s.TenantsComplete = map[string]*int64{}
	for _, tenant := range tenants {
		s.TenantsComplete[tenant] = s.CompleteThrough // any beacon can take any route
	}
	if n := live.waits(); n > 0 {
		s.Faults = append(s.Faults, fmt.Sprintf("the metrics topic names generation %d, which this host has not loaded: nothing more becomes final until it has", n))
	}
	if fault := live.crowded(); fault != "" {
		s.Faults = append(s.Faults, fault)
	}
	s.LiveFigures, s.LiveReady = live.Figures(), live.Ready()
	summary, since := live.Beacons(tenants)
	s.Beacons, s.Undecodable, s.BadValue = summary.Tenants, summary.Undecodable, summary.BadValue
	s.BeaconsSince = Millis(since)
	s.UnknownVariant, s.OtherValues, s.ExtractorFailures = live.beside(metric.UnknownVariant), live.beside(metric.OtherDimension), live.beside(metric.PluginError)
	for i := range s.Roles {
		s.Roles[i].Partitions = listed(s.Roles[i].Partitions)
	}
	for _, plugins := range [][]PluginStatus{s.Plugins, s.PastPlugins} {
		for i := range plugins {
			plugins[i].Life = listed(plugins[i].Life)
		}
	}
	s.Roles, s.Stores, s.Faults = listed(s.Roles), listed(s.Stores), listed(s.Faults)
	s.Plugins, s.PastPlugins = listed(s.Plugins), listed(s.PastPlugins)
}

func listed[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// Millis returns a time as a Status holds it; the zero time is not known.
func Millis(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	ms := t.UnixMilli()
	return &ms
}
