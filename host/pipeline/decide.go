package pipeline

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/seed-6a2d649b/pharos/host/rollout"
)

// decideEvery is how often a host looks whether phases of plugins have ended.
const decideEvery = 500 * time.Millisecond

// watchRollouts decides until ctx ends.
func (h *host) watchRollouts(ctx context.Context) error {
	every := time.NewTicker(decideEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
			if err := h.decide(ctx); err != nil && ctx.Err() == nil {
				h.log.Error("what is decided of a plugin could not be published: trying again", "error", err)
			}
		}
	}
}

// decide publishes what the rules say of the plugins of the generation in force. Of
// hosts that decide at a time one is first: the others see what has changed, and
// look again.
func (h *host) decide(ctx context.Context) error {
	g := h.gens.inForce()
	at := rollout.Moment{Generation: g.Number + 1, Time: h.now(), By: h.id}
	due := map[string]rollout.State{}
	for name, p := range g.plugins {
		if phase, reason, yes := p.Due(at.Time); yes {
			phase, reason = h.canFallBack(ctx, p, phase, reason)
			due[name] = p.Next(phase, reason, at)
		}
	}
	if len(due) == 0 {
		return nil
	}
	err := h.rollOut(ctx, g, due, at)
	var overtaken *overtakenError
	if errors.As(err, &overtaken) {
		return nil
	}
	return err
}

// canFallBack makes a fallback to a version that can not be loaded an end without one.
func (h *host) canFallBack(ctx context.Context, p *held, phase rollout.Phase, reason string) (rollout.Phase, string) {
	if phase != rollout.Fallback {
		return phase, reason
	}
	spec, err := h.gens.files.locate(ctx, p.State().Old)
	if err == nil {
		var old *shelved
		if old, err = h.gens.shelf.take(ctx, spec); err == nil {
			h.gens.shelf.give(old)
			return phase, reason
		}
	}
	return rollout.Out, fmt.Sprintf("%s, and the version before can not be loaded: %v", reason, err)
}

// rollOut publishes a generation in which plugins of g are in other states, and puts
// it in force.
func (h *host) rollOut(ctx context.Context, g *Generation, states map[string]rollout.State, at rollout.Moment) error {
	h.reloading.Lock()
	defer h.reloading.Unlock()
	current, err := h.gens.journal.newest()
	if err != nil {
		return err
	}
	if current.Number != g.Number {
		return &overtakenError{current}
	}
	next := current.rolledOut(states, at)
	if _, err := h.gens.load(ctx, next); err != nil { // whoever could not load it would be stuck
		return refusal{http.StatusConflict, err}
	}
	if err := h.gens.journal.publish(ctx, next); err != nil {
		return err
	}
	for name, s := range states {
		say := h.log.Info
		if s.Phase != rollout.Live && s.Phase != rollout.Canary {
			say = h.log.Warn
		}
		say("a plugin goes over to another phase", "plugin", name, "phase", s.Phase, "reason", s.Reason, "generation", at.Generation)
	}
	return h.adopt(ctx)
}
