package session

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// StageConfig configures a Stage.
type StageConfig struct {
	Config *Config // the generation to begin with, prepared
	// Configs gives other generations by number, prepared; while it does not know
	// one, it is asked again. It may be called at any time. nil: there are none.
	Configs     func(generation uint64) (*Config, error)
	Host        string            // as the frames of the metrics topic name it
	Routes      map[string]string // route by topic, beside those of the generation in force
	Metrics     kafka.Topic       // name and number of partitions
	DeadLetters kafka.Topic       // likewise
	Log         Log               // reads routes again
	Snapshots   Snapshots         // nil: none, a partition starts at the beginning of its log
	Every       time.Duration     // between two snapshots of a partition; default 5m
	AtOnce      int               // partitions that are recovered at the same time; default GOMAXPROCS
	// Committed gives what the stage's group has committed of partitions, open
	// transactions aside. nil: a route that a reload adds begins without a
	// watermark, and may change minutes that are final.
	Committed func(ctx context.Context, parts []kafka.TopicPartition) (map[kafka.TopicPartition]kafka.Committed, error)
	// AcceptLoss says whether a partition may go on although something of it is
	// lost. nil: none may.
	AcceptLoss func(topic string, partition int32) bool
	Counters   *Counters    // may be shared by stages; nil: none
	Logger     hclog.Logger // nil: silent
}

// Stage runs the partitions of a kafka.Loop. One transaction holds the deltas,
// counts, dead letters, progress and offsets of what was consumed in it.
//
// A partition that is assigned is recovered beside the others, which go on: see
// recover.go. The loop holds it (kafka.Assigned.Hold) until then. A partition
// that comes back as it was left, as after an abort, goes on with the state that
// it has, and says again what did not hold: see owned.go.
type Stage struct {
	cfg     StageConfig
	log     hclog.Logger
	parts   map[kafka.TopicPartition]*part
	config  *Config        // in force from the next batch on
	writing *part          // whose snapshot is being written; nil: nobody's
	deltas  []metric.Delta // memory
	counts  []metric.Count
	taken   kafka.Taken

	pace pace

	ctx   context.Context // of everything that goes on beside the loop
	stop  context.CancelFunc
	wg    sync.WaitGroup // the same
	slots chan struct{}  // recoveries that work

	useMu sync.Mutex
	next  *Config       // the newest that Use was given
	used  chan struct{} // closed at the next Use

	keptMu sync.Mutex
	kept   map[kafka.TopicPartition]*part // revoked, and maybe assigned again

	statusMu   sync.Mutex
	status     []PartitionStatus
	recoveries []*recovery // likewise; nil of those that are done
}

// pace is how long things may take.
type pace struct {
	moment  time.Duration // Assign waits so long for recoveries
	again   time.Duration // between the first two tries of one
	release time.Duration // Release waits so long for snapshots
	unknown time.Duration // a generation that is not known is waited for so long
	look    time.Duration // between two looks for hand-overs
	retry   time.Duration // of a snapshot that failed
}

var (
	_ kafka.Stage          = (*Stage)(nil)
	_ kafka.Committer      = (*Stage)(nil)
	_ kafka.AfterCommitter = (*Stage)(nil)
	_ kafka.Releaser       = (*Stage)(nil)
)

