package dispatch

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// part is a source partition that the stage owns.
type part struct {
	Source
	topicID    [16]byte
	partitions int32     // of the topic
	next       int64     // offset
	active     time.Time // when a beacon was last routed
	generation uint64    // that it was last dispatched under; 0: never, or one from before they were kept
	needs      uint64    // the lowest generation that it goes on under
	held       bool      // it is not read
	waits      bool      // it is held for its generation, and nothing is said of it
	since      time.Time // of waits
	given      bool      // its offset to a transaction
	idle       bool      // as the last mark said
	busy       bool      // it has records in hand
	unsaid     bool      // it has routed beacons since the last mark
}

// metadata is what is committed with an offset, as JSON.
type metadata struct {
	TopicID    string `json:"topic_id"` // hex: offsets of a topic that was made anew mean nothing
	Watermark  int64  `json:"watermark"`
	Generation uint64 `json:"generation,omitempty"`
	Active     int64  `json:"active,omitempty"` // epoch ms of dispatch's clock
	Idle       bool   `json:"idle,omitempty"`   // as the last mark said
}

func (p *part) metadata() string {
	b, err := json.Marshal(metadata{TopicID: topicID(p.topicID), Watermark: p.Watermark, Generation: p.generation, Active: p.active.UnixMilli(), Idle: p.idle})
	if err != nil {
		panic(err) // numbers and hex always encode
	}
	return string(b)
}

func topicID(id [16]byte) string { return fmt.Sprintf("%x", id) }

// sorted are the partitions by topic and number.
func (s *Stage) sorted() []*part {
	return slices.SortedFunc(maps.Values(s.parts), func(a, b *part) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
}
