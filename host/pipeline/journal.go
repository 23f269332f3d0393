package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/kafka"
)

// journal is the generations topic: which generations there are, and which hold.
// It may be used by several goroutines.
type journal struct {
	kafka kafka.Config
	topic string
	log   hclog.Logger

	mu   sync.Mutex
	next int64     // offset; what lies before it is known
	held []holding // of the generations 1, 2, …
	last *generationRecord
	bad  error // a record of another format, which may be one that holds

	idMu sync.Mutex
	ids  identities // of the generations up to idOf
	idOf uint64
}

func newJournal(k kafka.Config, cfg *config.Config, log hclog.Logger) *journal {
	return &journal{kafka: k, topic: cfg.Topics.Generations.Topic, log: log.Named("generations")}
}

// holding is where the record of a generation stands.
type holding struct {
	id     string
	offset int64
}

// journalTimeout bounds reading what is new, and publishing.
const journalTimeout = 30 * time.Second

// overtakenError says that another generation was published first.
type overtakenError struct{ by *generationRecord }

func (e *overtakenError) Error() string {
	return fmt.Sprintf("another host has published generation %d first (%s, at %s): see what it changes with 'pharos reload --dry-run', then try again",
		e.by.Number, e.by.Host, time.UnixMilli(e.by.Time).UTC().Format(time.RFC3339))
}

// newest is the generation that holds, nil before the first.
func (j *journal) newest() (*generationRecord, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last, j.bad
}

// wanted is the number of the generation that holds, 0 before the first.
func (j *journal) wanted() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return uint64(len(j.held))
}

// id names a generation that holds, as no generation of another group or of a time
// before this topic of generations is named.
func (j *journal) id(number uint64) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	if number == 0 || number > uint64(len(j.held)) {
		return fmt.Sprintf("g%d", number)
	}
	return fmt.Sprintf("g%d-%s", number, j.held[number-1].id)
}

// catchUp reads what is new, to the topic's end as of now, and gives the
// generation that holds.
func (j *journal) catchUp(ctx context.Context) (*generationRecord, error) {
	ctx, cancel := context.WithTimeout(ctx, journalTimeout)
	defer cancel()
	cl, err := kafka.NewClient(j.kafka)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	bounds, err := kafka.OffsetBounds(ctx, cl, j.topic)
	if err != nil {
		return nil, err
	}
	b := bounds[kafka.TopicPartition{Topic: j.topic}]
	if b.Start > 0 {
		return nil, fmt.Errorf("the first %d records of %s are gone, and with them what this group runs: begin anew with another group and topics, and keep the topic for ever (retention.ms=-1)", b.Start, j.topic)
	}
	if err := j.read(ctx, j.position(), b.End, nil); err != nil {
		return nil, err
	}
	return j.newest()
}

func (j *journal) position() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.next
}

// read reads from an offset up to an end. Without each it takes what is new; each
// is given every record that is sound.
func (j *journal) read(ctx context.Context, from, end int64, each func(offset int64, r *generationRecord)) error {
	if from >= end {
		return nil
	}
	reader, err := kafka.NewReader(j.kafka, map[kafka.TopicPartition]int64{{Topic: j.topic}: from}, kgo.KeepControlRecords())
	if err != nil {
		return err
	}
	defer reader.Close()
	for next := from; next < end; {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return fmt.Errorf("read %s: %w", j.topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			next = r.Offset + 1
			if r.Offset >= end {
				return
			}
			if each == nil {
				j.take(r)
			} else if record, err := parseRecord(r.Value); err == nil && !r.Attrs.IsControl() {
				each(r.Offset, record)
			}
		})
	}
	return nil
}

