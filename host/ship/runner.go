package ship

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/hashicorp/go-hclog"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// runner ships to one store. All but what mu guards belongs to the goroutine
// of run.
type runner struct {
	cfg   Config
	known *generations // the stage's
	store Store
	group string
	log   hclog.Logger
	m     *metrics

	mu    sync.Mutex
	parts map[int32]*part // assigned to this member
	state Status
	stop  error // found in a callback of the client: ends run
}

// part is an assigned partition. mu guards which parts there are; what is in
// one belongs to the goroutine of run.
type part struct {
	ctx       context.Context // ends when the partition is taken away
	cancel    context.CancelFunc
	partition int32
	at        metric.SafePoint
	shipper   *Shipper // nil before the first record where the log's beginning is gone: that record says which minutes may have lost deltas
	crowded   bool     // it was said that there is no room for all
	told      int      // of how many generations the shipper has heard
	end       int64    // stable end, as last seen
	committed metric.SafePoint
}

func newRunner(cfg Config, store Store, known *generations, m *metrics) *runner {
	return &runner{
		cfg: cfg, known: known, store: store, m: m, group: metric.ShipGroup(cfg.Group, store.Name),
		log: cfg.Logger.With("store", store.Name), parts: map[int32]*part{},
		state: Status{Store: store.Name, FinalBefore: metric.NoMinute},
	}
}

// run makes sessions of the group, a new one after each failure, until ctx ends
// or a failure is one that trying again cannot mend.
func (r *runner) run(ctx context.Context) error {
	wait := r.backOff()
	for ctx.Err() == nil {
		began := time.Now()
		err := r.session(ctx)
		r.forget()
		if ctx.Err() != nil {
			return nil
		}
		var stop *stopError
		if errors.As(err, &stop) {
			err = fmt.Errorf("store %s is no longer written: %w", r.store.Name, err)
			r.failed(err, true)
			r.log.Error("shipping to this store has stopped, others go on: mend the cause and restart", "error", err)
			return err
		}
		if time.Since(began) > time.Minute {
			wait.Reset()
		}
		next := wait.NextBackOff()
		r.failed(err, false)
		r.log.Warn("shipping was interrupted and begins again at the safe point", "error", err, "in", next)
		select {
		case <-ctx.Done():
		case <-time.After(next):
		}
	}
	return nil
}

// batch is how many samples a write has at most.
func (r *runner) batch() int {
	if r.store.Batch > 0 {
		return min(r.store.Batch, r.cfg.MaxBatch)
	}
	return r.cfg.MaxBatch
}

func (r *runner) backOff() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff() // jittered by half
	b.InitialInterval = r.cfg.Retry
	b.MaxInterval = 100 * r.cfg.Retry
	b.Reset()
	return b
}

// owned returns the assigned partitions in order.
func (r *runner) owned() []*part {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedFunc(maps.Values(r.parts), func(a, b *part) int { return int(a.partition - b.partition) })
}

// forget drops all partitions.
func (r *runner) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.parts {
		p.cancel()
	}
	clear(r.parts)
	r.state = Status{Store: r.state.Store, FinalBefore: metric.NoMinute, Samples: r.state.Samples, Error: r.state.Error, Stopped: r.state.Stopped}
}

func (r *runner) failed(err error, stopped bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state.Error, r.state.Stopped = err, stopped
}

func (r *runner) status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

// measure brings status and metrics up to date.
func (r *runner) measure() {
	parts := r.owned()
	lag, stored := int64(0), metric.NoMinute
	for i, p := range parts {
		next, has := p.at.Offset, metric.NoMinute
		if p.shipper != nil {
			next, has = p.shipper.next, p.shipper.stored
		}
		lag += max(0, p.end-next)
		if i == 0 || has < stored {
			stored = has
		}
	}
	r.m.lag.WithLabelValues(r.store.Name).Set(float64(lag))
	if stored != metric.NoMinute {
		r.m.stored.WithLabelValues(r.store.Name).Set(float64(stored) * 60)
	}
	figures, all := held(parts)
	r.m.held.WithLabelValues(r.store.Name).Set(float64(figures))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state.Partitions, r.state.Lag, r.state.FinalBefore = len(parts), lag, stored
	r.state.Figures, r.state.Crowded, r.state.Waits = figures, !all, waits(parts)
}
