package pipeline

import (
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/kafka"
)

func fetched(partition int32, from int64, ms ...int64) (p kgo.FetchTopicPartition) {
	p.Topic, p.Partition = "raw", partition
	for i, at := range ms {
		p.Records = append(p.Records, &kgo.Record{Topic: "raw", Partition: partition, Offset: from + int64(i), Timestamp: time.UnixMilli(at), Value: []byte("x")})
	}
	return p
}

// What is read of several partitions comes in the order of time, and ends where the
// least of them was read to.
func TestLiveSampleEndsWhereAllPartitionsWereRead(t *testing.T) {
	for _, c := range []struct {
		name    string
		max     int
		to      map[int32]int64
		batches []kgo.FetchTopicPartition
		want    []int64 // nil: an error
	}{
		{"all is read", 100, map[int32]int64{0: 3, 1: 2}, []kgo.FetchTopicPartition{fetched(0, 0, 1, 5, 9), fetched(1, 0, 2, 3)}, []int64{1, 2, 3, 5, 9}},
		{"one is read in part", 4, map[int32]int64{0: 4, 1: 4}, []kgo.FetchTopicPartition{fetched(0, 0, 1, 5, 9), fetched(1, 0, 2, 3, 4)}, []int64{1, 2}},
		{"one is read whole, the other in part", 4, map[int32]int64{0: 2, 1: 9}, []kgo.FetchTopicPartition{fetched(0, 0, 1, 8), fetched(1, 0, 2, 6, 7)}, []int64{1, 2, 6}},
		{"of one nothing is read", 3, map[int32]int64{0: 3, 1: 4}, []kgo.FetchTopicPartition{fetched(0, 0, 1, 5, 9)}, nil},
		{"what comes is taken as it is", 100, nil, []kgo.FetchTopicPartition{fetched(0, 0, 1, 5), fetched(1, 7, 2, 9)}, []int64{1, 2, 5, 9}},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := taken{to: map[kafka.TopicPartition]int64{}, last: map[kafka.TopicPartition]time.Time{}, room: sample{max: c.max}}
			for p, end := range c.to {
				all.to[kafka.TopicPartition{Topic: "raw", Partition: p}] = end
			}
			for _, b := range c.batches {
				all.take(b)
			}
			err := all.sort()
			var got []int64
			for _, r := range all.records {
				got = append(got, r.Timestamp.UnixMilli())
			}
			if (err != nil) != (c.want == nil) || err == nil && !slices.Equal(got, c.want) {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}
