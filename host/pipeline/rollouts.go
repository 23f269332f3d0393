package pipeline

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/plugin"
	"github.com/seed-6a2d649b/pharos/host/rollout"
)

// rolloutSettings says a config's shadow, canary and breaker in the words of package
// rollout.
func rolloutSettings(p *config.Plugin) rollout.Settings {
	b := p.Breaker
	s := rollout.Settings{Breaker: rollout.BreakerSettings{Traps: rollout.Share(b.Traps), Rows: b.Rows, Backoff: b.Backoff, MaxBackoff: b.MaxBackoff}}
	if p.Shadow != nil {
		s.Shadow = &rollout.ShadowSettings{For: p.Shadow.For, MaxDiff: rollout.Share(p.Shadow.MaxDiff), MinRows: p.Shadow.MinRows}
	}
	if c := p.Canary; c != nil {
		s.Canary = &rollout.CanarySettings{Share: rollout.Share(c.Share), For: c.For, MaxTraps: rollout.Share(c.MaxTraps), MinRows: c.MinRows}
	}
	return s
}

// follow fills in the rollouts of a record that follows another, nil: none, and
// says what changes.
func (r *generationRecord) follow(before *generationRecord) ([]change, error) {
	cfg, err := r.parse("")
	if err != nil {
		return nil, err
	}
	at := rollout.Moment{Generation: r.Number, Time: time.UnixMilli(r.Time), By: r.Host}
	r.Rollouts = map[string]rollout.State{}
	var was *config.Config
	if before != nil {
		if was, err = before.parse(""); err != nil {
			return nil, err
		}
	}
	var changes []change
	for name, p := range cfg.Plugins.All() {
		spec := pluginSpec(cfg, name, p)
		if was == nil || was.Plugins.Get(name) == nil {
			r.Rollouts[name] = rollout.First(spec, at)
			continue
		}
		had := pluginSpec(was, name, was.Plugins.Get(name))
		state, known := before.Rollouts[name]
		if !known {
			state = rollout.First(had, rollout.Moment{Generation: before.Number, Time: time.UnixMilli(before.Time), By: before.Host})
		}
		next := state.Follow(had, spec, rolloutSettings(p), at)
		r.Rollouts[name] = next
		if next.Generation == r.Number && (next.Phase != rollout.Live || state.Phase != rollout.Live) {
			changes = append(changes, change{Path: "rollout of " + name, Before: string(state.Phase), After: string(next.Phase)})
		}
	}
	return changes, nil
}

// rolledOut is the generation that follows r with plugins in other states.
func (r *generationRecord) rolledOut(states map[string]rollout.State, at rollout.Moment) *generationRecord {
	next := *r
	next.ID, next.Number, next.Parent, next.Host, next.Time = rand.Text(), at.Generation, r.Number, at.By, at.Time.UnixMilli()
	next.Rollouts = maps.Clone(r.Rollouts)
	if next.Rollouts == nil {
		next.Rollouts = map[string]rollout.State{}
	}
	maps.Copy(next.Rollouts, states)
	return &next
}

// rolling is what a record says of a plugin, as this host needs it.
type rolling struct {
	state rollout.State
	old   plugin.Spec // its files are below the data directory
	watch *rollout.Watch
}

// rolling sees to it that the versions before that a generation calls can be loaded.
func (g *generations) rolling(ctx context.Context, r *generationRecord) (map[string]rolling, error) {
	all := map[string]rolling{}
	for name, state := range r.Rollouts {
		one := rolling{state: state, watch: g.watches.of(name, state)}
		if state.NeedsOld() {
			var err error
			if one.old, err = g.files.locate(ctx, state.Old); err != nil {
				return nil, fmt.Errorf("plugin %s: the version before: %w", name, err)
			}
		}
		all[name] = one
	}
	return all, nil
}

// locate is a version with its files below the data directory.
func (f *files) locate(ctx context.Context, packed *plugin.Spec) (plugin.Spec, error) {
	if packed == nil {
		return plugin.Spec{}, errors.New("the generation does not say which it is")
	}
	spec := *packed
	local := func(name string) (string, error) {
		path := filepath.Join(f.dir, strings.TrimPrefix(name, "file://"))
		return path, f.local(ctx, path)
	}
	var err error
	for what, name := range map[string]*string{"module": &spec.Module, "golden": &spec.Golden, "signature": &spec.Signature} {
		if *name == "" {
			continue
		}
		if *name, err = local(*name); err != nil {
			return spec, fmt.Errorf("%s: %w", what, err)
		}
	}
	spec.Data = maps.Clone(spec.Data)
	for data, name := range spec.Data {
		if spec.Data[data], err = local(name); err != nil {
			return spec, fmt.Errorf("data %s: %w", data, err)
		}
	}
	return spec, nil
}

// watches are what this host has seen of plugins, in the phases of generations that
// it may still need.
type watches struct {
	log hclog.Logger

	mu  sync.Mutex
	all map[phaseOf]*phaseWatch
}

// phaseOf is a phase of a plugin: the generation that began it names it.
type phaseOf struct {
	plugin     string
	generation uint64
}

type phaseWatch struct {
	*rollout.Watch
	state rollout.State
}

// of gives the watch of a plugin's phase. What a shadow has compared is kept through
// the phases that follow it.
func (w *watches) of(name string, s rollout.State) *rollout.Watch {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := phaseOf{name, s.Generation}
	if known := w.all[key]; known != nil {
		return known.Watch
	}
	var compared *rollout.Comparison
	latest := uint64(0)
	for other, before := range w.all {
		if other.plugin == name && before.state.New == s.New && s.Phase != rollout.Shadow && other.generation < s.Generation && other.generation >= latest {
			compared, latest = before.Comparison(), other.generation
		}
	}
	if w.all == nil {
		w.all = map[phaseOf]*phaseWatch{}
	}
	w.all[key] = &phaseWatch{rollout.NewWatch(name, compared, w.log), s}
	return w.all[key].Watch
}

// activate makes a generation's phases those that are watched. Earlier ones are let
// go of.
func (w *watches) activate(g *Generation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, one := range w.all {
		p := g.plugins[key.plugin]
		yes := p != nil && p.State().Generation == key.generation
		one.Activate(yes)
		if !yes && key.generation <= g.Number {
			delete(w.all, key)
		}
	}
}

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
	at := rollout.Moment{Generation: g.Number + 1, Time: time.Now(), By: h.id}
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
	if err := h.gens.journal.publish(ctx, current.rolledOut(states, at)); err != nil {
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
