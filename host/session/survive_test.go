package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/blob"
	"github.com/seed-6a2d649b/pharos/host/experiment"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/host/snapshot"
)

// faulty is a store of snapshots that fails, or holds up, what at says.
type faulty struct {
	*snapshot.Store
	at atomic.Pointer[func(step string) error] // nil: nothing
}

func (f *faulty) step(name string) error {
	if at := f.at.Load(); at != nil {
		return (*at)(name)
	}
	return nil
}

func (f *faulty) Put(ctx context.Context, info snapshot.Info, write func(io.Writer) error) error {
	return f.put(ctx, info, f.Store.Put, write)
}

func (f *faulty) PutHandover(ctx context.Context, info snapshot.Info, write func(io.Writer) error) error {
	return f.put(ctx, info, f.Store.PutHandover, write)
}

func (f *faulty) put(ctx context.Context, info snapshot.Info, put func(context.Context, snapshot.Info, func(io.Writer) error) error, write func(io.Writer) error) error {
	if err := f.step("before a put"); err != nil {
		return err
	}
	err := put(ctx, info, func(w io.Writer) error {
		if err := errors.Join(f.step("in a put"), write(w)); err != nil {
			return err
		}
		return f.step("at the end of a put")
	})
	return errors.Join(err, f.step("after a put"))
}

func (f *faulty) Open(ctx context.Context, info snapshot.Info) (io.ReadCloser, error) {
	if err := f.step(fmt.Sprint("open ", info.Partition)); err != nil {
		return nil, err
	}
	return f.Store.Open(ctx, info)
}

func (f *faulty) List(ctx context.Context, key snapshot.Key) ([]snapshot.Info, error) {
	if err := f.step("list"); err != nil {
		return nil, err
	}
	return f.Store.List(ctx, key)
}

func (f *faulty) Mark(ctx context.Context, name string) error {
	return errors.Join(f.step("mark"), f.Store.Mark(ctx, name))
}

func newStore(t testing.TB) (*faulty, *blob.Bucket) {
	b, err := blob.Open(t.Context(), "mem://")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return &faulty{Store: snapshot.New(b, "g", 2)}, b
}

// survival is a stage whose worker and process end in every way, and the log of
// two partitions that it goes along.
type survival struct {
	*testing.T
	*rand.Rand
	store     *faulty
	bucket    *blob.Bucket
	extractor *flaky
	configs   []*Config // by generation - 1
	log       *memoryLog
	records   map[kafka.TopicPartition][]Record
	all       []Record // in the order in which they were written
	sources   []*testSender
	time      int64
	tx        *ledgerTx
	hand      *kafka.Tx
	stage     *Stage
	read      map[kafka.TopicPartition]int64 // where reading goes on
	held      map[kafka.TopicPartition]bool
	dirty     bool
	accept    bool // losses
	said      []string
	switches  int
}

// testSender is a source partition: where what comes of it goes, and its watermark.
type testSender struct {
	topic     RouteTopic
	offset    int64
	watermark int64
}

var (
	survivalParts = []kafka.TopicPartition{{Topic: routeTopic, Partition: 0}, {Topic: routeTopic, Partition: 1}}
	firstTopic    = RouteTopic{Topic: routeTopic, Partitions: routePartitions}
	secondTopic   = RouteTopic{Topic: routeTopic + "-v2", Partitions: 3, Replaces: &firstTopic}
)

// survivalSessions is how many different session ids there are.
const survivalSessions = 6

// parts are all partitions that there are by now.
func (s *survival) parts() []kafka.TopicPartition {
	all := survivalParts
	if s.configs[s.switches].Routes["web"].Replaces != nil {
		for p := range secondTopic.Partitions {
			all = append(slices.Clip(all), kafka.TopicPartition{Topic: secondTopic.Topic, Partition: p})
		}
	}
	return all
}

func newSurvival(t *testing.T, seed uint64) *survival {
	s := &survival{
		T: t, Rand: rand.New(rand.NewPCG(seed, 0)), log: newMemoryLog(), tx: newLedgerTx(), records: map[kafka.TopicPartition][]Record{},
		sources: []*testSender{{firstTopic, 0, metric.NoWatermark}, {firstTopic, 0, metric.NoWatermark}},
		read:    map[kafka.TopicPartition]int64{}, held: map[kafka.TopicPartition]bool{},
	}
	s.store, s.bucket = newStore(t)
	s.extractor = &flaky{listExtractor: testPoints("view", "order")}
	for generation := range uint64(6) {
		s.configs = append(s.configs, testConfig(func(c *Config, shop *Tenant) {
			c.Generation = generation + 1
			c.Routes = map[string]RouteTopic{"web": firstTopic}
			all := []func() experiment.Experiment{
				func() experiment.Experiment { return plainTrial },
				func() experiment.Experiment { return excludeTrial2 },
			}
			for i, e := range all {
				if generation%3 != uint64(i)+1 {
					shop.Experiments = append(shop.Experiments, compile(e()))
				}
			}
			shop.Extractor = s.extractor
			shop.AllTraffic = generation%2 == 0
			c.Sources[0].Partitions = 0
		}))
	}
	s.hand = kafka.NewTx(s.tx)
	s.start()
	return s
}

