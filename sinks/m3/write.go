package m3

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/sinks"
	"github.com/seed-6a2d649b/pharos/sinks/remote"
)

const writePath = "/api/v1/prom/remote/write"

// Write stores samples. Where the coordinator refuses some it has taken the others.
//
// A node indexes a series after it has answered, anew in each block of its index, and may
// lose what came meanwhile: samples of a series in a block in which this process has not
// written it before are read back, and written again as long as they are not found.
func (s *Store) Write(ctx context.Context, samples []metric.Sample) error {
	if err := remote.Write(ctx, s.client, writePath, samples); err != nil {
		return err
	}
	fresh := s.seen.without(samples)
	if len(fresh) == 0 {
		return nil
	}
	if err := s.settle(ctx, fresh); err != nil {
		return err
	}
	s.seen.add(fresh)
	return nil
}

// settle reads samples back until all are there, or ctx ends.
func (s *Store) settle(ctx context.Context, samples []metric.Sample) error {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = 50*time.Millisecond, 2*time.Second
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		missing, err := s.missing(ctx, samples)
		if err != nil || len(missing) == 0 {
			return struct{}{}, err
		}
		if err := remote.Write(ctx, s.client, writePath, missing); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, fmt.Errorf("%d of %d samples of new series are not there yet", len(missing), len(samples))
	}, backoff.WithBackOff(wait), backoff.WithMaxElapsedTime(0))
	if err != nil {
		return sinks.Again("write", 0, "reading back what was written: "+err.Error())
	}
	return nil
}

// place is where a value is.
type place struct {
	series, stat string
	minute       int64
}

// missing gives the samples of which some value cannot be read.
func (s *Store) missing(ctx context.Context, samples []metric.Sample) (missing []metric.Sample, err error) {
	found := map[place]bool{}
	for _, sel := range selectors(samples) {
		err := s.Read(ctx, sel, func(series *metric.Series, stat string, minute int64, _ float64) error {
			found[place{string(series.AppendKey(nil)), stat, minute}] = true
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	for i := range samples {
		key := string(samples[i].Series.AppendKey(nil))
		if slices.ContainsFunc(metric.Stats, func(stat string) bool { return !found[place{key, stat, samples[i].Minute}] }) {
			missing = append(missing, samples[i])
		}
	}
	return missing, nil
}

// within is a tenant's part of a block.
type within struct {
	tenant string
	block  int64
}

// selectors take all of some samples, and few others: one a tenant and block, since a
// series that is found in one block may not be in the next.
func selectors(samples []metric.Sample) []metric.Selector {
	of := map[within]*metric.Selector{}
	for i := range samples {
		series, minute := samples[i].Series, samples[i].Minute
		at := within{series.Tenant, minute / block}
		sel := of[at]
		if sel == nil {
			sel = &metric.Selector{Tenant: series.Tenant, From: minute, To: minute + 1}
			of[at] = sel
		}
		sel.From, sel.To = min(sel.From, minute), max(sel.To, minute+1)
		if !slices.Contains(sel.Experiments, series.Experiment) {
			sel.Experiments = append(sel.Experiments, series.Experiment)
		}
		if !slices.Contains(sel.Points, series.Point) {
			sel.Points = append(sel.Points, series.Point)
		}
	}
	var out []metric.Selector
	for _, sel := range of {
		out = append(out, *sel)
	}
	return out
}

// block is how many minutes a block of a node's index has, at least.
const block = 12 * 60

// indexed names a series in a block.
func indexed(s *metric.Sample) uint64 {
	return s.Series.Hash() ^ uint64(s.Minute/block)*0x9e3779b97f4a7c15
}

// maxSeen bounds the series that are remembered: beyond it all are forgotten, and read
// back once more.
const maxSeen = 4_000_000

// seen are series that were written and read back, each in a block, by their hashes.
type seen struct {
	mu  sync.Mutex
	all map[uint64]struct{}
}

// without gives the samples of others.
func (s *seen) without(samples []metric.Sample) (fresh []metric.Sample) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range samples {
		if _, ok := s.all[indexed(&samples[i])]; !ok {
			fresh = append(fresh, samples[i])
		}
	}
	return fresh
}

func (s *seen) add(samples []metric.Sample) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil || len(s.all) > maxSeen {
		s.all = map[uint64]struct{}{}
	}
	for i := range samples {
		s.all[indexed(&samples[i])] = struct{}{}
	}
}
