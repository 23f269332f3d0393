package pipeline

import (
	"errors"
	"fmt"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/query"
	"github.com/seed-6a2d649b/pharos/host/ship"
	"github.com/seed-6a2d649b/pharos/sinks/embedded"
)

// stores are the open stores of a config.
type stores struct {
	open  map[string]*embedded.Store
	names []string // in the order of the config
}

// openStores opens the stores of a config if they are wanted.
func openStores(cfg *config.Config, wanted bool, log hclog.Logger, reg prometheus.Registerer) (*stores, error) {
	s := &stores{open: map[string]*embedded.Store{}}
	if !wanted {
		return s, nil
	}
	for name, c := range cfg.Stores.All() {
		dir := c.Dir
		if dir.IsZero() {
			dir = cfg.Data.Join("tsdb")
		}
		store, err := embedded.Open(embedded.Options{
			Dir: dir.String(), Retention: c.Retention, Logger: log.Named("store").With("store", name),
			Registerer: prometheus.WrapRegistererWith(prometheus.Labels{"store": name}, reg),
		})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("stores.%s: %w", name, err), s.close())
		}
		s.open[name] = store
		registerLeftOut(reg, name, store)
		s.names = append(s.names, name)
	}
	return s, nil
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
		all = append(all, ship.Store{Name: name, Writer: s.open[name]})
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
