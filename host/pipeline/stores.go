package pipeline

import (
	"errors"
	"fmt"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/query"
	"github.com/seed-6a2d649b/pharos/host/ship"
	"github.com/seed-6a2d649b/pharos/sinks"
	"github.com/seed-6a2d649b/pharos/sinks/elasticsearch"
	"github.com/seed-6a2d649b/pharos/sinks/embedded"
	"github.com/seed-6a2d649b/pharos/sinks/influx"
	"github.com/seed-6a2d649b/pharos/sinks/kairosdb"
	"github.com/seed-6a2d649b/pharos/sinks/m3"
	sinkprometheus "github.com/seed-6a2d649b/pharos/sinks/prometheus"
	"github.com/seed-6a2d649b/pharos/sinks/victoria"
	"github.com/seed-6a2d649b/pharos/sinks/web"
)

// sink is what a store's package gives.
type sink interface {
	ship.Writer
	query.Reader
	Traits() sinks.Traits
	Close() error
}

// stores are the open stores of a config.
type stores struct {
	open  map[string]sink
	names []string // in the order of the config
}

// openStores opens the stores of a config if they are wanted.
func openStores(cfg *config.Config, wanted bool, log hclog.Logger, reg prometheus.Registerer) (*stores, error) {
	s := &stores{open: map[string]sink{}}
	if !wanted {
		return s, nil
	}
	for name, c := range cfg.Stores.All() {
		store, err := openStore(cfg, name, c, log, reg)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("stores.%s: %w", name, err), s.close())
		}
		s.open[name] = store
		s.names = append(s.names, name)
	}
	return s, nil
}

func openStore(cfg *config.Config, name string, c *config.Store, log hclog.Logger, reg prometheus.Registerer) (sink, error) {
	if c.Type == "embedded" {
		return openEmbedded(cfg, name, c, log, reg)
	}
	tls, err := tlsConfig("tls", c.TLS)
	if err != nil {
		return nil, err
	}
	at := web.Options{URL: c.URL, User: c.User, Password: c.Password.Reveal(), Token: c.Token.Reveal(), TLS: tls}
	switch c.Type {
	case "m3":
		return m3.Open(m3.Options{Options: at, Retention: c.Retention})
	case "kairosdb":
		return kairosdb.Open(kairosdb.Options{Options: at})
	case "elasticsearch":
		return elasticsearch.Open(elasticsearch.Options{Options: at, Index: c.Index})
	case "prometheus":
		return sinkprometheus.Open(sinkprometheus.Options{Options: at, MaxAge: c.Retention})
	case "victoria":
		return victoria.Open(victoria.Options{Options: at, Retention: c.Retention})
	case "influx":
		return influx.Open(influx.Options{Options: at, Database: c.Database, Retention: c.Retention})
	}
	return nil, fmt.Errorf("type %q is unknown", c.Type)
}

func openEmbedded(cfg *config.Config, name string, c *config.Store, log hclog.Logger, reg prometheus.Registerer) (sink, error) {
	dir := c.Dir
	if dir.IsZero() {
		dir = cfg.Data.Join("tsdb")
	}
	store, err := embedded.Open(embedded.Options{
		Dir: dir.String(), Retention: c.Retention, Logger: log.Named("store").With("store", name),
		Registerer: prometheus.WrapRegistererWith(prometheus.Labels{"store": name}, reg),
	})
	if err != nil {
		return nil, err
	}
	registerLeftOut(reg, name, store)
	return store, nil
}

// registerLeftOut exports how many samples the store did not take.
func registerLeftOut(reg prometheus.Registerer, name string, store *embedded.Store) {
	counter := func(reason string, value func() int64) {
		reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "pharos_store_left_out_samples_total", Help: "Samples that the store did not take: older than its retention, or of a minute that has another value.",
			ConstLabels: prometheus.Labels{"store": name, "reason": reason},
		}, func() float64 { return float64(value()) }))
	}
	counter("too_old", func() int64 { n, _ := store.LeftOut(); return n })
	counter("differs", func() int64 { _, n := store.LeftOut(); return n })
}

func (s *stores) readers() map[string]query.Reader {
	all := map[string]query.Reader{}
	for name, store := range s.open {
		all[name] = store
	}
	return all
}

func (s *stores) writers() (all []ship.Store) {
	for _, name := range s.names {
		store := s.open[name]
		traits := store.Traits()
		all = append(all, ship.Store{Name: name, Writer: store, Batch: traits.Batch, MaxAge: traits.MaxAge})
	}
	return all
}

func (s *stores) close() error {
	var err error
	for _, store := range s.open {
		err = errors.Join(err, store.Close())
	}
	return err
}
