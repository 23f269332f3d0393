package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/snapshot"
)

// A repartition gives a route a new topic. Each source partition ends on the old
// one and goes on on the new. A partition of the old one whose sources have all
// ended is closed, with its last offset, and hands its sessions over; those of
// the new one begin when all have.

// HandedOver tells whether all partitions of a route's topic have handed their
// sessions over.
func HandedOver(ctx context.Context, s Snapshots, route string, topic RouteTopic) (bool, error) {
	all, err := handovers(ctx, s, route, &topic)
	return len(all) == int(topic.Partitions), err
}

// handovers are the last states of a topic's partitions, by number; fewer than it
// has, while some are missing.
func handovers(ctx context.Context, s Snapshots, route string, topic *RouteTopic) ([]snapshot.Info, error) {
	list, err := s.All(ctx)
	if err != nil {
		return nil, fmt.Errorf("session: hand-overs of %s: %w", topic.Topic, err)
	}
	byID := map[[16]byte][]snapshot.Info{}
	var most [16]byte
	for _, info := range list {
		if !info.Handover || info.Route != route || info.Topic != topic.Topic || info.Partition >= topic.Partitions {
			continue
		}
		if have := byID[info.TopicID]; len(have) > 0 && have[len(have)-1].Partition == info.Partition {
			continue // an earlier one
		}
		byID[info.TopicID] = append(byID[info.TopicID], info)
		if len(byID[info.TopicID]) > len(byID[most]) {
			most = info.TopicID
		}
	}
	return byID[most], nil
}

// replaces is the topic that the partition's took the place of; nil if none.
func (r *recovery) replaces() *RouteTopic {
	cfg, _ := r.stage.newest()
	route, ok := cfg.Routes[r.route]
	if !ok {
		return nil
	}
	t := route.find(r.Topic)
	if t == nil {
		return nil
	}
	return t.Replaces
}

// isHanded tells whether the partition's own hand-over is written.
func (r *recovery) isHanded(ctx context.Context) (bool, error) {
	if r.stage.cfg.Snapshots == nil {
		return false, nil
	}
	list, err := r.stage.cfg.Snapshots.All(ctx)
	if err != nil {
		return false, fmt.Errorf("session: hand-over of %s/%d: %w", r.Topic, r.Partition, err)
	}
	for _, info := range list {
		if info.Handover && info.Key == r.key() {
			return true, nil
		}
	}
	return false, nil
}

// handoverPoll is how often hand-overs that are missing are looked for, by default.
const handoverPoll = time.Second

// handovers waits until the topic whose place the partition's own took has handed
// all its sessions over.
func (r *recovery) handovers(ctx context.Context, old *RouteTopic) ([]snapshot.Info, error) {
	store := r.stage.cfg.Snapshots
	if store == nil {
		return nil, fmt.Errorf("session: %w: %s/%d takes sessions over from %s, and there is nowhere to get them from: set snapshots.url", kafka.ErrStop, r.Topic, r.Partition, old.Topic)
	}
	for {
		all, err := handovers(ctx, store, r.route, old)
		if err != nil || len(all) == int(old.Partitions) {
			return all, err
		}
		r.say("waits for the hand-overs of "+old.Topic, int64(len(all)), int64(old.Partitions))
		if err := r.pause(ctx); err != nil {
			return nil, err
		}
	}
}

// pause waits before it is looked again for what others are to do.
func (r *recovery) pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(r.stage.pace.look):
		return nil
	}
}

// takeOver takes the sessions that hash to this partition over.
func (r *recovery) takeOver(ctx context.Context, core *Partition, from []snapshot.Info) error {
	defer r.slot(ctx)()
	keep := func(session []byte) bool { return kafka.PartitionOf(session, r.Partitions) == r.Partition }
	for i, info := range from {
		r.say("takes sessions over from "+info.Topic, int64(i), int64(len(from)))
		err := r.read(ctx, info, func(in *imageReader) error { return core.Absorb(in, in.configs, keep) })
		if errors.Is(err, errUnusable) {
			return fmt.Errorf("session: %w: the hand-over of %s to %s/%d cannot be read: %w: delete it, and a host that still reads %s writes it anew from its log",
				kafka.ErrStop, info.Key, r.Topic, r.Partition, err, info.Topic)
		} else if err != nil {
			return err
		}
	}
	return nil
}
