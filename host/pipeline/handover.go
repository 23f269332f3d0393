package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seed-6a2d649b/pharos/host/session"
	"github.com/seed-6a2d649b/pharos/host/snapshot"
)

// handed are the topics that routes have left and whose sessions are all handed
// over: nobody reads or writes them any more.
type handed struct {
	mu     sync.Mutex
	topics map[string]bool
}

func (h *handed) is(topic string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.topics[topic]
}

func (h *handed) add(topic string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.topics == nil {
		h.topics = map[string]bool{}
	}
	h.topics[topic] = true
}

// handedOver tells whether the topic that a route has left is handed over. Where it
// finds all hand-overs it leaves a mark: that it was so holds for ever, and the
// hand-overs may be deleted one day.
func (j *journal) handedOver(ctx context.Context, store *snapshot.Store, r *route) (bool, error) {
	mark := fmt.Sprintf("moved/%s/%s/%s", r.Name, r.Replaces.Topic, j.id(r.Since))
	if marked, err := store.Marked(ctx, mark); marked || err != nil {
		return marked, err
	}
	done, err := session.HandedOver(ctx, store, r.Name, *r.Replaces.sessionTopic())
	if !done || err != nil {
		return false, err
	}
	if err := store.Mark(ctx, mark); err != nil {
		return false, err // nobody is to go on whom a restart would bring back
	}
	return true, nil
}

// lookAtHandovers looks which routes have moved whole since the last look. It gives
// how many have not.
func (h *host) lookAtHandovers(ctx context.Context) (left int, err error) {
	g := h.gens.inForce()
	found := false
	for i := range g.routes {
		r := &g.routes[i]
		if r.Replaces == nil || h.handed.is(r.Replaces.Topic) {
			continue
		}
		ok, lookErr := h.gens.journal.handedOver(ctx, h.gens.files.store, r)
		if err = errors.Join(err, lookErr); !ok {
			left++
			continue
		}
		h.handed.add(r.Replaces.Topic)
		h.log.Info("a route has moved to its new topic", "route", r.Name, "from", r.Replaces.Topic, "to", r.Topic, "partitions", r.Partitions)
		found = true
	}
	if found {
		h.topicsChanged()
		if h.dispatch != nil { // new source partitions need not say their end there any more
			core, coreErr := h.core(g)
			if err = errors.Join(err, coreErr); coreErr == nil {
				h.dispatch.Use(core)
			}
		}
	}
	return left, err
}

// How often a route that moves is looked at, and how long a look may take.
const (
	handoverEvery   = time.Second
	handoverTimeout = 10 * time.Second
)

// watchHandovers looks at routes that move until ctx ends.
func (h *host) watchHandovers(ctx context.Context) error {
	tick := time.NewTicker(handoverEvery)
	defer tick.Stop()
	said := ""
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := h.lookWithin(ctx)
		if err == nil || ctx.Err() != nil {
			said = ""
		} else if text := err.Error(); text != said {
			said = text
			h.log.Warn("a route moves to a new topic, and how far it is can not be seen", "error", err)
		}
	}
}

// lookWithin is a look that holds nothing up for long.
func (h *host) lookWithin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, handoverTimeout)
	defer cancel()
	h.adopting.Lock() // or the generation that is taken meanwhile would not know
	defer h.adopting.Unlock()
	_, err := h.lookAtHandovers(ctx)
	return err
}

// moving says which routes are on their way to a new topic.
func (h *host) moving() (text string) {
	for _, r := range h.gens.inForce().routes {
		if r.Replaces != nil && !h.handed.is(r.Replaces.Topic) {
			if text != "" {
				text += "; "
			}
			text += fmt.Sprintf("route %s moves from %s to %s", r.Name, r.Replaces.Topic, r.Topic)
		}
	}
	return text
}
