package sim

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"testing/synctest"
	"time"

	"github.com/seed-6a2d649b/pharos/host/blob"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/host/rollout"
	"github.com/seed-6a2d649b/pharos/host/snapshot"
)

// simulation is one run. Its clock is that of a synctest bubble, and nothing in
// it depends on anything but the seed.
type simulation struct {
	*rand.Rand
	seed      uint64
	plant     string // the name of a planted bug; empty: none
	world     *world
	cluster   *cluster
	hosts     []*host
	store     *store
	senders   map[kafka.TopicPartition]*sender
	proposals []proposal            // published, and not read yet
	overtaken int                   // of them, by others
	rolls     map[rollout.Phase]int // generations that began a phase by themselves, or by hand
	sent      []string              // values of raw records
	last      int64                 // event time of the last
	healing   bool                  // nothing fails any more
	now       func() time.Time

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
		rolls: map[rollout.Phase]int{}, sessions: pick(r, 2, 5, 12), most: pick(r, 3, 10, 40), risks: pick(r, 0, 1, 1, 1, 4),
	}
	s.world = newWorld(seed, func() error {
		if s.batching && s.risk(300) { // not in the threads beside: the seed's numbers are for one
			return fmt.Errorf("plugin: %w", errFault)
		}
		return nil
	})
	s.createTopics()
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
	if len(s.proposals) > 0 && s.chance(5) {
		s.arrive()
		return
	}
	h := s.hosts[s.IntN(len(s.hosts))]
	up := h.up()
	switch n := s.IntN(2000); {
	case n < 1590:
		if up {
			h.step()
		}
	case n < 1600:
		s.roll(h)
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
	case n < 1995 && s.world.newest().number < mostGenerations/2:
		g := s.world.reload(s.Rand)
		s.said("%v is published", g)
	case n < 1996 && s.world.newest().number < mostGenerations:
		if s.chance(2) {
			s.extend()
			return
		}
		routes := s.world.newest().routes
		r := routes[s.IntN(len(routes))]
		if n := 1 + s.Int32N(5); n != r.partitions && (r.replaces == nil || s.handedOver(r)) {
			g := s.world.repartition(r.name, n)
			s.createTopics()
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

// extend publishes a generation with another route or source.
func (s *simulation) extend() {
	g := s.world.extend(s.Rand)
	if g == nil {
		return
	}
	s.createTopics()
	s.said("%v of %v is published", g, g.sources)
}

// createTopics makes the topics of the newest generation.
func (s *simulation) createTopics() {
	g := s.world.newest()
	for _, topic := range g.sources {
		if s.cluster.topics[topic] == nil {
			s.cluster.create(topic, s.world.sources[topic])
		}
	}
	for _, r := range g.routes {
		if s.cluster.topics[r.topic] == nil {
			s.cluster.create(r.topic, r.partitions)
		}
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

// loadWithin is how long a host may do without a generation: one that takes
// longer than a minute stops, and says so.
const loadWithin = 30 * time.Second

// pass lets time go by.
func (s *simulation) pass(d time.Duration) {
	time.Sleep(d)
	now := time.Now()
	for _, h := range s.hosts {
		for _, w := range h.workers {
			w.beat(now)
		}
		if next := h.loaded.Load() + 1; next <= s.world.newest().number && now.Sub(s.world.generation(next).since) > loadWithin {
			h.load()
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
