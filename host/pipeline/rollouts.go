package pipeline

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed-6a2d649b/pharos/abi"
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
		s.Canary = &rollout.CanarySettings{Share: rollout.Share(c.Share), By: canaryField(c.By), For: c.For, MaxTraps: rollout.Share(c.MaxTraps), MinRows: c.MinRows}
	}
	return s
}

// canaryField is the field by which a canary has its share; empty: the session.
func canaryField(by string) string {
	if by == "session" {
		return ""
	}
	return by
}

// follow fills in the rollouts of a record that follows another, nil: none, and
// says what changes. kinds are those of its plugins.
func (r *generationRecord) follow(before *generationRecord, kinds map[string]abi.Kind) ([]change, error) {
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
			r.Rollouts[name] = rollout.First(spec, kinds[name], at)
			continue
		}
		had := pluginSpec(was, name, was.Plugins.Get(name))
		state, known := before.Rollouts[name]
		if !known {
			state = rollout.First(had, "", rollout.Moment{Generation: before.Number, Time: time.UnixMilli(before.Time), By: before.Host})
		}
		next := state.Follow(had, spec, kinds[name], rolloutSettings(p), at)
		r.Rollouts[name] = next
		if next.Kind != state.Kind && state.Kind != "" {
			changes = append(changes, change{Path: "kind of " + name, Before: string(state.Kind), After: string(next.Kind)})
		}
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
	spec.Data, spec.Lists = maps.Clone(spec.Data), maps.Clone(spec.Lists)
	for data, name := range spec.Data {
		if spec.Data[data], err = local(name); err != nil {
			return spec, fmt.Errorf("data %s: %w", data, err)
		}
	}
	for list, name := range spec.Lists {
		if spec.Lists[list], err = local(name); err != nil {
			return spec, fmt.Errorf("list %s: %w", list, err)
		}
	}
	return spec, nil
}
