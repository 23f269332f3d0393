// Package definition computes every figure of a set of beacons the plain way:
// all beacons in memory, sorted, one pass a session, big integers, nothing
// incremental. It shares no code with the stages that it checks, and only tests
// import it.
package definition

import (
	"math/big"
	"sort"
)

// Config is what the figures depend on. Times and durations are in ms.
type Config struct {
	Source   Source
	Gap      int64
	Lateness int64
	Ahead    int64
	Now      int64
	// MaxBeacons is how many of a session may lie within the lateness; 0: any.
	MaxBeacons int
	Tenants    map[string]Tenant
	Filter     func(Beacon) (reason string, dropped bool) // nil keeps all
	Split      func(Beacon) (route string)                // nil or "": Default
	Default    string
}

// Tenant is one tenant's part of a Config.
type Tenant struct {
	Extract     func(Beacon) []Measurement
	Filter      func(Beacon) (reason string, dropped bool)
	AllTraffic  bool
	Pairs       [][2]string
	Dimensions  []Dimension
	Experiments []Experiment
}

// Dimension is a path whose value at a session's first beacon labels figures.
type Dimension struct {
	Name, Path, Default string
	Values              []string
}

// Measurement is what an extractor says of a beacon; Bad is a value that was no number.
type Measurement struct {
	Point      string
	Value      float64
	Bad        bool
	Attributes map[string]string
}

// Line is one raw beacon and its position.
type Line struct {
	Source    *Source // nil: the Config's
	Topic     string
	Partition int32
	Offset    int64
	Raw       []byte
}

// Key names a figure. Attributes and Dims are "name=value\n…", sorted by name.
type Key struct {
	Tenant, Experiment, Variant, Status, Point, Attributes, Dims string
	Minute                                                       int64
}

// Figure is a figure's four stats. Sum counts 10^-6, at a pair a*b 10^-12; SumSq
// counts 10^-12.
type Figure struct {
	Hits, Sessions int64
	Sum, SumSq     *big.Int
}

// Zero tells whether all four stats are zero.
func (f *Figure) Zero() bool {
	return f.Hits == 0 && f.Sessions == 0 && f.Sum.Sign() == 0 && f.SumSq.Sign() == 0
}

// Summary is what became of the beacons of a tenant.
type Summary struct {
	In, Counted, Duplicate, Late, BadValue int64
	Filtered, DeadLettered                 map[string]int64
}

// Result is all that a set of beacons comes to.
type Result struct {
	Figures     map[Key]*Figure // none all zero
	Tenants     map[string]*Summary
	Undecodable map[string]int64
}

type counted struct {
	beacon   Beacon
	measured []Measurement
}

type sessionKey struct{ tenant, route, session string }

// Compute gives the figures and the summary of lines, which arrive in order
// from one source partition.
func Compute(cfg Config, lines []Line) *Result {
	r := &Result{Figures: map[Key]*Figure{}, Tenants: map[string]*Summary{}, Undecodable: map[string]int64{}}
	for name := range cfg.Tenants {
		r.Tenants[name] = &Summary{Filtered: map[string]int64{}, DeadLettered: map[string]int64{}}
	}
	keys := map[sessionKey][]Beacon{}
	watermark, spoken := int64(0), false
	for _, line := range lines {
		b, route, ok := r.dispatch(cfg, line)
		if !ok {
			continue
		}
		before, had := watermark, spoken
		if !spoken || b.Time > watermark {
			watermark, spoken = b.Time, true
		}
		if had && b.Time < before-cfg.Lateness {
			r.Tenants[b.Tenant].Late++
			continue
		}
		k := sessionKey{b.Tenant, route, b.Session}
		if had && cfg.full(keys[k], before) {
			r.Tenants[b.Tenant].DeadLettered["session overflow"]++
			continue
		}
		keys[k] = append(keys[k], b)
	}
	for k, beacons := range keys {
		r.key(cfg, k, beacons)
	}
	for k, f := range r.Figures {
		if f.Zero() {
			delete(r.Figures, k)
		}
	}
	return r
}

