package dispatch

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/kafka"
)

// scene is hosts that dispatch one source, the logs that they write, and a clock:
// everything happens in steps, as a test says.
type scene struct {
	t          rapid.TB
	clock      int64    // epoch ms
	raw        [][]sent // by source partition
	started    shelf    // which partitions were begun
	left       []kafka.Committed
	owner      []*actor // nil: none
	hosts      []*actor // alive
	generation uint64   // published
	web        []Route  // of the route web, by generation - 1
	logs       map[string][]said
	asked      int // how many beacons were new to the first filter
}

// sent is a raw record: a beacon's time, and the key that places it.
type sent struct {
	time    int64
	session string
}

// said is a record of a route partition.
type said struct {
	beacon *beacon.Header
	time   int64 // of the beacon
	mark   *beacon.Mark
	end    *beacon.End
}

// actor is a host. What its transaction in hand holds is not in the scene yet.
type actor struct {
	scene   *scene
	stage   *Stage
	loaded  uint64
	next    map[int32]int64
	held    map[int32]bool
	counts  int32 // partitions of the source that it knows
	out     []*kgo.Record
	commits map[int32]kafka.Committed
}

const (
	second = int64(1000)
	minute = 60 * second
	late   = 10 * minute // session.lateness
)

func newScene(t rapid.TB, partitions int) *scene {
	s := &scene{t: t, clock: now, generation: 1, logs: map[string][]said{}, started: shelf{},
		web: []Route{{Name: "web", Topic: "web-1", Partitions: 2}}}
	s.grow(partitions)
	return s
}

// grow adds source partitions that nobody owns.
func (s *scene) grow(n int) {
	for range n {
		s.raw, s.owner, s.left = append(s.raw, nil), append(s.owner, nil), append(s.left, kafka.Committed{Offset: -1})
	}
}

func (s *scene) core(generation uint64) *Core {
	cfg, plugins := testConfig()
	plugins.f.asked = &s.asked
	cfg.Sources, cfg.Generation = cfg.Sources[:1], generation
	cfg.Routes = []Route{s.web[generation-1], cfg.Routes[1]}
	c, err := NewCore(cfg)
	if err != nil {
		s.t.Fatalf("core: %v", err)
	}
	return c
}

// publish makes the next generation; with partitions, the route web gets a topic of
// so many.
func (s *scene) publish(partitions int32) {
	s.generation++
	r := s.web[len(s.web)-1]
	if partitions > 0 {
		r.Replaces = &Replaced{Topic: r.Topic, Partitions: r.Partitions, Generation: s.generation}
		r.Topic, r.Partitions = fmt.Sprintf("web-%d", s.generation), partitions
	}
	s.web = append(s.web, r)
}

// start adds a host that has loaded a generation.
func (s *scene) start(loaded uint64) *actor {
	a := &actor{scene: s, loaded: loaded, next: map[int32]int64{}, held: map[int32]bool{}, commits: map[int32]kafka.Committed{}}
	a.stage = NewStage(StageConfig{
		Core: s.core(loaded), Host: "host", Metrics: kafka.Topic{Name: "metrics", Partitions: 1}, DeadLetters: kafka.Topic{Name: "letters", Partitions: 1},
		Idle: time.Minute, Now: func() time.Time { return time.UnixMilli(s.clock) }, Started: &s.started, Cluster: s, Patience: time.Hour,
		Newest: func(context.Context) (uint64, error) { return s.generation, nil },
	})
	s.hosts = append(s.hosts, a)
	return a
}

// load gives a host the newest generation.
func (a *actor) load() {
	if a.loaded < a.scene.generation {
		a.loaded = a.scene.generation
		a.stage.Use(a.scene.core(a.loaded))
	}
}

// Partitions and Left implement Cluster.
func (s *scene) Partitions(context.Context, string) (int32, error) { return int32(len(s.raw)), nil }

func (s *scene) Left(context.Context) (map[kafka.TopicPartition]Left, error) {
	all := map[kafka.TopicPartition]Left{}
	for p := range s.raw {
		all[kafka.TopicPartition{Topic: "beacons", Partition: int32(p)}] = Left{s.left[p], int64(len(s.raw[p]))}
	}
	return all, nil
}

// own makes the hosts own just these partitions, after all have committed.
func (s *scene) own(owners []*actor) {
	for _, a := range s.hosts {
		a.commit()
	}
	for p, was := range s.owner {
		if was != nil && was != owners[p] {
			was.stage.Revoke([]kafka.TopicPartition{{Topic: "beacons", Partition: int32(p)}})
			delete(was.next, int32(p))
			delete(was.held, int32(p))
			delete(was.commits, int32(p))
		}
	}
	for _, a := range s.hosts {
		var parts []*kafka.Assigned
		for p, is := range owners {
			if is != a || s.owner[p] == a {
				continue
			}
			parts = append(parts, &kafka.Assigned{
				Topic: "beacons", TopicID: [16]byte{1}, Partition: int32(p), Partitions: int32(len(s.raw)), Committed: s.left[p].Offset, Metadata: s.left[p].Metadata,
				LogEnd: int64(len(s.raw[p])), Start: max(0, s.left[p].Offset),
			})
		}
		if len(parts) == 0 {
			continue
		}
		if err := a.stage.Assign(context.Background(), parts); err != nil {
			s.t.Fatalf("assign: %v", err)
		}
		a.counts = int32(len(s.raw))
		for _, p := range parts {
			a.next[p.Partition], a.held[p.Partition] = p.Start, p.Hold
		}
	}
	copy(s.owner, owners)
}

