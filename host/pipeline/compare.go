package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	comparison "github.com/seed-6a2d649b/pharos/host/compare"
	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// CompareOptions say which stores of a config are compared, and what of them.
type CompareOptions struct {
	A, B     string
	Tenants  []string // none: all of the config
	From, To time.Time
	Progress func(format string, args ...any)
	Log      hclog.Logger
}

// Compare compares two stores of a config. The embedded store belongs to one process:
// it can be compared while no host has it open.
func Compare(ctx context.Context, cfg *config.Config, o CompareOptions) (r *comparison.Result, err error) {
	if o.A == o.B {
		return nil, &UsageError{fmt.Errorf("store %q would be compared with itself: name two", o.A)}
	}
	if !o.From.Before(o.To) {
		return nil, &UsageError{fmt.Errorf("from %s to %s there is nothing to compare", o.From.Format(time.RFC3339), o.To.Format(time.RFC3339))}
	}
	tenants := o.Tenants
	if len(tenants) == 0 {
		tenants = cfg.Tenants.Names()
	}
	for _, name := range tenants {
		if cfg.Tenants.Get(name) == nil {
			return nil, &UsageError{fmt.Errorf("there is no tenant %q: the config has %v", name, cfg.Tenants.Names())}
		}
	}
	var sides []comparison.Side
	for _, name := range []string{o.A, o.B} {
		store, err := openNamed(cfg, name, o.Log)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, store.Close()) }()
		sides = append(sides, comparison.Side{Name: name, Reader: store, Rounds: store.Traits().Rounds})
	}
	of := comparison.Range{Tenants: slices.Sorted(slices.Values(tenants)), From: metric.MinuteOf(o.From.UnixMilli()), To: metric.MinuteOf(o.To.UnixMilli() + 59_999)}
	said := time.Now()
	return comparison.Run(ctx, sides[0], sides[1], of, func(tenant string, through int64) {
		if time.Since(said) > 2*time.Second {
			said = time.Now()
			o.Progress("tenant %s, through %s\n", tenant, time.Unix(through*60, 0).UTC().Format("2006-01-02 15:04"))
		}
	})
}

// openNamed opens one store of a config.
func openNamed(cfg *config.Config, name string, log hclog.Logger) (sink, error) {
	c := cfg.Stores.Get(name)
	if c == nil {
		return nil, &UsageError{fmt.Errorf("there is no store %q: the config has %v", name, cfg.Stores.Names())}
	}
	store, err := openStore(cfg, name, c, log, prometheus.NewRegistry())
	if err != nil {
		return nil, fmt.Errorf("stores.%s: %w", name, err)
	}
	return store, nil
}

// initiable is a store in which something must be made before it is written.
type initiable interface {
	Init(ctx context.Context) (made []string, err error)
}

// InitStore makes what a store of a config needs, and says what it has made. What is
// there already stays as it is.
func InitStore(ctx context.Context, cfg *config.Config, name string, log hclog.Logger) (made []string, err error) {
	store, err := openNamed(cfg, name, log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	i, ok := store.(initiable)
	if !ok {
		return nil, nil
	}
	made, err = i.Init(ctx)
	if err != nil {
		return made, fmt.Errorf("stores.%s: %w", name, err)
	}
	return made, nil
}
