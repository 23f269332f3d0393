package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/kafka"
)

// feeder gives a partition's records to it.
type feeder struct {
	messages []Record // memory
	foreign  foreign
}

// feed hands records, which lie next to each other in their log, to a partition;
// its figures stay in its ledger. Records that dispatch did not write are passed
// over. The first one that was written under a generation later than newest ends
// it. It tells how many records it took; after an error the partition is of no
// more use. Those before an offset were taken before.
func (f *feeder) feed(ctx context.Context, s *Stage, core *Partition, records []*kgo.Record, newest uint64, before int64, out *Output) (taken int, err error) {
	f.messages = slices.Grow(f.messages[:0], len(records))[:0]
	for _, r := range records {
		f.messages = f.messages[:len(f.messages)+1]
		m := &f.messages[len(f.messages)-1]
		ours, err := m.read(r)
		m.Again = r.Offset < before
		if errors.Is(err, beacon.ErrVersion) {
			return 0, fmt.Errorf("session: %w: %s/%d offset %d: %w", kafka.ErrStop, r.Topic, r.Partition, r.Offset, err)
		}
		if !ours || err != nil {
			s.sayForeign(&f.foreign, r, err, time.Now())
			f.messages = f.messages[:len(f.messages)-1]
		} else if m.generation() > newest {
			f.messages = f.messages[:len(f.messages)-1]
			break
		}
		taken++
	}
	err = core.take(ctx, f.messages, out)
	for i := range f.messages {
		m := &f.messages[i]
		m.Value, m.Mark, m.End = nil, nil, nil // the header's topic is kept for the next
	}
	if errors.Is(err, errLog) {
		return 0, fmt.Errorf("session: %w: %w", kafka.ErrStop, err)
	} else if err != nil {
		return 0, err
	}
	s.cfg.Counters.records.Add(float64(taken))
	return taken, nil
}

// generation is that which the record was written under.
func (m *Record) generation() uint64 {
	switch {
	case m.Mark != nil:
		return m.Mark.Generation
	case m.End != nil:
		return m.End.Generation
	}
	return m.Header.Generation
}

// read makes m of a record and tells whether it is a beacon, a mark or an end.
// The error says that it is a broken one, or of a later version.
func (m *Record) read(r *kgo.Record) (ours bool, err error) {
	m.Offset, m.Value, m.Mark, m.End = r.Offset, r.Value, nil, nil
	for i := range r.Headers {
		switch r.Headers[i].Key {
		case beacon.HeaderKey:
			return true, m.Header.Parse(r.Headers[i].Value)
		case beacon.MarkKey:
			mark, err := beacon.ParseMark(r.Value)
			m.Mark = &mark
			return true, err
		case beacon.EndKey:
			end, err := beacon.ParseEnd(r.Value)
			m.End = &end
			return true, err
		}
	}
	return false, nil
}
