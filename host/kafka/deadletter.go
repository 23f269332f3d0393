package kafka

import (
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
)

// maxLetter is how much of a dead letter's value is kept: all of any record
// that fits a topic with Kafka's default limits, many times over.
const maxLetter = MaxMessageBytes - 64<<10

// The headers of a dead-letter record.
const (
	headerCause     = "cause"
	headerDetail    = "detail"
	headerPlugin    = "plugin"
	headerVersion   = "version"
	headerDigest    = "digest"
	headerTenant    = "tenant"
	headerSource    = "source"
	headerPartition = "partition"
	headerOffset    = "offset"
	headerTruncated = "bytes" // the value's whole size, only where it was cut
)

// DeadLetter is a beacon that left the stream, or a copy of one that a plugin
// failed on: its untouched bytes and why.
type DeadLetter struct {
	Cause     string // the causes of package beacon
	Detail    string // the error; may be empty
	Plugin    string // these three: only where a plugin is the cause
	Version   string
	Digest    string
	Tenant    string // empty where it cannot be told
	Topic     string // the source position: raw topic, partition, offset
	Partition int32
	Offset    int64
	Value     []byte
}

// Record returns the record for the dead-letter topic. Its partition follows
// from the source position's topic and partition, so the letters of one source
// partition stay in order. A value beyond 8 MiB is cut, with its whole size in
// the header "bytes".
func (d DeadLetter) Record(topic string, partitions int32) *kgo.Record {
	key := append(append([]byte(d.Topic), '/'), strconv.Itoa(int(d.Partition))...)
	r := &kgo.Record{Topic: topic, Partition: PartitionOf(key, partitions), Key: key, Value: d.Value}
	add := func(name, value string) {
		if value != "" {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
		}
	}
	add(headerCause, d.Cause)
	add(headerDetail, d.Detail)
	add(headerPlugin, d.Plugin)
	add(headerVersion, d.Version)
	add(headerDigest, d.Digest)
	add(headerTenant, d.Tenant)
	add(headerSource, d.Topic)
	add(headerPartition, strconv.Itoa(int(d.Partition)))
	add(headerOffset, strconv.FormatInt(d.Offset, 10))
	if len(d.Value) > maxLetter {
		r.Value = d.Value[:maxLetter]
		add(headerTruncated, strconv.Itoa(len(d.Value)))
	}
	return r
}

// ParseDeadLetter reads a record of the dead-letter topic.
func ParseDeadLetter(r *kgo.Record) (DeadLetter, error) {
	d := DeadLetter{Value: r.Value, Partition: -1, Offset: -1}
	for _, h := range r.Headers {
		v := string(h.Value)
		switch h.Key {
		case headerCause:
			d.Cause = v
		case headerDetail:
			d.Detail = v
		case headerPlugin:
			d.Plugin = v
		case headerVersion:
			d.Version = v
		case headerDigest:
			d.Digest = v
		case headerTenant:
			d.Tenant = v
		case headerSource:
			d.Topic = v
		case headerPartition:
			n, err := strconv.ParseInt(v, 10, 32)
			if err != nil {
				return d, fmt.Errorf("kafka: dead letter %s/%d@%d: header %s: %w", r.Topic, r.Partition, r.Offset, h.Key, err)
			}
			d.Partition = int32(n)
		case headerOffset:
			n, err := strconv.ParseInt(v, 10, 64)
			if err != nil {
				return d, fmt.Errorf("kafka: dead letter %s/%d@%d: header %s: %w", r.Topic, r.Partition, r.Offset, h.Key, err)
			}
			d.Offset = n
		}
	}
	if d.Cause == "" || d.Topic == "" {
		return d, fmt.Errorf("kafka: %s/%d@%d is no dead letter: it has no cause or source", r.Topic, r.Partition, r.Offset)
	}
	return d, nil
}
