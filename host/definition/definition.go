// Package definition computes every figure of a set of beacons the plain way:
// all beacons in memory, sorted, one pass a session, big integers, nothing
// incremental. It shares no code with the stages that it checks, and only tests
// import it.
package definition

import (
	"math/big"
	"sort"
)

// Config is what the figures depend on, in one generation. Times and durations
// are in ms; Gap, Lateness, Ahead and Now are those of all generations.
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
	ExtractIn   func(Beacon, Cells) []Measurement // instead: with what is kept with the session
	Close       func(Session) []Measurement       // of a session that has ended
	Filter      func(Beacon) (reason string, dropped bool)
	AllTraffic  bool
	Pairs       [][2]string
	Dimensions  []Dimension
	Experiments []Experiment
}

// Cells are what extractors keep with a session: bits by name and type. They are 0
// where it begins.
type Cells map[string]uint64

// Session is one that has ended.
type Session struct {
	First, Last int64            // times of its first and last beacon
	Counts      map[string]int64 // measurements by point, of beacons of tenants that have Close
	Cells       Cells
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
	// The generations in force at its dispatch and at its place in its route's
	// log; nil: the one given to Compute.
	Dispatch, Session *Config
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

// Arrival is a beacon that is neither late nor refused, in a route's log.
type Arrival struct {
	Beacon Beacon
	Route  string
	Config *Config // of the generation in force at its place there
}

type counted struct {
	beacon   Beacon
	tenant   *Tenant // of its generation
	measured []Measurement
	end      bool // it is no beacon but the end of the session
}

type sessionKey struct{ tenant, route, session string }

// Compute gives the figures and the summary of lines, which arrive in order
// from one source partition.
func Compute(cfg Config, lines []Line) *Result {
	r := newResult()
	for name := range cfg.Tenants {
		r.summary(name)
	}
	keys := map[sessionKey][]Arrival{}
	watermark, spoken := int64(0), false
	for _, line := range lines {
		dispatched, inForce := line.Dispatch, line.Session
		if dispatched == nil {
			dispatched = &cfg
		}
		if inForce == nil {
			inForce = &cfg
		}
		b, route, ok := r.dispatch(*dispatched, line)
		if !ok {
			continue
		}
		before, had := watermark, spoken
		if !spoken || b.Time > watermark {
			watermark, spoken = b.Time, true
		}
		if _, known := inForce.Tenants[b.Tenant]; !known {
			r.summary(b.Tenant).DeadLettered["unknown tenant"]++
			continue
		}
		if had && b.Time < before-cfg.Lateness {
			r.summary(b.Tenant).Late++
			continue
		}
		k := sessionKey{b.Tenant, route, b.Session}
		if had && inForce.full(keys[k], before) {
			r.summary(b.Tenant).DeadLettered["session overflow"]++
			continue
		}
		keys[k] = append(keys[k], Arrival{b, route, inForce})
	}
	r.count(keys)
	return r
}

// Count gives the figures of arrivals, and how many of each tenant are counted,
// duplicates and bad values.
func Count(arrivals []Arrival) *Result {
	r, keys := newResult(), map[sessionKey][]Arrival{}
	for _, a := range arrivals {
		k := sessionKey{a.Beacon.Tenant, a.Route, a.Beacon.Session}
		keys[k] = append(keys[k], a)
	}
	r.count(keys)
	return r
}

func newResult() *Result {
	return &Result{Figures: map[Key]*Figure{}, Tenants: map[string]*Summary{}, Undecodable: map[string]int64{}}
}

// summary is a tenant's.
func (r *Result) summary(tenant string) *Summary {
	s := r.Tenants[tenant]
	if s == nil {
		s = &Summary{Filtered: map[string]int64{}, DeadLettered: map[string]int64{}}
		r.Tenants[tenant] = s
	}
	return s
}

func (r *Result) count(keys map[sessionKey][]Arrival) {
	for k, beacons := range keys {
		r.key(k, beacons)
	}
	for k, f := range r.Figures {
		if f.Zero() {
			delete(r.Figures, k)
		}
	}
}

// full tells whether a key has no room for one more beacon.
func (cfg *Config) full(beacons []Arrival, watermark int64) bool {
	n := 0
	for _, a := range beacons {
		if a.Beacon.Time >= watermark-cfg.Lateness {
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
	s := r.summary(b.Tenant)
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
func (r *Result) key(k sessionKey, beacons []Arrival) {
	sort.Slice(beacons, func(i, j int) bool { return before(&beacons[i].Beacon, &beacons[j].Beacon) })
	gap, summary := beacons[0].Config.Gap, r.summary(k.tenant)
	var all []counted
	for _, a := range beacons {
		b, tenant := a.Beacon, a.Config.Tenants[k.tenant]
		if duplicate(all, b, gap) {
			summary.Duplicate++
			continue
		}
		summary.Counted++
		all = append(all, counted{beacon: b, tenant: &tenant})
	}
	for start := 0; start < len(all); {
		end := start + 1
		for end < len(all) && all[end].beacon.Time-all[end-1].beacon.Time <= gap {
			end++
		}
		r.session(k, summary.measure(all[start:end:end], gap))
		start = end
	}
}

// measure has the beacons of a session measured, in their order, and then the
// session itself, by what the generation of its last beacon says.
func (s *Summary) measure(beacons []counted, gap int64) []counted {
	cells, counts := Cells{}, map[string]int64{}
	for i := range beacons {
		c := &beacons[i]
		switch {
		case c.tenant.ExtractIn != nil:
			c.measured = s.good(c.tenant.ExtractIn(c.beacon, cells))
		case c.tenant.Extract != nil:
			c.measured = s.good(c.tenant.Extract(c.beacon))
		}
		if c.tenant.Close != nil {
			for _, m := range c.measured {
				counts[m.Point]++
			}
		}
	}
	last := beacons[len(beacons)-1]
	if last.tenant.Close == nil {
		return beacons
	}
	measured := s.good(last.tenant.Close(Session{beacons[0].beacon.Time, last.beacon.Time, counts, cells}))
	return append(beacons, counted{beacon: Beacon{Time: last.beacon.Time + gap}, tenant: last.tenant, measured: measured, end: true})
}

// good are the measurements whose values are numbers; it counts the others.
func (s *Summary) good(measured []Measurement) (good []Measurement) {
	for _, m := range measured {
		if m.Bad || m.Value != m.Value || m.Value > 1e9 || m.Value < -1e9 {
			s.BadValue++
			continue
		}
		good = append(good, m)
	}
	return good
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
