package sim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/definition"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// position is where a beacon stands in a raw topic.
type position struct {
	kafka.TopicPartition
	offset int64
}

// routed is a beacon as a route's log has it.
type routed struct {
	at         kafka.TopicPartition // of the route
	offset     int64                // there
	key        string
	header     beacon.Header
	late       bool
	generation uint64 // of the session partition at that offset
}

// oracle says what must have come of a run, from the raw topics and the routes'
// logs alone.
type oracle struct {
	s          *simulation
	routed     map[position]*routed
	watermarks map[kafka.TopicPartition]*watermark // of partitions of routes, at the end of their logs
	letters    map[string]int                      // expected, as text
	got        map[string]int                      // dead letters that there are
	lettered   map[position]bool                   // the same, by their beacons
	slept      map[kafka.TopicPartition]bool       // source partitions that were idle, on routes looked at so far
	counts     metric.Counts                       // of tenants, expected
	want       map[string]string
}

// check compares all that is there in the end with the definition.
func (s *simulation) check() {
	o := s.oracle()
	o.compare()
}

// oracle reads what has come to the routes, and says what must have come of it.
func (s *simulation) oracle() *oracle {
	o := &oracle{s: s, watermarks: map[kafka.TopicPartition]*watermark{}, routed: map[position]*routed{}, letters: map[string]int{}, got: map[string]int{}, lettered: map[position]bool{}, slept: map[kafka.TopicPartition]bool{}}
	for _, tp := range s.cluster.partitions(deadTopic) {
		for _, record := range s.cluster.log(tp).committed() {
			o.addLetter(record)
		}
	}
	for _, r := range s.world.newest().routes {
		topics := r.all()
		slices.Reverse(topics) // the first first
		for _, t := range topics {
			for p := range t.partitions {
				o.route(t, p)
			}
		}
	}
	o.define()
	return o
}

// route reads one partition of a route and judges its beacons by its own
// watermark.
func (o *oracle) route(t *routeTopic, p int32) {
	tp := kafka.TopicPartition{Topic: t.topic, Partition: p}
	w, in := o.begin(t), o.switches(tp)
	o.watermarks[tp] = w
	ended := map[kafka.TopicPartition]bool{}
	last, idle := map[kafka.TopicPartition]int64{}, map[kafka.TopicPartition]time.Time{}
	left := o.s.cluster.group("session").offsets[tp]
	if t.since > 1 && t.replaces == nil && len(in) > 0 && in[0][2] != metric.NoWatermark { // it is what the other routes had
		w.value, w.known, w.floor, w.slept = in[0][2], true, true, o.slept
	}
	generation := uint64(0)
	for _, record := range o.s.cluster.log(tp).committed() {
		if g := in.at(record.Offset); g > generation {
			generation = g
			w.follow(o.s.world.generation(g).sources)
		}
		if closed(left) && record.Offset >= left.Offset && len(record.Headers) > 0 && record.Headers[0].Key == beacon.EndKey {
			continue // of a source partition that is new: the topic was handed over without it
		}
		if len(record.Headers) == 0 {
			o.s.fault("%v@%d: no header", tp, record.Offset)
			continue
		}
		switch h := record.Headers[0]; h.Key {
		case beacon.MarkKey:
			m, err := beacon.ParseMark(record.Value)
			if err != nil {
				o.s.fault("%v@%d: %v", tp, record.Offset, err)
			}
			w.mark(m)
			for _, e := range m.Entries {
				if ended[kafka.TopicPartition{Topic: e.Topic, Partition: e.Partition}] {
					o.s.fault("%v@%d: a mark of %s/%d, which has ended", tp, record.Offset, e.Topic, e.Partition)
				}
				if from := (kafka.TopicPartition{Topic: e.Topic, Partition: e.Partition}); e.Idle {
					idle[from], o.slept[from] = record.Timestamp, true
				}
			}
		case beacon.HeaderKey:
			head, err := beacon.ParseHeader(h.Value)
			if err != nil {
				o.s.fault("%v@%d: %v", tp, record.Offset, err)
			}
			from := kafka.TopicPartition{Topic: head.Topic, Partition: head.Partition}
			if ended[from] {
				o.s.fault("%v@%d: %v@%d comes behind its end", tp, record.Offset, from, head.Offset)
			}
			if before, ok := last[from]; ok && before >= head.Offset {
				o.s.fault("%v@%d: %v@%d comes behind offset %d", tp, record.Offset, from, head.Offset, before)
			}
			last[from] = head.Offset
			if sent := o.s.cluster.log(from).entries[head.Offset].record.Timestamp; o.s.modelled && idle[from].Sub(sent) > staleAfter {
				o.s.fault("%v@%d: %v was said to be idle %v after a beacon was there", tp, record.Offset, from, idle[from].Sub(sent))
			}
			at := position{from, head.Offset}
			if o.routed[at] != nil {
				o.s.fault("%v@%d: %v@%d was routed before", tp, record.Offset, from, head.Offset)
			}
			b, _ := definition.Decode(definitionSource, record.Value)
			w.say(from, head.Watermark, false)
			lateness := o.s.world.lateness.Milliseconds()
			late := w.known && b.Time < w.value-lateness
			said := w.said[from]
			if said.value > head.Watermark {
				o.s.fault("%v@%d: the log said the watermark %d of %v before a beacon that has %d before it", tp, record.Offset, said.value, from, head.Watermark)
			}
			if late && said.heard && !said.slept && (head.Watermark == metric.NoWatermark || b.Time >= head.Watermark-lateness) {
				o.s.fault("%v@%d: late by others alone, though %v was never idle", tp, record.Offset, from)
			}
			w.say(from, b.Time, false)
			if head.Generation > generation {
				o.s.fault("%v@%d: was dispatched under generation %d, and processed under %d", tp, record.Offset, head.Generation, generation)
			}
			o.routed[at] = &routed{at: tp, offset: record.Offset, key: string(record.Key), header: head, late: late, generation: generation}
		case beacon.EndKey:
			e, err := beacon.ParseEnd(record.Value)
			if err != nil {
				o.s.fault("%v@%d: %v", tp, record.Offset, err)
			}
			from := kafka.TopicPartition{Topic: e.Topic, Partition: e.Partition}
			if ended[from] {
				o.s.fault("%v@%d: %v ends twice", tp, record.Offset, from)
			}
			ended[from] = true
			w.end(from, e)
		default:
			o.s.fault("%v@%d: header %s", tp, record.Offset, h.Key)
		}
	}
}

