// Package dispatch is the first stage: it decodes what its plugins ask for,
// drops and routes beacons, and hands on their untouched bytes with a header
// that says where they came from.
package dispatch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// Filter drops beacons.
type Filter interface {
	// Filter looks at the selected rows of a batch and calls drop for each that
	// does not go on. The error is for a cancelled context or a broken host.
	Filter(ctx context.Context, b *beacon.Batch, sel []int, drop func(row int, d beacon.Drop)) error
}

// Splitter chooses routes.
type Splitter interface {
	// Split looks at the selected rows and calls route for each that it has an
	// opinion on, drop for each that it broke on.
	Split(ctx context.Context, b *beacon.Batch, sel []int, route func(row int, name string), drop func(row int, d beacon.Drop)) error
}

// Config is what dispatch does in one generation. It does not change.
type Config struct {
	Generation uint64
	Ahead      time.Duration // how far ahead of the clock a beacon's time may be
	Sources    []*beacon.Source
	Fields     []string // that the filters and the splitter plan
	Filters    []Filter // of all tenants; the first drop wins
	Splitter   Splitter // nil: every beacon takes the default route
	Tenants    map[string]Tenant
	Routes     map[string]Route
	Default    string // a route
}

// Tenant is a tenant's part of a Config.
type Tenant struct {
	Filters []Filter // after those of all tenants; they see its rows only
}

// Route is where beacons go.
type Route struct {
	Topic      string
	Partitions int32
}

func (c *Config) validate() error {
	var errs []error
	if _, ok := c.Routes[c.Default]; !ok {
		errs = append(errs, fmt.Errorf("dispatch: the default route %q is none of %v", c.Default, slices.Sorted(maps.Keys(c.Routes))))
	}
	for name, r := range c.Routes {
		if r.Partitions < 1 {
			errs = append(errs, fmt.Errorf("dispatch: route %s: %d partitions: there must be at least one", name, r.Partitions))
		}
	}
	if len(c.Sources) == 0 {
		errs = append(errs, errors.New("dispatch: no sources"))
	}
	return errors.Join(errs...)
}

// Partition is a source partition as it is dispatched.
type Partition struct {
	Topic     string
	Partition int32
	Watermark int64 // highest event time routed from it; metric.NoWatermark before the first
}

// Raw is one raw record.
type Raw struct {
	Offset int64
	Value  []byte
}

// Output takes what dispatch makes of raw records.
type Output interface {
	// Route takes a beacon for a partition of a route's topic. The key is the
	// session; it is valid during the call, the value as long as the raw record.
	Route(route string, partition int32, h beacon.Header, key, value []byte)
	DeadLetter(kafka.DeadLetter)
	Count(metric.Count)
}
