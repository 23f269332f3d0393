package sim

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"testing/synctest"
	"time"

	"github.com/seed-6a2d649b/pharos/host/blob"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/host/snapshot"
)

// simulation is one run. Its clock is that of a synctest bubble, and nothing in
// it depends on anything but the seed.
type simulation struct {
	*rand.Rand
	seed     uint64
	plant    string // the name of a planted bug; empty: none
	world    *world
	cluster  *cluster
	hosts    []*host
	store    *store
	senders  map[kafka.TopicPartition]*sender
	sent     []string // values of raw records
	last     int64    // event time of the last
	lastSent int64    // event time of the last beacons, which end the run
	healing  bool     // nothing fails any more
	now      func() time.Time

	batching       bool // a stage is in Batch
	modelled       bool // the cluster is the model, not only a copy of what there was
	bucket         *blob.Bucket
	snapshots      *snapshot.Store
	spoilt         map[snapshot.Key]bool
	every          time.Duration // between snapshots of a partition
	sessions, most int           // of the traffic; records of a fetch
	risks          int           // how much fails: 0 nothing, 1 usual, more is less

	written, opened                           atomic.Int64 // snapshots
	steps, commits, aborts, failures, crashes int
	before                                    int // samples in the store before everything came to rest
	lasted                                    time.Duration
	faults                                    []string
	story                                     []string
}

// stepper is a worker of any role.
type stepper interface {
	step()
	beat(now time.Time)
	sleep(until time.Time)
}

// newRun is a simulation without hosts: the world and the topics.
func newRun(seed uint64, plant string) *simulation {
	r := rand.New(rand.NewPCG(seed, 0))
	s := &simulation{
		Rand: r, seed: seed, plant: plant, now: time.Now, cluster: newCluster(), senders: map[kafka.TopicPartition]*sender{}, spoilt: map[snapshot.Key]bool{},
		sessions: pick(r, 2, 5, 12), most: pick(r, 3, 10, 40), risks: pick(r, 0, 1, 1, 1, 4),
	}
	s.world = newWorld(seed, func() error {
		if s.batching && s.risk(300) { // not in the threads beside: the seed's numbers are for one
			return fmt.Errorf("plugin: %w", errFault)
		}
		return nil
	})
	for _, topic := range s.world.topics() {
		s.cluster.create(topic, s.world.sources[topic])
	}
	for _, route := range s.world.newest().routes {
		s.cluster.create(route.topic, route.partitions)
	}
	var err error
	if s.bucket, err = blob.Open(context.Background(), "mem://"); err != nil {
		panic(err)
	}
	s.snapshots, s.every = snapshot.New(s.bucket, "sim", 2), pick(r, 10*time.Second, time.Minute, 5*time.Minute)
	s.cluster.create(metricsTopic, s.world.metricsPartitions)
	s.cluster.create(deadTopic, s.world.deadPartitions)
	s.store = &store{sim: s, samples: map[spot]metric.Sample{}}
	return s
}

func newSimulation(seed uint64, plant string) *simulation {
	s := newRun(seed, plant)
	s.modelled = true
	for i := range 1 + s.IntN(3) {
		s.newHost(fmt.Sprint("host", i))
	}
	return s
}

// chance is true once in n times.
func (s *simulation) chance(n int) bool { return s.IntN(n) == 0 }

// risk is chance for what goes wrong.
func (s *simulation) risk(n int) bool { return !s.healing && s.risks > 0 && s.IntN(n*s.risks) == 0 }

// plants tells whether a bug is the planted one.
func (s *simulation) plants(bug string) bool { return s.plant == bug }

func (s *simulation) fault(format string, args ...any) {
	s.faults = append(s.faults, fmt.Sprintf(format, args...))
	s.said("FAULT: "+format, args...)
}

// said keeps the story of the run.
func (s *simulation) said(format string, args ...any) {
	s.story = append(s.story, time.Since(s.world.began).String()+" "+fmt.Sprintf(format, args...))
}

// run lets n things happen, in an order that the seed chooses, then everything
// come to rest.
func (s *simulation) run(n int) {
	defer s.end()
	defer s.caught()
	for range n {
		if len(s.faults) > 0 {
			return
		}
		s.next()
		synctest.Wait()
	}
	s.heal()
}

// caught turns a panic of a stage into a fault, which says the seed.
func (s *simulation) caught() {
	if p := recover(); p != nil {
		s.fault("panic: %v\n%s", p, debug.Stack())
	}
}

// end lets go of all hosts.
func (s *simulation) end() {
	for _, h := range s.hosts {
		h.end()
	}
}

