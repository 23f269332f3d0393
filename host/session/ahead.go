package session

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/kafka"
)

// ahead are records of a partition that dispatch has written under a generation
// that this host has not loaded yet. What it has would not know a beacon's source,
// or would refuse its tenant, or would call minutes final that a new route can
// still change: they wait, and the partition is not read meanwhile. So what is in
// force is never older than what the log has named.
type ahead struct {
	records []*kgo.Record
	under   uint64 // the generation in force meanwhile
	since   time.Time
}

func (a *ahead) waits() bool { return len(a.records) > 0 }

// await lets records wait.
func (s *Stage) await(p *part, records []*kgo.Record, tx *kafka.Tx) {
	p.ahead = ahead{slices.Clone(records), p.core.Generation(), time.Now()}
	tx.Hold(p.Topic, p.Partition)
	s.log.Info("a partition waits for a generation that is not loaded here yet", "topic", p.Topic, "partition", p.Partition, "offset", p.next, "loaded", p.core.Generation())
}

// catchUp processes records that have waited, once a later generation is in force.
// One that does not come is an ErrStop in the end: another host may have it.
func (s *Stage) catchUp(ctx context.Context, p *part, tx *kafka.Tx) error {
	if !p.ahead.waits() {
		return nil
	}
	waited := p.ahead
	if p.closed { // what came behind its end is not of it
		p.ahead = ahead{}
		tx.Resume(p.Topic, p.Partition)
		s.sayClosed(p, waited.records)
		return nil
	}
	if waited.under == p.core.Generation() {
		if time.Since(waited.since) <= s.pace.unknown {
			return nil
		}
		return fmt.Errorf("session: %w: %s/%d goes on at offset %d under a generation that this host has not loaded within %v: it has generation %d",
			kafka.ErrStop, p.Topic, p.Partition, p.next, s.pace.unknown, p.core.Generation())
	}
	p.ahead = ahead{}
	tx.Resume(p.Topic, p.Partition)
	return s.consume(ctx, p, waited.records, tx)
}
