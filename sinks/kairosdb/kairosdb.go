// Package kairosdb keeps figures in KairosDB: a metric a stat, its tags the labels of
// the series.
//
// KairosDB answers a write before it has stored it, and loses what waits when it
// dies: so Write reads back what it has written before it says that it is there.
package kairosdb

import (
	"github.com/seed-6a2d649b/pharos/sinks"
	"github.com/seed-6a2d649b/pharos/sinks/web"
)

var asJSON = map[string]string{"Content-Type": "application/json"}

// Options describe a store.
type Options struct {
	web.Options
}

// Store is a server. Write and Read may be called at the same time.
type Store struct {
	client *web.Client
}

// Open checks the options. It does not connect yet.
func Open(o Options) (*Store, error) {
	c, err := web.New(o.Options)
	if err != nil {
		return nil, err
	}
	return &Store{c}, nil
}

// Close lets connections go.
func (s *Store) Close() error {
	s.client.Close()
	return nil
}

// Traits of KairosDB: the last value stays, at any age.
func (s *Store) Traits() sinks.Traits {
	return sinks.Traits{Batch: 2000, MultiRead: true}
}