// next lets one thing happen.
func (s *simulation) next() {
	h := s.hosts[s.IntN(len(s.hosts))]
	up := h.up()
	switch n := s.IntN(2000); {
	case n < 1600:
		if up {
			h.step()
		}
	case n < 1720:
		s.send()
	case n < 1960:
		s.pass(time.Duration(s.Int64N(int64(1500 * time.Millisecond))))
	case n < 1975:
		if !s.chance(4) {
			s.tidy()
		}
		s.loadAll() // a host that takes longer stops
		s.pass(time.Duration(s.Int64N(int64(pick(s.Rand, s.world.gap, s.world.lateness, s.world.idle)))) + time.Second)
	case n < 1985 && up: // a rebalance for no reason
		if w, ok := h.workers[s.IntN(len(h.workers))].(interface{ rebalance() }); ok {
			w.rebalance()
		}
	case n < 1988 && up:
		if s.risk(1) {
			h.workers[s.IntN(len(h.workers))].sleep(time.Now().Add(time.Duration(s.Int64N(int64(25 * time.Second)))))
		}
	case n < 1991:
		if up && s.risk(1) {
			h.crash()
		}
	case n < 1993:
		topics := s.world.topics()
		t := s.cluster.topics[topics[s.IntN(len(topics))]]
		if n := int32(len(t.parts)); n < 5 && s.chance(3) {
			s.cluster.grow(t.name, n+1)
			s.said("%s has %d partitions", t.name, n+1)
		}
	case n < 1995 && s.world.newest().number < 12:
		g := s.world.reload(s.Rand)
		s.said("%v is published", g)
	case n < 1996 && s.world.newest().number < 12:
		r := s.world.newest().routes[s.IntN(2)]
		if n := 1 + s.Int32N(5); n != r.partitions && (r.replaces == nil || s.handedOver(r)) {
			g := s.world.repartition(r.name, n)
			for _, r := range g.routes {
				if s.cluster.topics[r.topic] == nil {
					s.cluster.create(r.topic, r.partitions)
				}
			}
			s.said("%v is published: %s moves", g, r.name)
		}
	case n < 1997:
		s.retain()
	case n < 1998:
		s.spoil()
	case n < 1999 && len(s.hosts) < 4:
		s.newHost(fmt.Sprint("host", len(s.hosts)))
	}
}

// loadAll gives all hosts all generations.
func (s *simulation) loadAll() {
	for _, h := range s.hosts {
		for h.up() && h.loaded.Load() < s.world.newest().number {
			h.load()
		}
	}
}

// retain lets go of what nobody needs any more at the beginning of a log: of a
// source what is dispatched, of a route what its second snapshot holds, of the
// metrics what is shipped.
func (s *simulation) retain() {
	all := s.cluster.partitions(slices.Collect(maps.Keys(s.cluster.topics))...)
	tp := all[s.IntN(len(all))]
	l := s.cluster.log(tp)
	switch group := s.cluster.groups[s.reader(tp.Topic)]; {
	case group == nil:
		return
	case group.name == "session":
		for _, r := range s.world.newest().routes {
			for _, t := range r.all() {
				if t.topic != tp.Topic {
					continue
				}
				list, err := s.snapshots.List(context.Background(), snapshot.Key{Route: r.name, Topic: t.topic, TopicID: s.cluster.topics[t.topic].id, Partition: tp.Partition})
				if err != nil {
					panic(err)
				}
				if len(list) < 2 {
					return
				}
				l.start = max(l.start, list[1].Offset)
			}
		}
	default:
		c, ok := group.offsets[tp]
		if !ok {
			return
		}
		for _, h := range s.hosts { // a commit may still be under way
			if late, ok := h.shipping.late[tp]; h.up() && ok {
				c.Offset = min(c.Offset, late.Offset)
			}
		}
		l.start = max(l.start, c.Offset)
	}
	s.said("%v begins at %d", tp, l.start)
}

// reader is the group that reads a topic; empty: none.
func (s *simulation) reader(topic string) string {
	switch {
	case topic == metricsTopic:
		return "ship"
	case topic == deadTopic:
		return ""
	case s.world.sources[topic] > 0:
		return "dispatch"
	}
	return "session"
}

