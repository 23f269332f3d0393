package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/pipeline"
)

// dispatch measures the dispatch stage and checks what it routed.
func (r *runner) dispatch(ctx context.Context, file string) error {
	raw := r.topic("raw")
	bounds, err := kafka.OffsetBounds(ctx, r.cl, raw)
	if err != nil {
		return err
	}
	ends := map[kafka.TopicPartition]int64{}
	for tp, b := range bounds {
		if b.End > b.Start {
			ends[tp] = b.End
		}
	}
	if err := r.stage(ctx, "dispatch", file, pipeline.Dispatch, r.prefix, raw, ends, r.beacons); err != nil {
		return err
	}
	for _, route := range []struct {
		name   string
		wanted content
	}{{"web", r.filled.web}, {"mobile", r.filled.mobile}} {
		got, ends, err := r.read(ctx, r.topic(route.name), beacons)
		if err != nil {
			return err
		}
		if got != route.wanted {
			return fmt.Errorf("the route %s does not have the beacons that it should: %d, not %d, or others", route.name, got.n, route.wanted.n)
		}
		for tp, end := range ends {
			r.routed[tp] = end
		}
	}
	return nil
}

// session measures the session stage on what dispatch routed, and checks its
// figures. variant is what its config calls its own topics by.
func (r *runner) session(ctx context.Context, name, file, variant string) error {
	kept := r.filled.web.n + r.filled.mobile.n
	if err := r.stage(ctx, name, file, pipeline.Session, r.prefix+variant, "", r.routed, kept); err != nil {
		return err
	}
	topics := []string{r.topic("metrics")} // the counts of dispatch are there
	if variant != "" {
		topics = append(topics, r.topic("metrics")+variant)
	}
	return r.checkFigures(ctx, topics)
}

// patience is how long a stage may go without a commit.
const patience = 2 * time.Minute

// stage runs a stage until it has committed the ends, and measures it.
func (r *runner) stage(ctx context.Context, name, file string, role pipeline.Role, group, topic string, ends map[kafka.TopicPartition]int64, records int64) error {
	t := task{Job: stageJob, Config: file, Role: role}
	if r.profileDir != "" {
		t.Profile = filepath.Join(r.profileDir, string(role)+strings.TrimPrefix(group, r.prefix)+".pprof")
	}
	p, err := spawn(ctx, t, r.stderr)
	if err != nil {
		return err
	}
	begun, ended, err := r.follow(ctx, p, group+"-"+string(role), ends)
	used, stopped := p.stop()
	if err := errors.Join(err, stopped); err != nil {
		return err
	}
	r.done(row{name, records, ended.Sub(begun), used})
	return nil
}

// follow waits until a group has committed the ends. It says when the group had
// its partitions, and when it was done.
func (r *runner) follow(ctx context.Context, p *process, group string, ends map[kafka.TopicPartition]int64) (begun, done time.Time, err error) {
	var topics []string
	for tp := range ends {
		topics = append(topics, tp.Topic)
	}
	adm := kadm.NewClient(r.cl)
	last, moved := int64(-1), time.Now()
	for {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-p.ended:
			return begun, done, errors.New("the stage ended early")
		case <-ctx.Done():
			return begun, done, ctx.Err()
		}
		if begun.IsZero() {
			groups, err := adm.DescribeGroups(ctx, group)
			if err != nil {
				return begun, done, err
			}
			if groups[group].State == "Stable" {
				begun = time.Now()
			}
			continue
		}
		committed, err := kafka.CommittedOffsets(ctx, r.cl, group, topics...)
		if err != nil {
			return begun, done, err
		}
		var sum, lag int64
		for tp, end := range ends {
			sum += committed[tp].Offset
			lag += max(0, end-committed[tp].Offset)
		}
		switch now := time.Now(); {
		case lag == 0:
			return begun, now, nil
		case sum != last:
			last, moved = sum, now
		case now.Sub(moved) > patience:
			return begun, done, fmt.Errorf("no commit for %v, %d records behind", patience, lag)
		}
	}
}
