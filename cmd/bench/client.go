package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/kafka"
)

// client is a job that does as little as a Kafka client can: read a topic, and
// write each record to another one. Its options are those of every client of
// Pharos, and where they matter those of its stages.
type client struct {
	Brokers  []string
	From, To string
	Records  int64 // in From
}

// clientRun is a client at work.
type clientRun struct {
	client
	taken  int64
	failed atomic.Pointer[error] // the first failure to write
}

// pollRecords is how many records are taken at a time.
const pollRecords = 10_000

func (c *clientRun) run(ctx context.Context, j job) error {
	k := kafka.Config{Brokers: c.Brokers, ClientID: "pharos-bench"}
	opts := append(k.Options(),
		kgo.ConsumeTopics(c.From),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxPartitionBytes(4<<20),
		kgo.MaxBufferedRecords(100_000),
		kgo.MaxBufferedBytes(128<<20),
	)
	if j == exactJob {
		return c.exact(ctx, opts)
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return err
	}
	defer cl.Close()
	for c.taken < c.Records {
		err := c.take(cl.PollRecords(ctx, pollRecords), func(r *kgo.Record) {
			if j == copyJob {
				cl.Produce(ctx, c.copyOf(r), c.written)
			}
		})
		if err != nil {
			return err
		}
	}
	return errors.Join(cl.Flush(ctx), c.failure())
}

// exact copies with a transaction a second that holds the offsets too.
func (c *clientRun) exact(ctx context.Context, opts []kgo.Opt) error {
	group := c.To + "-copy"
	s, err := kgo.NewGroupTransactSession(append(opts, kgo.ConsumerGroup(group), kgo.TransactionalID(group), kgo.RequireStableFetchOffsets())...)
	if err != nil {
		return err
	}
	defer s.Close()
	for c.taken < c.Records {
		if err := s.Begin(); err != nil {
			return err
		}
		for end := time.Now().Add(time.Second); time.Now().Before(end) && c.taken < c.Records; {
			poll, cancel := context.WithDeadline(ctx, end)
			fetches := s.PollRecords(poll, pollRecords)
			cancel()
			if err := c.take(fetches, func(r *kgo.Record) { s.Produce(ctx, c.copyOf(r), c.written) }); err != nil {
				return err
			}
		}
		if committed, err := s.End(ctx, kgo.TryCommit); err != nil || !committed {
			return fmt.Errorf("a transaction was not committed: %w", errors.Join(err, c.failure()))
		}
	}
	return nil
}

// take gives the records that were fetched to each, and says when the first came.
func (c *clientRun) take(fetches kgo.Fetches, each func(*kgo.Record)) error {
	for _, e := range fetches.Errors() {
		if !errors.Is(e.Err, context.DeadlineExceeded) {
			return fmt.Errorf("read %s/%d: %w", e.Topic, e.Partition, e.Err)
		}
	}
	n := int64(fetches.NumRecords())
	if c.taken == 0 && n > 0 {
		fmt.Println("begun")
	}
	c.taken += n
	fetches.EachRecord(each)
	return c.failure()
}

func (c *clientRun) copyOf(r *kgo.Record) *kgo.Record {
	return &kgo.Record{Topic: c.To, Partition: r.Partition, Key: r.Key, Value: r.Value}
}

func (c *clientRun) written(_ *kgo.Record, err error) {
	if err != nil {
		c.failed.CompareAndSwap(nil, &err)
	}
}

func (c *clientRun) failure() error {
	if err := c.failed.Load(); err != nil {
		return fmt.Errorf("write to %s: %w", c.To, *err)
	}
	return nil
}