// spoil loses or breaks a partition's newest snapshot, if there is another.
func (s *simulation) spoil() {
	all, err := s.snapshots.All(context.Background())
	if err != nil || len(all) == 0 {
		return
	}
	info := all[s.IntN(len(all))]
	if list, err := s.snapshots.List(context.Background(), info.Key); err != nil || info.Handover || len(list) < 2 || list[0].Offset != info.Offset || s.spoilt[info.Key] {
		return
	}
	s.spoilt[info.Key] = true // once: what the log has lost, the others must have
	entries, err := s.bucket.List(context.Background(), "")
	if err != nil {
		panic(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name, fmt.Sprintf("/%x/%05d/%019d-g%d", info.TopicID, info.Partition, info.Offset, info.Generation)) {
			continue
		}
		s.said("%s is spoilt", e.Name)
		if s.chance(2) {
			s.must(s.bucket.Delete(context.Background(), e.Name))
			return
		}
		r, err := s.bucket.Read(context.Background(), e.Name)
		s.must(err)
		content, err := io.ReadAll(r)
		s.must(err)
		content[s.IntN(len(content))] ^= 1 << s.IntN(8)
		if s.chance(3) {
			content = content[:s.IntN(len(content))]
		}
		s.must(s.bucket.Write(context.Background(), e.Name, func(w io.Writer) error {
			_, err := w.Write(content)
			return err
		}))
		return
	}
}

func (s *simulation) must(err error) {
	if err != nil {
		panic(err)
	}
}

// tidy lets workers end their transactions, as they do when time goes by.
func (s *simulation) tidy() {
	for _, h := range s.hosts {
		for _, w := range h.workers {
			if w, ok := w.(*worker); ok && !time.Now().Before(w.wakes) {
				w.finish()
			}
		}
	}
}

// pass lets time go by.
func (s *simulation) pass(d time.Duration) {
	time.Sleep(d)
	now := time.Now()
	for _, h := range s.hosts {
		for _, w := range h.workers {
			w.beat(now)
		}
		if !h.up() && !now.Before(h.down) {
			h.start()
		}
	}
	s.cluster.expire()
	if len(s.cluster.open) > 0 && s.chance(4) {
		// One that is long open is ended by another worker of the group.
		if tx := s.cluster.open[0]; tx.decided || time.Since(tx.began) > transactionTimeout*6/10 {
			s.cluster.end(tx, txnAborted)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.cluster.groups)) {
		if g := s.cluster.groups[name]; g.expire() {
			s.rebalance(name)
		}
	}
}

// rebalance has a worker of a group say anew whose its partitions are to be.
func (s *simulation) rebalance(group string) {
	for _, h := range s.hosts {
		for _, w := range h.workers {
			switch w := w.(type) {
			case *worker:
				if w.group.name == group {
					w.rebalance()
					return
				}
			case *shipping:
				if w.group.name == group {
					w.rebalance()
					return
				}
			}
		}
	}
}

// heal ends all trouble, sends a last beacon of each source partition, and lets
// everything that was sent come through.
func (s *simulation) heal() {
	s.lasted = time.Since(s.world.began)
	s.healing, s.before = true, len(s.store.samples)
	s.pass(30 * time.Second)
	s.pass(s.world.gap + 2*s.world.lateness + 10*time.Minute)
	s.sendLast()
	s.loadAll()
	for _, name := range slices.Sorted(maps.Keys(s.cluster.groups)) {
		s.rebalance(name) // of source partitions that have been added
	}
	s.settle("dispatch", s.world.topics())
	s.settle("session", s.world.newest().topics())
	s.settleShip()
}

// sendLast writes a beacon of the present to each source partition, which makes
// all before it final.
func (s *simulation) sendLast() {
	s.lastSent = s.now().UnixMilli()
	for _, tp := range s.cluster.partitions(s.world.topics()...) {
		s.raw(tp, fmt.Sprintf(`{"tenant":"shop","sid":"last","ts":%d}`, s.lastSent))
	}
}

// settle runs the workers of a group until all is committed, and a while more.
func (s *simulation) settle(group string, topics []string) {
	after := 0
	for range 3000 {
		if len(s.faults) > 0 {
			return
		}
		for _, h := range s.hosts {
			for _, w := range h.workers {
				if w, ok := w.(*worker); ok && w.group.name == group {
					w.step()
					synctest.Wait()
				}
			}
			h.beside.step()
			synctest.Wait()
			if h.up() && s.chance(20) {
				h.look()
				synctest.Wait()
			}
		}
		s.pass(100 * time.Millisecond)
		if s.consumed(group, topics) {
			if after++; after > 40 && !s.isOpen(group) {
				return
			}
		}
	}
	s.fault("%s does not come to rest", group)
	for _, tp := range s.cluster.partitions(topics...) {
		if c := s.cluster.group(group).offsets[tp]; !closed(c) && c.Offset <= s.cluster.log(tp).last() {
			s.fault("%v: is committed up to %d of %d: %s", tp, c.Offset, s.cluster.log(tp).last()+1, c.Metadata)
		}
	}
}

