// Package m3 keeps figures in M3DB, through its coordinator's remote write and
// remote read. The last value written for a minute stays, at any age within the
// namespace's retention.
package m3

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
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
	Namespace string // that Init makes; "" is DefaultNamespace
}

// DefaultNamespace is the one that coordinators write to if nobody says otherwise.
const DefaultNamespace = "default"

// Store is a coordinator. Write and Read may be called at the same time.
type Store struct {
	client    *web.Client
	retention time.Duration
	namespace string
}

// Open checks the options. It does not connect yet.
func Open(o Options) (*Store, error) {
	c, err := web.New(o.Options)
	if err != nil {
		return nil, err
	}
	if o.Namespace == "" {
		o.Namespace = DefaultNamespace
	}
	return &Store{c, o.Retention, o.Namespace}, nil
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

// maxAnswer is how many bytes an answer to Init may have.
const maxAnswer = 1 << 20

// Init makes the namespace: of the retention, with late samples (cold writes) taken,
// which minutes are that become final after an hour or are read again.
func (s *Store) Init(ctx context.Context) (made []string, err error) {
	type object = map[string]any
	body, err := json.Marshal(object{"name": s.namespace, "options": object{
		"bootstrapEnabled": true, "flushEnabled": true, "cleanupEnabled": true, "snapshotEnabled": true, "writesToCommitLog": true,
		"coldWritesEnabled": true,
		"retentionOptions": object{
			"retentionPeriodDuration": s.retention.String(), "blockSizeDuration": "12h", "bufferPastDuration": "1h", "bufferFutureDuration": "10m",
			"blockDataExpiry": true, "blockDataExpiryAfterNotAccessPeriodDuration": "5m",
		},
		"indexOptions":       object{"enabled": true, "blockSizeDuration": "12h"},
		"aggregationOptions": object{"aggregations": []object{{"aggregated": false}}},
	}})
	if err != nil {
		return nil, err
	}
	const services = "/api/v1/services/m3db/namespace"
	if _, err := s.client.Ask(ctx, web.Request{Doing: "init", Method: http.MethodPost, Path: services, Body: body}, maxAnswer); err != nil {
		return nil, err
	}
	ready, err := json.Marshal(object{"name": s.namespace})
	if err != nil {
		return nil, err
	}
	if _, err := s.client.Ask(ctx, web.Request{Doing: "init", Method: http.MethodPost, Path: services + "/ready", Body: ready}, maxAnswer); err != nil {
		return nil, fmt.Errorf("the namespace is made and not ready yet; run it again: %w", err)
	}
	return []string{fmt.Sprintf("the namespace %s, which keeps samples for %s, old ones too", s.namespace, s.retention)}, nil
}

// Write stores samples; those of a new series are found some time later. Where the coordinator refuses some it has taken the others.
func (s *Store) Write(ctx context.Context, samples []metric.Sample) error {
	return remote.Write(ctx, s.client, "/api/v1/prom/remote/write", samples)
}

// Read gives what the selector takes.
func (s *Store) Read(ctx context.Context, sel metric.Selector, each func(s *metric.Series, stat string, minute int64, v float64) error) error {
	return remote.Read(ctx, s.client, "/api/v1/prom/remote/read", sel, each)
}
