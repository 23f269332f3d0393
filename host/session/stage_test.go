package session

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// Workers come, go and fail; nothing is missing, nothing doubled.
func TestStage(t *testing.T) {
	extractor := &flaky{listExtractor: testPoints("view", "order", "click:image,slot")}
	b := newBench(t, extractor)
	reg := prometheus.NewRegistry()
	counters, err := NewCounters(reg)
	if err != nil {
		t.Fatal(err)
	}
	share := func(c *StageConfig) { c.Counters = counters }
	b.feed(100, 0, 30)
	b.beacon(of("s", 30, `"trap":"boom"`))

	l, stage := b.loop(share)
	stop := b.run(l)
	b.settle("first")
	if err := stage.Ready(); err != nil {
		t.Error(err)
	}
	if st := stage.Status(); len(st) != routePartitions || !st[0].Live || st[0].Sessions == 0 || st[0].Watermark == metric.NoWatermark || st[0].Route != "web" {
		t.Errorf("status %+v", st)
	}
	_, before := b.booked()
	low, _ := before.Watermark()

	extractor.broken.Store(true)
	for i := range 60 { // late ones among them, whose letters go out once
		b.feed(1, 30+float64(i)/6, 0.1)
		b.beacon(of(fmt.Sprint(i), 1, ""))
	}
	b.eventually("failures", func() bool { return l.Stats().Aborts > 0 })
	extractor.broken.Store(false)
	b.settle("after failures")

	if err := stop(); err != nil {
		t.Fatal(err)
	}
	b.feed(100, 40, 20)
	l, stage = b.loop(share)
	stop = b.run(l)
	b.settle("after a restart")
	if n := testutil.ToFloat64(counters.replayed); n < 150 {
		t.Errorf("%v records were replayed", n)
	}

	second, _ := b.loop(share)
	stopSecond := b.run(second)
	b.feed(100, 60, 20)
	b.eventually("partitions for the second worker", func() bool { return len(stage.Status()) == 1 })
	b.feed(20, 80, 5)
	b.settle("two workers")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	b.feed(20, 85, 5)
	b.settle("one is gone")
	if err := stopSecond(); err != nil {
		t.Fatal(err)
	}
	if n := testutil.ToFloat64(counters.partitions) + testutil.ToFloat64(counters.sessions); n != 0 {
		t.Errorf("%v partitions and sessions are still owned", n)
	}
	_, after := b.booked()
	if high, ok := after.Watermark(); !ok || high <= low {
		t.Errorf("the watermark went from %d to %d", low, high)
	}
}

// Each second there is progress without any input.
func TestStageProgressWithoutInput(t *testing.T) {
	b := newBench(t, nil)
	l, _ := b.loop(nil)
	b.run(l)
	b.settle("nothing")
	n := l.Stats().Commits
	b.eventually("more commits", func() bool { return l.Stats().Commits > n+3 })
}

func TestStageStops(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(b *bench)
		want string
	}{
		{"a header of a later version", func(b *bench) {
			r := &kgo.Record{Topic: routeTopic, Partition: 1, Value: []byte("{}"), Headers: []kgo.RecordHeader{{Key: beacon.HeaderKey, Value: []byte{9}}}}
			if err := b.cl.ProduceSync(b.Context(), r).FirstErr(); err != nil {
				b.Fatal(err)
			}
		}, "pharos.web/1 offset 0: header \"pharos\": version 9"},
		{"a source that is gone", func(b *bench) {
			r := log(at(1, ""))[0]
			r.Header.Topic = "gone"
			b.write(0, r)
		}, `the beacon is of topic "gone"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, nil)
			c.do(b)
			l, _ := b.loop(nil)
			err := l.Run(t.Context())
			if !errors.Is(err, kafka.ErrStop) || !strings.Contains(err.Error(), c.want) {
				t.Error(err)
			}
		})
	}
}

// Records that dispatch did not write, or that somebody broke, are passed over
// and counted.
func TestStagePassesOverForeignRecords(t *testing.T) {
	b := newBench(t, nil)
	header := func(key string, value []byte) []kgo.RecordHeader {
		return []kgo.RecordHeader{{Key: key, Value: value}}
	}
	foreign := []*kgo.Record{
		{Value: []byte("hello")},
		{Headers: header(beacon.HeaderKey, nil)},
		{Headers: header(beacon.HeaderKey, []byte("\x01\x03raw"))},
		{Headers: header(beacon.HeaderKey, beacon.Header{Topic: "raw", Partition: math.MaxInt32}.Append(nil))},
		{Headers: header(beacon.MarkKey, nil), Value: []byte("hello")},
		{Headers: header(beacon.MarkKey, nil), Value: beacon.Mark{Entries: []beacon.MarkEntry{{Topic: "raw", Partitions: 50_000_000}}}.Append(nil)},
	}
	for _, r := range foreign {
		r.Topic = routeTopic
		if err := b.cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
		b.records[0] = append(b.records[0], Record{Mark: &beacon.Mark{}}) // takes an offset, says nothing
	}
	b.feed(20, 0, 5)
	counters := newCounters()
	l, _ := b.loop(func(c *StageConfig) { c.Counters = counters })
	b.run(l)
	b.settle("all others")
	if n := testutil.ToFloat64(counters.foreign); n != float64(len(foreign)) {
		t.Errorf("%v foreign records", n)
	}
}

// cut deletes the first records of both partitions.
func (b *bench) cut(offset func(partition int32) int64) {
	b.Helper()
	var to kadm.Offsets
	for p := range int32(routePartitions) {
		to.Add(kadm.Offset{Topic: routeTopic, Partition: p, At: offset(p)})
	}
	resp, err := kadm.NewClient(b.cl).DeleteRecords(b.Context(), to)
	if err == nil {
		err = resp.Error()
	}
	if err != nil {
		b.Fatal(err)
	}
}

// A log that has lost its first records does as long as no session that goes
// on can have begun there.
func TestStageTruncatedLog(t *testing.T) {
	b := newBench(t, nil)
	b.feed(60, 0, 20)
	first := [routePartitions]int64{int64(len(b.records[0])), int64(len(b.records[1]))}
	b.mark()
	b.feed(60, 60, 20)
	l, _ := b.loop(nil)
	stop := b.run(l)
	b.settle("whole log")
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	b.cut(func(p int32) int64 { return first[p] })
	b.feed(60, 80, 10)
	l, _ = b.loop(nil)
	stop = b.run(l)
	b.settle("what is left of the log")
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	middle := func(p int32) int64 { return (first[p] + int64(len(b.records[p]))) / 2 }
	b.cut(middle)
	l, _ = b.loop(nil)
	if err := l.Run(t.Context()); !errors.Is(err, kafka.ErrStop) || !errors.Is(err, errState) || !strings.Contains(err.Error(), "may have begun before what is left") {
		t.Error(err)
	}

	b.feed(1, 91, 1)
	b.cut(func(p int32) int64 { return int64(len(b.records[p])) })
	l, _ = b.loop(nil)
	if err := l.Run(t.Context()); !errors.Is(err, kafka.ErrStop) || !strings.Contains(err.Error(), "2 records were deleted before they were read") {
		t.Error(err)
	}
}