func (s *survival) note(format string, args ...any) {
	s.said = append(s.said, fmt.Sprintf(format, args...))
}

// start starts a process and gives it both partitions.
func (s *survival) start() {
	s.fresh()
	s.assign()
}

// fresh makes the stage of a new process.
func (s *survival) fresh() {
	if s.stage != nil {
		s.stage.Close()
	}
	s.stage = NewStage(StageConfig{
		Config: s.configs[s.switches], Configs: func(g uint64) (*Config, error) { return s.configs[g-1], nil },
		Host: "h", Routes: map[string]string{routeTopic: "web"}, Metrics: stageTopics[1], DeadLetters: stageTopics[2],
		Log: s.log, Snapshots: s.store, Every: 1, AcceptLoss: func(string, int32) bool { return s.accept },
	})
	s.stage.pace = pace{moment: 2 * time.Millisecond, again: time.Millisecond, release: 20 * time.Millisecond, unknown: 50 * time.Millisecond, look: time.Millisecond, retry: time.Millisecond}
}

func (s *survival) assign() {
	s.Helper()
	if err := s.tryAssign(nil); err != nil {
		s.Fatal(err)
	}
}

func (s *survival) tryAssign(change func(*kafka.Assigned)) error {
	var parts []*kafka.Assigned
	for _, tp := range s.parts() {
		a := s.tx.assigned(tp, int64(len(s.log.records[tp])))
		a.LogStart = s.log.starts[tp]
		a.Start = max(a.Start, a.LogStart)
		if change != nil {
			change(a)
		}
		parts = append(parts, a)
	}
	if err := s.stage.Assign(s.Context(), parts); err != nil {
		return err
	}
	for _, a := range parts {
		tp := kafka.TopicPartition{Topic: a.Topic, Partition: a.Partition}
		s.note("%v from %d, held %t", tp, a.Start, a.Hold)
		s.read[tp], s.held[tp] = a.Start, a.Hold
		if a.Start < a.LogStart || a.Start > a.LogEnd {
			return fmt.Errorf("%v is read from %d, which is outside of the log", tp, a.Start)
		}
	}
	return nil
}

// feed lets dispatch write.
func (s *survival) feed() {
	for range s.IntN(20) {
		s.time += s.Int64N(2 * minute)
		at := max(0, s.time-s.Int64N(8*minute))
		session, n := fmt.Sprint(s.IntN(survivalSessions)), s.IntN(len(s.sources))
		from := s.sources[n]
		line := fmt.Sprintf(`{"ts":%d,"tenant":"shop","sid":%q,"id":%q,"exp":{"e":"%c","x":"%c"},"m":[["view"],["order",%d]]}`,
			at, session, []string{"", fmt.Sprint(s.IntN(30))}[s.IntN(2)], 'a'+s.IntN(2), 'a'+s.IntN(2), s.IntN(100))
		r := log(line)[0]
		r.Header.Partition, r.Header.Offset, r.Header.Watermark = int32(n), from.offset, from.watermark
		from.offset++
		from.watermark = max(from.watermark, at)
		s.write(from.topic.Topic, kafka.PartitionOf([]byte(session), from.topic.Partitions), r)
		if s.IntN(4) == 0 {
			s.mark()
		}
	}
	s.mark()
}

// mark says on all partitions how far the sources are that go there.
func (s *survival) mark() {
	for n, from := range s.sources {
		m := &beacon.Mark{Generation: 1, Entries: []beacon.MarkEntry{{Topic: "raw", Partition: int32(n), Partitions: int32(len(s.sources)), Watermark: from.watermark}}}
		for p := range from.topic.Partitions {
			s.write(from.topic.Topic, p, Record{Mark: m})
		}
	}
}

// move lets a source go on on the second topic.
func (s *survival) move(n int) {
	from := s.sources[n]
	s.note("source %d moves", n)
	e := &beacon.End{Generation: 2, Topic: "raw", Partition: int32(n), Partitions: int32(len(s.sources)), Watermark: from.watermark}
	for p := range from.topic.Partitions {
		s.write(from.topic.Topic, p, Record{End: e})
	}
	from.topic = secondTopic
	s.mark()
}