// all makes one host own everything.
func (s *scene) all(a *actor) { s.own(slices.Repeat([]*actor{a}, len(s.raw))) }

// kill ends a host without a word; its partitions are nobody's.
func (s *scene) kill(a *actor) {
	s.hosts = slices.DeleteFunc(s.hosts, func(b *actor) bool { return b == a })
	for p, owner := range s.owner {
		if owner == a {
			s.owner[p] = nil
		}
	}
}

// send adds beacons to a source partition, each of a time before now.
func (s *scene) send(p int, ago ...int64) {
	for i, d := range ago {
		s.raw[p] = append(s.raw[p], sent{s.clock - d, fmt.Sprint("s", (len(s.raw[p])+i)%7)})
	}
}

// pass lets time go on, second by second for the hosts: each ticks and commits.
func (s *scene) pass(ms int64) {
	for ; ms > 0; ms -= 10 * second {
		s.clock += min(ms, 10*second)
		for _, a := range s.hosts {
			a.tick()
		}
	}
}

func (a *actor) tick() {
	a.counts = int32(len(a.scene.raw))
	a.batch(nil)
	a.commit()
}

// poll gives a host at most n records of a partition; -1: all there are.
func (a *actor) poll(p int32, n int) {
	next, ok := a.next[p]
	if !ok || a.held[p] {
		return
	}
	end := len(a.scene.raw[p])
	if n >= 0 {
		end = min(end, int(next)+n)
	}
	var records []*kgo.Record
	for at := next; at < int64(end); at++ {
		b := a.scene.raw[p][at]
		records = append(records, &kgo.Record{
			Topic: "beacons", Partition: p, Offset: at, Value: fmt.Appendf(nil, `{"ts":%d,"tenant":"shop","sid":%q}`, b.time, b.session),
		})
	}
	if len(records) > 0 {
		a.next[p] = int64(end)
		a.batch(records)
	}
}

func (a *actor) batch(records []*kgo.Record) {
	if err := a.stage.Batch(context.Background(), records, kafka.NewTx(a)); err != nil {
		a.scene.t.Fatalf("batch: %v", err)
	}
}

// commit ends the transaction in hand.
func (a *actor) commit() {
	if len(a.out) == 0 && len(a.commits) == 0 {
		return
	}
	if err := a.stage.BeforeCommit(context.Background(), kafka.NewTx(a)); err != nil {
		a.scene.t.Fatalf("before commit: %v", err)
	}
	for _, r := range a.out {
		a.scene.write(r)
	}
	for p, c := range a.commits {
		a.scene.left[p] = c
	}
	a.out = nil
	clear(a.commits)
	a.stage.Committed(context.Background())
}

// abort undoes the transaction in hand, as a loop does.
func (a *actor) abort() {
	a.out = nil
	clear(a.commits)
	owners := slices.Clone(a.scene.owner)
	for p, owner := range owners {
		if owner == a {
			a.scene.owner[p] = nil
		}
	}
	var mine []kafka.TopicPartition
	for p := range a.next {
		mine = append(mine, kafka.TopicPartition{Topic: "beacons", Partition: p})
	}
	a.stage.Revoke(mine)
	a.scene.own(owners)
}

// write puts a committed record into its log.
func (s *scene) write(r *kgo.Record) {
	if r.Topic == "metrics" || r.Topic == "letters" {
		return
	}
	var e said
	switch r.Headers[0].Key {
	case beacon.MarkKey:
		m, err := beacon.ParseMark(r.Value)
		if err != nil {
			s.t.Fatalf("mark: %v", err)
		}
		e.mark = &m
	case beacon.EndKey:
		end, err := beacon.ParseEnd(r.Value)
		if err != nil {
			s.t.Fatalf("end: %v", err)
		}
		e.end = &end
	default:
		h, err := beacon.ParseHeader(r.Headers[0].Value)
		if err != nil {
			s.t.Fatalf("header: %v", err)
		}
		e.beacon, e.time = &h, s.raw[h.Partition][h.Offset].time
	}
	key := fmt.Sprintf("%s/%d", r.Topic, r.Partition)
	s.logs[key] = append(s.logs[key], e)
}

// Produce, Commit, Lag, Partitions and Resume implement kafka.TxModel.
func (a *actor) Produce(r *kgo.Record) { a.out = append(a.out, r) }

func (a *actor) Commit(_ string, p int32, next int64, metadata string) {
	a.commits[p] = kafka.Committed{Offset: next, Metadata: metadata}
}

func (a *actor) Lag(_ string, p int32) int64 { return int64(len(a.scene.raw[p])) - a.next[p] }

func (a *actor) Partitions(string) int32 { return a.counts }

func (a *actor) Hold(_ string, p int32) { a.held[p] = true }

func (a *actor) Resume(_ string, p int32) { a.held[p] = false }
