package pipeline

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/kafka"
)

// adoptAgain is how often a generation is tried again that could not be loaded.
const adoptAgain = 10 * time.Second

// keepUp follows the generations of the group until ctx ends: it puts each new one
// in force, reloads when it is told to, and lets go of plugins that nothing uses
// any more.
func (h *host) keepUp(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	changed := make(chan struct{}, 1)
	g.Go(func() error {
		return h.gens.journal.follow(ctx, func() {
			select {
			case changed <- struct{}{}:
			default:
			}
		})
	})
	g.Go(func() error {
		again := time.NewTicker(adoptAgain)
		defer again.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-changed:
				_ = h.adopt(ctx) // it is in the log and in the status
			case <-again.C:
				_ = h.adopt(ctx)
			case <-h.gens.shelf.unused:
				if err := h.gens.shelf.sweep(ctx); err != nil {
					h.log.Warn("a plugin that nothing uses any more did not close well", "error", err)
				}
			}
		}
	})
	g.Go(func() error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-h.Reload:
				h.reloadAsTold(ctx)
			}
		}
	})
	g.Go(func() error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-h.adopted:
				h.compareFile(ctx)
			}
		}
	})
	if h.Watch && h.Load != nil {
		g.Go(func() error { return h.watchFiles(ctx) })
	}
	g.Go(func() error { return h.watchHandovers(ctx) })
	g.Go(func() error { return h.watchRollouts(ctx) })
	return g.Wait()
}

// reloadAsTold is a reload whose outcome nobody waits for. It tells whether it may
// go well another time, with the file as it is.
func (h *host) reloadAsTold(ctx context.Context) (again bool) {
	answer, err := h.reload(ctx, false)
	switch {
	case err != nil:
		if ctx.Err() == nil {
			h.log.Error("the config file is not taken, the generation before goes on", "error", err)
		}
	case !answer.Published:
		h.log.Info("the config file says what the group runs already", "generation", answer.Generation)
	}
	var faults config.Faults
	return err != nil && !errors.As(err, &faults)
}

// runLoop runs a role's loop, which reads what topics says.
func (h *host) runLoop(ctx context.Context, r Role, stage kafka.Stage, topics func() []string) error {
	loop := h.loop(r, topics(), stage)
	ctx, cancel := context.WithCancel(ctx)
	var beside sync.WaitGroup
	beside.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-h.changed[r]:
				loop.Read(topics())
			}
		}
	})
	defer beside.Wait()
	defer cancel()
	return loop.Run(ctx)
}

func (h *host) loop(r Role, topics []string, stage kafka.Stage) *kafka.Loop {
	return kafka.NewLoop(kafka.LoopConfig{
		Kafka: h.kafka, Group: h.group(r), TransactionalID: h.group(r) + "-" + h.id, Topics: topics, Logger: h.log.Named(string(r)),
	}, stage)
}

// group is the consumer group of a role's loop.
func (h *host) group(r Role) string { return h.cfg.Group + "-" + string(r) }

// sourceTopics are what dispatch reads.
func (h *host) sourceTopics() (topics []string) {
	for _, s := range h.gens.inForce().sources {
		topics = append(topics, s.Topic)
	}
	slices.Sort(topics)
	return topics
}

// routeTopics are what the session role reads: of a route that moves, the topic that
// it leaves, until all of that is handed over.
func (h *host) routeTopics() (topics []string) {
	for _, r := range h.gens.inForce().routes {
		if old := r.Replaces; old != nil && !h.handed.is(old.Topic) {
			topics = append(topics, old.Topic)
			continue
		}
		topics = append(topics, r.Topic)
	}
	slices.Sort(topics)
	return topics
}

// topicsChanged has the loops look whether they read what they are to read.
func (h *host) topicsChanged() {
	for _, c := range h.changed {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
