package pipeline

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/dispatch"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/lines"
	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/host/session"
)

// ReplayOptions say what to replay and where the figures go.
type ReplayOptions struct {
	Inputs       []Input
	Out, Summary string // files; "" is Stdout and Stderr
	Now          time.Time
	Stdin        io.Reader
	Stdout       io.Writer
	Stderr       io.Writer
	Progress     func(format string, args ...any)
	Log          hclog.Logger
}

// Replay runs files through dispatch and session to their end, then writes every
// figure, which all are final.
func Replay(ctx context.Context, cfg *config.Config, o ReplayOptions) (err error) {
	g, err := Build(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.Close(context.WithoutCancel(ctx))) }()
	for _, in := range o.Inputs {
		if err := g.checkInput(in); err != nil {
			return err
		}
	}
	r, err := newReplay(g, o)
	if err != nil {
		return err
	}
	for _, in := range o.Inputs {
		if err := r.file(ctx, in); err != nil {
			return err
		}
	}
	if err := r.finish(ctx); err != nil {
		return err
	}
	if r.shown {
		o.Progress("%d beacons, %d figures\n", r.offset, r.totals.Len())
	}
	return r.write()
}

// checkInput tells whether an input names a source of the config and a file.
func (g *Generation) checkInput(in Input) error {
	var names []string
	for _, s := range g.sources {
		names = append(names, s.Name)
	}
	switch found := g.sourceByName(in.Source) != nil; {
	case !found && in.Source == "":
		return usagef("--in %s: the config has the sources %v: say which one with SOURCE=%s", in.Path, names, in.Path)
	case !found:
		return usagef("--in: the config has no source %q, only %v", in.Source, names)
	case in.Path == "-":
		return nil
	}
	if _, err := os.Stat(in.Path); err != nil {
		return usagef("--in: %w", err)
	}
	return nil
}

// replay is a pipeline without Kafka: one source partition, the route partitions
// in memory.
type replay struct {
	g          *Generation
	o          ReplayOptions
	core       *dispatch.Core
	partitions map[string][]*routed // by route
	offset     int64                // of the next beacon, over all files
	watermark  int64
	totals     metric.Totals
	counts     metric.Counts
	out        session.Output
	header     beacon.Header
	fates      *fates    // of the beacons; nil: nobody asks
	next       time.Time // of progress
	shown      bool
}

// routed is a route partition and what dispatch has routed to it in this batch.
type routed struct {
	*session.Partition
	offset  int64
	records []session.Record
}

// replayBatch bounds a batch in beacons and bytes.
const (
	replayBatch      = 4096
	replayBatchBytes = 8 << 20
)

func newReplay(g *Generation, o ReplayOptions) (*replay, error) {
	cfg, err := g.sessionConfig(true)
	if err != nil {
		return nil, err
	}
	core, err := dispatch.NewCore(g.dispatchConfig(nil))
	if err != nil {
		return nil, err
	}
	r := &replay{g: g, o: o, core: core, partitions: map[string][]*routed{}, watermark: metric.NoWatermark, next: time.Now().Add(2 * time.Second)}
	for name, route := range g.Config.Dispatch.Routes.All() {
		for p := range route.Partitions {
			r.partitions[name] = append(r.partitions[name], &routed{Partition: session.NewPartition(cfg, name, p)})
		}
	}
	return r, nil
}

// file replays one file.
func (r *replay) file(ctx context.Context, in Input) (err error) {
	l, err := lines.Open(in.Path, r.o.Stdin)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	source := r.g.sourceByName(in.Source)
	batch, size := make([]dispatch.Raw, 0, replayBatch), 0
	for {
		line, err := l.Next()
		end := errors.Is(err, io.EOF)
		if err != nil && !end {
			return err
		}
		if !end {
			batch = append(batch, dispatch.Raw{Offset: r.offset, Value: append([]byte(nil), line...)})
			size += len(line)
			r.offset++
		}
		if end || len(batch) == replayBatch || size >= replayBatchBytes {
			if err := r.batch(ctx, source, batch); err != nil {
				return err
			}
			batch, size = batch[:0], 0
			r.progress(l)
		}
		if end {
			return nil
		}
	}
}

// batch dispatches beacons, then has each route partition take its share.
func (r *replay) batch(ctx context.Context, source *beacon.Source, batch []dispatch.Raw) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p := dispatch.Source{Topic: source.Topic, Watermark: r.watermark}
	if err := r.core.Process(ctx, &p, batch, r.o.Now.UnixMilli(), r); err != nil {
		return err
	}
	r.watermark = p.Watermark
	for _, partitions := range r.partitions {
		for _, to := range partitions {
			if err := to.Process(ctx, to.records, &r.out); err != nil {
				return err
			}
			clear(to.records)
			to.records = to.records[:0]
		}
	}
	r.sum()
	return nil
}

