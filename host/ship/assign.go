package ship

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// assign takes partitions: the client calls it before their first record with
// the offsets it would begin at. It answers with those of safe points that it
// reads itself, offset and horizon in one, so that the two always fit. The
// partitions live until they are taken away or life ends.
func (s *session) assign(life, ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	committed, err := kafka.CommittedOffsets(ctx, s.asker, s.group, s.cfg.Topic)
	if err != nil {
		return nil, err
	}
	bounds, err := kafka.OffsetBounds(ctx, s.asker, s.cfg.Topic)
	if err != nil {
		return nil, err
	}
	topics, err := kafka.Topics(ctx, s.asker, s.cfg.Topic)
	if err != nil {
		return nil, err
	}
	for partition := range offsets[s.cfg.Topic] {
		tp := kafka.TopicPartition{Topic: s.cfg.Topic, Partition: partition}
		c, ok := committed[tp]
		if !ok {
			c.Offset = -1
		}
		p, err := s.begin(life, partition, c, bounds[tp], topics[s.cfg.Topic].ID)
		if err != nil {
			s.mu.Lock()
			s.stop = err
			s.mu.Unlock()
			return nil, err
		}
		offsets[s.cfg.Topic][partition] = kgo.NewOffset().At(p.at.Offset).WithEpoch(-1)
		s.mu.Lock()
		if old := s.parts[partition]; old != nil {
			old.cancel()
		}
		s.parts[partition] = p
		s.mu.Unlock()
		s.log.Debug("partition begins", "partition", partition, "offset", p.at.Offset, "written_through", minuteText(p.at.Horizon), "beginning_is_gone", p.shipper == nil)
	}
	return offsets, nil
}

// begin returns the state of a partition at what is committed.
func (s *session) begin(life context.Context, partition int32, c kafka.Committed, b kafka.Bounds, topicID [16]byte) (*part, error) {
	at, err := metric.ParseSafePoint(c.Offset, c.Metadata)
	if err != nil {
		return nil, stopf("group %s, topic %s, partition %d: %w", s.group, s.cfg.Topic, partition, err)
	}
	switch {
	case c.Offset >= 0 && at.TopicID != topicID:
		return nil, stopf("group %s has committed offset %d of topic %s, partition %d, with the id %x, and the topic has the id %x: it was made anew; delete the group's offsets to begin anew too", s.group, at.Offset, s.cfg.Topic, partition, at.TopicID, topicID)
	case at.Offset > b.End:
		return nil, stopf("group %s has committed offset %d of topic %s, partition %d, which ends at %d: the brokers have lost records; delete the group's offsets to begin anew", s.group, at.Offset, s.cfg.Topic, partition, b.End)
	}
	at.TopicID = topicID
	p := &part{partition: partition, at: at, committed: at, end: b.End}
	if at.Offset < b.Start {
		p.at.Offset = b.Start
	} else {
		p.shipper = s.newShipper(at)
	}
	p.ctx, p.cancel = context.WithCancel(life)
	return p, nil
}

func (r *runner) newShipper(at metric.SafePoint) *Shipper {
	return NewShipper(at, metric.NewHorizon(r.cfg.Lateness))
}

// taken lets go of partitions: a write in hand is ended, the new owner writes
// the same values.
func (r *runner) taken(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, partition := range lost[r.cfg.Topic] {
		if p := r.parts[partition]; p != nil {
			p.cancel()
			delete(r.parts, partition)
		}
	}
}
