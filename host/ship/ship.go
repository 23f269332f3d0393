// Package ship is the third stage: it reads the metrics topic and writes each
// minute to every configured store once, when it is final.
//
// Each store has a consumer group, a queue (the topic), totals, retries and a
// pace of its own: a slow or broken one delays nobody. What a store must have
// is in the topic until it has it.
package ship

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// Writer is a store as ship sees it. Write returns once the samples are safe in
// the store; a sample may come again, with the same value. An error is tried
// again for ever, unless an error in its chain has a method Permanent() bool
// that gives true: then the store is stopped, because only a person can help; or
// a method Smaller() bool that does: then some of the samples, or their number,
// are what the store does not take. Halves are tried, and a sample that is
// refused alone becomes a dead letter.
type Writer interface {
	Write(ctx context.Context, samples []metric.Sample) error
}

// Store is a configured store.
type Store struct {
	Name   string // as in the config; part of its group's name
	Writer Writer
	Batch  int           // samples of one Write; 0: Config.MaxBatch
	MaxAge time.Duration // by the clock; older samples are not sent, but counted: the store would lose or refuse them. 0: any age
}

// Config says what to read and where to write it. Zero sizes and durations
// take the defaults.
type Config struct {
	Kafka       kafka.Config
	Group       string // the config's prefix of groups; a store's own is metric.ShipGroup of it
	Topic       string // the metrics topic
	Lateness    time.Duration
	Ahead       time.Duration // session.ahead
	Stores      []Store
	DeadLetters kafka.Topic // where samples go that a store refuses

	Generation uint64   // in force at the start; Use gives others
	Routes     []string // all of that generation

	MaxBatch     int              // samples of one Write; default 5000
	MaxFigures   int              // held for a store; default 2 million (see Stage)
	MaxRecords   int              // records taken between two looks at what is due; default 200
	WriteTimeout time.Duration    // of one Write; default 30s
	CommitEvery  time.Duration    // safe points are committed when the horizon moves, and this often in between; default 5s
	Retry        time.Duration    // wait after the first failure, growing to a hundred times that; default 300ms
	Logger       hclog.Logger     // nil: silent
	Now          func() time.Time // by which a sample is too old for a store; nil: time.Now
	Registerer   prometheus.Registerer
}

func (c Config) withDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&c.WriteTimeout, 30*time.Second)
	def(&c.CommitEvery, 5*time.Second)
	def(&c.Retry, 300*time.Millisecond)
	if c.MaxBatch <= 0 {
		c.MaxBatch = 5000
	}
	if c.MaxFigures <= 0 {
		c.MaxFigures = 2_000_000
	}
	if c.MaxRecords <= 0 {
		c.MaxRecords = 200
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	return c
}

// Stage ships to all stores.
//
// Its memory, a store: one figure (about 150 bytes) for each series and minute
// with a booking that is not final, which is the lateness and what the clocks
// of beacons spread; besides the records fetched ahead, at most 16 MiB, and
// those of one look. While a store does not take samples nothing more is read
// for it, so a store that is down costs no memory.
//
// MaxFigures bounds it where the watermark stands still or there are very many
// series: the newest minutes are let go then, and read again once those before
// them are written. So nothing is lost, and every pass over the topic writes as
// many minutes as there is room for; Status says so.
type Stage struct {
	cfg     Config
	known   generations
	runners []*runner
}

// New returns the stage. It does not connect yet.
func New(cfg Config) (*Stage, error) {
	cfg = cfg.withDefaults()
	m, err := newMetrics(cfg.Registerer)
	if err != nil {
		return nil, err
	}
	s := &Stage{cfg: cfg}
	s.Use(cfg.Generation, cfg.Routes)
	for _, store := range cfg.Stores {
		s.runners = append(s.runners, newRunner(cfg, store, &s.known, m))
	}
	return s, nil
}

// Run ships until ctx ends: then what is written is committed and the groups
// are left. A store that is stopped by a permanent error is said in the log and
// by Status at once, while the others go on; Run returns those errors, when all
// stores have ended.
func (s *Stage) Run(ctx context.Context) error {
	errs := make([]error, len(s.runners))
	var wg sync.WaitGroup
	for i, r := range s.runners {
		wg.Go(func() { errs[i] = r.run(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Status is how far a store is.
type Status struct {
	Store       string
	Partitions  int    // of the metrics topic that this process ships
	FinalBefore int64  // minutes before it are in the store, for all those partitions; metric.NoMinute: none known
	Lag         int64  // records not looked at yet, of those partitions
	Figures     int    // of open minutes, held
	Crowded     bool   // more are open than MaxFigures: some minutes are read again later
	Waits       uint64 // a generation that is named and not known, so that nothing becomes final; 0: none
	Samples     int64  // written since the start
	Error       error  // the last failure since the last success; nil: none
	Stopped     bool   // by that error
}

// Status returns how far every store is, in the order of the config. It may be
// called at any time.
func (s *Stage) Status() []Status {
	out := make([]Status, len(s.runners))
	for i, r := range s.runners {
		out[i] = r.status()
	}
	return out
}

// stopError is a failure that trying again cannot mend.
type stopError struct{ err error }

func (e *stopError) Error() string { return e.err.Error() }
func (e *stopError) Unwrap() error { return e.err }

func stopf(format string, args ...any) error { return &stopError{fmt.Errorf(format, args...)} }

// permanent tells whether a store says that trying again cannot help.
func permanent(err error) bool {
	var p interface{ Permanent() bool }
	return errors.As(err, &p) && p.Permanent()
}
