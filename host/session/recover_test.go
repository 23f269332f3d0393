package session

import (
	"context"
	"io"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/blob"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/host/snapshot"
)

// BenchmarkRecovery is how long it takes until a partition of so many open
// sessions (-sessions) is live again: from a snapshot in a directory, and as many
// records behind it as a tenth of the sessions.
func BenchmarkRecovery(b *testing.B) {
	n := *memorySessions
	cfg := crowdConfig(n)
	bucket, err := blob.Open(b.Context(), "file://"+b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer bucket.Close()
	store := snapshot.New(bucket, "g", 3)

	core, c, out := NewPartition(cfg, "web", 0), &crowd{sessions: n, watermark: metric.NoWatermark}, &Output{}
	var batch []Record
	take := func() {
		if err := core.Process(b.Context(), batch, out); err != nil {
			b.Fatal(err)
		}
		out.Reset()
		clear(batch)
		batch = batch[:0]
	}
	offset := int64(0)
	last := len(crowdRounds) - 1
	for round := range crowdRounds[:last] {
		for i := range n {
			batch = append(batch, c.record(round, i, offset))
			if offset++; len(batch) == 10_000 {
				take()
			}
		}
	}
	take()
	info := snapshot.Info{Key: snapshot.Key{Route: "web", Topic: routeTopic, TopicID: [16]byte{7}}, Offset: offset, Generation: cfg.Generation, Taken: time.Now()}
	began, size := time.Now(), int64(0)
	frozen := core.Freeze()
	if err := store.Put(b.Context(), info, func(w io.Writer) (err error) { size, err = frozen.WriteTo(w); return err }); err != nil {
		b.Fatal(err)
	}
	frozen.Close()
	b.Logf("written in %v: %d MB", time.Since(began), size>>20)
	log, tp := tailLog{from: offset}, kafka.TopicPartition{Topic: routeTopic}
	for i := range n / 10 {
		batch = append(batch, c.record(last, i, offset))
		log.records = append(log.records, recordOf(tp, batch[len(batch)-1]))
		offset++
	}
	take()
	left := metadata{TopicID: topicID(info.TopicID), Generation: cfg.Generation, Watermark: core.Watermark(), Within: true, Switches: switches{{0, cfg.Generation, metric.NoWatermark}}}
	if err := core.Close(); err != nil {
		b.Fatal(err)
	}
	runtime.GC()
	for b.Loop() {
		s := NewStage(StageConfig{
			Config: cfg, Routes: map[string]string{routeTopic: "web"}, Log: log, Snapshots: store, Metrics: stageTopics[1], DeadLetters: stageTopics[2],
		})
		a := &kafka.Assigned{Topic: routeTopic, TopicID: info.TopicID, Partitions: 1, Committed: offset, Metadata: left.String(), LogEnd: offset}
		if err := s.Assign(b.Context(), []*kafka.Assigned{a}); err != nil {
			b.Fatal(err)
		}
		p := s.parts[tp]
		if p.recovery != nil {
			<-p.recovery.done
			if err := s.goLive(p); err != nil {
				b.Fatal(err)
			}
		}
		if !p.live() || p.core.Sessions() != n {
			b.Fatalf("%d sessions are back", p.core.Sessions())
		}
		s.Close()
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/recovery")
	b.ReportMetric(float64(size)/float64(n), "B/session")
}

// tailLog is the end of a log.
type tailLog struct {
	from    int64
	records []*kgo.Record
}

func (l tailLog) Read(_ context.Context, _ string, _ int32, from, to int64, each func([]*kgo.Record) error) error {
	for records := range slices.Chunk(l.records[from-l.from:to-l.from], 10_000) {
		if err := each(records); err != nil {
			return err
		}
	}
	return nil
}

func (l tailLog) Bounds(context.Context, string, int32) (kafka.Bounds, error) {
	return kafka.Bounds{End: l.from + int64(len(l.records))}, nil
}
