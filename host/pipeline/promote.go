package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
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

// AskPhase has a running host promote a plugin or roll it back, which the action says.
func AskPhase(ctx context.Context, addr, name, action string) (*PhaseAnswer, error) {
	var answer PhaseAnswer
	return &answer, askHost(ctx, http.MethodPost, addr, &answer, "-", "plugins", name, action)
}

// AskDiff asks a running host how the versions of a plugin differ.
func AskDiff(ctx context.Context, addr, name string) (*rollout.Report, error) {
	var report rollout.Report
	return &report, askHost(ctx, http.MethodGet, addr, &report, "api", "v1", "plugins", name, "diff")
}

// maxAnswer bounds an answer of a host.
const maxAnswer = 16 << 20

// askHost asks a running host for an answer in JSON.
func askHost(ctx context.Context, method, addr string, answer any, path ...string) error {
	for i := range path {
		path[i] = url.PathEscape(path[i])
	}
	target, err := url.JoinPath(addr, path...)
	if err != nil {
		return usagef("--addr: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, method, target, nil)
	if err != nil {
		return usagef("--addr: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("%w (is a host running? Name its address with --addr, or its config with -c)", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", addr, err)
	}
	text := strings.TrimSpace(string(body))
	var said struct{ Error, Hint string }
	if json.Unmarshal(body, &said) == nil && said.Error != "" {
		text = said.Error + " (" + said.Hint + ")"
	}
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return usagef("%s", text)
	default:
		return errors.New(text)
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return fmt.Errorf("read the answer of %s: %w", addr, err)
	}
	return nil
}
