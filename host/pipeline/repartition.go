package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/blob"
	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/snapshot"
)

// RepartitionOptions say which route is to have how many partitions.
type RepartitionOptions struct {
	Route      string
	Partitions int32
	Log        hclog.Logger
	Out        io.Writer
}

// Repartition publishes a generation in which a route has a new topic with another
// number of partitions. The hosts that run move the route's sessions there.
func Repartition(ctx context.Context, cfg *config.Config, o RepartitionOptions) (err error) {
	if o.Partitions < 1 || o.Partitions > maxPartitions {
		return usagef("%d partitions: a route has 1 to %d", o.Partitions, maxPartitions)
	}
	k, err := kafkaConfig(cfg, o.Log)
	if err != nil {
		return err
	}
	bucket, err := blob.Open(ctx, cfg.SnapshotBucket())
	if err != nil {
		return fmt.Errorf("snapshots.url: %w", err)
	}
	defer func() { err = errors.Join(err, bucket.Close()) }()
	cl, err := kafka.NewClient(k)
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := kafka.Ping(ctx, cl); err != nil {
		return err
	}
	if _, err := kafka.Topics(ctx, cl, cfg.Topics.Generations.Topic); err != nil {
		return fmt.Errorf("no host of the group has run yet: %w", err)
	}
	j := newJournal(k, cfg, o.Log)
	current, err := j.catchUp(ctx)
	if err != nil {
		return err
	}
	if current == nil {
		return fmt.Errorf("no host of the group has run yet: write partitions: %d in the config", o.Partitions)
	}
	if err := sameGroup(current, cfg); err != nil {
		return err
	}
	next, moved, err := current.repartitioned(o.Route, o.Partitions)
	if err != nil {
		return err
	}
	store := snapshot.New(bucket, cfg.Group, cfg.Snapshots.Keep)
	if err := sameBucket(ctx, store, current, cfg); err != nil {
		return err
	}
	if err := j.mayMove(ctx, store, current, moved); err != nil {
		return err
	}
	if err := kafka.EnsureTopics(ctx, cl, kafka.Topic{Name: moved.Topic, Partitions: moved.Partitions}); err != nil {
		return err
	}
	if err := empty(ctx, cl, moved.Topic); err != nil {
		return err
	}
	if err := j.publish(ctx, next); err != nil {
		return err
	}
	_, err = fmt.Fprintf(o.Out, "published generation %d: the route %s moves from %s (%d partitions) to %s (%d)\nwrite partitions: %d for it in the config file\n",
		next.Number, moved.Name, moved.Replaces.Topic, moved.Replaces.Partitions, moved.Topic, moved.Partitions, moved.Partitions)
	return err
}

// maxPartitions bounds the partitions of a route.
const maxPartitions = 10_000

// repartitioned is the generation that follows r with one route moved.
func (r *generationRecord) repartitioned(name string, partitions int32) (next *generationRecord, moved *route, err error) {
	cfg, err := r.parse("")
	if err != nil {
		return nil, nil, err
	}
	routes := slices.Clone(r.Routes)
	i := slices.IndexFunc(routes, func(one route) bool { return one.Name == name })
	if i < 0 {
		return nil, nil, usagef("generation %d has no route %q: it has %v", r.Number, name, cfg.Dispatch.Routes.Names())
	}
	if routes[i].Partitions == partitions {
		return nil, nil, fmt.Errorf("the route %s has %d partitions in generation %d: there is nothing to do", name, partitions, r.Number)
	}
	routes[i] = routes[i].grown(partitions, r.Number+1)
	cfg.Dispatch.Routes.Get(name).Partitions = partitions
	if faults := takenTopics(cfg, routes); len(faults) > 0 {
		return nil, nil, faults
	}
	if next, err = newRecord(cfg, r.Number, routes, "pharos repartition", time.Now()); err != nil {
		return nil, nil, err
	}
	next.Bucket, next.Rollouts = r.Bucket, r.Rollouts
	return next, &routes[i], nil
}

// mayMove refuses a route that is still moving.
func (j *journal) mayMove(ctx context.Context, store *snapshot.Store, current *generationRecord, moved *route) error {
	before := current.Routes[slices.IndexFunc(current.Routes, func(r route) bool { return r.Name == moved.Name })]
	if before.Replaces == nil {
		return nil
	}
	done, err := j.handedOver(ctx, store, &before)
	if err == nil && !done {
		err = fmt.Errorf("the route %s is still moving from %s to %s, since generation %d: wait until the hosts have moved it ('pharos status' says how far it is)",
			moved.Name, before.Replaces.Topic, before.Topic, before.Since)
	}
	return err
}

// empty refuses a new topic in which something is already: sessions would take it
// for theirs.
func empty(ctx context.Context, cl *kgo.Client, topic string) error {
	bounds, err := kafka.OffsetBounds(ctx, cl, topic)
	if err != nil {
		return err
	}
	for tp, b := range bounds {
		if b.End > 0 {
			return fmt.Errorf("the topic %s is there already, and has records (partition %d): delete it first, if nothing needs it", topic, tp.Partition)
		}
	}
	return nil
}
