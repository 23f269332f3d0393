package dispatch

import (
	"context"
	"encoding/json"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/kafka"
)

// Cluster answers what a stage's loop does not know. It is asked when partitions
// are assigned, and where a route's topic is left.
type Cluster interface {
	// Partitions returns how many partitions a source's topic has by now.
	Partitions(ctx context.Context, topic string) (int32, error)
	// Left returns how the group has left all partitions of the sources.
	Left(ctx context.Context) (map[kafka.TopicPartition]Left, error)
}

// Left is how a partition was left.
type Left struct {
	kafka.Committed       // Offset -1: nothing is committed
	End             int64 // of its log
}

// cluster is the Cluster of a client.
type cluster struct {
	cl     *kgo.Client
	group  string
	topics func() []string
}

// NewCluster returns the Cluster of a client: the group is the loop's, topics gives
// those of the sources as of now; several goroutines may call it.
func NewCluster(cl *kgo.Client, group string, topics func() []string) Cluster {
	return &cluster{cl, group, topics}
}

func (c *cluster) Partitions(ctx context.Context, topic string) (int32, error) {
	infos, err := kafka.Topics(ctx, c.cl, topic)
	return infos[topic].Partitions, err
}

func (c *cluster) Left(ctx context.Context) (map[kafka.TopicPartition]Left, error) {
	topics := c.topics()
	committed, err := kafka.CommittedOffsets(ctx, c.cl, c.group, topics...)
	if err != nil {
		return nil, err
	}
	bounds, err := kafka.OffsetBounds(ctx, c.cl, topics...)
	if err != nil {
		return nil, err
	}
	all := map[kafka.TopicPartition]Left{}
	for tp, b := range bounds {
		left := Left{kafka.Committed{Offset: -1}, b.End}
		if at, ok := committed[tp]; ok {
			left.Committed = at
		}
		all[tp] = left
	}
	return all, nil
}

// gate holds newly assigned partitions while one that another host has was said to
// be idle and is not. After a time without any host there is much to catch up on:
// a host that is quick to begin would move the watermark by all of it before the
// others have said that their partitions have beacons too, and these would be late.
// Marks go on meanwhile, so hosts do not wait for each other.
type gate struct {
	closed bool
	until  time.Time
}

const (
	gateFor   = 30 * time.Second       // then it opens whatever the others say
	gateAsks  = 2 * time.Second        // for an answer when partitions are assigned,
	gateAgain = 500 * time.Millisecond // and at a tick: what else is owned waits
)

// close closes the gate if there is what to wait for, and holds partitions.
func (s *Stage) close(ctx context.Context, parts []*kafka.Assigned) {
	if s.cfg.Cluster == nil || len(parts) == 0 {
		return
	}
	asking, cancel := context.WithTimeout(ctx, gateAsks)
	defer cancel()
	left, err := s.cfg.Cluster.Left(asking)
	tp, unsaid := s.unsaid(left)
	if err == nil && !unsaid {
		return
	}
	s.gate = gate{closed: true, until: s.cfg.Now().Add(gateFor)}
	for _, a := range parts {
		a.Hold = true
		s.parts[kafka.TopicPartition{Topic: a.Topic, Partition: a.Partition}].held = true
	}
	if err != nil {
		s.cfg.Logger.Info("waiting until it is known how the group has left its source partitions", "error", err)
		return
	}
	s.cfg.Logger.Info("waiting for another host: a source partition of its own was idle and has beacons by now", "topic", tp.Topic, "partition", tp.Partition)
}

// unsaid finds a partition of another host that was said to be idle and is not.
func (s *Stage) unsaid(left map[kafka.TopicPartition]Left) (kafka.TopicPartition, bool) {
	for tp, l := range left {
		var m metadata
		if s.parts[tp] == nil && l.Offset >= 0 && l.Offset < l.End && json.Unmarshal([]byte(l.Metadata), &m) == nil && m.Idle {
			return tp, true
		}
	}
	return kafka.TopicPartition{}, false
}

// open tells whether the gate is open; at a tick it may open.
func (g *gate) open(ctx context.Context, s *Stage, tick bool, now time.Time) bool {
	if !g.closed || !tick {
		return !g.closed
	}
	if now.Before(g.until) {
		asking, cancel := context.WithTimeout(ctx, gateAgain)
		defer cancel()
		left, err := s.cfg.Cluster.Left(asking)
		if err != nil {
			return false
		}
		if _, ok := s.unsaid(left); ok {
			return false
		}
	} else {
		s.cfg.Logger.Warn("waited long enough for another host's source partition: its beacons may be late")
	}
	g.closed = false
	return true
}
