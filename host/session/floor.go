package session

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// A route that a reload adds has no watermark of its own until all source
// partitions have spoken on it, and minutes have become final without it. So its
// partitions begin with the watermark that the other routes had when they heard of
// its generation: nothing that those would call late can change a final minute by
// the new route. What a route's partition had then stands with its committed
// offset; nothing becomes final after that without the new route (metric.Horizon).

// floor is the watermark that a partition begins with, once all other routes have
// heard of its own; metric.NoWatermark where none was there before it.
func (r *recovery) floor(ctx context.Context, cfg *Config) (int64, error) {
	route := cfg.Routes[r.route]
	own := route.find(r.Topic)
	if r.stage.cfg.Committed == nil || own == nil || own.Replaces != nil {
		return metric.NoWatermark, nil
	}
	for {
		low, waits, err := r.lowest(ctx, cfg, own.Since)
		if err != nil || waits == "" {
			return low, err
		}
		r.say(fmt.Sprintf("waits for the route %s to hear of generation %d", waits, own.Since), 0, 0)
		if err := r.pause(ctx); err != nil {
			return 0, err
		}
	}
}

// lowest is the lowest watermark that any route from before a generation had when
// it heard of it; waits names one that has not yet.
func (r *recovery) lowest(ctx context.Context, cfg *Config, generation uint64) (low int64, waits string, err error) {
	low = metric.NoWatermark
	var before []string
	own := kafka.TopicPartition{Topic: r.Topic, Partition: r.Partition}
	parts := []kafka.TopicPartition{own}
	for _, name := range slices.Sorted(maps.Keys(cfg.Routes)) {
		route := cfg.Routes[name]
		topics := route.all()
		if topics[0].Since >= generation {
			continue
		}
		before = append(before, name)
		for _, t := range topics {
			for p := range t.Partitions {
				parts = append(parts, kafka.TopicPartition{Topic: t.Topic, Partition: p})
			}
		}
	}
	if len(before) == 0 {
		return low, "", nil
	}
	committed, err := r.stage.cfg.Committed(ctx, parts)
	if err != nil {
		return 0, "", fmt.Errorf("session: what is committed of the other routes: %w", err)
	}
	if _, begun := committed[own]; begun {
		return 0, "", fmt.Errorf("session: %s/%d has been begun by another host meanwhile", r.Topic, r.Partition)
	}
	for i, name := range before {
		route := cfg.Routes[name]
		w, ok := route.heard(committed, generation)
		if !ok {
			return 0, name, nil
		}
		if i == 0 || w < low {
			low = w
		}
	}
	return low, "", nil
}

// heard is the lowest watermark that the route's partitions had when they heard of
// a generation, by what is committed: those of the topic that the route had then.
func (r *RouteTopic) heard(committed map[kafka.TopicPartition]kafka.Committed, generation uint64) (low int64, ok bool) {
	for _, t := range r.all() {
		if low, ok = t.heardOn(committed, generation); ok {
			return low, true
		}
	}
	return 0, false
}

// heardOn is heard on one topic. A partition that had closed before counts as it
// was left; where all had, it was another topic that heard.
func (r *RouteTopic) heardOn(committed map[kafka.TopicPartition]kafka.Committed, generation uint64) (low int64, ok bool) {
	for p := range r.Partitions {
		left, err := parseMetadata(committed[kafka.TopicPartition{Topic: r.Topic, Partition: p}].Metadata)
		if err != nil {
			return 0, false // nothing is committed, or the partition is to begin anew
		}
		w := left.Watermark
		if sw, heard := left.Switches.heard(generation); heard {
			w, ok = sw.watermark, true
		} else if !left.Closed {
			return 0, false
		}
		if p == 0 || w < low {
			low = w
		}
	}
	return low, ok
}