// full tells whether a key has no room for one more beacon.
func (cfg *Config) full(beacons []Beacon, watermark int64) bool {
	n := 0
	for _, b := range beacons {
		if b.Time >= watermark-cfg.Lateness {
			n++
		}
	}
	return cfg.MaxBeacons > 0 && n >= cfg.MaxBeacons
}

// dispatch makes the checks up to the split, in their order.
func (r *Result) dispatch(cfg Config, line Line) (b Beacon, route string, ok bool) {
	source := cfg.Source
	if line.Source != nil {
		source = *line.Source
	}
	b, cause := Decode(source, line.Raw)
	b.Line = line
	tenant, known := cfg.Tenants[b.Tenant]
	switch {
	case cause != "" && b.Tenant == "":
		r.Undecodable[cause]++
		return b, "", false
	case b.Tenant == "":
		r.Undecodable["no tenant"]++
		return b, "", false
	case !known && cause != "":
		r.Undecodable[cause]++
		return b, "", false
	case !known:
		r.Undecodable["unknown tenant"]++
		return b, "", false
	}
	s := r.Tenants[b.Tenant]
	s.In++
	switch {
	case cause != "":
	case !b.HasTime:
		cause = "no time"
	case b.Session == "":
		cause = "no session"
	case b.Time > cfg.Now+cfg.Ahead:
		cause = "future"
	}
	if cause != "" {
		s.DeadLettered[cause]++
		return b, "", false
	}
	for _, filter := range []func(Beacon) (string, bool){cfg.Filter, tenant.Filter} {
		if filter == nil {
			continue
		}
		if reason, dropped := filter(b); dropped {
			s.Filtered[reason]++
			return b, "", false
		}
	}
	route = cfg.Default
	if cfg.Split != nil {
		if to := cfg.Split(b); to != "" {
			route = to
		}
	}
	return b, route, true
}

// key counts the beacons of one key and books its sessions.
func (r *Result) key(cfg Config, k sessionKey, beacons []Beacon) {
	sort.Slice(beacons, func(i, j int) bool { return before(&beacons[i], &beacons[j]) })
	tenant, summary := cfg.Tenants[k.tenant], r.Tenants[k.tenant]
	var all []counted
	for _, b := range beacons {
		if duplicate(all, b, cfg.Gap) {
			summary.Duplicate++
			continue
		}
		summary.Counted++
		c := counted{beacon: b}
		if tenant.Extract != nil {
			for _, m := range tenant.Extract(b) {
				if m.Bad || m.Value != m.Value || m.Value > 1e9 || m.Value < -1e9 {
					summary.BadValue++
					continue
				}
				c.measured = append(c.measured, m)
			}
		}
		all = append(all, c)
	}
	for start := 0; start < len(all); {
		end := start + 1
		for end < len(all) && all[end].beacon.Time-all[end-1].beacon.Time <= cfg.Gap {
			end++
		}
		r.session(cfg, k, all[start:end])
		start = end
	}
}

func before(a, b *Beacon) bool {
	switch {
	case a.Time != b.Time:
		return a.Time < b.Time
	case a.ID != b.ID:
		return a.ID < b.ID
	case a.Line.Topic != b.Line.Topic:
		return a.Line.Topic < b.Line.Topic
	case a.Line.Partition != b.Line.Partition:
		return a.Line.Partition < b.Line.Partition
	}
	return a.Line.Offset < b.Line.Offset
}

func duplicate(all []counted, b Beacon, gap int64) bool {
	if b.ID == "" {
		return false
	}
	for i := len(all) - 1; i >= 0 && b.Time-all[i].beacon.Time <= gap; i-- {
		if all[i].beacon.ID == b.ID {
			return true
		}
	}
	return false
}
