package pipeline

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/dispatch"
	"github.com/seed-6a2d649b/pharos/host/lines"
	"github.com/seed-6a2d649b/pharos/host/rollout"
)

// Change is where a replay goes over to another generation: dispatch, or all
// route partitions.
type Change struct {
	At       int64 // beacons of the input before it
	Dispatch bool
	Config   *config.Config
	// Phase is that of all plugins, beside their versions in Before.
	Phase  rollout.Phase
	Before *config.Config
}

// rollouts are the states of the config's plugins, watched as those of a generation in
// force are.
func (c *Change) rollouts(number uint64) map[string]rolling {
	if c.Before == nil {
		return nil
	}
	all := map[string]rolling{}
	for name, p := range c.Config.Plugins.All() {
		old := pluginSpec(c.Before, name, c.Before.Plugins.Get(name))
		one := rolling{state: rollout.First(pluginSpec(c.Config, name, p), "", rollout.Moment{Generation: number}), old: old}
		one.state.Phase, one.state.Old = c.Phase, &old
		one.watch = rollout.NewWatch(name, nil, hclog.NewNullLogger())
		one.watch.Activate(time.Now())
		all[name] = one
	}
	return all
}

// ReplayChanges is Replay in batches of a size, with changes in the order of
// their places. A config, or a phase, of which it hears anew is the next generation.
func ReplayChanges(ctx context.Context, cfg *config.Config, changes []Change, size int, o ReplayOptions) (err error) {
	s, err := newShelf(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	type named struct {
		config *config.Config
		phase  rollout.Phase
	}
	known := map[named]*Generation{}
	generation := func(c *Change) (*Generation, error) {
		name := named{c.Config, c.Phase}
		if known[name] == nil {
			number := uint64(len(known) + 1)
			g, err := build(ctx, c.Config, buildOptions{number: number, routes: firstRoutes(c.Config), shelf: s, rollouts: c.rollouts(number)})
			if err != nil {
				return nil, err
			}
			known[name] = g
		}
		return known[name], nil
	}
	first, err := generation(&Change{Config: cfg})
	if err != nil {
		return err
	}
	r, err := newReplay(first, o)
	if err != nil {
		return err
	}
	for _, in := range o.Inputs {
		l, err := lines.Open(in.Path, nil)
		if err != nil {
			return err
		}
		source := first.sourceByName(in.Source)
		var batch []dispatch.Raw
		for err == nil {
			due := len(changes) > 0 && changes[0].At == r.offset
			if due || len(batch) == size {
				if err := r.batch(ctx, source, batch); err != nil {
					return err
				}
				batch = batch[:0]
			}
			if due {
				g, err := generation(&changes[0])
				if err != nil {
					return err
				}
				if err := r.change(g, changes[0].Dispatch); err != nil {
					return err
				}
				changes = changes[1:]
				continue
			}
			var line []byte
			if line, err = l.Next(); err == nil {
				batch = append(batch, dispatch.Raw{Offset: r.offset, Value: append([]byte(nil), line...)})
				r.offset++
			}
		}
		if !errors.Is(err, io.EOF) {
			return err
		}
		if err := errors.Join(r.batch(ctx, source, batch), l.Close()); err != nil {
			return err
		}
	}
	if err := r.finish(ctx); err != nil {
		return err
	}
	return r.write()
}

// change goes over to a generation.
func (r *replay) change(g *Generation, inDispatch bool) error {
	if inDispatch {
		core, err := dispatch.NewCore(g.dispatchConfig(func(string) bool { return true }))
		r.core = core
		return err
	}
	cfg, err := g.sessionConfig(true)
	if err != nil {
		return err
	}
	for _, partitions := range r.partitions {
		for _, p := range partitions {
			if err := p.Switch(cfg); err != nil {
				return err
			}
		}
	}
	return nil
}
