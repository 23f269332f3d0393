// Package m3 keeps figures in M3DB, through its coordinator's remote write and
// remote read. The last value written for a minute stays, at any age within the
// namespace's retention.
package m3

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v5"

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
	seen      seen
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
	return &Store{client: c, retention: o.Retention, namespace: o.Namespace}, nil
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

const (
	namespaces = "/api/v1/services/m3db/namespace" // of the coordinator's API
	maxAnswer  = 1 << 20                           // bytes of an answer from there
)

// Init makes the namespace, and waits until the nodes have it: of the retention, with
// samples of any age taken (cold writes). One that is there stays as it is.
func (s *Store) Init(ctx context.Context) (made []string, err error) {
	body, err := json.Marshal(s.settings())
	if err != nil {
		return nil, err
	}
	_, err = s.client.Ask(ctx, web.Request{Doing: "init", Method: http.MethodPost, Path: namespaces, Body: body}, maxAnswer)
	var known *sinks.Error
	if errors.As(err, &known) && known.Status == http.StatusConflict {
		made = []string{fmt.Sprintf("nothing: the namespace %s is there, with a retention that must be %s as the config says", s.namespace, s.retention)}
	} else if err != nil {
		return nil, err
	} else {
		made = []string{fmt.Sprintf("the namespace %s, which keeps samples for %s, old ones too", s.namespace, s.retention)}
	}
	return made, s.ready(ctx)
}

type object = map[string]any

func (s *Store) settings() object {
	return object{"name": s.namespace, "options": object{
		"bootstrapEnabled": true, "flushEnabled": true, "cleanupEnabled": true, "snapshotEnabled": true, "writesToCommitLog": true,
		"coldWritesEnabled": true,
		"retentionOptions": object{
			"retentionPeriodDuration": s.retention.String(), "blockSizeDuration": "12h", "bufferPastDuration": "1h", "bufferFutureDuration": "10m",
			"blockDataExpiry": true, "blockDataExpiryAfterNotAccessPeriodDuration": "5m",
		},
		"indexOptions":       object{"enabled": true, "blockSizeDuration": "12h"},
		"aggregationOptions": object{"aggregations": []object{{"aggregated": false}}},
	}}
}

// ready waits until the nodes have made the namespace.
func (s *Store) ready(ctx context.Context) error {
	body, err := json.Marshal(object{"name": s.namespace})
	if err != nil {
		return err
	}
	_, err = backoff.Retry(ctx, func() (struct{}, error) {
		_, err := s.client.Ask(ctx, web.Request{Doing: "init", Method: http.MethodPost, Path: namespaces + "/ready", Body: body}, maxAnswer)
		return struct{}{}, err
	}, backoff.WithMaxElapsedTime(2*time.Minute))
	if err != nil {
		return fmt.Errorf("the nodes have not made the namespace %s yet; run it again: %w", s.namespace, err)
	}
	return nil
}

// Read gives what the selector takes.
func (s *Store) Read(ctx context.Context, sel metric.Selector, each func(s *metric.Series, stat string, minute int64, v float64) error) error {
	return remote.Read(ctx, s.client, "/api/v1/prom/remote/read", sel, each)
}