func (s *simulation) isOpen(group string) bool {
	for _, h := range s.hosts {
		for _, w := range h.workers {
			if w, ok := w.(*worker); ok && w.group.name == group && w.tx != nil {
				return true
			}
		}
	}
	return false
}

// consumed tells whether a group has committed all records of topics.
func (s *simulation) consumed(group string, topics []string) bool {
	g := s.cluster.group(group)
	for _, tp := range s.cluster.partitions(topics...) {
		if c, ok := g.offsets[tp]; !ok || c.Offset <= s.cluster.log(tp).last() && !closed(c) {
			return false
		}
	}
	return true
}

// closed tells whether a partition is handed over: what comes to it then, as the
// end of a source partition that is new, concerns nobody.
func closed(c kafka.Committed) bool { return strings.Contains(c.Metadata, `"closed":true`) }

// settleShip ships until all partitions of the metrics topic are read.
func (s *simulation) settleShip() {
	for range 3000 {
		if len(s.faults) > 0 {
			return
		}
		read := map[int32]bool{}
		for _, h := range s.hosts {
			for _, w := range h.workers {
				w, ok := w.(*shipping)
				if !ok {
					continue
				}
				w.step()
				for p, part := range w.parts {
					if part.next == s.cluster.log(kafka.TopicPartition{Topic: metricsTopic, Partition: p}).stable() {
						read[p] = true
					}
				}
			}
		}
		s.pass(100 * time.Millisecond)
		if len(read) == int(s.world.metricsPartitions) {
			for _, h := range s.hosts {
				for _, w := range h.workers {
					if w, ok := w.(*shipping); ok {
						w.ship()
					}
				}
			}
			return
		}
	}
	s.fault("ship does not come to rest")
}

// handedOver tells whether all sessions of the topic that a route has left are
// handed over.
func (s *simulation) handedOver(r route) bool {
	all, err := s.snapshots.Handovers(context.Background(), r.name, r.replaces.topic, s.cluster.topics[r.replaces.topic].id)
	if err != nil {
		panic(err)
	}
	done := map[int32]bool{}
	for _, info := range all {
		done[info.Partition] = true
	}
	return len(done) == int(r.replaces.partitions)
}

// horizon is a new one of a reader that knows the generations up to one.
func (s *simulation) horizon(newest uint64) *metric.Horizon {
	h := metric.NewHorizon(s.world.lateness)
	for _, g := range s.world.generations[:newest] {
		h.Generation(g.number, g.routeNames())
	}
	return h
}

// report is what to print of a run that failed.
func (s *simulation) report(test string, last int) string {
	story := s.story[max(0, len(s.story)-last):]
	faults := s.faults[:min(len(s.faults), 20)]
	return fmt.Sprintf("seed %d: %d faults:\n\t%s\nthe last of what happened:\n\t%s\nrun it again with: go test ./host/sim -run '%s$' -seed %d -seeds 1",
		s.seed, len(s.faults), strings.Join(faults, "\n\t"), strings.Join(story, "\n\t"), test, s.seed)
}

func (s *simulation) began() time.Time { return s.world.began }

// digest is a hash of all that the cluster holds in the end.
func (s *simulation) digest() string {
	h := sha256.New()
	for _, tp := range s.cluster.partitions(slices.Collect(maps.Keys(s.cluster.topics))...) {
		for i, e := range s.cluster.log(tp).entries {
			if e.record == nil {
				fmt.Fprintln(h, tp, i, e.txn.state)
				continue
			}
			fmt.Fprintln(h, tp, i, e.record.Timestamp, e.record.Key, e.record.Value, e.record.Headers, e.txn != nil)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// String says what a run was like.
func (s *simulation) String() string {
	counts := map[metric.Outcome]int64{}
	for _, tp := range s.cluster.partitions(metricsTopic) {
		for _, record := range s.cluster.log(tp).committed() {
			if f, err := metric.ParseFrame(record.Value); err == nil {
				for _, c := range f.Counts {
					counts[c.Outcome] += c.N
				}
			}
		}
	}
	return fmt.Sprintf("%v: in %d, counted %d, late %d, duplicate %d, filtered %d, dead %d; %d batches, %d commits, %d aborts, %d failures, %d crashes, %d generations, %d topics, %d snapshots, %d opened, %d samples, %d writes, final before the end: %d",
		s.lasted, counts[metric.In], counts[metric.Counted], counts[metric.LateBeacon], counts[metric.Duplicate], counts[metric.Filtered], counts[metric.DeadLettered],
		s.steps, s.commits, s.aborts, s.failures, s.crashes, len(s.world.generations), len(s.world.newest().topics()), s.written.Load(), s.opened.Load(), len(s.store.samples), s.store.writes, s.before)
}
