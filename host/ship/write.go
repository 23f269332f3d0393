package ship

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// causeRefused is the cause of a sample's dead letter.
const causeRefused = "refused by the store"

// smaller tells whether a store says that a part of a write may succeed.
func smaller(err error) bool {
	var s interface{ Smaller() bool }
	return errors.As(err, &s) && s.Smaller()
}

// write brings samples of a partition into the store: all but those that are too old
// for it, and those that it refuses. The slice is rearranged. The error is of a
// cancelled partition, or a stopError.
func (s *session) write(p *part, samples []metric.Sample) error {
	if samples = s.young(samples); len(samples) == 0 {
		return nil
	}
	return s.halves(p, samples)
}

// young leaves out samples that are older than the store takes.
func (s *session) young(samples []metric.Sample) []metric.Sample {
	if s.store.MaxAge <= 0 {
		return samples
	}
	oldest := metric.MinuteOf(s.cfg.Now().Add(-s.store.MaxAge).UnixMilli())
	rest := slices.DeleteFunc(samples, func(sample metric.Sample) bool { return sample.Minute <= oldest })
	if n := len(samples) - len(rest); n > 0 {
		s.m.tooOld.WithLabelValues(s.store.Name).Add(float64(n))
		s.log.Warn("samples are older than the store takes, and are not sent", "samples", n, "max_age", s.store.MaxAge)
	}
	return rest
}

// halves writes samples, and where the store refuses some of them, or so many, each
// half on its own.
func (s *session) halves(p *part, samples []metric.Sample) error {
	err := s.persist(p.ctx, samples)
	switch {
	case err == nil || !smaller(err):
		return err
	case len(samples) == 1:
		return s.refused(p, &samples[0], err)
	}
	half := len(samples) / 2
	if err := s.halves(p, samples[:half]); err != nil {
		return err
	}
	return s.halves(p, samples[half:])
}

// persist gives samples to the store until it takes them. The error is of a cancelled
// ctx, a stopError, or one that a smaller write may not have.
func (r *runner) persist(ctx context.Context, samples []metric.Sample) error {
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		attempt, cancel := context.WithTimeout(ctx, r.cfg.WriteTimeout)
		defer cancel()
		err := r.store.Writer.Write(attempt, samples)
		switch {
		case err != nil && permanent(err):
			return struct{}{}, backoff.Permanent(stopf("write: %w", err))
		case err != nil && smaller(err):
			return struct{}{}, backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(r.backOff()), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, next time.Duration) {
		r.m.failures.WithLabelValues(r.store.Name).Inc()
		r.failed(fmt.Errorf("write: %w", err), false)
		r.log.Warn("the store did not take samples: tried again", "samples", len(samples), "error", err, "in", next)
	}))
	if err != nil {
		return err
	}
	r.m.samples.WithLabelValues(r.store.Name).Add(float64(len(samples)))
	r.mu.Lock()
	r.state.Samples += int64(len(samples))
	r.state.Error = nil
	r.mu.Unlock()
	return nil
}

// refused makes a dead letter of a sample: its value is the sample as replay writes
// figures, its source what is shipped.
func (s *session) refused(p *part, sample *metric.Sample, cause error) error {
	letter := kafka.DeadLetter{
		Cause: causeRefused, Detail: fmt.Sprintf("store %s: %v", s.store.Name, cause), Tenant: sample.Series.Tenant,
		Topic: s.cfg.Topic, Partition: p.partition, Offset: p.shipper.Safe().Offset, Value: metric.AppendSampleJSON(nil, sample),
	}
	s.m.refused.WithLabelValues(s.store.Name).Inc()
	s.log.Error("the store refuses a sample: it goes to the dead letters", "sample", string(letter.Value), "error", cause)
	if err := s.asker.ProduceSync(p.ctx, letter.Record(s.cfg.DeadLetters.Name, s.cfg.DeadLetters.Partitions)).FirstErr(); err != nil {
		return fmt.Errorf("dead letter of a sample that store %s refuses: %w", s.store.Name, err)
	}
	return nil
}
