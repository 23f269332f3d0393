// Package broker is the embedded Kafka broker: kfake, on the loopback address
// only, with its data in a directory and bounded in bytes.
//
// What it keeps. Every write goes to its file at once, without fsync: what was
// acknowledged survives the death of the process (kill -9), not that of the
// machine. Transactions that are open then are aborted. A commit writes its
// markers and offsets one file after another: a process killed within these
// microseconds leaves that one transaction torn. Who cannot have that runs a
// Kafka cluster.
//
// What it deletes. The bound is on all partitions together: each has an equal
// part, in which the oldest records go first, read or not. It is enforced every
// ten seconds and by whole segments (a quarter of the part, at most 64 MiB), so
// that what is written between two rounds comes on top for that time. Small
// files of state (groups, producers) come on top too, 10 MiB each at most.
package broker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// DefaultMaxBytes bounds the data directory where Config says nothing.
const DefaultMaxBytes = 4 << 30

// Config configures a broker.
type Config struct {
	Dir      string        // data directory, made if missing; required
	Port     int           // 0: any free one
	MaxBytes int64         // of all records; 0: DefaultMaxBytes
	Every    time.Duration // how often the bound is enforced; 0: ten seconds
	Logger   hclog.Logger  // nil: silent
}

// Broker is a running broker.
type Broker struct {
	cfg     Config
	cluster *kfake.Cluster
	addr    string
	lock    *os.File
	admin   *kgo.Client
	stop    context.CancelFunc
	done    chan struct{}
	close   sync.Once
}

// Start opens the data directory and listens. The directory belongs to one
// process at a time.
func Start(cfg Config) (*Broker, error) {
	if cfg.Dir == "" {
		return nil, errors.New("broker: no data directory: set data in the config")
	}
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = DefaultMaxBytes
	}
	if cfg.Every <= 0 {
		cfg.Every = 10 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("broker: data directory: %w", err)
	}
	lock, err := lockDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	b := &Broker{cfg: cfg, lock: lock, done: make(chan struct{})}
	b.cluster, err = kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.Ports(cfg.Port),
		kfake.ClusterID("pharos-embedded"),
		kfake.DataDir(filepath.Join(cfg.Dir, "log")),
		kfake.WithLogger(logger{cfg.Logger}),
		kfake.BrokerConfigs(map[string]string{
			"message.max.bytes":              strconv.Itoa(16 << 20),
			"log.retention.ms":               "-1",
			"log.retention.bytes":            strconv.FormatInt(cfg.MaxBytes/fewPartitions, 10), // until they are counted
			"log.segment.bytes":              strconv.FormatInt(min(cfg.MaxBytes/fewPartitions/4, maxSegment), 10),
			"transaction.max.timeout.ms":     "60000",
			"transactional.id.expiration.ms": "86400000",
		}),
	)
	if err != nil {
		unlock(lock)
		return nil, fmt.Errorf("broker: start in %s on port %d: %w", cfg.Dir, cfg.Port, err)
	}
	b.addr = b.cluster.ListenAddrs()[0]
	b.admin, err = kgo.NewClient(kgo.SeedBrokers(b.addr))
	if err != nil {
		b.cluster.Close()
		unlock(lock)
		return nil, fmt.Errorf("broker: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.stop = cancel
	go func() {
		defer close(b.done)
		b.enforce(ctx)
	}()
	cfg.Logger.Info("embedded broker listens", "address", b.addr, "dir", cfg.Dir)
	return b, nil
}

// Addr is the broker's host:port.
func (b *Broker) Addr() string { return b.addr }

// Close writes out what is not yet written and frees the directory. Clients
// should be closed before.
func (b *Broker) Close() {
	b.close.Do(func() {
		b.stop()
		<-b.done
		b.admin.Close()
		b.cluster.Close()
		unlock(b.lock)
	})
}

const (
	maxSegment    = 64 << 20
	fewPartitions = 64 // what the bound is shared out for before the partitions are counted
)

// enforce keeps the bound until ctx ends.
func (b *Broker) enforce(ctx context.Context) {
	ticker := time.NewTicker(b.cfg.Every)
	defer ticker.Stop()
	adm := kadm.NewClient(b.admin)
	shared := 0 // the partitions that the bound is shared out to
	for {
		n, err := b.partitions(ctx, adm)
		if err == nil && n > 0 && n != shared {
			if err = b.share(ctx, adm, n); err == nil {
				shared = n
			}
		}
		switch {
		case err != nil && ctx.Err() == nil:
			b.cfg.Logger.Warn("the bound on the broker's data is not enforced this time", "error", err)
		case err == nil && shared > 0: // not before: the parts are too small until then
			b.cluster.ApplyRetention()
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (b *Broker) partitions(ctx context.Context, adm *kadm.Client) (int, error) {
	topics, err := adm.ListTopics(ctx)
	n := 0
	for _, t := range topics {
		n += len(t.Partitions)
	}
	return n, err
}

// share gives each of n partitions its part of the bound: a segment beyond the
// retained bytes may still be there, so both fit in the part.
func (b *Broker) share(ctx context.Context, adm *kadm.Client, n int) error {
	part := b.cfg.MaxBytes / int64(n)
	segment := min(part/4, maxSegment)
	set := func(k string, v int64) kadm.AlterConfig {
		s := strconv.FormatInt(max(v, 1), 10)
		return kadm.AlterConfig{Op: kadm.SetConfig, Name: k, Value: &s}
	}
	resps, err := adm.AlterBrokerConfigs(ctx, []kadm.AlterConfig{
		set("log.retention.bytes", part-segment), set("log.segment.bytes", segment),
	})
	if err != nil {
		return err
	}
	for _, r := range resps {
		if r.Err != nil {
			return r.Err
		}
	}
	return nil
}

// logger gives kfake's messages to hclog; its information is detail here.
type logger struct{ l hclog.Logger }

func (l logger) Logf(level kfake.LogLevel, format string, args ...any) {
	switch level {
	case kfake.LogLevelError:
		l.l.Error(fmt.Sprintf(format, args...))
	case kfake.LogLevelWarn:
		if strings.HasPrefix(format, "txn: EndTxn slow") { // a few ms: nobody's trouble
			l.l.Debug(fmt.Sprintf(format, args...))
			return
		}
		l.l.Warn(fmt.Sprintf(format, args...))
	case kfake.LogLevelInfo:
		if l.l.IsDebug() {
			l.l.Debug(fmt.Sprintf(format, args...))
		}
	case kfake.LogLevelDebug:
		if l.l.IsTrace() {
			l.l.Trace(fmt.Sprintf(format, args...))
		}
	}
}
