// Package session is the second stage: it keeps the sessions of a route
// partition, assigns them to experiments, and books every figure.
//
// Partition is the core: a pure function of its log, without Kafka, a wall
// clock or randomness, whose sums do not depend on how the log is cut into
// batches. Stage runs partitions on Kafka. What a beacon means for a session
// stands in fold.go, on its own; everything else is bookkeeping around it.
package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/experiment"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// Defaults of a Config's bounds.
const (
	DefaultMaxSessions = 2_000_000
	DefaultMaxBeacons  = 10_000
	DefaultMaxValues   = 100
)

// Config is what the session stage does in one generation. Fill the exported
// fields, call Prepare once, then share it between partitions: it does not
// change any more. Another generation is another Config: see Partition.Switch.
type Config struct {
	Generation uint64        // its number
	Gap        time.Duration // beacons further apart are of different sessions; whole ms, > 0
	Lateness   time.Duration // how far behind the watermark a beacon still counts; whole ms, >= 0

	MaxSessions int // keys held at once, a partition; 0: DefaultMaxSessions
	MaxBeacons  int // of one key, within the lateness; 0: DefaultMaxBeacons
	MaxValues   int // distinct values of a dimension or attribute, a partition; 0: DefaultMaxValues

	Sources []Source
	// OneSource makes all sources together one source partition, as in a
	// replay: one watermark, and equal times and ids in the order of offsets.
	OneSource bool
	Tenants   map[string]Tenant
	// Routes are the topics of all routes, by name; a Stage goes by them.
	Routes map[string]RouteTopic

	prepared *prepared
}

// Source is a raw topic that feeds the routes.
type Source struct {
	*beacon.Source
	// Partitions is the number of source partitions that must have spoken
	// before there is a watermark, until a mark says another; 0: only a mark
	// tells.
	Partitions int32
}

// Tenant is one tenant's part of a Config.
type Tenant struct {
	Extractor   Extractor // nil: no measurements
	Fields      []string  // names of the fields that the extractor plans
	AllTraffic  bool
	Pairs       [][2]string // points of the extractor
	Dimensions  []Dimension
	Experiments []*experiment.Compiled
}

// Dimension labels a session's figures by a field of its first beacon.
type Dimension struct {
	Name, Path string
	Default    string   // of a beacon without a value
	Values     []string // others become metric.OtherValue; empty: any, up to Limit
	Limit      int      // of distinct values, a partition; 0: Config.MaxValues
}

// Extractor turns beacons into measurements.
type Extractor interface {
	// Points are the points that measurements refer to by index.
	Points() []abi.Point
	// Extract looks at the selected rows. It calls emit for each measurement,
	// bad for each value that is no number, and fail for a row that it broke
	// on (a trap: no measurements; with a cause, a copy of the beacon goes to
	// the dead letters). The error is for a cancelled context or a broken host.
	Extract(ctx context.Context, b *beacon.Batch, sel []int, emit func(m metric.Measurement), bad func(row int), fail func(row int, d beacon.Drop)) error
}

// SessionExtractor is an Extractor that may look at more than one beacon of a
// session: it keeps cells with it, or measures it when it has ended.
type SessionExtractor interface {
	Extractor
	// Cells are what it keeps: values of 8 bytes, 0 where a session begins.
	Cells() []abi.Cell
	// Closes tells whether it measures sessions that have ended.
	Closes() bool
	// ExtractSessions is Extract with cells. The selected rows of a session come
	// in the order of its beacons; the cells are then those after them. A row that
	// it broke on leaves them as they were.
	ExtractSessions(ctx context.Context, b *beacon.Batch, sel []int, sessions *abi.Sessions, emit func(m metric.Measurement), bad func(row int), fail func(row int, d beacon.Drop)) error
	// CloseSessions measures sessions; rows are theirs.
	CloseSessions(ctx context.Context, closed *abi.Closed, emit func(m metric.Measurement), bad func(row int), fail func(row int, d beacon.Drop)) error
}

// prepared is what Prepare makes of a Config.
type prepared struct {
	gap, lateness int64 // ms
	tenants       []*plan
	sources       []*source
	fields        *beacon.Fields // of the extractors, dimensions and units
	scratch       sync.Pool      // *scratch
}

// source is a prepared Source.
type source struct {
	Source
	projection *beacon.Projection
}

// Prepare checks the config and compiles it. The error joins every fault.
func (c *Config) Prepare() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("session: "+format, args...)) }
	whole := func(name string, d time.Duration, least time.Duration) int64 {
		if d < least || d%time.Millisecond != 0 {
			fault("%s: %v: it must be whole milliseconds, at least %v", name, d, least)
		}
		return d.Milliseconds()
	}
	p := &prepared{gap: whole("gap", c.Gap, time.Millisecond), lateness: whole("lateness", c.Lateness, 0)}
	for _, bound := range []struct {
		name  string
		value *int
		def   int
	}{
		{"max_sessions", &c.MaxSessions, DefaultMaxSessions},
		{"max_beacons", &c.MaxBeacons, DefaultMaxBeacons},
		{"the limit of distinct values", &c.MaxValues, DefaultMaxValues},
	} {
		if *bound.value == 0 {
			*bound.value = bound.def
		}
		if *bound.value < 0 {
			fault("%s: %d: it must be above 0", bound.name, *bound.value)
		}
	}
	p.prepareFields(c)
	for _, name := range slices.Sorted(maps.Keys(c.Tenants)) {
		t, err := newPlan(name, c.Tenants[name], c, p)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		p.tenants = append(p.tenants, t)
	}
	topics := slices.Clone(c.Sources)
	slices.SortFunc(topics, func(a, b Source) int { return compareText(a.Topic, b.Topic) })
	for i, s := range topics {
		if i > 0 && topics[i-1].Topic == s.Topic {
			fault("two sources have the topic %q", s.Topic)
		}
		src, err := newSource(s, p)
		if err != nil {
			faults = append(faults, fmt.Errorf("session: source %s: %w", s.Name, err))
			continue
		}
		p.sources = append(p.sources, src)
	}
	if len(topics) == 0 {
		fault("no sources")
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	p.scratch.New = func() any { return newScratch(p) }
	c.prepared = p
	return nil
}

// prepareFields gathers what must be decoded.
func (p *prepared) prepareFields(c *Config) {
	var names []string
	for _, tenant := range slices.Sorted(maps.Keys(c.Tenants)) {
		t := c.Tenants[tenant]
		names = append(names, t.Fields...)
		for _, d := range t.Dimensions {
			names = append(names, beacon.Path(d.Path))
		}
		for _, e := range t.Experiments {
			if e.Hash() && e.Unit() != "" {
				names = append(names, beacon.Path(e.Unit()))
			}
		}
	}
	p.fields = beacon.NewFields(names...)
}

func newSource(s Source, p *prepared) (*source, error) {
	projection, err := beacon.NewProjection(s.Source, p.fields)
	if err != nil {
		return nil, err
	}
	return &source{Source: s, projection: projection}, nil
}
