// Package m3 keeps figures in M3DB, through its coordinator's remote write and
// remote read. The last value written for a minute stays, at any age within the
// namespace's retention.
package m3

import (
	"context"
	"time"

	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/sinks"
	"github.com/seed-6a2d649b/pharos/sinks/remote"
	"github.com/seed-6a2d649b/pharos/sinks/web"
)

// Options describe a store.
type Options struct {
	web.Options
	// Retention is the namespace's. The coordinator says that it has taken the first
	// sample of a new series whatever its age, and loses it where it is older: so what
	// is older must not be sent.
	Retention time.Duration
}

// Store is a coordinator. Write and Read may be called at the same time.
type Store struct {
	client    *web.Client
	retention time.Duration
}

// Open checks the options. It does not connect yet.
func Open(o Options) (*Store, error) {
	c, err := web.New(o.Options)
	if err != nil {
		return nil, err
	}
	return &Store{c, o.Retention}, nil
}

// Close lets connections go.
func (s *Store) Close() error {
	s.client.Close()
	return nil
}

// rounds is two units in the last place: M3 keeps as a scaled integer what is one
// within that.
const rounds = 2.0 / (1 << 52)

// Traits of M3.
func (s *Store) Traits() sinks.Traits {
	return sinks.Traits{MaxAge: s.retention, Batch: 2000, Rounds: rounds}
}

// Write stores samples; those of a new series are found some time later. Where the coordinator refuses some it has taken the others.
func (s *Store) Write(ctx context.Context, samples []metric.Sample) error {
	return remote.Write(ctx, s.client, "/api/v1/prom/remote/write", samples)
}

// Read gives what the selector takes.
func (s *Store) Read(ctx context.Context, sel metric.Selector, each func(s *metric.Series, stat string, minute int64, v float64) error) error {
	return remote.Read(ctx, s.client, "/api/v1/prom/remote/read", sel, each)
}