func (s *survival) write(topic string, partition int32, r Record) {
	tp := kafka.TopicPartition{Topic: topic, Partition: partition}
	r.Offset = int64(len(s.records[tp]))
	s.records[tp] = append(s.records[tp], r)
	s.log.put(tp, recordOf(tp, r))
	r.Offset = int64(len(s.all))
	s.all = append(s.all, r)
}

// batch gives the stage records of some partitions, or a tick.
func (s *survival) batch(most int) {
	var records []*kgo.Record
	for _, tp := range s.parts() {
		if s.held[tp] {
			continue
		}
		n := min(int64(s.IntN(most+1)), int64(len(s.log.records[tp]))-s.read[tp])
		records = append(records, s.log.records[tp][s.read[tp]:s.read[tp]+n]...)
		s.read[tp] += n
	}
	err := s.stage.Batch(s.Context(), records, s.hand)
	if errors.Is(err, kafka.ErrStop) {
		s.Fatal(err)
	} else if err != nil {
		s.note("%v", err)
		s.lose()
		return
	}
	maps.Copy(s.held, s.tx.turned)
	clear(s.tx.turned)
	s.dirty = true
}

func (s *survival) before() {
	if err := s.stage.BeforeCommit(s.Context(), s.hand); err != nil {
		s.Fatal(err)
	}
}

// commit ends the transaction as it should.
func (s *survival) commit() {
	s.before()
	s.tx.end(true)
	s.stage.Committed(s.Context())
	s.dirty = false
}

// fail ends the transaction otherwise; the stage gets its partitions anew.
func (s *survival) fail() {
	if s.IntN(3) > 0 {
		s.before()
		holds := s.IntN(2) == 0
		s.tx.end(holds)
		s.note("transaction without an answer, holds %t", holds)
	} else {
		s.tx.end(false)
		s.note("abort")
	}
	s.lose()
}

// lose aborts what is open, if anything is; the stage gets its partitions anew.
func (s *survival) lose() {
	s.tx.end(false)
	s.dirty = false
	s.stage.Revoke(s.parts())
	s.assign()
}

// kill ends the process anywhere.
func (s *survival) kill() {
	if s.IntN(2) == 0 {
		s.before()
		holds := s.IntN(2) == 0
		s.tx.end(holds)
		s.note("killed, transaction holds %t", holds)
	} else {
		s.tx.end(false)
		s.note("killed")
	}
	s.dirty = false
	s.start()
}

// leave gives the partitions to another process.
func (s *survival) leave() {
	if s.dirty {
		s.commit()
	}
	s.note("leaves")
	s.stage.Release(s.Context(), s.parts())
	s.stage.Revoke(s.parts())
	s.start()
}

// faults makes the store fail for a while.
func (s *survival) faults() {
	s.store.at.Store(nil)
	s.extractor.broken.Store(false)
	switch s.IntN(4) {
	case 0:
		s.extractor.broken.Store(true)
		return
	case 1:
		return
	}
	bad := []string{"before a put", "in a put", "at the end of a put", "after a put", "mark"}[s.IntN(5)]
	hangs := s.IntN(3) == 0
	s.note("fault %s, hangs %t", bad, hangs)
	stage := s.stage
	var at func(step string) error
	at = func(step string) error {
		if step != bad {
			return nil
		}
		for hangs && s.store.at.Load() == &at && stage.ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		return fmt.Errorf("fault: %s", step)
	}
	s.store.at.Store(&at)
}

// breakNewest breaks the newest snapshot of a partition that has another which
// serves.
func (s *survival) breakNewest() {
	for _, tp := range survivalParts {
		list := s.snapshots(tp)
		if len(list) < 2 || list[1].Offset < s.log.starts[tp] {
			continue
		}
		if _, err := s.store.Verify(s.Context(), list[1]); err == nil {
			s.breakIt(list[0])
		}
	}
}

func (s *survival) snapshots(tp kafka.TopicPartition) []snapshot.Info {
	s.Helper()
	list, err := s.store.Store.List(s.Context(), snapshot.Key{Route: "web", Topic: tp.Topic, TopicID: [16]byte{7}, Partition: tp.Partition})
	if err != nil {
		s.Fatal(err)
	}
	return list
}

