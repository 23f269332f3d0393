package session

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/kafka"
)

// said is a stage that owns one partition, and its log.
func said(t *testing.T) (*Stage, *part, *bytes.Buffer) {
	var log bytes.Buffer
	s := NewStage(StageConfig{
		Config: testConfig(func(c *Config, _ *Tenant) { c.Sources[0].Partitions = 3 }),
		Routes: map[string]string{routeTopic: "web"}, Logger: hclog.New(&hclog.LoggerOptions{Output: &log}),
	})
	t.Cleanup(s.Close)
	if err := s.Assign(t.Context(), []*kafka.Assigned{{Topic: routeTopic, Partitions: 1, Committed: -1}}); err != nil {
		t.Fatal(err)
	}
	return s, s.sorted()[0], &log
}

// However many foreign records there are, each is counted and one a second is
// logged.
func TestSayForeign(t *testing.T) {
	s, p, log := said(t)
	now := time.Unix(1000, 0)
	for i := range 1000 {
		s.sayForeign(&p.feeder.foreign, &kgo.Record{Offset: int64(i)}, errors.New("broken"), now.Add(time.Duration(i)*2*time.Millisecond))
	}
	if n := strings.Count(log.String(), "\n"); n != 2 || !strings.Contains(log.String(), "offset=500 more_before=499 error=broken") {
		t.Errorf("%d lines:\n%s", n, log)
	}
	if n := testutil.ToFloat64(s.cfg.Counters.foreign); n != 1000 {
		t.Errorf("%v counted", n)
	}
}

// A watermark that does not move says which source partition holds it.
func TestSayStill(t *testing.T) {
	s, p, log := said(t)
	now := time.Unix(1000, 0)
	mark := func(value int64, partitions ...int32) {
		m := &beacon.Mark{}
		for _, n := range partitions {
			m.Entries = append(m.Entries, beacon.MarkEntry{Topic: "raw", Partition: n, Partitions: 3, Watermark: value})
		}
		if err := p.core.Process(t.Context(), []Record{{Mark: m}}, &Output{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		what   string
		do     func()
		after  time.Duration
		holder string
		says   string
	}{
		{"at first", func() {}, 0, "raw/0", ""},
		{"none before", func() { mark(5, 0, 2) }, stillAfter, "raw/1", "source_partition=raw/1\n"},
		{"not again at once", func() {}, time.Second, "raw/1", ""},
		{"it moves", func() { mark(minute, 0, 1, 2) }, stillAfter, "raw/0", ""},
		{"two of three move", func() { mark(2*minute, 0, 1) }, stillAfter, "raw/2", "source_partition=raw/2 watermark=1970-01-01T00:01:00Z"},
		{"all move", func() { mark(2*minute, 2) }, stillAfter, "raw/0", ""},
		{"all are idle", func() {
			m := &beacon.Mark{}
			for n := range int32(3) {
				m.Entries = append(m.Entries, beacon.MarkEntry{Topic: "raw", Partition: n, Partitions: 3, Watermark: 2 * minute, Idle: true})
			}
			if err := p.core.Process(t.Context(), []Record{{Mark: m}}, &Output{}); err != nil {
				t.Fatal(err)
			}
		}, stillAfter, "", ""},
	} {
		log.Reset()
		c.do()
		now = now.Add(c.after)
		s.sayStill(p, now)
		s.report(nil)
		if got := s.Status()[0].Holder; got != c.holder {
			t.Errorf("%s: %q holds it", c.what, got)
		}
		if got := log.String(); (got == "") != (c.says == "") || !strings.Contains(got, c.says) {
			t.Errorf("%s: said %q", c.what, got)
		}
	}
}
