package session

// RouteTopic is the topic of a route in one generation. A repartition gives the
// route a new one; then Replaces says which topic hands its sessions over.
type RouteTopic struct {
	Topic      string
	Partitions int32
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
