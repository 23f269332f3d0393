package session

import "slices"

// RouteTopic is the topic of a route in one generation. A repartition gives the
// route a new one; then Replaces says which topic hands its sessions over.
type RouteTopic struct {
	Topic      string
	Partitions int32
	Since      uint64      // the first generation that writes to it
	Replaces   *RouteTopic // nil: the route's first
}

// find gives a topic of the route, the present one or one that it took the place
// of, however long ago.
func (r *RouteTopic) find(topic string) *RouteTopic {
	for r != nil && r.Topic != topic {
		r = r.Replaces
	}
	return r
}

// all are the topics that the route has had, the first one first.
func (r *RouteTopic) all() (topics []*RouteTopic) {
	for ; r != nil; r = r.Replaces {
		topics = append(topics, r)
	}
	slices.Reverse(topics)
	return topics
}
