package pipeline

import (
	"context"
	"errors"
	"io"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/dispatch"
	"github.com/seed-6a2d649b/pharos/host/lines"
)

// Change is where a replay goes over to another generation: dispatch, or all
// route partitions.
type Change struct {
	At       int64 // beacons of the input before it
	Dispatch bool
	Config   *config.Config
}

// ReplayChanges is Replay in batches of a size, with changes in the order of
// their places. A config of which it hears anew is the next generation.
func ReplayChanges(ctx context.Context, cfg *config.Config, changes []Change, size int, o ReplayOptions) (err error) {
	s, err := newShelf(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	known := map[*config.Config]*Generation{}
	generation := func(cfg *config.Config) (*Generation, error) {
		if known[cfg] == nil {
			g, err := build(ctx, cfg, buildOptions{number: uint64(len(known) + 1), routes: firstRoutes(cfg), shelf: s})
			if err != nil {
				return nil, err
			}
			known[cfg] = g
		}
		return known[cfg], nil
	}
	first, err := generation(cfg)
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
				g, err := generation(changes[0].Config)
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
