package sim

import (
	"context"
	"fmt"

	"github.com/seed-6a2d649b/pharos/host/dispatch"
	"github.com/seed-6a2d649b/pharos/host/kafka"
)

// asked answers what dispatch asks the cluster. Its answers may fail.
type asked struct{ *simulation }

var _ dispatch.Cluster = asked{}

func (a asked) fails(what string) error {
	if a.risk(50) {
		return fmt.Errorf("%s: %w", what, errFault)
	}
	return nil
}

func (a asked) Partitions(_ context.Context, topic string) (int32, error) {
	return int32(len(a.cluster.topics[topic].parts)), a.fails("partitions")
}

func (a asked) Left(context.Context) (map[kafka.TopicPartition]dispatch.Left, error) {
	all := map[kafka.TopicPartition]dispatch.Left{}
	for _, tp := range a.cluster.partitions(a.world.topics()...) {
		left := dispatch.Left{Committed: kafka.Committed{Offset: -1}, End: a.cluster.log(tp).stable()}
		if c, ok := a.cluster.group("dispatch").offsets[tp]; ok {
			left.Committed = c
		}
		all[tp] = left
	}
	return all, a.fails("left")
}

func (s *simulation) newestGeneration(context.Context) (uint64, error) {
	return s.world.newest().number, asked{s}.fails("generations")
}
