package pipeline

import (
	"fmt"
	"maps"
	"slices"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/session"
)

// route is a route of a generation with the topic that it has by now: the config's
// until it grows, then a new one each time.
type route struct {
	Name string `json:"name"`
	routeTopic
}

// routeTopic is a topic of a route, and the one that it took the place of.
type routeTopic struct {
	Topic      string      `json:"topic"`
	Partitions int32       `json:"partitions"`
	Since      uint64      `json:"since"` // the first generation that writes to it
	Replaces   *routeTopic `json:"replaces,omitempty"`
}

// first is the topic that the route began with, which is the one that the config
// names, and how many it has had.
func (t *routeTopic) first() (name string, topics int) {
	for topics = 1; t.Replaces != nil; topics++ {
		t = t.Replaces
	}
	return t.Topic, topics
}

// grown is the route on a new topic with another number of partitions.
func (r route) grown(partitions int32, generation uint64) route {
	first, topics := r.first()
	before := r.routeTopic
	r.routeTopic = routeTopic{Topic: fmt.Sprintf("%s-v%d", first, topics+1), Partitions: partitions, Since: generation, Replaces: &before}
	return r
}

// firstRoutes are the routes of a config that nothing has run yet.
func firstRoutes(cfg *config.Config) (all []route) {
	for name, r := range cfg.Dispatch.Routes.All() {
		all = append(all, route{Name: name, routeTopic: routeTopic{Topic: r.Topic, Partitions: r.Partitions, Since: 1}})
	}
	return all
}

// nextRoutes are the routes of a config that follows others. Those that were there
// stay as they are; only repartitioning changes their topics.
func nextRoutes(cfg *config.Config, before []route, generation uint64) (all []route, faults config.Faults) {
	had := map[string]route{}
	for _, r := range before {
		had[r.Name] = r
		if cfg.Dispatch.Routes.Get(r.Name) == nil {
			faults = append(faults, cfg.Faultf([]string{"dispatch", "routes"}, "the route %s is missing: a route can not be taken away while its sessions are open; keep it, and let the splitter send nothing to it", r.Name))
		}
	}
	for name, r := range cfg.Dispatch.Routes.All() {
		was, ok := had[name]
		if !ok {
			all = append(all, route{Name: name, routeTopic: routeTopic{Topic: r.Topic, Partitions: r.Partitions, Since: generation}})
			continue
		}
		at := []string{"dispatch", "routes", name}
		if first, _ := was.first(); r.Topic != first {
			faults = append(faults, cfg.Faultf(append(at, "topic"), "the topic is %s, and can not be another: write topic: %s", first, first))
		}
		if r.Partitions != was.Partitions {
			faults = append(faults, cfg.Faultf(append(at, "partitions"),
				"the route has %d partitions: write partitions: %d, or change it with 'pharos repartition %s %d' (which moves its sessions)", was.Partitions, was.Partitions, name, r.Partitions))
		}
		all = append(all, was)
	}
	return all, append(faults, takenTopics(cfg, all)...)
}

// takenTopics finds topics that have two uses.
func takenTopics(cfg *config.Config, all []route) (faults config.Faults) {
	taken := map[string]string{}
	for _, r := range all {
		for t := &r.routeTopic; t != nil; t = t.Replaces {
			if other, ok := taken[t.Topic]; ok {
				faults = append(faults, cfg.Faultf([]string{"dispatch", "routes", r.Name, "topic"}, "the topic %s is the route %s's too", t.Topic, other))
			}
			taken[t.Topic] = r.Name
		}
	}
	others := otherTopics(cfg)
	for _, what := range slices.Sorted(maps.Keys(others)) {
		if r, ok := taken[others[what]]; ok && cfg.Dispatch.Routes.Get(r).Topic != others[what] {
			faults = append(faults, cfg.Faultf([]string{"dispatch", "routes", r}, "its topic %s is that of %s too", others[what], what))
		}
	}
	return faults
}

// otherTopics are the topics of a config that are no routes, by what they are for.
func otherTopics(cfg *config.Config) map[string]string {
	t := cfg.Topics
	all := map[string]string{
		"topics.metrics": t.Metrics.Topic, "topics.dead_letters": t.DeadLetters.Topic,
		"topics.generations": t.Generations.Topic, "topics.decisions": t.Decisions.Topic,
	}
	for _, s := range cfg.Sources {
		all["the source "+s.Name] = s.Topic
	}
	return all
}

// sessionTopic is the topic in the words of the session stage.
func (t *routeTopic) sessionTopic() *session.RouteTopic {
	if t == nil {
		return nil
	}
	return &session.RouteTopic{Topic: t.Topic, Partitions: t.Partitions, Since: t.Since, Replaces: t.Replaces.sessionTopic()}
}
