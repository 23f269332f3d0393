package pipeline

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/seed-6a2d649b/pharos/host/rollout"
)

// PhaseAnswer is what became of a plugin that was promoted or rolled back by hand.
type PhaseAnswer struct {
	Generation uint64 `json:"generation"` // that was published
	Plugin     string `json:"plugin"`
	Phase      string `json:"phase"`
}

// refusal says why a plugin can not be promoted or rolled back.
type refusal struct {
	status int
	error
}

// byHand publishes a generation in which a plugin is in the state that to gives.
func (h *host) byHand(ctx context.Context, name string, to func(rollout.State, rollout.Moment) (rollout.State, error)) (*PhaseAnswer, error) {
	g := h.gens.inForce()
	p := g.plugins[name]
	if p == nil {
		return nil, refusal{http.StatusNotFound, fmt.Errorf("generation %d has no plugin %q: it has %v", g.Number, name, g.Config.Plugins.Names())}
	}
	at := rollout.Moment{Generation: g.Number + 1, Time: h.now(), By: h.id}
	next, err := to(p.State(), at)
	if err != nil {
		return nil, refusal{http.StatusConflict, err}
	}
	err = h.rollOut(ctx, g, map[string]rollout.State{name: next}, at)
	return &PhaseAnswer{at.Generation, name, string(next.Phase)}, err
}

func (h *host) servePromote(w http.ResponseWriter, r *http.Request) {
	h.serveByHand(w, r, func(s rollout.State, at rollout.Moment) (rollout.State, error) {
		next, ok := s.Promote(at)
		if !ok {
			return next, errors.New("the version that the config names is live already")
		}
		return next, nil
	})
}

func (h *host) serveRollback(w http.ResponseWriter, r *http.Request) {
	h.serveByHand(w, r, rollout.State.RollBack)
}

func (h *host) serveByHand(w http.ResponseWriter, r *http.Request, to func(rollout.State, rollout.Moment) (rollout.State, error)) {
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	answer, err := h.byHand(ctx, r.PathValue("plugin"), to)
	h.serveAnswer(w, answer, err)
}

// pluginDiff says how the versions of a plugin differ.
func (h *host) pluginDiff(name string) (report any, ok bool) {
	p := h.gens.inForce().plugins[name]
	if p == nil {
		return nil, false
	}
	return p.Report(), true
}
