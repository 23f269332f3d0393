package pipeline

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/generate"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/plugins"
)

//go:embed demo.yaml
var demoYAML []byte

// DemoConfig lays the demo's config and plugins out below dir, and loads it. A
// config that is there already stays as somebody changed it.
func DemoConfig(dir string) (*config.Config, error) {
	if err := plugins.LayOut(filepath.Join(dir, "plugins")); err != nil {
		return nil, fmt.Errorf("lay out the demo: %w", err)
	}
	file := filepath.Join(dir, "pharos.yaml")
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		if err := os.WriteFile(file, demoYAML, 0o644); err != nil {
			return nil, fmt.Errorf("lay out the demo: %w", err)
		}
	}
	return config.Load(file)
}

// The demo's traffic: as much of the past as fills the charts at once, then live.
const (
	demoRate = 50.0 // beacons a second
	demoPast = 65 * time.Minute
)

// runDemo produces the demo's traffic to a source topic until ctx ends.
func runDemo(ctx context.Context, k kafka.Config, topic string) error {
	cl, err := kafka.NewClient(k, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer cl.Close()
	start := time.Now().Add(-demoPast)
	before, err := lastSent(ctx, k, cl, topic)
	if err != nil {
		return fmt.Errorf("where the demo was left: %w", err)
	}
	if before.After(start) {
		start = before // an hour that is there already would come twice, and late
	}
	g := generate.New(generate.Options{Seed: uint64(start.UnixNano()), Start: start, Rate: demoRate, Delayed: 0.03, Doubled: 0.01})
	failed := make(chan error, 1) // the first failure
	promise := func(_ *kgo.Record, err error) {
		if err != nil {
			select {
			case failed <- err:
			default:
			}
		}
	}
	for {
		raw, at := g.Next()
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return fmt.Errorf("send the demo's beacons: %w", err)
		case <-time.After(time.Until(at)):
		}
		cl.Produce(ctx, &kgo.Record{Topic: topic, Value: raw}, promise)
	}
}

// lastSent is when the last beacon was produced to a topic of one partition; zero
// where none was.
func lastSent(ctx context.Context, k kafka.Config, cl *kgo.Client, topic string) (time.Time, error) {
	bounds, err := kafka.OffsetBounds(ctx, cl, topic)
	if err != nil {
		return time.Time{}, err
	}
	tp := kafka.TopicPartition{Topic: topic}
	b := bounds[tp]
	if b.End <= b.Start {
		return time.Time{}, nil
	}
	reader, err := kafka.NewReader(k, map[kafka.TopicPartition]int64{tp: b.End - 1})
	if err != nil {
		return time.Time{}, err
	}
	defer reader.Close()
	fetches := reader.PollFetches(ctx)
	if err := fetches.Err(); err != nil {
		return time.Time{}, err
	}
	var last time.Time
	fetches.EachRecord(func(r *kgo.Record) { last = r.Timestamp })
	return last, nil
}
