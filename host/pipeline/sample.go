package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/dispatch"
	"github.com/seed-6a2d649b/pharos/host/lines"
)

// sample are raw beacons in memory, in the order in which they came.
type sample struct {
	values  [][]byte
	sources []int32 // by beacon: number of its source
	size    int64   // of the values
	max     int     // beacons
	full    string  // why there are no more; empty: there were no more
}

// sampleBytes bounds the beacons of a sample in memory.
const sampleBytes = 512 << 20

// add takes a beacon, which must not change any more, and tells whether there is
// room for another.
func (s *sample) add(source int32, value []byte) bool {
	s.values, s.sources = append(s.values, value), append(s.sources, source)
	s.size += int64(len(value))
	s.bound(len(s.values))
	return s.full == ""
}

// bound says whether a sample of so many beacons is full.
func (s *sample) bound(beacons int) {
	switch {
	case beacons >= s.max:
		s.full = fmt.Sprintf("the sample ends at %d beacons: --max takes more", s.max)
	case s.size >= sampleBytes:
		s.full = fmt.Sprintf("the sample ends at %d MiB, after %d beacons: that is as much as is kept in memory", sampleBytes>>20, beacons)
	}
}

// only is the sample without those beacons that keep does not say.
func (s *sample) only(keep []bool) *sample {
	some := &sample{max: s.max, full: s.full}
	for i, is := range keep {
		if is {
			some.values, some.sources = append(some.values, s.values[i]), append(some.sources, s.sources[i])
			some.size += int64(len(s.values[i]))
		}
	}
	return some
}

// files reads beacons of files. One more than there is room for is read, so that a
// sample that just fits does not end early.
func (s *sample) files(ctx context.Context, g *Generation, inputs []Input, stdin io.Reader, p *pace) error {
	for _, in := range inputs {
		if err := s.file(ctx, g, in, stdin, p); err != nil {
			return err
		}
		if s.full != "" {
			break
		}
	}
	return nil
}

func (s *sample) file(ctx context.Context, g *Generation, in Input, stdin io.Reader, p *pace) (err error) {
	l, err := lines.Open(in.Path, stdin)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	source := g.sourceNumber(in.Source)
	for {
		line, err := l.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !s.add(source, bytes.Clone(line)) {
			if _, err := l.Next(); errors.Is(err, io.EOF) {
				s.full = "" // nothing is left out of this file
			}
			return nil
		}
		if len(s.values)%replayBatch == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			p.say("%s: read %d beacons", in.Path, len(s.values))
		}
	}
}

// sourceNumber is the number of a source that there is.
func (g *Generation) sourceNumber(name string) int32 {
	for i, s := range g.sources {
		if s == g.sourceByName(name) {
			return int32(i)
		}
	}
	panic("pipeline: a source that there is not")
}

// replay replays the sample under a generation and gives what came of it.
func (s *sample) replay(ctx context.Context, g *Generation, o ReplayOptions, p *pace) (*replay, error) {
	r, err := newReplay(g, o)
	if err != nil {
		return nil, err
	}
	r.fates = newFates(len(s.values))
	batch := make([]dispatch.Raw, 0, replayBatch)
	for i := range s.values {
		batch = append(batch, dispatch.Raw{Offset: int64(i), Value: s.values[i]})
		if next := i + 1; next < len(s.values) && len(batch) < replayBatch && s.sources[next] == s.sources[i] {
			continue
		}
		if err := r.batch(ctx, s.source(g, i), batch); err != nil {
			return nil, err
		}
		batch = batch[:0]
		p.say("replayed %d of %d beacons", i+1, len(s.values))
	}
	if err := r.finish(ctx); err != nil {
		return nil, err
	}
	for _, partitions := range r.partitions {
		for _, one := range partitions {
			if err := one.Close(); err != nil {
				return nil, err
			}
		}
	}
	r.partitions = map[string][]*routed{}
	return r, nil
}

func (s *sample) source(g *Generation, i int) *beacon.Source { return g.sources[s.sources[i]] }
