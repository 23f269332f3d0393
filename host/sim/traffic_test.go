package sim

import (
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/kafka"
)

// sender writes the beacons of one source partition, at a pace and a distance
// from the present of its own.
type sender struct {
	tp    kafka.TopicPartition
	lag   time.Duration // of the newest beacon behind the present
	quiet time.Time     // nothing before it
}

// send writes some beacons to a random source partition.
func (s *simulation) send() {
	parts := s.cluster.partitions(s.world.topics()...)
	tp := parts[s.IntN(len(parts))]
	p := s.senders[tp]
	if p == nil {
		p = &sender{tp: tp}
		s.senders[tp] = p
	}
	switch {
	case s.now().Before(p.quiet):
		return
	case s.chance(30):
		p.quiet = s.now().Add(time.Duration(s.IntN(10)) * s.world.idle / 3)
	case s.chance(20):
		p.lag = time.Duration(s.Int64N(int64(3 * s.world.lateness)))
	case s.chance(20):
		p.lag = 0
	}
	for range 1 + s.IntN(8) {
		s.raw(tp, s.beacon(p))
	}
}

func (s *simulation) raw(tp kafka.TopicPartition, value string) {
	s.sent = append(s.sent, value)
	s.cluster.append(&kgo.Record{Topic: tp.Topic, Partition: tp.Partition, Value: []byte(value)}, nil)
}

// at is the event time of the next beacon: mostly in order, and else at all
// distances, those at which something changes among them.
func (s *simulation) at(p *sender) int64 {
	w, r := s.world, s.Rand
	now := s.now().Add(-p.lag).UnixMilli()
	late, gap := w.lateness.Milliseconds(), w.gap.Milliseconds()
	near := r.Int64N(3) - 1
	t := now
	switch r.IntN(20) {
	case 0:
		t -= late + near
	case 1, 2:
		t -= r.Int64N(3 * late)
	case 3, 4, 5:
		t -= r.Int64N(late)
	case 6:
		t = s.last + near
	case 7:
		t = s.last + gap + near
	case 8:
		t = (t/60_000)*60_000 + near
	case 9:
		t += r.Int64N(w.ahead.Milliseconds() / 4)
	default:
		t -= r.Int64N(late/8 + 1)
	}
	if t > now+w.ahead.Milliseconds()/2 {
		t = now
	}
	s.last = t
	return t
}

// beacon gives the raw bytes of a beacon.
func (s *simulation) beacon(p *sender) string {
	r := s.Rand
	switch {
	case len(s.sent) > 0 && s.chance(12):
		return s.sent[r.IntN(len(s.sent))] // a copy, maybe of long ago
	case s.chance(80):
		return pick(r, `{"tenant":"shop"`, `{"tenant":"nobody","ts":1,"sid":"s"}`, `{"tenant":"shop","ts":946684800000}`, `[]`, `{"sid":"s","tenant":"blog"}`)
	case s.chance(80):
		return fmt.Sprintf(`{"tenant":"shop","sid":"s1","ts":%d}`, s.now().Add(24*time.Hour).UnixMilli())
	}
	var b strings.Builder
	fmt.Fprintf(&b, `{"ts":%d,"tenant":%q,"sid":"s%d"`, s.at(p), pick(r, "shop", "shop", "shop", "blog", "news", "news"), r.IntN(s.sessions))
	some := func(n int, format string, args ...any) {
		if s.chance(n) {
			fmt.Fprintf(&b, format, args...)
		}
	}
	some(2, `,"id":"i%d"`, r.IntN(40))
	if s.chance(2) {
		fmt.Fprintf(&b, `,"exp":{%q:%q,%q:%q}`, pick(r, "keep", "short"), pick(r, "a", "b", "z"), "out", pick(r, "a", "a", "a", "b"))
	}
	fmt.Fprintf(&b, `,"type":%q`, pick(r, "view", "view", "order", "click", "both", "none"))
	some(1, `,"value":%s`, pick(r, "1", "2.5", "0.1", "-3", "1e9", `"x"`, "1e10", "19.99"))
	some(3, `,"img":"i%d"`, r.IntN(3))
	some(3, `,"slot":%q`, pick(r, "top", "side"))
	some(2, `,"platform":%q`, pick(r, "web", "ios", "tv"))
	some(3, `,"dc":"dc%d"`, r.IntN(3))
	some(2, `,"visitor":"v%d"`, r.IntN(9))
	some(30, `,"bot":%q`, pick(r, "x", "y"))
	some(30, `,"shopbot":"z"`)
	some(8, `,"app":%q`, pick(r, "1", "tv"))
	some(4, `,"do":%q`, pick(r, "trap", "trap", "forget", "sum"))
	some(3, `,"v":%d`, r.IntN(5))
	b.WriteString("}")
	return b.String()
}