// NewStage returns a stage that owns no partitions yet. Close it after its loop.
func NewStage(cfg StageConfig) *Stage {
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	if cfg.Counters == nil {
		cfg.Counters = newCounters()
	}
	if cfg.AtOnce <= 0 {
		cfg.AtOnce = runtime.GOMAXPROCS(0)
	}
	if cfg.Every <= 0 {
		cfg.Every = 5 * time.Minute
	}
	if cfg.AcceptLoss == nil {
		cfg.AcceptLoss = func(string, int32) bool { return false }
	}
	s := &Stage{
		cfg: cfg, log: cfg.Logger, parts: map[kafka.TopicPartition]*part{}, config: cfg.Config, next: cfg.Config,
		used: make(chan struct{}), slots: make(chan struct{}, cfg.AtOnce), kept: map[kafka.TopicPartition]*part{},
		pace: pace{moment: recoverMoment, again: recoverAgain, release: releaseBudget, unknown: generationPatience, look: handoverPoll, retry: imageRetry},
	}
	if cfg.Configs != nil {
		s.cfg.Config = nil // let go of once nothing is under it any more
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// Close ends what the stage does beside its loop, which has ended, and waits for
// it.
func (s *Stage) Close() {
	s.stop()
	s.wg.Wait()
	s.forget(func(*part) bool { return true })
	for _, p := range s.parts {
		if p.live() {
			p.discard()
		}
	}
}

// Use makes cfg, of a later generation, that in force: each partition is switched
// in the transaction of its next batch. It may be called at any time.
func (s *Stage) Use(cfg *Config) {
	s.useMu.Lock()
	defer s.useMu.Unlock()
	if cfg.Generation > s.next.Generation {
		s.next = cfg
	}
	close(s.used)
	s.used = make(chan struct{})
}

// newest is the newest config and what is closed when there is another.
func (s *Stage) newest() (*Config, <-chan struct{}) {
	s.useMu.Lock()
	defer s.useMu.Unlock()
	return s.next, s.used
}

// Assign takes partitions on. Those that need more than a moment are held.
func (s *Stage) Assign(_ context.Context, parts []*kafka.Assigned) error {
	s.config, _ = s.newest()
	var begun []*part
	for _, a := range parts {
		p, err := s.takeOn(a)
		if err != nil {
			return fmt.Errorf("session: %w: %w", kafka.ErrStop, err)
		}
		s.parts[p.tp()] = p
		s.cfg.Counters.partitions.Inc()
		if p.recovery != nil {
			begun = append(begun, p)
		}
	}
	for _, p := range begun { // one after the other while they take no time
		s.wg.Go(p.recovery.run)
		select {
		case <-p.recovery.done:
		case <-time.After(s.pace.moment / time.Duration(len(begun))):
		}
		if err := s.goLive(p); err != nil {
			return err
		}
	}
	for _, a := range parts {
		p := s.parts[kafka.TopicPartition{Topic: a.Topic, Partition: a.Partition}]
		if a.Hold = p.recovery != nil; a.Hold {
			a.Start = p.recovery.start(a)
		} else {
			a.Start = p.next
		}
	}
	s.report(nil)
	return nil
}

// takeOn gives a partition that goes on as it was left, or begins its recovery.
func (s *Stage) takeOn(a *kafka.Assigned) (*part, error) {
	route, ok := s.routeOf(a.Topic)
	if !ok {
		return nil, fmt.Errorf("topic %s is of no route of the config", a.Topic)
	}
	if err := s.fits(route, a); err != nil {
		return nil, err
	}
	if p := s.back(a); p != nil {
		return p, nil
	}
	p := &part{Assigned: *a, route: route, base: point{a.Committed, a.Metadata}, unmarked: a.Committed >= 0}
	p.recovery = s.newRecovery(p)
	return p, nil
}

// routeOf is the route that a topic is of, or was of.
func (s *Stage) routeOf(topic string) (string, bool) {
	if route, ok := s.cfg.Routes[topic]; ok {
		return route, true
	}
	for route, t := range s.config.Routes {
		if t.find(topic) != nil {
			return route, true
		}
	}
	return "", false
}

// fits is an error where a topic has not the partitions that the generation says:
// sessions are placed by their number.
func (s *Stage) fits(route string, a *kafka.Assigned) error {
	r, ok := s.config.Routes[route]
	if !ok {
		return nil
	}
	t := r.find(a.Topic)
	if t == nil {
		return fmt.Errorf("topic %s is none of route %s in generation %d", a.Topic, route, s.config.Generation)
	}
	if t.Partitions != a.Partitions {
		return fmt.Errorf("topic %s has %d partitions, and generation %d says %d: sessions are placed by that number; a topic cannot shrink: make it anew, or give the route another; to grow a route, `pharos repartition %s N`",
			a.Topic, a.Partitions, s.config.Generation, t.Partitions, route)
	}
	return nil
}

// goLive takes what a recovery came to, if it is done.
func (s *Stage) goLive(p *part) error {
	select {
	case <-p.recovery.done:
	default:
		return nil
	}
	r := p.recovery
	if r.err != nil {
		return r.err
	}
	p.recovery = nil
	p.recovered = r.result
	p.snapAt = p.snapshot.Taken
	return nil
}

// Revoke lets go of partitions.
func (s *Stage) Revoke(parts []kafka.TopicPartition) {
	for _, tp := range parts {
		if p := s.parts[tp]; p != nil {
			delete(s.parts, tp)
			s.cfg.Counters.partitions.Dec()
			s.leave(p)
		}
	}
	s.report(nil)
}

// Batch processes records; without any, it sees to it that progress is said.
func (s *Stage) Batch(ctx context.Context, records []*kgo.Record, tx *kafka.Tx) error {
	s.config, _ = s.newest()
	for _, p := range s.sorted() {
		if err := s.ready(p, tx); err != nil {
			return err
		}
		if err := s.catchUp(ctx, p, tx); err != nil {
			return err
		}
	}
	for len(records) > 0 {
		n := 1
		for n < len(records) && records[n].Partition == records[0].Partition && records[n].Topic == records[0].Topic {
			n++
		}
		tp := kafka.TopicPartition{Topic: records[0].Topic, Partition: records[0].Partition}
		p := s.parts[tp]
		if p == nil || p.recovery != nil || p.ahead.waits() {
			return fmt.Errorf("session: records of %s/%d, which is not assigned or held", tp.Topic, tp.Partition)
		}
		if err := s.consume(ctx, p, records[:n], tx); err != nil {
			return err
		}
		records = records[n:]
	}
	now := time.Now()
	for _, p := range s.parts {
		if !p.live() {
			continue
		}
		p.closed = p.closed || p.core.Ended()
		tx.Commit(p.Topic, p.Partition, p.next, p.metadata())
		s.sayStill(p, now)
	}
	s.imagesDue(now)
	s.report(tx)
	return nil
}

// ready makes a partition live whose recovery is done, and switches it to the
// generation in force.
func (s *Stage) ready(p *part, tx *kafka.Tx) error {
	if p.recovery != nil {
		if err := s.goLive(p); err != nil || p.recovery != nil {
			return err
		}
		tx.Resume(p.Topic, p.Partition)
	}
	if n := tx.Partitions(p.Topic); n > p.Partitions {
		grown := p.Assigned
		grown.Partitions = n
		if err := s.fits(p.route, &grown); err != nil {
			return fmt.Errorf("session: %w: %w", kafka.ErrStop, err)
		}
	}
	if !p.live() || p.closed || p.core.Generation() >= s.config.Generation {
		return nil
	}
	if err := p.core.Switch(s.config); err != nil {
		p.broken = true
		return fmt.Errorf("session: %w: %s/%d: %w", kafka.ErrStop, p.Topic, p.Partition, err)
	}
	p.switches = p.switches.add(p.next, s.config.Generation, p.core.Watermark())
	s.log.Info("switched", "topic", p.Topic, "partition", p.Partition, "offset", p.next, "generation", s.config.Generation)
	return nil
}

// consume processes records of a live partition. From the first on that was
// written under a generation that this host has not loaded they wait for it.
func (s *Stage) consume(ctx context.Context, p *part, records []*kgo.Record, tx *kafka.Tx) error {
	for len(records) > 0 && records[0].Offset < p.next {
		records = records[1:] // a recovery has gone on behind where reading starts
	}
	if len(records) == 0 {
		return nil
	}
	if p.closed {
		s.sayClosed(p, records)
		return nil
	}
	taken, err := p.feeder.feed(ctx, s, p.core, records, p.core.Generation(), s.taken.To(p.tp(), p.TopicID), &p.out)
	if err != nil {
		p.broken = true
		return err
	}
	if taken > 0 {
		p.next = records[taken-1].Offset + 1
		s.taken.Note(p.tp(), p.TopicID, p.next)
	}
	if taken < len(records) {
		s.await(p, records[taken:], tx)
	}
	return nil
}

// BeforeCommit adds what the transaction is to hold and, as the last record on
// every partition of the metrics topic, how far all live partitions are.
func (s *Stage) BeforeCommit(_ context.Context, tx *kafka.Tx) error {
	frame := metric.Frame{Host: s.cfg.Host, Generation: s.config.Generation, Deltas: s.deltas[:0], Counts: s.counts[:0]}
	letters := 0
	for _, p := range s.sorted() {
		if !p.live() {
			continue
		}
		out := p.send() // of partitions too that were assigned since the last batch
		tx.Commit(p.Topic, p.Partition, p.sent.offset, p.sent.metadata)
		frame.Deltas = append(frame.Deltas, out.Deltas...)
		frame.Counts = append(frame.Counts, out.Counts...)
		for i := range out.DeadLetters {
			tx.Produce(out.DeadLetters[i].Record(s.cfg.DeadLetters.Name, s.cfg.DeadLetters.Partitions))
		}
		letters += len(out.DeadLetters)
		frame.Progress = append(frame.Progress, p.progress())
	}
	if err := frame.Records(s.cfg.Metrics.Partitions, func(partition int32, value []byte) {
		tx.Produce(&kgo.Record{Topic: s.cfg.Metrics.Name, Partition: partition, Value: value})
	}); err != nil {
		return fmt.Errorf("session: %w: %w", kafka.ErrStop, err)
	}
	s.cfg.Counters.deadLetters.Add(float64(letters))
	s.cfg.Counters.deltas.Add(float64(len(frame.Deltas)))
	clear(frame.Deltas)
	clear(frame.Counts)
	s.deltas, s.counts = frame.Deltas, frame.Counts
	return nil
}

// Committed notes that what was sent holds.
func (s *Stage) Committed(context.Context) {
	for _, p := range s.parts {
		p.confirm()
	}
}

// sorted are the partitions by topic and number.
func (s *Stage) sorted() []*part {
	return slices.SortedFunc(maps.Values(s.parts), func(a, b *part) int {
		return cmp.Or(compareText(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
}