// define goes through the raw topics: what must have become of each beacon, and
// what all that count come to.
func (o *oracle) define() {
	var arrivals []definition.Arrival
	for _, tp := range o.s.cluster.partitions(o.s.world.topics()...) {
		watermark := metric.NoWatermark
		lowest := uint64(1) // of the generations that dispatch can have had here
		for _, record := range o.s.cluster.log(tp).committed() {
			line := definition.Line{Topic: tp.Topic, Partition: tp.Partition, Offset: record.Offset, Raw: record.Value}
			at := position{tp, record.Offset}
			got := o.routed[at]
			if got == nil {
				o.dropped(line, lowest)
				continue
			}
			if g := got.header.Generation; g < lowest {
				o.s.fault("%v@%d: dispatched under generation %d, behind one of %d", tp, record.Offset, g, lowest)
			}
			lowest = got.header.Generation
			b, v := o.verdict(line, lowest)
			if v.route == "" {
				o.s.fault("%v@%d: was routed: %s", tp, record.Offset, record.Value)
				continue
			}
			o.placed(at, b, v.route, got, watermark)
			watermark = max(watermark, b.Time)
			o.count(b.Tenant, metric.In, "")
			g := o.s.world.generation(got.generation)
			_, known := g.tenants[b.Tenant]
			switch {
			case !known:
				o.count(b.Tenant, metric.DeadLettered, "unknown tenant")
				o.letters[letterText("unknown tenant", b.Tenant, line)]++
			case got.late:
				o.count(b.Tenant, metric.LateBeacon, "")
				o.letters[letterText("late", b.Tenant, line)]++
			default:
				arrivals = append(arrivals, definition.Arrival{Beacon: b, Route: v.route, Config: o.s.world.definition(g)})
			}
		}
	}
	o.take(definition.Count(arrivals))
}

