// Package elasticsearch keeps figures in Elasticsearch or OpenSearch: one document a
// figure, its id made of series and minute, in an index a day.
package elasticsearch

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"

	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/sinks"
	"github.com/seed-6a2d649b/pharos/sinks/web"
)

const (
	// maxAnswer is how many bytes an answer may have.
	maxAnswer = 64 << 20
	// DefaultIndex is the beginning of the indices' names.
	DefaultIndex = "pharos"
	// timeField is a figure's minute, in ms.
	timeField = "@timestamp"
)

var asJSON = map[string]string{"Content-Type": "application/json"}

// Options describe a store.
type Options struct {
	web.Options
	Index string // the beginning of the indices' names; "" is DefaultIndex
}

// Store is a cluster. Write and Read may be called at the same time.
type Store struct {
	client *web.Client
	index  string
}

// indexName is what an index's name may begin with.
var indexName = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,99}$`)

// Open checks the options. It does not connect yet.
func Open(o Options) (*Store, error) {
	c, err := web.New(o.Options)
	if err != nil {
		return nil, err
	}
	if o.Index == "" {
		o.Index = DefaultIndex
	}
	if !indexName.MatchString(o.Index) {
		return nil, fmt.Errorf("index %q: an index's name is of small letters, digits and _ . -", o.Index)
	}
	return &Store{c, o.Index}, nil
}

// Close lets connections go.
func (s *Store) Close() error {
	s.client.Close()
	return nil
}

// Traits of Elasticsearch: the last value stays, at any age.
func (s *Store) Traits() sinks.Traits {
	return sinks.Traits{Batch: 2000, MultiRead: true}
}

// Init makes the template by which indices are made: without it labels would be
// analysed as prose, and could not be told apart. It may be made again.
func (s *Store) Init(ctx context.Context) (made []string, err error) {
	type object = map[string]any
	properties := object{timeField: object{"type": "date", "format": "epoch_millis"}}
	for _, stat := range metric.Stats {
		properties[stat] = object{"type": "double"}
	}
	template, err := json.Marshal(object{
		"index_patterns": []string{s.index + "-*"},
		"template": object{"mappings": object{
			"properties":        properties,
			"dynamic_templates": []object{{"labels": object{"match_mapping_type": "string", "mapping": object{"type": "keyword"}}}},
			"date_detection":    false,
		}},
	})
	if err != nil {
		return nil, err
	}
	if _, err = s.client.Ask(ctx, web.Request{
		Doing: "init", Method: http.MethodPut, Path: "/_index_template/" + s.index, Header: asJSON, Body: template,
	}, maxAnswer); err != nil {
		return nil, err
	}
	return []string{fmt.Sprintf("the template %s of the indices %s-*, of one a day: delete those of days that are no longer wanted", s.index, s.index)}, nil
}