func (s *survival) breakIt(info snapshot.Info) {
	s.Helper()
	objects, err := s.bucket.List(s.Context(), "groups/g/snapshots/")
	if err != nil {
		s.Fatal(err)
	}
	end := fmt.Sprintf("/%05d/%019d-g%d", info.Partition, info.Offset, info.Generation)
	name := objects[slices.IndexFunc(objects, func(e blob.Entry) bool { return strings.HasSuffix(e.Name, end) })].Name
	r, err := s.bucket.Read(s.Context(), name)
	if err != nil {
		s.Fatal(err)
	}
	content, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		s.Fatal(err)
	}
	switch n := s.IntN(3); {
	case len(content) == 0:
	case n == 0:
		content[s.IntN(len(content))] ^= 1 << s.IntN(8)
	case n == 1:
		content = content[:s.IntN(len(content))]
	default:
		content = nil
	}
	if err := s.bucket.Write(s.Context(), name, func(w io.Writer) error { _, err := w.Write(content); return err }); err != nil {
		s.Fatal(err)
	}
	s.note("broke the snapshot %s", name)
}

// trim deletes what lies before the oldest snapshot of a partition from its log.
func (s *survival) trim() {
	for _, tp := range survivalParts {
		list := s.snapshots(tp)
		if len(list) < 2 {
			continue
		}
		if _, err := s.store.Verify(s.Context(), list[1]); err == nil {
			s.note("%v begins at %d", tp, list[1].Offset)
			s.log.cut(tp, list[1].Offset)
		}
	}
}

// settle brings everything to rest and compares what was booked in all lives with
// the definition's figures under the generations that were in force.
func (s *survival) settle() {
	s.Helper()
	s.rest(survivalParts)
	var want sums
	for _, tp := range survivalParts {
		left, err := parseMetadata(s.tx.offsets[tp].Metadata)
		if err != nil {
			s.Fatal(err)
		}
		p := NewPartition(s.configs[left.Switches[0].generation-1], "web", tp.Partition)
		for j, r := range s.records[tp] {
			for p.Generation() < left.Switches.at(int64(j)) {
				next := slices.IndexFunc(left.Switches, func(sw generationSwitch) bool { return sw.generation > p.Generation() })
				if err := p.Switch(s.configs[left.Switches[next].generation-1]); err != nil {
					s.Fatal(err)
				}
			}
			if err := p.Process(s.Context(), []Record{r}, &want.out); err != nil {
				s.Fatal(err)
			}
		}
		want.take()
	}
	s.compare(&want)
}

// rest lets the stage process all of some partitions.
func (s *survival) rest(parts []kafka.TopicPartition) {
	s.Helper()
	s.store.at.Store(nil)
	s.extractor.broken.Store(false)
	for deadline := time.Now().Add(30 * time.Second); ; {
		s.batch(1000)
		s.commit()
		done := true
		for _, tp := range parts {
			done = done && s.tx.offsets[tp].Offset == int64(len(s.log.records[tp]))
		}
		if done {
			return
		}
		if time.Now().After(deadline) {
			s.Fatalf("not done: %+v", s.stage.Status())
		}
	}
}

// compare compares what was booked.
func (s *survival) compare(want *sums) {
	s.Helper()
	var got sums
	for _, r := range s.tx.produced {
		if r.Topic == deadTopic {
			d, err := kafka.ParseDeadLetter(r)
			if err != nil {
				s.Fatal(err)
			}
			got.out.DeadLetters = append(got.out.DeadLetters, d)
			got.take()
			continue
		}
		f, err := metric.ParseFrame(r.Value)
		if err != nil {
			s.Fatal(err)
		}
		for _, d := range f.Deltas {
			got.totals.Add(d)
		}
		for _, c := range f.Counts {
			got.counts.Add(c)
		}
	}
	check(s, "figures", got.figures(), want.figures())
	check(s, "counts", got.countLines(), want.countLines())
	check(s, "dead letters", got.letters, want.letters)
}

// happen lets one thing happen.
func (s *survival) happen() {
	switch n := s.IntN(100); {
	case n < 35:
		s.feed()
	case n < 60:
		s.batch(30)
	case n < 75:
		s.commit()
	case n < 80:
		s.fail()
	case n < 85:
		s.kill()
	case n < 88:
		s.leave()
	case n < 91 && s.switches < len(s.configs)-1:
		s.switches++
		s.stage.Use(s.configs[s.switches])
	case n < 95:
		s.faults()
	case n < 97:
		s.breakNewest()
	case n < 98:
		s.trim()
	default:
		time.Sleep(time.Millisecond)
	}
}

// However often workers fail, processes end and snapshots break, wherever that
// is: each record is booked once, under one generation.
func TestStageSurvives(t *testing.T) {
	for seed := range uint64(150) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := newSurvival(t, seed)
			defer func() {
				s.stage.Close()
				if t.Failed() {
					t.Logf("seed %d:\n%s", seed, s.said)
				}
			}()
			for range 120 {
				s.happen()
			}
			s.settle()
		})
	}
}
