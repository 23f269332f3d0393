package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/lines"
)

// SendOptions say what to send.
type SendOptions struct {
	Inputs   []Input
	Rate     float64 // beacons a second; 0 is as fast as possible
	Stdin    io.Reader
	Out      io.Writer
	Progress func(format string, args ...any)
	Log      hclog.Logger
}

// Send produces the lines of files to their sources' topics. The lines of a file
// go to the partitions of a topic in turn.
func Send(ctx context.Context, cfg *config.Config, o SendOptions) error {
	g := &Generation{Config: cfg, sources: sources(cfg)}
	for _, in := range o.Inputs {
		if err := g.checkInput(in); err != nil {
			return err
		}
	}
	k, err := kafkaConfig(cfg, o.Log)
	if err != nil {
		return err
	}
	cl, err := kafka.NewClient(k)
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := kafka.Ping(ctx, cl); err != nil {
		return err
	}
	s := &sender{o: o, cl: cl, started: time.Now(), next: time.Now().Add(2 * time.Second)}
	for _, in := range o.Inputs {
		topic := g.sourceByName(in.Source).Topic
		infos, err := kafka.Topics(ctx, cl, topic)
		if err != nil {
			return fmt.Errorf("the topic of the source: %w", err)
		}
		if err := s.file(ctx, in, topic, infos[topic].Partitions); err != nil {
			return err
		}
	}
	if err := cl.Flush(ctx); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	if err := s.error(); err != nil {
		return err
	}
	if s.shown {
		o.Progress("%d beacons\n", s.sent)
	}
	fmt.Fprintf(o.Out, "sent %d beacons\n", s.sent)
	return nil
}

// sender sends lines at a rate.
type sender struct {
	o       SendOptions
	cl      *kgo.Client
	sent    int64
	started time.Time
	next    time.Time // of progress
	shown   bool
	failed  atomic.Pointer[error] // the first failure
}

func (s *sender) error() error {
	if err := s.failed.Load(); err != nil {
		return fmt.Errorf("send: %w", *err)
	}
	return nil
}

func (s *sender) file(ctx context.Context, in Input, topic string, partitions int32) (err error) {
	l, err := lines.Open(in.Path, s.o.Stdin)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	promise := func(_ *kgo.Record, err error) {
		if err != nil {
			s.failed.CompareAndSwap(nil, &err)
		}
	}
	for {
		line, err := l.Next()
		if errors.Is(err, io.EOF) {
			return s.error()
		}
		if err != nil {
			return err
		}
		if err := s.wait(ctx); err != nil {
			return err
		}
		s.cl.Produce(ctx, &kgo.Record{Topic: topic, Partition: int32(s.sent % int64(partitions)), Value: bytes.Clone(line)}, promise)
		s.sent++
		if s.sent%1024 == 0 {
			if err := errors.Join(ctx.Err(), s.error()); err != nil {
				return err
			}
		}
		if now := time.Now(); now.After(s.next) {
			s.next, s.shown = now.Add(2*time.Second), true
			s.o.Progress("%s: %d beacons, %.0f a second", in.Path, s.sent, float64(s.sent)/now.Sub(s.started).Seconds())
		}
	}
}

// wait waits for the moment at which the next beacon may go.
func (s *sender) wait(ctx context.Context) error {
	if s.o.Rate <= 0 {
		return nil
	}
	due := s.started.Add(time.Duration(float64(s.sent) / s.o.Rate * float64(time.Second)))
	if d := time.Until(due); d > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(d):
		}
	}
	return nil
}
