package pipeline

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

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
	g.Go(func() error { return h.watchHandovers(ctx) })
	return g.Wait()
}

// reloadAsTold is a reload whose outcome nobody waits for.
func (h *host) reloadAsTold(ctx context.Context) {
	answer, err := h.reload(ctx, false)
	switch {
	case err != nil:
		h.log.Error("the config file is not taken, the generation before goes on", "error", err)
	case !answer.Published:
		h.log.Info("the config file says what the group runs already", "generation", answer.Generation)
	}
}

// loops runs a role's loop, anew where its topics become others.
func (h *host) loops(ctx context.Context, r Role, stage kafka.Stage, topics func() []string) error {
	for ctx.Err() == nil {
		names := topics()
		loopCtx, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { ended <- h.loop(r, names, stage).Run(loopCtx) }()
		err, again := h.watch(ended, stop, h.changed[r], func() bool { return !slices.Equal(topics(), names) })
		stop()
		if err != nil || !again {
			return err
		}
	}
	return nil
}

// watch waits for a loop to end, and ends it once it is to read other topics.
func (h *host) watch(ended <-chan error, stop context.CancelFunc, changed <-chan struct{}, other func() bool) (err error, again bool) {
	for {
		select {
		case err := <-ended:
			return err, again
		case <-changed:
			if !again && other() {
				again = true
				stop()
			}
		}
	}
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
