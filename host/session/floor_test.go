package session

import (
	"fmt"
	"testing"

	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// What the watermark of a route was when it heard of a generation.
func TestHeard(t *testing.T) {
	first := &RouteTopic{Topic: "web", Partitions: 2, Since: 1}
	route := &RouteTopic{Topic: "web-v2", Partitions: 1, Since: 3, Replaces: first}
	const none = metric.NoWatermark
	left := func(closed bool, watermark int64, all ...generationSwitch) kafka.Committed {
		m := metadata{Generation: all[len(all)-1].generation, Watermark: watermark, Switches: all, Closed: closed}
		return kafka.Committed{Offset: 9, Metadata: m.String()}
	}
	sw := func(generation uint64, watermark int64) generationSwitch {
		return generationSwitch{int64(generation), generation, watermark}
	}
	for _, c := range []struct {
		name       string
		generation uint64
		committed  map[string]kafka.Committed
		want       int64
		waits      bool
	}{
		{name: "nothing is committed", generation: 2, waits: true},
		{"not all have heard", 2, map[string]kafka.Committed{"web/0": left(false, 9, sw(1, none), sw(2, 5)), "web/1": left(false, 9, sw(1, none))}, 0, true},
		{"not all have begun", 2, map[string]kafka.Committed{"web/0": left(false, 9, sw(1, none), sw(2, 5))}, 0, true},
		{"all have heard", 2, map[string]kafka.Committed{"web/0": left(false, 9, sw(1, none), sw(2, 5)), "web/1": left(false, 9, sw(1, none), sw(2, 4))}, 4, false},
		{"all have heard of a later one", 2, map[string]kafka.Committed{"web/0": left(false, 9, sw(1, none), sw(3, 5)), "web/1": left(false, 9, sw(1, none), sw(4, 6))}, 5, false},
		{"one has no watermark", 2, map[string]kafka.Committed{"web/0": left(false, 9, sw(1, none), sw(2, none)), "web/1": left(false, 9, sw(1, none), sw(2, 6))}, none, false},
		{"all have heard, and are closed", 2, map[string]kafka.Committed{
			"web/0": left(true, 9, sw(1, none), sw(2, 5)), "web/1": left(true, 9, sw(1, none), sw(2, 6)), "web-v2/0": left(false, 20, sw(3, 10)),
		}, 5, false},
		{"one had closed before the other heard", 4, map[string]kafka.Committed{"web/0": left(true, 9, sw(1, none), sw(3, 5)), "web/1": left(false, 12, sw(1, none), sw(4, 11))}, 9, false},
		{"all had closed, the next topic has heard", 4, map[string]kafka.Committed{
			"web/0": left(true, 9, sw(1, none), sw(3, 5)), "web/1": left(true, 9, sw(1, none), sw(3, 6)), "web-v2/0": left(false, 20, sw(3, 10), sw(4, 15)),
		}, 15, false},
		{"all had closed, the next topic has not heard", 4, map[string]kafka.Committed{
			"web/0": left(true, 9, sw(1, none), sw(3, 5)), "web/1": left(true, 9, sw(1, none), sw(3, 6)), "web-v2/0": left(false, 20, sw(3, 10)),
		}, 0, true},
	} {
		committed := map[kafka.TopicPartition]kafka.Committed{}
		for _, topic := range route.all() {
			for p := range topic.Partitions {
				if o, ok := c.committed[fmt.Sprintf("%s/%d", topic.Topic, p)]; ok {
					committed[kafka.TopicPartition{Topic: topic.Topic, Partition: p}] = o
				}
			}
		}
		if got, ok := route.heard(committed, c.generation); ok == c.waits || ok && got != c.want {
			t.Errorf("%s: %d, %t; want %d, it waits %t", c.name, got, ok, c.want, c.waits)
		}
	}
}