// take takes a record of the topic. One that is no generation is passed over:
// anybody may have put it there.
func (j *journal) take(r *kgo.Record) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if r.Offset < j.next {
		return
	}
	j.next = r.Offset + 1
	if r.Attrs.IsControl() {
		return
	}
	record, err := parseRecord(r.Value)
	var format *formatError
	switch {
	case errors.As(err, &format) && format.parent == uint64(len(j.held)) && format.number == format.parent+1:
		j.bad = fmt.Errorf("%s offset %d: %w", j.topic, r.Offset, err)
	case err != nil:
		j.log.Warn("passed over a record that is no generation", "topic", j.topic, "offset", r.Offset, "error", err)
	case record.Parent != uint64(len(j.held)) || record.Number != record.Parent+1:
		j.log.Debug("passed over a generation that another was faster than", "number", record.Number, "host", record.Host)
	default:
		j.held = append(j.held, holding{record.ID, r.Offset})
		j.last = record
	}
}

// fetch gives the record of a generation that holds.
func (j *journal) fetch(ctx context.Context, number uint64) (found *generationRecord, err error) {
	j.mu.Lock()
	last, held := j.last, j.held
	j.mu.Unlock()
	if number == 0 || number > uint64(len(held)) {
		return nil, fmt.Errorf("%s has no generation %d, the newest is %d", j.topic, number, len(held))
	}
	if number == last.Number {
		return last, nil
	}
	ctx, cancel := context.WithTimeout(ctx, journalTimeout)
	defer cancel()
	at := held[number-1]
	err = j.read(ctx, at.offset, at.offset+1, func(_ int64, r *generationRecord) { found = r })
	if err == nil && (found == nil || found.ID != at.id) {
		err = fmt.Errorf("generation %d is not at offset %d of %s any more", number, at.offset, j.topic)
	}
	return found, err
}

// each gives the generations that hold, from a number on, in order.
func (j *journal) each(ctx context.Context, from uint64, give func(*generationRecord) error) error {
	ctx, cancel := context.WithTimeout(ctx, journalTimeout)
	defer cancel()
	j.mu.Lock()
	held := slices.Clone(j.held)
	j.mu.Unlock()
	if from > uint64(len(held)) {
		return nil
	}
	var failed error
	err := j.read(ctx, held[from-1].offset, held[len(held)-1].offset+1, func(offset int64, r *generationRecord) {
		if r.Number <= uint64(len(held)) && held[r.Number-1].offset == offset && failed == nil {
			failed = give(r)
		}
	})
	return errors.Join(err, failed)
}

// publish adds a generation, and reads back whether it holds.
func (j *journal) publish(ctx context.Context, r *generationRecord) error {
	value, err := r.encode()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, journalTimeout)
	defer cancel()
	cl, err := kafka.NewClient(j.kafka, kgo.RequiredAcks(kgo.AllISRAcks()))
	if err != nil {
		return err
	}
	defer cl.Close()
	sent := cl.ProduceSync(ctx, &kgo.Record{Topic: j.topic, Value: value}).FirstErr()
	if _, err := j.catchUp(context.WithoutCancel(ctx)); err != nil {
		return errors.Join(sent, fmt.Errorf("whether generation %d holds is not known: %w", r.Number, err))
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	switch n := uint64(len(j.held)); {
	case n >= r.Number && j.held[r.Number-1].id == r.ID:
		return nil
	case n >= r.Number:
		return &overtakenError{j.last}
	case sent != nil:
		return fmt.Errorf("publish generation %d to %s: %w", r.Number, j.topic, sent)
	}
	return fmt.Errorf("generation %d, published to %s, is not there", r.Number, j.topic)
}

// follow takes records as they come until ctx ends, and calls changed after some
// have come.
func (j *journal) follow(ctx context.Context, changed func()) error {
	reader, err := kafka.NewReader(j.kafka, map[kafka.TopicPartition]int64{{Topic: j.topic}: j.position()}, kgo.KeepControlRecords())
	if err != nil {
		return err
	}
	defer reader.Close()
	seen := j.wanted()
	for {
		fetches := reader.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err := fetches.Err0(); err != nil {
			j.log.Warn("reading the generations: trying again", "topic", j.topic, "error", err)
		}
		fetches.EachRecord(j.take)
		if now := j.wanted(); now != seen {
			seen = now
			changed()
		}
	}
}
