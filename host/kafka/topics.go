package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Topic is a topic as the config wants it.
type Topic struct {
	Name       string
	Partitions int32
	AnyCount   bool              // an existing topic may have another number of partitions
	Config     map[string]string // beside those of every topic of Pharos, which it may override
}

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// TopicInfo is what the cluster says of a topic.
type TopicInfo struct {
	ID         [16]byte
	Partitions int32
}

// EnsureTopics creates the topics that are missing, and checks of those that are
// there the number of partitions and the config (not of topics with AnyCount,
// which others write). It returns once every partition has a leader. A mismatch
// is an error that says how to mend it.
func EnsureTopics(ctx context.Context, cl *kgo.Client, topics ...Topic) error {
	for _, t := range topics {
		if t.Partitions < 1 {
			return fmt.Errorf("kafka: topic %s: %d partitions: there must be at least one", t.Name, t.Partitions)
		}
		config := map[string]*string{}
		for k, v := range t.config() {
			config[k] = &v
		}
		_, err := kadm.NewClient(cl).CreateTopic(ctx, t.Partitions, -1, config, t.Name)
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("kafka: create topic %s: %w (or create it beforehand: %s)", t.Name, err, createCommand(cl, t))
		}
	}
	for _, t := range topics {
		if err := waitTopic(ctx, cl, t); err != nil {
			return err
		}
	}
	return nil
}

// waitTopic waits for the topic to be known with all its leaders, and checks it.
func waitTopic(ctx context.Context, cl *kgo.Client, t Topic) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		infos, err := Topics(ctx, cl, t.Name)
		if err == nil {
			if n := infos[t.Name].Partitions; n != t.Partitions && !t.AnyCount {
				return &PartitionCountError{Topic: t.Name, Has: n, Wants: t.Partitions, Mend: mend(cl, t, n)}
			}
			if t.AnyCount {
				return nil
			}
			var other *TopicConfigError
			if err = checkConfig(ctx, cl, t); err == nil || errors.As(err, &other) {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// PartitionCountError says that a topic has not the number of partitions that
// the generation wants. Pharos never changes it by itself: a session's place
// follows from it.
type PartitionCountError struct {
	Topic      string
	Has, Wants int32
	Mend       string // what to do, with the command
}

func (e *PartitionCountError) Error() string {
	return fmt.Sprintf("kafka: topic %s has %d partitions, the config says %d: %s", e.Topic, e.Has, e.Wants, e.Mend)
}

func mend(cl *kgo.Client, t Topic, has int32) string {
	return fmt.Sprintf("write partitions: %d in the config, or take a new topic name, or, if its records may go, run: "+
		"kafka-topics.sh --bootstrap-server %s --delete --topic %s", has, bootstrap(cl), t.Name)
}

func createCommand(cl *kgo.Client, t Topic) string {
	command := fmt.Sprintf("kafka-topics.sh --bootstrap-server %s --create --topic %s --partitions %d", bootstrap(cl), t.Name, t.Partitions)
	config := t.config()
	for _, key := range slices.Sorted(maps.Keys(config)) {
		command += " --config " + key + "=" + config[key]
	}
	return command
}

func bootstrap(cl *kgo.Client) string {
	seeds, _ := cl.OptValue(kgo.SeedBrokers).([]string)
	return strings.Join(seeds, ",")
}

// Topics returns what the cluster says of the topics; one that is not there or
// has a partition without a leader is an error.
func Topics(ctx context.Context, cl *kgo.Client, names ...string) (map[string]TopicInfo, error) {
	infos := make(map[string]TopicInfo, len(names))
	if len(names) == 0 {
		return infos, nil
	}
	details, err := kadm.NewClient(cl).ListTopics(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("kafka: list topics %s: %w", strings.Join(names, ","), err)
	}
	for _, name := range names {
		d, ok := details[name]
		if !ok {
			return nil, fmt.Errorf("kafka: topic %s: %w", name, kerr.UnknownTopicOrPartition)
		}
		if d.Err != nil {
			return nil, fmt.Errorf("kafka: topic %s: %w", name, d.Err)
		}
		for _, p := range d.Partitions {
			if p.Leader < 0 {
				return nil, fmt.Errorf("kafka: topic %s partition %d: %w", name, p.Partition, kerr.LeaderNotAvailable)
			}
		}
		infos[name] = TopicInfo{ID: d.ID, Partitions: int32(len(d.Partitions))}
	}
	return infos, nil
}
