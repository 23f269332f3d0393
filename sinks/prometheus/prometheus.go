// Package prometheus keeps figures in a Prometheus server, or whatever else takes
// its remote write and answers its remote read.
//
// The server must be started with its remote-write receiver on, and with
// storage.tsdb.out_of_order_time_window as long as minutes may be old.
package prometheus

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/sinks"
	"github.com/seed-6a2d649b/pharos/sinks/remote"
	"github.com/seed-6a2d649b/pharos/sinks/web"
)

// Options describe a store.
type Options struct {
	web.Options
	// MaxAge is the server's out_of_order_time_window: what is older it refuses.
	MaxAge time.Duration
}

// Store is a Prometheus server. Write and Read may be called at the same time.
type Store struct {
	client *web.Client
	maxAge time.Duration
}

// Open checks the options. It does not connect yet.
func Open(o Options) (*Store, error) {
	c, err := web.New(o.Options)
	if err != nil {
		return nil, err
	}
	return &Store{c, o.MaxAge}, nil
}

// Close lets connections go.
func (s *Store) Close() error {
	s.client.Close()
	return nil
}

// Traits of Prometheus: the first value of a minute stays.
func (s *Store) Traits() sinks.Traits {
	return sinks.Traits{MaxAge: s.maxAge, Batch: 2000, FirstStays: true}
}

// Write stores samples. The server takes all of them or none.
func (s *Store) Write(ctx context.Context, samples []metric.Sample) error {
	err := remote.Write(ctx, s.client, "/api/v1/write", samples)
	var e *sinks.Error
	if errors.As(err, &e) && e.Status == http.StatusInternalServerError && tooOld(e.Text) {
		return sinks.Smaller("write", e.Status, e.Text) // trying again would never end
	}
	return err
}

// tooOld tells an answer about samples that are older than the server takes: it is
// one of 500, as if the server were at fault.
func tooOld(text string) bool {
	return strings.Contains(text, "too old sample") || strings.Contains(text, "out of bounds")
}

// Read gives what the selector takes.
func (s *Store) Read(ctx context.Context, sel metric.Selector, each func(s *metric.Series, stat string, minute int64, v float64) error) error {
	return remote.Read(ctx, s.client, "/api/v1/read", sel, each)
}