// finish ends all sessions: nothing more comes.
func (r *replay) finish(ctx context.Context) error {
	for _, partitions := range r.partitions {
		for _, of := range partitions {
			if err := of.Finish(ctx, &r.out); err != nil {
				return err
			}
		}
	}
	r.sum()
	return nil
}

// sum adds up what was booked.
func (r *replay) sum() {
	for _, d := range r.out.Deltas {
		r.totals.Add(d)
	}
	for _, c := range r.out.Counts {
		r.counts.Add(c)
	}
	if r.fates != nil {
		for i := range r.out.DeadLetters {
			r.fates.letter(&r.out.DeadLetters[i])
		}
	}
	r.out.Reset()
}

// Route takes a beacon that dispatch routes.
func (r *replay) Route(route string, partition int32, _, header, value []byte) {
	to := r.partitions[route][partition]
	if err := r.header.Parse(header); err != nil { // the same topic as before: no garbage
		panic(fmt.Sprintf("dispatch wrote a header that cannot be read: %v", err))
	}
	to.records = append(to.records, session.Record{Offset: to.offset, Header: r.header, Value: value})
	to.offset++
	if r.fates != nil {
		r.fates.routed(r.header.Offset, route)
	}
}

// DeadLetter takes a dead letter; a replay only counts them.
func (r *replay) DeadLetter(d kafka.DeadLetter) {
	if r.fates != nil {
		r.fates.letter(&d)
	}
}

// Count takes a count.
func (r *replay) Count(c metric.Count) { r.counts.Add(c) }

func (r *replay) progress(l *lines.Reader) {
	if time.Now().Before(r.next) {
		return
	}
	r.next = time.Now().Add(2 * time.Second)
	r.shown = true
	if l.Size > 0 {
		r.o.Progress("%s: %d %%, %d beacons", l.Path, 100*l.Read/l.Size, r.offset)
		return
	}
	r.o.Progress("%s: %d beacons", l.Path, r.offset)
}

// write writes the figures and the summary.
func (r *replay) write() error {
	err := toFile(r.o.Out, r.o.Stdout, func(w *bufio.Writer) error {
		var line []byte
		var failed error
		r.totals.Each(func(s *metric.Series, minute int64, f metric.Figure) {
			if failed == nil {
				line = append(metric.AppendFigureJSON(line[:0], s, minute, f), '\n')
				_, failed = w.Write(line)
			}
		})
		return failed
	})
	if err != nil {
		return err
	}
	summary, err := r.summary()
	if err != nil {
		return err
	}
	r.warn()
	return toFile(r.o.Summary, r.o.Stderr, func(w *bufio.Writer) error {
		_, err := w.Write(append(summary.JSON(), '\n'))
		return err
	})
}

// summary is what became of the beacons of a replay.
func (r *replay) summary() (*metric.Summary, error) {
	summary := r.counts.Summary(r.g.tenants())
	if err := summary.Conserved(); err != nil {
		return nil, fmt.Errorf("beacons were lost or doubled, which is a fault of Pharos: %w", err)
	}
	return summary, nil
}

// warn says what the summary has no place for.
func (r *replay) warn() {
	for _, c := range r.counts.All() {
		switch c.Outcome {
		case metric.OtherDimension:
			r.o.Log.Warn("values beyond the limit were counted as _other", "tenant", c.Tenant, "of", c.Reason, "beacons", c.N)
		case metric.UnknownVariant:
			r.o.Log.Warn("assignments to variants that the experiment does not have", "tenant", c.Tenant, "count", c.N)
		case metric.PluginError:
			r.o.Log.Warn("the extractor failed on beacons, which count without measurements", "tenant", c.Tenant, "plugin", c.Reason, "beacons", c.N)
		}
	}
}

// toFile writes a file whole or not at all. Without a path, or with "-", it writes
// to out; what is there and is no plain file (a pipe, a device, a link) is
// written to as it is.
func toFile(path string, out io.Writer, write func(*bufio.Writer) error) error {
	switch path {
	case "", "-":
		return buffered(out, write)
	case "/dev/stdout": // opened anew, a file behind it would be written from its start
		return buffered(os.Stdout, write)
	case "/dev/stderr":
		return buffered(os.Stderr, write)
	}
	into := path + ".tmp"
	info, err := os.Lstat(path)
	if plain := err != nil || info.Mode().IsRegular(); !plain {
		into = path
	}
	f, err := os.OpenFile(into, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return fmt.Errorf("create the output: %w", err)
	}
	err = errors.Join(buffered(f, write), f.Close())
	if into != path {
		if err == nil {
			err = os.Rename(into, path)
		}
		if err != nil {
			err = errors.Join(err, os.Remove(into))
		}
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func buffered(out io.Writer, write func(*bufio.Writer) error) error {
	w := bufio.NewWriterSize(out, 256<<10)
	if err := write(w); err != nil {
		return err
	}
	return w.Flush()
}
