// Package embedded keeps figures in a Prometheus time-series database inside
// this process: the store that needs nothing installed.
//
// Each stat of a figure is a series pharos_hits, pharos_sum, pharos_sessions or
// pharos_sumsq with the labels of metric.Series.StoreLabels, one sample a
// minute at the minute's start. Retention counts from the newest sample, not
// from the wall clock: beacons of 2015 stay as long as nothing much newer comes.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/sinks"
)

// DefaultRetention is how long samples are kept.
const DefaultRetention = 30 * 24 * time.Hour

// Options describe a store.
type Options struct {
	Dir        string                // made if it is not there
	Retention  time.Duration         // before the newest sample; 0: DefaultRetention
	Logger     hclog.Logger          // nil: silent
	Registerer prometheus.Registerer // for the database's own metrics; nil: none
}

// Store is an open database. Write and Read may be called at the same time.
type Store struct {
	db      *tsdb.DB
	log     hclog.Logger
	compact compaction
	tooOld  atomic.Int64
	differs atomic.Int64
}

// ErrInUse is in the chain of Open's error where another Store has the
// directory open, in this process or another.
var ErrInUse = errors.New("the directory is in use by another Pharos")

// Open opens the store, and makes it if there is none. What a killed process
// had acknowledged is there again.
func Open(o Options) (*Store, error) {
	if o.Retention <= 0 {
		o.Retention = DefaultRetention
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	t := tsdb.DefaultOptions()
	t.RetentionDuration = o.Retention.Milliseconds()
	t.OutOfOrderTimeWindow = o.Retention.Milliseconds() // a minute may come after younger ones, or again
	t.MaxBlockDuration = min(max(o.Retention/10, 2*time.Hour), 31*24*time.Hour).Milliseconds()
	db, err := tsdb.Open(o.Dir, newSlog(o.Logger), o.Registerer, t, nil)
	if errors.Is(err, syscall.EAGAIN) {
		return nil, fmt.Errorf("store %s: %w: stop it, or give this one another dir", o.Dir, ErrInUse)
	}
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", o.Dir, err)
	}
	db.DisableCompactions() // of its own accord: see compaction
	return &Store{db: db, log: o.Logger}, nil
}

// Close lets go of the directory. Reads must have ended.
func (s *Store) Close() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("store %s: close: %w", s.db.Dir(), err)
	}
	return nil
}

// Traits of the embedded store: the first value of a minute stays; what is too old,
// which goes by the newest sample and not by the clock, it leaves out itself.
func (s *Store) Traits() sinks.Traits {
	return sinks.Traits{Batch: 2000, FirstStays: true}
}

// Write stores the samples; when it returns without an error they survive the
// end of this process, however it comes (not the machine's: the log is not
// synced to the disk). A sample that is older than the retention, and one whose
// minute already has another value, are left out, counted and said in the log:
// the store keeps the value it has. Now and then a Write compacts the database
// first, and takes so much longer.
func (s *Store) Write(ctx context.Context, samples []metric.Sample) error {
	if err := s.compact.whenDue(ctx, s.db); err != nil {
		return fmt.Errorf("store %s: compact: %w", s.db.Dir(), err)
	}
	s.compact.RLock()
	defer s.compact.RUnlock()
	app := s.db.Appender(ctx)
	var b labels.ScratchBuilder
	var tooOld, differs int64
	var first error
	for i := range samples {
		sample := &samples[i]
		stored := sample.Series.StoreLabels()
		for _, stat := range metric.Stats {
			v, _ := sample.Stat(stat)
			_, err := app.Append(0, storedLabels(&b, stat, stored), millis(sample.Minute), v)
			switch {
			case err == nil:
				continue
			case errors.Is(err, storage.ErrTooOldSample), errors.Is(err, storage.ErrOutOfBounds):
				tooOld++
			case errors.Is(err, storage.ErrDuplicateSampleForTimestamp):
				differs++
			default:
				return errors.Join(fmt.Errorf("store %s: %s of %+v: %w", s.db.Dir(), stat, *sample.Series, err), app.Rollback())
			}
			if first == nil {
				first = fmt.Errorf("%s of %+v at minute %s: %w", stat, *sample.Series, time.UnixMilli(millis(sample.Minute)).UTC().Format(time.RFC3339), err)
			}
		}
	}
	if err := app.Commit(); err != nil {
		return fmt.Errorf("store %s: %w", s.db.Dir(), err)
	}
	if first != nil {
		s.tooOld.Add(tooOld)
		s.differs.Add(differs)
		s.log.Warn("samples left out", "older_than_retention", tooOld, "minute_has_another_value", differs, "first", first)
	}
	return nil
}

// LeftOut returns how many samples Write has left out since Open: those older
// than the retention, and those whose minute has another value.
func (s *Store) LeftOut() (tooOld, differs int64) { return s.tooOld.Load(), s.differs.Load() }

// storedLabels returns the labels with the series' name among them, where it
// sorts.
func storedLabels(b *labels.ScratchBuilder, stat string, stored []metric.Label) labels.Labels {
	b.Reset()
	b.Add(labels.MetricName, metric.MetricPrefix+stat) // sorts before all others: their names begin with small letters
	for _, l := range stored {
		b.Add(l.Name, l.Value)
	}
	return b.Labels()
}

const minuteMs = 60_000

// millis returns the start of a minute in ms, within the database's bounds.
func millis(minute int64) int64 {
	return min(max(minute, math.MinInt64/minuteMs), math.MaxInt64/minuteMs) * minuteMs
}
