package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const maxMessageBytes = "max.message.bytes"

// config is the topic's whole config. LogAppendTime, so that retention goes by
// when a record was written and not by the time of old events; no compaction,
// since records of one key are not versions of each other.
func (t Topic) config() map[string]string {
	set := map[string]string{
		"message.timestamp.type": "LogAppendTime",
		"cleanup.policy":         "delete",
		maxMessageBytes:          strconv.Itoa(MaxMessageBytes),
	}
	maps.Copy(set, t.Config)
	return set
}

// checkConfig checks the config of a topic that is there. Where the cluster does
// not let us look, a mismatch shows only by what it does.
func checkConfig(ctx context.Context, cl *kgo.Client, t Topic) error {
	resources, err := kadm.NewClient(cl).DescribeTopicConfigs(ctx, t.Name)
	if err == nil {
		for _, r := range resources {
			err = errors.Join(err, r.Err)
		}
	}
	if errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.ClusterAuthorizationFailed) {
		return nil
	} else if err != nil {
		return fmt.Errorf("kafka: config of topic %s: %w", t.Name, err)
	}
	has := map[string]string{}
	for _, r := range resources {
		for _, c := range r.Configs {
			has[c.Key] = c.MaybeValue()
		}
	}
	wants := t.config()
	var wrong, mend []string
	for _, key := range slices.Sorted(maps.Keys(wants)) {
		value, known := has[key]
		if !known || value == wants[key] || key == maxMessageBytes && atLeast(value, wants[key]) {
			continue
		}
		wrong = append(wrong, key+"="+value)
		mend = append(mend, key+"="+wants[key])
	}
	if wrong == nil {
		return nil
	}
	return &TopicConfigError{Topic: t.Name, Has: wrong, Wants: mend, Mend: fmt.Sprintf(
		"kafka-configs.sh --bootstrap-server %s --alter --entity-type topics --entity-name %s --add-config %s",
		bootstrap(cl), t.Name, strings.Join(mend, ","))}
}

func atLeast(has, wants string) bool {
	h, err := strconv.Atoi(has)
	if err != nil {
		return false
	}
	w, err := strconv.Atoi(wants)
	return err == nil && h >= w
}

// TopicConfigError says that a topic's config would lose records, or refuse some
// that Pharos may write to it: one beacon of that size would hold its partition
// up for ever.
type TopicConfigError struct {
	Topic      string
	Has, Wants []string // key=value
	Mend       string   // the command that mends it
}

func (e *TopicConfigError) Error() string {
	return fmt.Sprintf("kafka: topic %s has %s, and Pharos needs %s: run: %s",
		e.Topic, strings.Join(e.Has, " and "), strings.Join(e.Wants, " and "), e.Mend)
}
