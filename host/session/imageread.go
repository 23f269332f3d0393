package session

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/seed-6a2d649b/pharos/host/snapshot"
)

// imageReader reads an image, and remembers what is not the image's fault.
type imageReader struct {
	r       *recovery
	ctx     context.Context
	from    io.Reader
	n       int64
	size    int64
	failed  error // of reading; io.EOF is none
	lacking error // of a generation
}

func (i *imageReader) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		i.failed = err
		return 0, err
	}
	n, err := i.from.Read(p)
	if i.n += int64(n); err != nil && err != io.EOF {
		i.failed = err
	}
	return n, err
}

// configs gives the generations that an image names.
func (i *imageReader) configs(generation uint64) (*Config, error) {
	cfg, err := i.r.stage.generation(i.ctx, generation)
	if err != nil {
		i.lacking = err
	}
	return cfg, err
}

// open makes a partition of a snapshot; errUnusable if it cannot be read, now or
// ever.
func (r *recovery) open(ctx context.Context, info snapshot.Info) (core *Partition, err error) {
	err = r.read(ctx, info, func(in *imageReader) error {
		core, err = Restore(in, r.route, r.Partition, in.configs)
		return err
	})
	return core, err
}

// read gives an image to use, and sees to it that it was read whole. What is
// wrong with the image itself is errUnusable; any other error may go by.
func (r *recovery) read(ctx context.Context, info snapshot.Info, use func(*imageReader) error) error {
	r.say("reads the snapshot of", info.Offset, r.Committed)
	object, err := r.stage.cfg.Snapshots.Open(ctx, info)
	if errors.Is(err, snapshot.ErrBroken) || errors.Is(err, snapshot.ErrVersion) {
		return fmt.Errorf("%w: %w", errUnusable, err)
	} else if err != nil {
		return err
	}
	defer object.Close()
	in := &imageReader{r: r, ctx: ctx, from: object, size: info.Size}
	err = use(in)
	if err == nil {
		var rest int64
		if rest, err = io.Copy(io.Discard, in); err == nil && rest > 0 {
			err = fmt.Errorf("%d bytes too many", rest)
		}
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case in.lacking != nil:
		return in.lacking
	case in.failed != nil && !errors.Is(in.failed, snapshot.ErrBroken) && !errors.Is(in.failed, snapshot.ErrVersion):
		return in.failed
	}
	return fmt.Errorf("%w: %w", errUnusable, err)
}