// dropped is of a beacon that was not routed: under some generation that dispatch
// can have had there, it was not to be.
func (o *oracle) dropped(line definition.Line, lowest uint64) {
	for n := lowest; n <= o.s.world.newest().number; n++ {
		b, v := o.verdict(line, n)
		text := letterText(v.cause, b.Tenant, line)
		switch {
		case v.route != "":
			continue
		case v.cause != "" && o.got[text] == 0, v.cause == "" && o.lettered[position{kafka.TopicPartition{Topic: line.Topic, Partition: line.Partition}, line.Offset}]:
			continue
		case v.cause == "":
			o.count(b.Tenant, metric.In, "")
			o.count(b.Tenant, metric.Filtered, v.reason)
		case b.Tenant == "":
			o.count("", metric.Undecodable, v.cause)
			o.letters[text]++
		default:
			o.count(b.Tenant, metric.In, "")
			o.count(b.Tenant, metric.DeadLettered, v.cause)
			o.letters[text]++
		}
		return
	}
	_, v := o.verdict(line, lowest)
	o.s.fault("%s/%d@%d: was not dispatched, and is to be %+v: %s", line.Topic, line.Partition, line.Offset, v, line.Raw)
}

func (o *oracle) count(tenant string, outcome metric.Outcome, reason string) {
	o.counts.Add(metric.Count{Tenant: tenant, Outcome: outcome, Reason: reason, N: 1})
}

// switches are the generations that were in force along a partition of a route,
// as what was committed says; it never says another thing of the past.
type switches [][3]int64 // offset, generation, watermark

func (o *oracle) switches(tp kafka.TopicPartition) (all switches) {
	for _, c := range o.s.cluster.group("session").history {
		if c.tp != tp {
			continue
		}
		var m struct {
			Generation int64
			Switches   switches
		}
		if err := json.Unmarshal([]byte(c.Metadata), &m); err != nil {
			o.s.fault("%v@%d: %v", tp, c.Offset, err)
		}
		if n := len(m.Switches); n < len(all) || !slices.Equal(m.Switches[:len(all)], all) || m.Switches[n-1][1] != m.Generation || m.Switches[n-1][0] > c.Offset {
			o.s.fault("%v@%d: the generations there were %v, and are %v", tp, c.Offset, all, m)
		}
		all = m.Switches
	}
	return all
}

func (s switches) at(offset int64) (generation uint64) {
	for _, sw := range s {
		if sw[0] <= offset {
			generation = uint64(sw[1])
		}
	}
	return generation
}

// placed checks where a beacon went, and what its header says.
func (o *oracle) placed(at position, b definition.Beacon, route string, got *routed, watermark int64) {
	if got.header.Watermark != watermark {
		o.s.fault("%v@%d: its header has the watermark %d before it, which was %d", at.TopicPartition, at.offset, got.header.Watermark, watermark)
	}
	for _, r := range o.s.world.newest().routes {
		if r.name != route {
			continue
		}
		t := r.under(got.header.Generation)
		if want := (kafka.TopicPartition{Topic: t.topic, Partition: kafka.PartitionOf([]byte(b.Session), t.partitions)}); got.at != want {
			o.s.fault("%v@%d: session %s of route %s went to %v, and is to be on %v", at.TopicPartition, at.offset, b.Session, route, got.at, want)
		}
	}
	if got.key != b.Session {
		o.s.fault("%v@%d: session %s has the key %s", at.TopicPartition, at.offset, b.Session, got.key)
	}
}

// verdict is what dispatch is to decide: a route, a filter's reason, or the cause
// of a dead letter.
type verdict struct{ route, reason, cause string }

// verdict makes dispatch's checks under a generation.
func (o *oracle) verdict(line definition.Line, generation uint64) (definition.Beacon, verdict) {
	b, cause := definition.Decode(definitionSource, line.Raw)
	b.Line = line
	named := b.Tenant
	if _, known := o.s.world.generation(generation).tenants[named]; !known {
		b.Tenant = ""
	}
	switch {
	case cause != "":
	case named == "":
		cause = "no tenant"
	case b.Tenant == "":
		cause = "unknown tenant"
	case !b.HasTime:
		cause = "no time"
	case b.Session == "":
		cause = "no session"
	case b.Time > o.s.world.began.UnixMilli()+12*3600_000: // none lies between what is allowed and that
		cause = "future"
	}
	if cause != "" {
		return b, verdict{cause: cause}
	}
	for _, f := range []filter{{field: "bot"}, {field: "shopbot"}} {
		if reason, dropped := f.dropped(b); dropped && (f.field == "bot" || b.Tenant == "shop") {
			return b, verdict{reason: reason}
		}
	}
	return b, verdict{route: cmp.Or(o.s.world.generation(generation).split(b.Field("app").Text()), "web")}
}

func letterText(cause, tenant string, line definition.Line) string {
	return fmt.Sprintf("%s of %q: %s/%d@%d", cause, tenant, line.Topic, line.Partition, line.Offset)
}
