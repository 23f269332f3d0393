package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// BenchmarkReload is what a reload takes while beacons flow, and for how long the
// stream stands: the longest time between two beacons that dispatch has routed, beside
// the same without reloads.
func BenchmarkReload(b *testing.B) {
	text := strings.ReplaceAll(hostConfig, "MODULES", modules(b))
	k := testBroker(b)
	h := startHost(b, k, hostOptions{id: "a", roles: AllRoles, embedded: true}, text)
	eventually(b, "readiness", func() bool { return h.ready() == nil })
	cl, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers...), kgo.DefaultProduceTopic("beacons"), kgo.ConsumeTopics("pharos.web"), kgo.ProducerLinger(0))
	if err != nil {
		b.Fatal(err)
	}
	defer cl.Close()
	ctx, stop := context.WithCancel(b.Context())
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for i := 0; ctx.Err() == nil; i++ {
			<-tick.C
			value := fmt.Appendf(nil, `{"ts":%d,"tenant":"shop","sid":"s%d","type":"purchase","agent":"Firefox"}`, time.Now().UnixMilli(), i%1000)
			cl.Produce(ctx, &kgo.Record{Value: value}, nil)
		}
	}()
	defer func() {
		stop()
		<-sent
	}()
	// longest is the longest pause between routed beacons while something is done.
	longest := func(do func()) time.Duration {
		done := make(chan struct{})
		go func() {
			defer close(done)
			do()
			time.Sleep(100 * time.Millisecond) // what was done may show later
		}()
		var last time.Time
		most := time.Duration(0)
		for {
			fetches := cl.PollFetches(ctx)
			fetches.EachRecord(func(r *kgo.Record) {
				if len(r.Value) > 0 && !last.IsZero() && r.Timestamp.After(last) {
					most = max(most, r.Timestamp.Sub(last))
				}
				last = r.Timestamp
			})
			select {
			case <-done:
				return most
			default:
			}
		}
	}
	longest(func() { time.Sleep(2 * time.Second) }) // the connections are made
	var took, used time.Duration
	var with, without []time.Duration // the longest pauses, each in the same time
	n := 0
	for b.Loop() {
		n++
		writeFileT(b, h.file, edited(b, text, `path == "first"`, fmt.Sprintf(`path == "%d"`, n), "extra: [first]", fmt.Sprintf("extra: [agent%d]", n)))
		began := time.Now()
		with = append(with, longest(func() {
			start := time.Now()
			if answer, err := h.reload(ctx, false); err != nil || !answer.Published {
				b.Errorf("%v %+v", err, answer)
			}
			took += time.Since(start)
			start = time.Now()
			if err := h.use(h.gens.inForce()); err != nil { // once more: that is what the stages are given
				b.Error(err)
			}
			used += time.Since(start)
		}))
		same := time.Since(began)
		without = append(without, longest(func() { time.Sleep(same) }))
	}
	slices.Sort(with)
	slices.Sort(without)
	milliseconds := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(milliseconds(took)/float64(n), "ms/reload")
	b.ReportMetric(milliseconds(used)/float64(n), "ms/use")
	for name, pauses := range map[string][]time.Duration{"with": with, "without": without} {
		b.ReportMetric(milliseconds(pauses[len(pauses)/2]), "ms-median-pause-"+name)
		b.ReportMetric(milliseconds(pauses[len(pauses)-1]), "ms-longest-pause-"+name)
	}
}
